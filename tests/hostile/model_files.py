"""Model files that are damaged, or made to do damage."""
import functools
import gzip
import io
import os
import pickle
import random
import re
import socket
import struct
import zipfile

import numpy as np

from hostile.case import Case
from wavenet.storage import npz

ZEROS = bytes(1 << 20)


class Payload:
    """Makes a folder when somebody unpickles it."""

    def __reduce__(self):
        return os.mkdir, ('pwned',)


def cases(model, snapshot):
    """Cases from the bytes of a good model.npz and a good snapshot of the same run."""
    yield from _good(model, snapshot)
    for base, content in (('model', model), ('snapshot', snapshot), ('numpy', _by_numpy(model))):
        yield from _cut_off(base, content)
        yield from _flipped(base, content)
    yield from _changed(model, snapshot)
    yield from _configurations(model)
    yield from no_zips(model)
    yield from _bombs(model)
    yield from no_files()


def _case(name, content, **expected):
    """The file is `content`: bytes, or a function that makes them when the case is tried."""
    def make(folder):
        with open('file', 'wb') as file:
            file.write(content() if callable(content) else content)
    return Case('model file: ' + name, make, **expected)


def _good(model, snapshot):
    yield _case('a good model', model, load=0, generate=0)
    yield _case('a good model by NumPy', _by_numpy(model), load=0, generate=0)
    yield _case('a good snapshot', snapshot, load=0, generate=0, resume=0)


def _arrays(content):
    with np.load(io.BytesIO(content)) as file:
        return dict(file)


def _saved(arrays, save=np.savez_compressed):
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


def _sealed(arrays):
    """Arrays as the project itself would save them: their seal says that nothing is damaged."""
    def make():
        npz.save_npz('sealed', arrays)
        with open('sealed', 'rb') as file:
            content = file.read()
        os.unlink('sealed')
        return content
    return make


def _by_numpy(content):
    return _saved(_arrays(content), np.savez)


