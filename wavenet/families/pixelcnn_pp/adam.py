"""Adam as in openai/pixel-cnn (pixel_cnn_pp/nn.py, adam_updates)."""
import chainer
from chainer.optimizers.adam import AdamRule


class RootAdam(chainer.optimizers.Adam):
    """Adam whose epsilon is below the root: m / sqrt(v + eps), bias-corrected both.

    So parameters whose gradients are far below 1e-4 move more slowly than with Chainer's Adam.
    """

    def __init__(self, alpha=0.001, beta1=0.95, beta2=0.9995, eps=1e-8):
        super().__init__(alpha, beta1, beta2, eps)

    def create_update_rule(self):
        return RootAdamRule(self.hyperparam)


class RootAdamRule(AdamRule):
    """See `RootAdam`."""

    def update_core(self, param):
        grad, hyper = param.grad, self.hyperparam
        if grad is None:
            return
        m, v = self.state['m'], self.state['v']
        m += (1 - hyper.beta1) * (grad - m)
        v += (1 - hyper.beta2) * (grad * grad - v)
        root = v / (1 - hyper.beta2 ** self.t)
        root += hyper.eps
        param.array -= hyper.alpha / (1 - hyper.beta1 ** self.t) * (m / param.xp.sqrt(root))
