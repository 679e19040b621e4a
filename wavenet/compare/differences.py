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
        'it. So does that of infer_wavenet.py.',
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
        'nll is in nats per image, and bits/dim is nll / (C · H · W · ln 2). Of sound, nll is in '
        'nats per sample, and bits/dim is nll / ln 2.',
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
    Difference(
        'WaveNet: the number of the receptive field',
        'receptive_field_size is S · 2^L, for S stacks of L layers. The model sees 2 + S (2^L - 1) '
        'samples.',
        'The receptive field is 2 + (k - 1) S (2^L - 1), for kernel width k. The row "what a '
        'changed value reaches" measures it on both sides.',
        (NEWEST,)),
    Difference(
        'WaveNet: most samples are not trained on',
        'Chunks do not overlap, and the first S · 2^L targets of each are ignored: with his '
        'defaults, 24 % of the samples are targets. The beginning of a recording never is, so '
        'generation starts where nothing was trained, and the default --length 4096 is shorter '
        'than the receptive field.',
        'Every sample of every recording is a target once in an epoch, with its true context. '
        'This comparison trains both sides on his chunks.',
        (NEWEST,)),
    Difference(
        'WaveNet: remainders and short recordings are dropped',
        'preprocess.py drops what is left after the last whole chunk of a recording.',
        'Recordings have any length.',
        (NEWEST,)),
    Difference(
        'WaveNet: loud sound gets the label -1',
        'A change of the sampling rate overshoots. What is below -1 then gets the label -1: as a '
        'target it does not count, and as one-hot input it is the last level.',
        'Sound beyond [-1, 1] is clipped. This comparison repeats his labels.',
        (NEWEST,)),
    Difference(
        'WaveNet: only mono files of 16 bits are read right',
        'Every sample is divided by 2^15. Silence of 8 bits becomes level 143, floating samples '
        'become levels 127 and 128, and stereo fails.',
        'Files of every width are read; several channels become their mean.',
        (NEWEST,)),
    Difference(
        'WaveNet: a bad file empties the output of its worker',
        'preprocess.py never looks at the errors of its workers. The order of the files is that '
        'of the file system.',
        'A bad file is left out, with a line that names it, or is an error with --strict. The '
        'order is that of the names.',
        (NEWEST,)),
    Difference(
        'WaveNet: --levels and --label are ignored in places',
        'The training data has 256 levels whatever --levels says. The model takes the class of '
        '--label and ignores it.',
        '--levels counts everywhere. The form paper conditions on the class, as in section 2.5.',
        (NEWEST,)),
    Difference(
        'WaveNet: a sample takes 1 kB',
        'Inputs are one-hot, float32 of 256 levels, for all data at once.',
        'Recordings take a byte a sample, and the first layer looks up its weights.',
        (NEWEST,)),
    Difference(
        'WaveNet: kernel width 3 fails',
        'The crop after a dilated convolution is right for kernel width 2 only.',
        'Every kernel width is causal.',
        (NEWEST,)),
    Difference(
        'WaveNet: two 1×1 convolutions in a layer',
        'A layer has one convolution for the residual and one for the skip connection, and the '
        'output layers see the sum of the skip connections plus the output of the last layer.',
        "The form paper has one for both, and its output layers see the sum alone, as in the "
        "paper's figure 4. This comparison uses our form author.",
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