def _structure(content):
    """Positions where a part of a zip begins or ends."""
    positions = {0, 1, len(content) - 1}
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        for member in file.infolist():
            start = member.header_offset
            name, extra = struct.unpack('<HH', content[start + 26:start + 30])
            data = start + 30 + name + extra
            positions |= {start, start + 4, start + 30, data, data + 10,
                          data + member.compress_size // 2, data + member.compress_size}
        positions |= {match.start() + step for match in re.finditer(b'PK\1\2|PK\5\6', content)
                      for step in (0, 4, 46)}
        positions |= {len(content) - len(file.comment), len(content) - len(file.comment) - 2}
    return sorted(position for position in positions if position < len(content))


def _cut_off(base, content):
    positions = _structure(content)
    if len(positions) > 130:
        positions = random.Random(base).sample(positions, 130)
    for position in positions:
        yield _case(f'{base} cut off at {position}', content[:position])
    yield _case(base + ' without its beginning', content[5:])
    yield _case(base + ' twice', content * 2) if base != 'numpy' else \
        _case(base + ' and more', content + b'more')


def _flipped(base, content):
    generator = random.Random(base)
    if base == 'numpy':  # the file has no checksum: flip bits of the values
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            ranges = [(member.header_offset + 200, member.compress_size - 136)
                      for member in file.infolist() if member.compress_size > 400]
        positions = [start + generator.randrange(size) for start, size in ranges for _ in range(10)]
    else:
        positions = [generator.randrange(len(content)) for _ in range(100)]
    for position in positions:
        bit = generator.randrange(8)
        changed = bytearray(content)
        changed[position] ^= 1 << bit
        yield _case(f'{base} with bit {bit} of byte {position} flipped', bytes(changed))


DTYPES = ('f8', 'f2', '>f4', 'i4', 'u1', 'c8', '?', 'U3', 'S3', 'M8[s]', 'f4,f4', 'V4')


def _changes(name, array):
    """Replacements for one array of a good file: (description, array)."""
    for dtype in DTYPES:
        if array.dtype.kind == 'f':
            yield dtype, np.zeros(array.shape, dtype)
    yield 'object', np.array([Payload()] * max(array.size, 1), object).reshape(
        array.shape if array.size else (1,))
    if array.dtype.kind == 'f':
        for shape in (array.shape[::-1] + (1,), (), (1,), (0,), array.shape + (1,),
                      (1,) + array.shape,
                      (array.size + 1,), (2,) + array.shape[1:], tuple(2 * n for n in array.shape),
                      (1,) * 32):
            if shape != array.shape:
                yield shape, np.zeros(shape, 'f')
        for value in (np.nan, np.inf, -np.inf):
            changed = array.copy()
            changed.flat[-1] = value
            yield value, changed
    elif array.dtype.kind == 'U' and name != 'config':
        for text in ('', '[]', '{}', '5', 'null', '[5]', '{"a": 5}', '[{"a": "b"}]', 'no JSON',
                     '[' * 100000, '[[]]', 'NaN', '"a"'):
            if text != str(array):
                yield text[:10], np.array(text)
    elif not array.ndim:
        for value in (-1, 2 ** 62, -2 ** 62, 1.5, np.nan, 'text', [1, 2], 3 + 1j):
            yield value, np.array(value)
    else:
        for changed in (array[:-1], array[::-1][:1], array - array - 5, array.astype('f'),
                        array * 0 + 2 ** 30):
            yield changed[:1], changed


def _changed(model, snapshot):
    arrays = _arrays(model)
    for name, array in arrays.items():
        others = {key: value for key, value in arrays.items() if key != name}
        if name != 'config':
            yield _case('model without ' + name, _sealed(others))
            yield _case(f'model with {name} renamed',
                        _sealed(dict(others, **{name + 'x': array})))
            yield _case(f'model with {name} in capitals',
                        _sealed(dict(others, **{name.upper(): array})))
        for what, changed in _changes(name, array):
            yield _case(f'model with {name} as {what}',
                        _sealed(dict(arrays, **{name: changed})))
    for name in ('x', 'conv1/label/W', 'conv3/W', 'blocks/1/conv1/W', 'blocks/0', 'blocks/', '/',
                 '../x', '/tmp/x', 'conv1', 'conv1/W/W', 'blocks/-1/conv1/W', 'é'):
        yield _case('model with another array ' + name,
                    _sealed(dict(arrays, **{name: np.zeros((2, 4, 1, 1), 'f')})))

    # generate.py needs only the model of a snapshot
    arrays = _arrays(snapshot)
    model_names = {name for name in arrays if name.startswith('updater/model:main/')}
    for name, array in arrays.items():
        others = {key: value for key, value in arrays.items() if key != name}
        expected = 2 if name in model_names else 0
        expected = dict(load=expected, generate=expected)
        yield _case('snapshot without ' + name, _sealed(others), **expected)
        generator = random.Random(name)
        changes = [(what, changed) for what, changed in _changes(name, array)
                   if _makes_no_sense(name, array, changed)]
        for what, changed in generator.sample(changes, min(3, len(changes))):
            if name.endswith('settings') and not str(changed).startswith('{'):
                expected = dict(load=2, generate=2)  # they say whether pixels are labels
            yield _case(f'snapshot with {name} as {what}',
                        _sealed(dict(arrays, **{name: changed})), **expected)
    yield _case('snapshot with another array', _sealed(dict(arrays, x=np.zeros(3))), load=0,
                generate=0)
    yield _case('snapshot by NumPy', _saved(arrays), load=0, generate=0)


def _makes_no_sense(name, array, changed):
    """Whether a changed snapshot must be refused. Other times, and other numbers of the same kind
    in accumulated means, are as good as the old ones."""
    if changed.dtype == object:
        return True
    if name.endswith(('_elapsed_time', '_previous_epoch_detail', '_previous_iteration',
                      'previous_iteration', 'previous_epoch_detail', 'is_new_epoch', '/epoch',
                      '/gauss', 'has_gauss', 'iteration', '/t', 'position', 'Best/loss',
                      'Best/tests')):
        return changed.dtype.kind in 'Uc' or changed.ndim > 0 or changed != changed
    if name.endswith(('/_log', 'settings', '_names')):
        return str(changed) not in ('[]',)
    if name.endswith('/key'):
        return changed.shape != array.shape or changed.dtype != array.dtype
    return True


def _configurations(model):
    arrays = _arrays(model)
    good = str(arrays['config'])
    texts = ['', 'no JSON', '[]', '[1, 2]', '5', 'null', '"text"', '{', '[' * 100000,
             '{"a":' * 5000, '{]',
             '{"height": ' + '9' * 6000 + '}']
    for name in ('height', 'width'):
        texts += [re.sub(rf'("{name}": )\d+', rf'\g<1>{value}', good)
                  for value in ('0', '-1', '1.5', 'null', 'true', '"4"', '[4]', '{}', '1e3', 'NaN',
                                'Infinity')]
    for text in texts:
        yield _case('configuration ' + text[:80], _sealed(dict(arrays, config=np.array(text))))
    for number in (10 ** 5, 10 ** 9, 10 ** 30):            # the model is good, its images are huge
        text = re.sub(r'("height": )\d+', rf'\g<1>{number}', good)
        yield _case(f'height {number}', _sealed(dict(arrays, config=np.array(text))),
                    load=0)
    for config in (np.array([good]), np.array(good.encode()), np.array(5), np.array('x' * 2 ** 20),
                   np.array([[good]]), np.zeros(0, 'U5')):
        yield _case(f'configuration as {config.dtype} {config.shape}',
                    _sealed(dict(arrays, config=config)))


def no_zips(model):
    generator = random.Random(0)
    single = io.BytesIO()
    np.save(single, np.zeros(3))
    objects = io.BytesIO()
    np.save(objects, np.array([Payload()], object))
    contents = {
        'nothing': b'', 'a byte': b'P', 'text': b'text\n' * 100, 'zeros': bytes(10000),
        'a pickle': pickle.dumps(Payload()), 'a pickle of protocol 0': pickle.dumps(Payload(), 0),
        'an array': single.getvalue(), 'an array of objects': objects.getvalue(),
        'a gzipped model': gzip.compress(model), 'an empty zip': b'PK\5\6' + bytes(18),
        'an image': b'\x89PNG\r\n\x1a\n' + bytes(100), 'a program': b'\x7fELF' + bytes(100),
        'HDF5': b'\x89HDF\r\n\x1a\n' + bytes(500), 'a script': b'#!/bin/sh\nmkdir pwned\n',
        'a zip64': b'PK\6\6' + bytes(52) + b'PK\6\7' + bytes(16) + b'PK\5\6' + b'\xff' * 16
                   + bytes(2)}
    for number in range(30):
        contents[f'noise {number}'] = bytes(
            generator.randrange(256) for _ in range(generator.randrange(2000)))
        contents[f'noise in a zip {number}'] = b'PK\3\4' + bytes(
            generator.randrange(256) for _ in range(300)) + model[-300:]
    for name, content in contents.items():
        yield _case(name, content)


def _zip(members, compression=zipfile.ZIP_DEFLATED):
    """A zip of (name, bytes), or of (name, bytes, megabytes of zeros after them)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', compression) as file:
        for name, content, *megabytes in members:
            with file.open(name, 'w', force_zip64=bool(megabytes)) as member:
                member.write(content)
                for _ in range(sum(megabytes)):
                    member.write(ZEROS)
    return buffer.getvalue()


def _npy(shape, dtype='<f4', content=b''):
    text = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}}}".encode()
    return b'\x93NUMPY\1\0' + struct.pack('<H', len(text)) + text + content


def _bombs(model):
    arrays = _arrays(model)
    members = [(name + '.npy', _npy(array.shape, array.dtype.str, array.tobytes()))
               for name, array in arrays.items()]
    assert np.load(io.BytesIO(_zip(members)))['conv1/W'].shape == arrays['conv1/W'].shape

    def replaced(name, content):
        return [(name + '.npy', content)] + [
            member for member in members if member[0] != name + '.npy']

    for name in arrays:
        for shape in ((10 ** 12,), (2 ** 63,), (10 ** 5, 10 ** 5), (-1,),
                      (2 ** 31, 2 ** 31, 2 ** 31),
                      '(5', '()()', "__import__('os').mkdir('pwned')", '(' * 3000, '-' * 5000 + '1',
                      (1,) * 3000):
            yield _case(f'{name} claims to be {str(shape)[:50]}',
                        functools.partial(_zip, replaced(name, _npy(shape))))
    for name in ('conv1/W', 'config', 'x'):
        for megabytes in (100, 400):
            yield _case(f'{megabytes} megabytes of zeros as {name}',
                        functools.partial(
                            _zip, [(name + '.npy', _npy((megabytes << 18,)), megabytes)]
                            + replaced(name, b'')[1:]))
    # A model with hidden_dims of 2 ** 20, whose arrays fit together
    yield _case('a huge model of zeros', functools.partial(_zip, [
        ('conv1/W.npy', _npy((2 ** 20, 1, 7, 7)), 4 * 49), ('conv1/b.npy', _npy((2 ** 20,)), 4),
        ('conv2/W.npy', _npy((4, 2 ** 20, 1, 1)), 16),
        ('conv2/b.npy', _npy((4,), content=bytes(16))),
        ('conv4/W.npy', _npy((2, 4, 1, 1), content=bytes(32))),
        ('conv4/b.npy', _npy((2,), content=bytes(8)))]))
    for compression in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield _case(f'compressed by method {compression}', _zip(members, compression))
    content = bytearray(_zip(members))
    for match in re.finditer(b'PK\1\2', bytes(content)):  # the list of members claims other sizes
        for size in (2 ** 32 - 2, 2 ** 31, 10 ** 6, 0):
            changed = content[:]
            struct.pack_into('<I', changed, match.start() + 24, size)
            yield _case(f'entry at {match.start()} claims {size} bytes', bytes(changed))
        for flag, what in ((8, 1), (10, 14), (42, 2 ** 16 - 1)):
            changed = content[:]
            struct.pack_into('<H', changed, match.start() + flag, what)
            yield _case(f'entry at {match.start()} with {what} at {flag}',
                        bytes(changed))
    yield _case('20,000 members',
                functools.partial(_zip, [(f'{n}.npy', b'') for n in range(20000)]))
    yield _case('300,000 members in the list alone', functools.partial(_many_members, 300000))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as file:  # many names share the same bytes
        for member in members:
            file.writestr(*member)
        file.filelist += [file.filelist[0]] * 5000
    yield _case('5,000 names for the same bytes', buffer.getvalue())


def _many_members(number):
    entry = b'PK\1\2' + bytes(24) + struct.pack('<H', 8) + bytes(16)
    entries = b''.join(entry + struct.pack('<Q', n) for n in range(number))
    return entries + b'PK\5\6' + struct.pack('<4H2IH', 0, 0, 0xffff, 0xffff, len(entries), 0, 0)


def no_files():
    def folder(_):
        os.mkdir('file')

    def link(target):
        return lambda _: os.symlink(target, 'file')

    def listen(_):
        socket.socket(socket.AF_UNIX).bind('file')

    for name, make in {
            'a folder': folder, 'a pipe': lambda _: os.mkfifo('file'),
            'nothing there': lambda _: None,
            'a link to itself': link('file'), 'a link to nothing': link('nowhere'),
            'a link to a folder': link('.'), 'zeros without end': link('/dev/zero'),
            'an empty device': link('/dev/null'), 'a full device': link('/dev/full'),
            'random bytes without end': link('/dev/urandom'), 'a socket': listen,
            'a file of the system': link('/proc/self/mem'),
            'another file of the system': link('/proc/self/maps'),
            'the terminal': link('/dev/tty')}.items():
        yield Case('model file: ' + name, make)
