"""Recordings that are damaged, or made to do damage.

Each case writes `data`, a folder with two good recordings, the tone.wav files, and what is tried,
the file `data/x.wav` or an .npz. It is read in three ways: alone; with the good ones, which must
all be kept, in exactly one line of warning if the file is bad; and strictly.
"""
import functools
import io
import os
import random
import socket
import struct

import numpy as np
import soundfile

from hostile.case import Case
from hostile.model_files import DTYPES, Payload

EITHER = (0, 2)     # status of a file of which something sensible may be left
GOOD = 2            # good recordings beside it
SINE = 0.5 * np.sin(np.arange(1200) / 7)


def cases():
    yield from _headers()
    yield from _truncated()
    yield from _values()
    yield from _compressed()
    yield from _no_sounds()
    yield from _paths()
    yield from npz()


class Sound(Case):
    """A case of a sound file, and the exit status to expect when it is read alone; None if it does
    not count as a file in a folder."""

    def __init__(self, name, make, alone=2, name_of_file='x.wav', counts=True):
        strict = alone if counts else 0
        super().__init__('sound: ' + name, make, alone=alone, beside=0, strict=strict)
        self.file = name_of_file


class Npz(Case):
    """A case of an .npz file, `data`."""

    file = None

    def __init__(self, name, make, read=2):
        super().__init__('sound: npz, ' + name, make, read=read)


def _good_ones():
    for n in range(GOOD):
        os.makedirs(f'data/{n}', exist_ok=True)
        soundfile.write(f'data/{n}/tone.wav', SINE, 8000)


def _file(name, content, alone=2, name_of_file='x.wav'):
    """`content`: bytes, or a function that makes them when the case is tried."""
    def make(folder):
        _good_ones()
        with open('data/' + name_of_file, 'wb') as file:
            file.write(content() if callable(content) else content)
    return Sound(name, make, alone, name_of_file)


def _put(name, put, alone=2, counts=True):
    """`put` makes something at a path."""
    def make(folder):
        _good_ones()
        put('data/x.wav')
    return Sound(name, make, alone, counts=counts)


def _chunk(kind, content, size=None):
    return kind + struct.pack('<I', len(content) if size is None else size) + content \
        + bytes(len(content) % 2)


def wav(kind=1, channels=1, rate=8000, bits=16, align=None, content=None, size=None, riff=None,
        before=b'', after=b'', extension=b''):
    """A .wav file with these fields. `size` and `riff` are what it claims; None is the truth."""
    if content is None:
        content = np.rint(SINE * 32767).astype('<i2').tobytes()
    align = channels * bits // 8 if align is None else align
    header = struct.pack('<2H2I2H', kind, channels % 2 ** 16, rate, rate * align % 2 ** 32,
                         align % 2 ** 16, bits)
    body = b'WAVE' + before + _chunk(b'fmt ', header + extension) \
        + _chunk(b'data', content, size) + after
    return b'RIFF' + struct.pack('<I', len(body) if riff is None else riff) + body


