"""`python -m wavenet.compare` of WaveNet, with a repository that has the author's interface."""
import html

import numpy as np
import pytest
import tqdm

import author_stand_in
from comparing import read_summary, run_and_leave_as_it_was
from wavenet import serialization
from wavenet.compare import compare_sound, page, rows, sides, sound_inputs, sound_verdicts, verdicts
from wavenet.compare.__main__ import make_parser
from wavenet.compare.ours_wavenet import OursWaveNet

SMALL = ('--hidden_dim', 4, '--blocks_num', 0, '--out_hidden_dim', 3, '--batchsize', 4,
         '--iteration', 9, '--count', 2, '--stacks_num', 3, '--layers_num', 2,
         '--target_length', 16, '--length', 12)
COMPARED = ['parameters', 'mulaw', 'inverse_mulaw', 'wav_to_float', 'quantisize',
            'receptive_field_size', 'chunks of .wav files', 'inputs of .wav files',
            'targets of .wav files', 'logits', 'what a changed value reaches', 'loss',
            'gradients, float64', 'gradients, float32', '9 optimizer steps, float64',
            'parameters after them', '8 optimizer steps, float32', '9 optimizer steps, float32',
            "the author's model, loaded here", "the author's snapshot, loaded here",
            'our model, loaded there', 'generation', '.wav files of the sounds']


FAST = (*SMALL, '--stacks_num', 1, '--iteration', 2, '--target_length', 8, '--length', 40)


def rows_of(summary):
    """The rows on WaveNet, by their names."""
    heading = sound_verdicts.HEADING
    return {row['name'][len(heading):]: row for row in summary['rows']
            if row['name'].startswith(heading)}


def test_the_same_model_agrees(compare, tmp_path):
    author = author_stand_in.write_newest(tmp_path / 'author')
    done = run_and_leave_as_it_was(compare, author, *SMALL)
    summary = read_summary(tmp_path)
    assert summary['verdict'] == 'agrees' and summary['model'] == 'Gated PixelCNN and WaveNet'
    found = rows_of(summary)
    assert list(found) == COMPARED and len(summary['rows']) == len(COMPARED) + 19
    for row in found.values():
        assert row['verdict'] == 'agrees' and row['difference'] <= row['tolerance'], row
    assert found['what a changed value reaches']['detail'].endswith(
        'an output depends on 11 samples at most, his receptive_field_size says 12')
    assert found['generation']['detail'] == '12 samples of each of 4 sounds'
    losses = summary['wavenet']['losses']
    assert len(losses['author']) == len(losses['here']) == 9
    assert summary['wavenet']['config']['stacks_num'] == 3
    assert summary['times'].keys() == {'training step', '4 pictures', 'WaveNet: training step',
                                       '4 sounds'}
    assert max(map(len, done.stdout.splitlines())) <= 80
    text = (tmp_path / 'comparison' / 'report.html').read_text()
    assert text.count('<svg') == 2 + page.SOUNDS and '<h2>WaveNet</h2>' in text
    assert '$' not in text and 'an empty module stood in its place' in text
    assert text.count(html.escape(summary['author']['wavenet']['cpu_error'])) >= 1


FAULTS = {
    'other dilations': (
        {'Layer(hidden_dim, 2 ** n)': 'Layer(hidden_dim, 3 ** n)'},
        {'logits', 'what a changed value reaches', 'gradients, float64'}),
    'gates in another order': (
        {'tanh, sigmoid = F.split_axis': 'sigmoid, tanh = F.split_axis'},
        {'logits', 'loss', 'gradients, float64', '2 optimizer steps, float64', 'generation',
         '.wav files of the sounds'}),
    "without the last layer's output": (
        {'F.relu(x + total)': 'F.relu(total)'}, {'logits', 'gradients, float64'}),
    'another name of a parameter': (
        {'res_conv=': 'residual_conv=', 'self.res_conv(': 'self.residual_conv('}, {'parameters'}),
    'another mulaw': (
        {'np.log1p(mu * abs(audio))': 'np.log1p(mu * abs(audio) * 1.0001)'},
        {'mulaw', 'chunks of .wav files', 'inputs of .wav files', 'targets of .wav files'}),
    'a filter that is off by a sample': (
        {'[len(n) // 2:]': '[len(n) // 2 - 1:]'},
        {'chunks of .wav files', 'inputs of .wav files', 'targets of .wav files'}),
    'another receptive field': (
        {'return stacks * 2 ** layers': 'return stacks * (2 ** layers - 1)'},
        {'receptive_field_size', 'chunks of .wav files', 'inputs of .wav files',
         'targets of .wav files'}),
    'another loudness': ({'* 32767)': '* 32768)'}, {'.wav files of the sounds'}),
}


def compare_wavenet(author, folder, *args):
    """The rows on WaveNet, by their names, without the command."""
    args = make_parser().parse_args(['--author', str(author), *map(str, (*FAST, *args))])
    both = sides.Sides(str(author), None, str(folder))
    found = compare_sound.compare(both, args, tqdm.tqdm(total=0, disable=True))
    return {row.name[len(sound_verdicts.HEADING):]: row for row in found.rows}, found


@pytest.mark.parametrize('name', FAULTS)
def test_a_fault_is_found(fast_sides, tmp_path, name):
    replaced, expected = FAULTS[name]
    author = author_stand_in.write_newest(tmp_path / 'author', *replaced.items())
    found, _ = compare_wavenet(author, tmp_path)
    differing = {key for key, row in found.items() if row.verdict == 'differs'}
    assert differing >= expected
    assert expected & {'logits', 'parameters'} or not differing - expected
    assert differing.isdisjoint({"the author's model, loaded here", 'quantisize'})


