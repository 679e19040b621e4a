"""The known differences between the author's code and ours, as docs/compare.md lists them."""
from typing import NamedTuple

POST, NEWEST = 'f9705a7', '917345c'  # the commit of the post, and the newest one: Gated PixelCNN


class Difference(NamedTuple):
    title: str
    theirs: str
    here: str
    commits: tuple[str, ...]  # the author's commits that have it


DIFFERENCES = (
    Difference(
        'generation needs a GPU',
        'generate_and_save_samples in infer.py allocates its images with CuPy, and fails without '
        'it.',
        'Generation runs on any device.',
        (POST, NEWEST)),
    Difference(
        'train.py on a CPU trains on other inputs',
        'Only with --gpu do the inputs become targets / (levels - 1). On a CPU the model gets the '
        'intensities as they are.',
        'Inputs are targets / (levels - 1) on every device. This comparison gives them to both '
        'sides.',
        (POST, NEWEST)),
    Difference(
        'the help of --learning_rate describes another option',
        'It describes gradient clipping: "Bound for gradient hard clipping".',
        'It describes the learning rate.',
        (POST, NEWEST)),
    Difference(
        '--stats False means True',
        'The option has the type bool, and bool of any text but the empty one is True.',
        '--stats takes no value.',
        (POST, NEWEST)),
    Difference(
        '--gradclip does nothing',
        'train.py parses the option and never reads it.',
        'It clips gradients if given. It is off by default, which repeats the author\'s runs.',
        (POST,)),
    Difference(
        'bits/dim is divided twice',
        'The loss is already the mean over all values, in nats. bits/dim divides it by their '
        'number again, and stays in nats.',
        'nll is in nats per image, and bits/dim is nll / (C · H · W · ln 2).',
        (NEWEST,)),
    Difference(
        'gated: mask A twice in the first block',
        "The 1×1 output convolution of the block has mask A, too. So R does not see the left "
        "pixel's G and B, G does not see its own pixel's R, and B does not see its G.",
        'The form paper has mask B there: mask A of the convolution before it already hides the '
        'value itself.',
        (NEWEST,)),
    Difference(
        'gated: a blind spot is left',
        'Every vertical layer leaves out its own row. So the row above is seen only as far as the '
        'first block sees it: at most three columns to the right.',
        'In the form paper only the first vertical layer leaves out its own row, and the '
        'horizontal stack of every block reads the row above. Each block adds one column.',
        (NEWEST,)),
    Difference(
        'gated: grayscale does not see the row above',
        'In grayscale only the vertical stack passes mask A twice, and after the first block it '
        'ends two rows above the pixel. With masks for one colour, as in our form author, no pixel '
        'of the row above is seen.',
        'The form paper sees the row above.',
        (NEWEST,)),
    Difference(
        'gated: one embedding of the class for all gates',
        'Each block has one embedding for both gates of both stacks.',
        "The form paper has one for each of them, as in the paper's section 2.3.",
        (NEWEST,)),
)


def of_commit(name):
    """The differences of one of the two commits; for any other, all, with the commits in the title.

    Args:
        name: the first seven digits of the commit, or None.
    """
    if name in (POST, NEWEST):
        return [difference for difference in DIFFERENCES if name in difference.commits]
    return [difference._replace(title=f'{difference.title} ({" and ".join(difference.commits)})')
            for difference in DIFFERENCES]