def _headers():
    yield _file('a good one', wav(), 0)
    for rate in (0, 1, 7, 999, 1000001, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1):
        yield _file(f'{rate} Hz', wav(rate=rate))
    for rate in (1000, 1001, 7919, 44100, 192000, 999983, 1000000):
        yield _file(f'{rate} Hz', wav(rate=rate), 0)
    for channels in (0, 2, 3, 7, 255, 1024, 1025, 2 ** 15, 2 ** 16 - 1):
        yield _file(f'{channels} channels', wav(channels=channels),
                    0 if channels in (2, 3) else EITHER)
    for kind in (0, 1, 2, 3, 6, 7, 0x11, 0x31, 0x40, 0x50, 0x55, 0x161, 0xFFFE, 0xFFFF):
        for bits in (0, 1, 4, 7, 8, 12, 16, 20, 24, 31, 32, 33, 64, 128, 2 ** 16 - 1):
            yield _file(f'kind {kind} of {bits} bits', wav(kind, bits=bits), EITHER)
    for align in (0, 1, 3, 4, 255, 2 ** 16 - 1):
        yield _file(f'{align} bytes a sample', wav(align=align), EITHER)
    for size in (0, 1, 2, 3, 2399, 2401, 10 ** 6, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1):
        for extra in ({}, dict(riff=0), dict(riff=2 ** 32 - 1), dict(after=_chunk(b'LIST', b'x'))):
            yield _file(f'{size} bytes claimed, {sorted(extra)}', wav(size=size, **extra), EITHER)
    for riff in (0, 1, 4, 36, 10 ** 6, 2 ** 31, 2 ** 32 - 1):
        yield _file(f'{riff} bytes claimed in all', wav(riff=riff), EITHER)
    for where in ('before', 'after'):
        for name in (b'LIST', b'fact', b'cue ', b'smpl', b'bext', b'inst', b'PEAK', b'data',
                     b'fmt ', b'\0\0\0\0', b'cart', b'acid', b'junk'):
            for size in (None, 0, 7, 2 ** 31, 2 ** 32 - 1):
                yield _file(f'{name} {where} the samples that claims {size}',
                            wav(**{where: _chunk(name, bytes(range(40)), size)}), EITHER)
    for length in (1, 2, 22, 24, 100, 65535):
        for kind in (1, 3, 0xFFFE, 0x11):
            yield _file(f'a format chunk with {length} more bytes, kind {kind}',
                        wav(kind, extension=bytes(length)), EITHER)
    for start in (b'RIFX', b'RF64', b'riff', b'FORM', b'\0\0\0\0'):
        yield _file(f'begins with {start}', start + wav()[4:], EITHER)
    generator = random.Random(4)
    for n in range(60):
        content = bytearray(wav())
        for _ in range(1 + n % 4):
            content[generator.randrange(4, 44)] = generator.choice((0, 1, 127, 128, 255))
        yield _file(f'changed header {n}', bytes(content), EITHER)


def _truncated():
    good = wav()
    for length in range(46):
        yield _file(f'cut off at {length}', good[:length])
    for length in (46, 47, 100, 2443):
        yield _file(f'cut off at {length}', good[:length], 0)
    yield _file('no samples', wav(content=b''))
    yield _file('one sample', wav(content=b'\1\0'), 0)
    yield _file('half a sample', wav(content=b'\1'))
    yield _file('one sample at 192,000 Hz', wav(content=b'\1\0', rate=192000), 0)
    yield _file('samples of 2 channels that lack one', wav(channels=2, content=b'\1\0'), EITHER)


def _values():
    for bits, dtype in ((32, '<f4'), (64, '<f8')):
        for name, value in (('NaN', np.nan), ('infinity', np.inf), ('-infinity', -np.inf),
                            ('1e30', 1e30), ('32767', 32767.0)):
            for place in (0, 600, 1199):
                values = SINE.astype(dtype)
                values[place] = value
                yield _file(f'{name} at {place} of {bits} bits',
                            wav(3, bits=bits, content=values.tobytes()))
        for value in (1.5, -1.5, 60, 1e-45, -0.0):
            yield _file(f'{value} of {bits} bits',
                        wav(3, bits=bits, content=(SINE * 0 + value).astype(dtype).tobytes()), 0)
        stereo = np.array([[3e38, 3e38]] * 9, '<f4')
        yield _file(f'two channels of 3e38, {bits}', wav(
            3, 2, bits=bits, content=stereo.astype(dtype).tobytes()))
    values = np.full(100, 1.7e308).tobytes()
    yield _file('1.7e308, beyond float32', wav(3, bits=64, content=values))
    for bits in (8, 16, 24, 32):
        for name, byte in (('zeros', b'\0'), ('ones', b'\xff'), ('halves', b'\x80')):
            yield _file(f'{name} of {bits} bits', wav(bits=bits, content=byte * bits * 20), 0)
    # 1.3 GB of silence in a file of a few bytes: 45 hours at 4 kHz
    yield _put('hours of silence in a sparse file', functools.partial(_sparse, 13 * 10 ** 8))


def _sparse(size, path):
    with open(path, 'wb') as file:
        file.write(wav(size=size, content=b'', riff=size + 36))
        file.truncate(44 + size)