def test_the_command_tells_a_fault_of_wavenet(compare, tmp_path, monkeypatch):
    row = sound_verdicts.headed(rows.row('logits', 'difference', 1, 0, 'in all'))
    monkeypatch.setattr(compare_sound, 'compare', lambda *args: compare_sound.Sound(
        [row], {}, {}, {}, {}))
    done = compare('--author', author_stand_in.write_newest(tmp_path / 'author'), *FAST)
    assert (done.status, done.stderr) == (1, '')
    assert 'WaveNet: logits' in done.stdout and 'Something differs.' in done.stdout
    assert read_summary(tmp_path)['verdict'] == 'differs'


def test_his_loop_ends_at_the_time_limit(fast_sides, tmp_path):
    author = author_stand_in.write_newest(tmp_path / 'author')
    by_name, found = compare_wavenet(author, tmp_path, '--length', 400, '--seconds', 0.05)
    part = found.times['4 sounds']['author']['part']
    assert 0 < part < 1
    for name in ('generation', '.wav files of the sounds'):
        assert by_name[name].verdict == 'agrees'
    assert by_name['generation'].detail == f'{round(part * 400)} samples of each of 4 sounds'
    theirs, ours = (found.generated[side]['samples'] for side in ('author', 'here'))
    done = round(part * 400)
    assert (theirs[:, :done] == ours[:, :done]).all()
    assert (theirs[:, done:] != ours[:, done:]).any()     # no longer his model's
    wavenet = {'config': found.config, 'losses': found.losses}
    assert 'as far as his loop came' in page._sound(wavenet, found.generated)


def test_another_wavenet_is_not_compared(compare, tmp_path):
    author = author_stand_in.write_newest(tmp_path / 'author', ('dir, rate, levels):',
                                                                'dir, rate, levels, more=0):'))
    done = compare('--author', author, *SMALL)
    assert (done.status, done.stderr) == (0, '')
    assert 'his WaveNet is not that of his newest commit: it was not compared' in done.stdout
    assert rows_of(read_summary(tmp_path)) == {}


@pytest.mark.parametrize('name', ['preprocess', 'train_wavenet'])
def test_a_missing_script_is_named(fast_sides, tmp_path, name):
    author = author_stand_in.write_newest(tmp_path / 'author')
    (author / f'{name}.py').unlink()
    with pytest.raises(ValueError, match=f"is not the author's repository: it has no {name}$"):
        compare_wavenet(author, tmp_path)


def test_a_cupy_that_is_there_is_used(fast_sides, tmp_path):
    author = author_stand_in.write_newest(tmp_path / 'author')
    about = sides.Sides(str(author), None, str(tmp_path)).describe()
    assert about['wavenet']['lacks_cupy'] and 'imports CuPy' in page.changes(about)
    about['wavenet'].update(lacks_cupy=False, cpu_error='')
    changes = page.changes(about)
    assert 'imports CuPy' not in changes and 'infer_wavenet' not in changes


# The parts

@pytest.fixture
def config(tmp_path):
    args = make_parser().parse_args(['--author', 'a', *map(str, SMALL)])
    return sound_inputs.make_config(args, str(tmp_path))


def test_the_inputs_hold_what_the_author_gets_wrong(config):
    given = sound_inputs.make_arrays(config)
    prepared = OursWaveNet().prepared(config, given)
    assert given['levels'].shape == given['targets'].shape == (8 * 4, 3 * 4 + 16)
    assert (given['targets'][:, :12] == -1).all() and (given['targets'][:, 12:] >= 0).all()
    resampled = np.concatenate([prepared[f'targets/{name}'] for name in ('second', 'third')])
    assert (resampled[:, 12:] == -1).any()                  # a change of the rate overshoots
    for name, array in given.items():
        if name.startswith('params'):
            assert (array != 0).all(), name


@pytest.fixture
def generated(config):
    """Sounds of both sides, the same."""
    model = OursWaveNet().classifier(config).predictor
    serialization.save_model(config['our_sound_model'], model)
    samples, sounds = OursWaveNet().generate(model, config)
    result = {'samples': samples.samples, 'sounds': sounds, 'part': np.array(1.0)}
    return {'here': result, 'author': {name: array.copy() for name, array in result.items()}}


def verdicts_of(generated, config):
    return [row.verdict for row in sound_verdicts._sounds(generated, config)]


def test_a_random_number_at_a_boundary_chooses_either_level(config, generated, monkeypatch):
    number, sample = 2, 5
    levels = generated['here']['samples']
    model = serialization.load_model(config['our_sound_model'])
    logits = model(levels[number:number + 1]).array[0, :, sample].astype('d')
    cumulative = np.cumsum(np.exp(logits) / np.exp(logits).sum())
    uniform = np.random.RandomState(config['seed']).random_sample((12, 4))[sample, number]
    distance = abs(cumulative - uniform).min()
    assert verdicts_of(generated, config) == [verdicts.AGREES] * 2
    for name in ('samples', 'sounds'):
        generated['author'][name][number, sample:] += 1
    for factor, verdict in ((0.99, verdicts.DIFFERS), (1.01, verdicts.AGREES)):
        monkeypatch.setattr(sound_verdicts, 'BOUNDARY', factor * distance)
        assert verdicts_of(generated, config) == [verdict] * 2


def test_only_generated_samples_are_compared(config, generated):
    for name in ('samples', 'sounds'):
        generated['author'][name][1, 7] += 9
    for part, verdict in ((7 / 12, verdicts.AGREES), (8 / 12, verdicts.DIFFERS)):
        generated['author']['part'] = np.array(part)
        assert verdicts_of(generated, config) == [verdict] * 2
