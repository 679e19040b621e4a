"""The weights of a WaveNet, put together for the loops that generate."""


def first_weights(model):
    """The columns of conv1, (2, levels, maps), and its biases."""
    return model.conv1.W.array[:, :, 0].transpose(2, 1, 0), model.conv1.b.array


def layer_weights(layers, class_ids, batch):
    """The weights and biases of the layers.

    Args:
        layers: the `CausalLayer`s.
        class_ids: classes of the sounds, integers (B,), or None.
        batch: number of sounds.

    Returns: of the gates, (layers, 2 maps, k, maps) and (layers, B, 2 maps); of the convolutions
        after them, one for each layer or the author's two, (convolutions, maps, maps) and
        (convolutions, maps).
    """
    xp = layers[0].xp
    gates = xp.stack([layer.gated_conv.W.array[:, :, 0] for layer in layers])
    bias = xp.stack([layer.gated_conv.b.array for layer in layers])[:, None]
    if class_ids is None:
        bias = xp.broadcast_to(bias, (len(layers), batch, bias.shape[2]))
    else:
        bias = bias + xp.stack([layer.label.W.array for layer in layers])[:, class_ids]
    links = [[layer.res_conv, layer.skip_conv] if layer.form == 'author' else [layer.output_conv]
             for layer in layers]
    output = xp.stack([link.W.array[:, :, 0, 0] for pair in links for link in pair])
    output_b = xp.stack([link.b.array for pair in links for link in pair])
    return gates.transpose(0, 1, 3, 2), bias, output, output_b