def encoded(kind, subtype=None, sound=SINE, rate=8000):
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def _compressed():
    sounds = {'FLAC': encoded('FLAC'), 'Vorbis': encoded('OGG', 'VORBIS'),
              'Opus': encoded('OGG', 'OPUS'), 'MP3': encoded('MP3', sound=np.tile(SINE, 5)),
              'µ-law': encoded('WAV', 'ULAW'), 'A-law': encoded('WAV', 'ALAW'),
              'ADPCM': encoded('WAV', 'IMA_ADPCM'), 'MS ADPCM': encoded('WAV', 'MS_ADPCM'),
              'GSM': encoded('WAV', 'GSM610'), 'RF64': encoded('RF64', 'PCM_16'),
              'W64': encoded('W64', 'PCM_16')}
    generator = random.Random(5)
    for kind, content in sounds.items():
        yield _file(kind + ' that is called WAV', content, 0)
        length = len(content)
        for cut in sorted({0, 1, 3, 4, 8, 20, 42, 60, 100, length // 4, length // 2, length - 9,
                           length - 1}):
            yield _file(f'{kind} cut off at {cut}', content[:cut],
                        2 if cut < 4 else EITHER)
        yield _file(f'{kind} and more', content + b'more' * 99, 0)
        yield _file(f'{kind} twice', content * 2, EITHER)
        for n in range(20):
            changed = bytearray(content)
            for _ in range(1 + n % 3):
                changed[generator.randrange(min(length, 1 << (5 + n % 8)))] ^= \
                    1 << generator.randrange(8)
            yield _file(f'{kind} with bits flipped, {n}', bytes(changed), EITHER)
        yield _file(f'{kind} with noise behind its start',
                    content[:200] + generator.randbytes(5000), EITHER)
    flac = sounds['FLAC']
    for total in (0, 1, 1201, 25 * 10 ** 7, 10 ** 9, 2 ** 36 - 1):
        changed = bytearray(flac)
        fields = int.from_bytes(flac[18:26], 'big') >> 36 << 36 | total
        changed[18:26] = fields.to_bytes(8, 'big')
        yield _file(f'FLAC claims {total} samples', bytes(changed), 0 if total == 1 else EITHER)
    for rate in (0, 1, 655350, 2 ** 20 - 1):
        changed = bytearray(flac)
        fields = int.from_bytes(flac[18:26], 'big')
        changed[18:26] = (fields & (1 << 44) - 1 | rate << 44).to_bytes(8, 'big')
        yield _file(f'FLAC claims {rate} Hz', bytes(changed), EITHER)
    tag = b'ID3\4\0\0'
    for size in (b'\0\0\0\0', b'\x7f\x7f\x7f\x7f', b'\xff\xff\xff\xff'):
        yield _file(f'ID3 tag that claims {size}', tag + size + sounds['MP3'], EITHER)
        yield _file(f'nothing but an ID3 tag that claims {size}', tag + size)
    starts = {'MP3': b'\xff\xfb\x90\x00', 'OGG': b'OggS\0\2' + bytes(8),
              'FLAC': b'fLaC\x80\0\0\x22', 'RIFF': b'RIFF\xff\xff\xff\xffWAVEfmt '}
    for kind, start in starts.items():
        for n in range(12):
            yield _file(f'{kind} and noise {n}', start + generator.randbytes(n * n * 40), EITHER)


def _no_sounds():
    contents = {
        'text': b'text', 'zeros': bytes(10000), 'a zip': b'PK\5\6' + bytes(18),
        'PNG': b'\x89PNG\r\n\x1a\n' + bytes(100), 'a program': b'\x7fELF' + bytes(500),
        'a script': b'#!/bin/sh\nmkdir pwned\n',
        'SVG': b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        'a playlist': b'#EXTM3U\nhttp://localhost/\n/etc/passwd\n',
        'MP4': b'\0\0\0\x20ftypM4A ' + bytes(500),
        'MIDI': b'MThd\0\0\0\6\0\1\0\1\0\x60' + bytes(99),
        'AVI': b'RIFF\0\1\0\0AVI LIST' + bytes(200)}
    for kind in ('AIFF', 'AU', 'CAF', 'VOC', 'PAF', 'SVX', 'NIST', 'IRCAM', 'MAT4', 'MAT5', 'PVF',
                 'XI', 'HTK', 'SDS', 'AVR', 'WVE', 'MPC2K'):
        subtype = {'XI': 'DPCM_16', 'WVE': 'ALAW'}.get(kind, 'PCM_16')
        contents[kind] = functools.partial(encoded, kind, subtype)
    for name, content in contents.items():
        yield _file(f'{name} that is called WAV', content)
        yield _file(f'{name} that is called MP3', content, name_of_file='x.mp3')
        yield _file(f'{name} that is called FLAC', content, name_of_file='x.FLAC')
    generator = random.Random(6)
    for n in range(30):
        yield _file(f'noise {n}', generator.randbytes(n * n * 10), EITHER,
                    'x.mp3' if n % 2 else 'x.wav')


def _paths():
    def folder_with(make):
        return lambda path: (os.mkdir(path), make(path + '/x.wav'))

    def listen(path):
        socket.socket(socket.AF_UNIX).bind(path)

    for name, put in {
            'a folder that is called WAV': os.mkdir, 'a pipe': os.mkfifo,
            'a link to nothing': lambda path: os.symlink('nowhere', path),
            'a link to itself': lambda path: os.symlink('x.wav', path),
            'endless': lambda path: os.symlink('/dev/zero', path),
            'the terminal': lambda path: os.symlink('/dev/tty', path),
            'random without end': lambda path: os.symlink('/dev/urandom', path),
            'a socket': listen,
            'a pipe in a folder': folder_with(os.mkfifo),
            'nothing': lambda path: None}.items():
        yield _put(name, put, counts=False)
    yield _put('a link to its own folder', lambda path: os.symlink('.', path), 0, counts=False)
    yield _put('a file of the system', lambda path: os.symlink('/proc/self/maps', path))
    yield _put('memory of the process', lambda path: os.symlink('/proc/self/mem', path))
    yield _put('no sound in a folder', folder_with(
        lambda path: open(path, 'w').close()))


def _npz_case(name, arrays, save=np.savez_compressed, read=2):
    def make(folder):
        with open('data', 'wb') as file:
            save(file, **arrays)
    return Npz(name, make, read)


def npz():
    good = dict(samples=np.rint(SINE * 32767).astype('i2'), lengths=[500, 1, 699], rate=8000,
                test=[False, True, False], classes=[0, 1, 0], names=['a', 'b', 'c'])
    yield _npz_case('a good one', good, read=0)
    yield _npz_case('a good one, with other arrays', dict(
        good, other=np.array([Payload()], object), config=np.array('text')), read=0)
    for name, array in good.items():
        array = np.asarray(array)
        for dtype in DTYPES:
            read = 0 if (name, dtype) == ('samples', 'f8') else \
                EITHER if name in ('test', 'classes', 'names') else 2
            yield _npz_case(f'{name} as {dtype}', dict(
                good, **{name: np.zeros(array.shape, dtype)}), read=read)
        yield _npz_case(name + ' as objects', dict(
            good, **{name: np.array([Payload()] * max(1, array.size), object)}))
        for shape in ((), (0,), (4,), (3, 1), (1, 3), (1200, 1), (1,) * 32):
            if shape != array.shape:
                yield _npz_case(f'{name} of shape {shape}', dict(
                    good, **{name: np.zeros(shape, array.dtype)}))
        if name in ('samples', 'lengths', 'rate'):
            yield _npz_case('without ' + name, {
                other: value for other, value in good.items() if other != name})
    for lengths in ([], [0], [1200, 0], [-1, 1201], [2 ** 62, 2 ** 62], [2 ** 63 - 1],
                    [600, 601], [1199], [1200] * 3):
        yield _npz_case(f'lengths {lengths}', dict(
            samples=good['samples'], lengths=np.array(lengths, 'i8'), rate=8000))
    for rate in (0, -1, 999, 10 ** 7, 2 ** 63, 1e300, float('nan'), float('inf'), 8000.5):
        yield _npz_case(f'{rate} Hz', dict(good, rate=rate))
    for value in (np.nan, np.inf, 1.0001, -32768):
        yield _npz_case(f'samples of {value}', dict(good, samples=SINE * 0 + value))
    yield _npz_case('a million recordings', dict(
        samples=np.zeros(10 ** 6, 'i2'), lengths=np.ones(10 ** 6, 'i4'), rate=8000), read=0)
    for megabytes in (200, 500):
        yield _npz_case(f'{megabytes} megabytes of zeros', dict(
            good, samples=np.zeros(megabytes << 19, 'i2')))
    yield _npz_case('names of a megabyte', dict(good, names=['x' * 2 ** 18] * 3), read=EITHER)
    buffer = io.BytesIO()
    np.savez(buffer, **good)
    for length in range(0, len(buffer.getvalue()), 300):
        def make(folder, length=length):
            with open('data', 'wb') as file:
                file.write(buffer.getvalue()[:length])
        yield Npz(f'cut off at {length}', make)
