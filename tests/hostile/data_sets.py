"""Data sets that are damaged, or made to do damage.

Each case writes `data`: the data set that --dataset names, or the folder of MNIST or CIFAR-10 that
--data names.
"""
import functools
import gzip
import io
import os
import random
import struct
import tarfile
import zlib

import numpy as np
from PIL import Image

from hostile.case import Case
from hostile.model_files import DTYPES, Payload

IMAGES, LABELS = 'train-images-idx3-ubyte', 'train-labels-idx1-ubyte'
TESTS = {IMAGES: 't10k-images-idx3-ubyte', LABELS: 't10k-labels-idx1-ubyte'}


def cases():
    yield from _idx()
    yield from _cifar()
    yield from _images()
    yield from npz()
    yield from paths()


class DataSet(Case):
    """A data set, the options of train.py that name it, and the exit status to expect."""

    def __init__(self, name, make, dataset=('--dataset', 'data'), train=2):
        super().__init__('data set: ' + name, make, train=train)
        self.arguments = list(dataset)


def _write(path, content):
    """Writes `content`: bytes, or a function that makes them when the case is tried."""
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    with open(path, 'wb') as file:
        file.write(content() if callable(content) else content)


# MNIST's files

def _header(*shape, start=b'\0\0\x08'):
    return start + bytes([len(shape) % 256]) + struct.pack(f'>{len(shape)}I', *shape)


MNIST_IMAGES = _header(3, 4, 4) + bytes(range(0, 240, 5))
MNIST_LABELS = _header(3) + bytes([1, 2, 3])


def _mnist(name, changed, prepare=None, **expected):
    """MNIST of three images. `changed` maps files to other contents; None leaves a file out."""
    def make(folder):
        contents = {IMAGES: MNIST_IMAGES, LABELS: MNIST_LABELS, TESTS[IMAGES]: MNIST_IMAGES,
                    TESTS[LABELS]: MNIST_LABELS}
        contents.update(changed)
        for path, content in contents.items():
            if content is not None:
                _write('data/' + path, content)
        if prepare:
            prepare()
    return DataSet('MNIST, ' + name, make, ('--dataset', 'mnist', '--data', 'data'), **expected)


def _zipped(content, level=9):
    return gzip.compress(content, level)


def _zeros(megabytes):
    """Gzipped zeros, made without holding all of them in memory."""
    megabyte, crc = bytes(1 << 20), 0
    for _ in range(megabytes):
        crc = zlib.crc32(megabyte, crc)
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = pack.compress(megabyte) + pack.flush(zlib.Z_FULL_FLUSH)  # can be repeated
    end = zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    return b'\x1f\x8b\x08' + bytes(7) + block * megabytes + end + struct.pack(
        '<2I', crc, megabytes << 20)


def _idx():
    yield _mnist('a good one', {}, train=0)
    zipped = _zipped(MNIST_IMAGES)
    yield _mnist('gzipped', {IMAGES: None, IMAGES + '.gz': zipped}, train=0)
    for file, content in ((IMAGES, MNIST_IMAGES), (LABELS, MNIST_LABELS)):
        for position in range(4):
            for value in (1, 2, 7, 9, 11, 13, 32, 255):
                if content[position] != value:
                    yield _mnist(f'byte {position} of {file} is {value}', {
                        file: content[:position] + bytes([value]) + content[position + 1:]})
        for length in list(range(0, 11, 2)) + [len(content) - 1]:
            yield _mnist(f'{file} of {length} bytes', {file: content[:length]})
        yield _mnist(file + ' is longer', {file: content + b'x'})
        yield _mnist('no ' + file, {file: None})
        yield _mnist(file + ' as test file too', {TESTS[file]: content * 2})
    for count in (0, 1, 2, 4, 10 ** 5, 2 ** 31 - 1, 2 ** 32 - 1):
        for shape in sorted({(count, 4, 4), (3, count, 4), (3, 4, count),
                             (count,) * 3} - {(3, 4, 4)}):
            for label, pack in (('', bytes), ('.gz', _zipped)):
                yield _mnist(f'counts {shape}{label}', {
                    IMAGES: None, IMAGES + label: pack(_header(*shape) + MNIST_IMAGES[16:])})
        if count != 3:
            yield _mnist(f'{count} labels', {LABELS: _header(count) + MNIST_LABELS[8:]})
            yield _mnist(f'{min(count, 99)} honest labels', {
                LABELS: _header(min(count, 99)) + bytes(min(count, 99))})
    for name in (IMAGES, LABELS, TESTS[IMAGES]):
        path = 'data/' + name
        for what, put in {'a folder': os.mkdir, 'a pipe': os.mkfifo,
                          'endless': lambda path: os.symlink('/dev/zero', path),
                          'a link to nothing': lambda path: os.symlink('nowhere', path)}.items():
            for ending in ('', '.gz'):
                yield _mnist(f'{name}{ending} is {what}', {name: None},
                             lambda put=put, path=path + ending: put(path))
    for length in (1, 5, 10, 12, len(zipped) // 2, len(zipped) - 8, len(zipped) - 4,
                   len(zipped) - 1):
        yield _mnist(f'gzip cut off at {length}', {IMAGES + '.gz': zipped[:length]})
    generator = random.Random(1)
    for position in generator.sample(range(10, len(zipped)), 20):
        flipped = bytearray(zipped)
        flipped[position] ^= 4
        yield _mnist(f'gzip with byte {position} flipped', {IMAGES + '.gz': bytes(flipped)})
    for what, content in {
            'not gzipped': MNIST_IMAGES, 'gzipped twice': _zipped(zipped),
            'and more': zipped + b'more',
            'a bomb': lambda: _zeros(1100),
            'a bomb with a header': lambda: _zipped(_header(1100, 1024, 1024)) + _zeros(1100),
            'a bomb behind the images': lambda: zipped + _zeros(1100), 'nothing': b'',
            'nothing, gzipped': _zipped(b''),
            'a bomb that claims little': lambda: _zipped(_header(3, 4, 4)) + _zeros(1100)}.items():
        yield _mnist(IMAGES + '.gz is ' + what, {IMAGES + '.gz': content})


# CIFAR-10

NAMES = [f'data_batch_{n}.bin' for n in range(1, 6)] + ['test_batch.bin']


def _archive(members, close=True):
    """A .tar.gz of (TarInfo, bytes); without `close`, the mark of its end is missing."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode='wb', mtime=0) as packed:
        for member, content in members:
            packed.write(member.tobuf(tarfile.GNU_FORMAT))
            packed.write(content + bytes(-len(content) % 512))
        if close:
            packed.write(bytes(1024))
    return buffer.getvalue()


def _members(**changed):
    """The members of a good archive, one image each. `changed` are fields of the first TarInfo."""
    members = []
    for name in NAMES:
        member = tarfile.TarInfo('cifar-10-batches-bin/' + name)
        member.size = 3073
        members.append((member, bytes([1]) + bytes(range(256)) * 12))
    for field, value in changed.items():
        setattr(members[0][0], field, value)
    return members


def _cifar_archive(name, content, **expected):
    def make(folder):
        _write('data/cifar-10-binary.tar.gz', content)
    return DataSet('CIFAR-10, ' + name, make, ('--dataset', 'cifar10', '--data', 'data'),
                   **expected)


def _cifar():
    good = _archive(_members())
    yield _cifar_archive('a good one', good, train=0)
    for name in ('/tmp/data_batch_1.bin', '../data_batch_1.bin', 'a/../../data_batch_1.bin', '/',
                 '..', '../../../../../../../../tmp/data_batch_1.bin', '/etc/passwd',
                 'data_batch_1.txt', 'a/', 'x' * 90,
                 'cifar-10-batches-bin/../../test_batch.bin'):
        yield _cifar_archive('the first is called ' + name, _archive(_members(name=name)))
    for kind in (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE,
                 tarfile.FIFOTYPE, tarfile.DIRTYPE, b'Z'):
        yield _cifar_archive(f'the first is of type {kind}', _archive(_members(type=kind)))
        for target in ('/etc/passwd', '../../x', 'data_batch_2.bin'):
            link = tarfile.TarInfo('cifar-10-batches-bin/link')
            link.type, link.linkname = kind, target
            if kind not in (tarfile.DIRTYPE, b'Z'):
                yield _cifar_archive(f'with a {kind} to {target}',
                                     _archive(_members() + [(link, b'')]))
    for size in (0, 1, 3072, 3074, 10 ** 6, 8 * 10 ** 9):
        yield _cifar_archive(f'the first claims {size} bytes',
                             _archive(_members(size=size)))
    sparse = tarfile.TarInfo('data_batch_1.bin')
    sparse.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(sparse.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b'%011o\0%011o\0' % (0, 0)
    header[483:495] = b'%011o\0' % (3073 * 10 ** 6)
    header[148:156] = b'%06o\0 ' % (sum(header[:148]) + sum(header[156:512]) + 8 * 32)
    yield _cifar_archive('a member with a hole of gigabytes', gzip.compress(
        bytes(header) + gzip.decompress(_archive(_members()[1:]))))
    for n in range(6):
        members = _members()
        yield _cifar_archive('without ' + NAMES[n], _archive(members[:n] + members[n + 1:]))
    for length in list(range(0, 60, 6)) + [len(good) // 2, len(good) - 9, len(good) - 1]:
        yield _cifar_archive(f'cut off at {length}', good[:length])
    generator = random.Random(2)
    for position in generator.sample(range(10, len(good)), 20):
        flipped = bytearray(good)
        flipped[position] ^= 1 << generator.randrange(8)
        yield _cifar_archive(f'byte {position} flipped', bytes(flipped))
    extended = tarfile.TarInfo('x')
    extended.type, extended.size = tarfile.XHDTYPE, 12
    long_name = tarfile.TarInfo('x')
    long_name.type, long_name.size = tarfile.GNUTYPE_LONGNAME, 5
    negative = bytearray(gzip.decompress(good))
    negative[124:136] = b'\xff' * 12                       # a size of -1
    negative[148:156] = b'%06o\0 ' % (sum(negative[:148]) + sum(negative[156:512]) + 8 * 32)
    huge = tarfile.TarInfo('x')
    huge.size = 2 ** 30
    for name, content in {
            'a bomb': lambda: _zeros(1100), 'text': b'text',
            'a tar, not gzipped': gzip.decompress(good),
            'gzipped twice': gzip.compress(good), 'nothing in it': gzip.compress(b''),
            'an end, and nothing else': gzip.compress(bytes(1024)),
            '3,000 headers of headers':
                lambda: _archive([(extended, b'12 path=abc\n')] * 3000 + _members()),
            '3,000 long names':
                lambda: _archive([(long_name, b'name\0')] * 3000 + _members()),
            '100,000 members':
                lambda: _archive([(tarfile.TarInfo(str(n)), b'')
                                  for n in range(100000)] + _members()),
            'a negative size': gzip.compress(bytes(negative)),
            'a bomb in a member':
                lambda: _archive([(huge, b'')], close=False) + _zeros(1100)}.items():
        yield _cifar_archive(name, content)
    for name in NAMES:
        for what, put in {'a folder': os.mkdir, 'a pipe': os.mkfifo, 'nothing': lambda path: None,
                          'endless': lambda path: os.symlink('/dev/zero', path),
                          'too short': lambda path: _write(path, bytes(3072)),
                          'empty': lambda path: _write(path, b'')}.items():
            def make(folder, changed=name, put=put):
                for name in NAMES:
                    if name != changed:
                        _write('data/' + name, bytes(3073))
                put('data/' + changed)
            yield DataSet(f'CIFAR-10, {name} is {what}', make,
                          ('--dataset', 'cifar10', '--data', 'data'))


# Folders of images

def _encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _folder(name, *contents, ending='.png', **expected):
    def make(folder):
        for number, content in enumerate(contents):
            _write(f'data/{number}{ending}', content)
    return DataSet('images, ' + name, make, **expected)


def _noise(shape, dtype='u1', seed=0):
    return np.random.RandomState(seed).randint(0, 256, shape).astype(dtype)


def _chunk(kind, content):
    return struct.pack('>I', len(content)) + kind + content \
        + struct.pack('>I', zlib.crc32(kind + content))


def _png(width, height, color=0, data=b'', chunks=b''):
    header = struct.pack('>2I5B', width, height, 8, color, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + _chunk(b'IHDR', header) + chunks + _chunk(b'IDAT', data) \
        + _chunk(b'IEND', b'')


def _png_with_bomb(kind):
    text = zlib.compress(bytes(100 << 20), 9)
    return _png(4, 4, data=zlib.compress(bytes(4)), chunks=_chunk(kind, b'x\0\0' + text))


def _large(mode, size, kind, **options):
    return _encoded(Image.new(mode, (size, size)), kind, **options)


def _images():
    good = _encoded(Image.fromarray(_noise((4, 4))), 'PNG')
    colours = Image.fromarray(_noise((4, 4, 3)))
    yield _folder('good ones', good, good, train=0)
    for what, image in {
            'of one pixel': Image.new('L', (1, 1)),
            'RGBA': Image.fromarray(_noise((4, 4, 4))),
            'of a palette': colours.quantize(4), 'black and white': Image.new('1', (4, 4)),
            'gray and transparent': Image.new('LA', (4, 4)), 'colours': colours}.items():
        yield _folder(what, *[_encoded(image, 'PNG')] * 2, train=0)
    for kind in ('JPEG', 'BMP', 'GIF', 'TIFF', 'WEBP', 'PPM'):
        content = _encoded(colours.convert('L') if kind == 'GIF' else colours, kind)
        yield _folder(kind, content, content, train=0)
        for length in (1, 4, 10, len(content) // 2):
            yield _folder(f'{kind} cut off at {length}', good, content[:length],
                          ending='.' + kind.lower())
    yield _folder('CMYK', *[_encoded(colours.convert('CMYK'), 'JPEG')] * 2, ending='.jpg', train=0)
    for dtype in ('u2', 'i4', 'f'):
        for kind in ('TIFF', 'PNG')[:2 if dtype == 'u2' else 1]:
            content = _encoded(Image.fromarray(_noise((4, 4), dtype)), kind)
            yield _folder(f'{dtype} in {kind}', content, content)
    frames = [Image.fromarray(_noise((4, 4), seed=n)) for n in range(3)]
    for kind in ('GIF', 'PNG', 'WEBP', 'TIFF'):
        content = _encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        yield _folder(f'animated {kind}', content, content)
    for width, height in ((4, 5), (5, 4), (1, 1), (400, 400)):
        other = _encoded(Image.new('L', (width, height)), 'PNG')
        yield _folder(f'of sizes 4×4 and {width}×{height}', good, other)
        yield _folder(f'of sizes {width}×{height} and 4×4', other, good, good)
    for length in range(0, 60, 5):  # later bytes are checksums and the end
        yield _folder(f'cut off at {length}', good, good[:length])
    yield _folder('only one', good)
    generator = random.Random(3)
    starts = {'PNG': good[:8], 'JPEG': b'\xff\xd8\xff\xe0', 'GIF': b'GIF89a', 'BMP': b'BM',
              'TIFF': b'II*\0', 'big TIFF': b'II+\0', 'WEBP': b'RIFF\0\1\0\0WEBPVP8 ',
              'PPM': b'P6 4 4 255\n', 'nothing': b''}
    for kind, start in starts.items():
        for n in range(4):
            yield _folder(f'{kind} and noise {n}', good, start + bytes(
                generator.randrange(256) for _ in range(n * (10 if kind == 'PPM' else 100) + 1)))
    for kind, content in {
            'EPS': b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n(pwned) (w) file\n%%EOF\n',
            'PDF': b'%PDF-1.4\n', 'SVG': b'<svg xmlns="http://www.w3.org/2000/svg"/>',
            'text': b'text', 'ICO': _encoded(colours, 'ICO', sizes=[(4, 4)]),
            'TGA': _encoded(colours, 'TGA'),
            'DDS': _encoded(colours, 'DDS'), 'PCX': _encoded(colours, 'PCX'), 'HTML': b'<html>',
            'zip': b'PK\5\6' + bytes(18),
            'Python': b"import os\nos.mkdir('pwned')\n", 'nothing': b'',
            'WMF': b'\xd7\xcd\xc6\x9a' + bytes(200),
            'FPX': b'\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1' + bytes(600)}.items():
        yield _folder(f'{kind} that is called PNG', good, content)
    row = zlib.compress(bytes(10 ** 7))
    for width, height in ((2 ** 31 - 1, 2 ** 31 - 1), (20000, 20000), (12000, 12000), (5000, 5000),
                          (10 ** 9, 1),
                          (1, 10 ** 9), (0, 4), (4, 0), (0, 0)):
        for color in (0, 6):
            yield _folder(f'a PNG that claims {width}×{height}, kind {color}',
                          *[_png(width, height, color=color, data=row)] * 2)
    for kind, size in (('GIF', 9000), ('BMP', 9000), ('TIFF', 9000), ('WEBP', 9000), ('PPM', 9000)):
        options = {'TIFF': dict(compression='group4'), 'WEBP': dict(method=0)}.get(kind, {})
        content = functools.partial(
            _large, 'L' if kind in ('GIF', 'WEBP', 'PPM') else '1', size, kind, **options)
        yield _folder(f'large {kind}', content, content)
    for kind in (b'zTXt', b'iCCP'):
        content = functools.partial(_png_with_bomb, kind)
        yield _folder(f'a PNG with a bomb as {kind}', content, content)
    for bit in range(8 * 41, 8 * 60, 5):  # in the compressed pixels
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        yield _folder(f'PNG with bit {bit} flipped', good, bytes(flipped))


# .npz

def _file(name, write, **expected):
    return DataSet(name, lambda folder: write('data'), **expected)


def _npz_case(name, arrays, save=np.savez_compressed, **expected):
    def write(path):
        with open(path, 'wb') as file:
            save(file, **arrays)
    return _file('npz, ' + name, write, **expected)


def npz():
    x = _noise((5, 4, 4))
    yield _npz_case('a good one', dict(train_x=x), train=0)
    yield _npz_case('a good one, with other arrays', dict(
        train_x=x, other=np.array([Payload()], object), config=np.array('text')), train=0)
    for name in ('train_x', 'train_y', 'test_x', 'test_y'):
        good = dict(train_x=x, train_y=np.arange(5), test_x=x, test_y=np.arange(5))
        for dtype in DTYPES:
            if not (name.endswith('y') and dtype in ('i4', 'u1')) and dtype != 'u1':
                yield _npz_case(f'{name} as {dtype}',
                                dict(good, **{name: np.zeros(good[name].shape, dtype)}))
        yield _npz_case(name + ' as objects',
                        dict(good, **{name: np.array([Payload()] * 5, object)}))
        for shape in ((), (0,), (4,), (5, 4), (5, 0, 4), (0, 4, 4), (5, 4, 4, 2), (5, 2, 4, 4),
                      (5, 1, 4, 4, 1),
                      (1,) * 32):
            yield _npz_case(f'{name} of shape {shape}',
                            dict(good, **{name: np.zeros(shape, good[name].dtype)}))
    yield _npz_case('no train_x', dict(x=x))
    yield _npz_case('nothing', {})
    yield _npz_case('one image', dict(train_x=x[:1]))
    yield _npz_case('other sizes to test', dict(train_x=x, test_x=x[:, :3]))
    for megabytes in (200, 500):
        yield _npz_case(f'{megabytes} megabytes of zeros',
                        dict(train_x=np.zeros((megabytes << 10, 32, 32), 'u1')))
    buffer = io.BytesIO()
    np.savez(buffer, train_x=x)
    for length in range(0, len(buffer.getvalue()), 40):
        yield _file(f'npz, cut off at {length}',
                    lambda path, length=length: _write(path, buffer.getvalue()[:length]))


def paths():
    def put(make):
        return lambda folder: make('data')

    def inside(make):
        return lambda path: (os.mkdir(path), make(path + '/a.png'))

    for name, make in {
            'a pipe': os.mkfifo, 'nothing': lambda path: None, 'an empty folder': os.mkdir,
            'a link to itself': lambda path: os.symlink(path, path),
            'endless': lambda path: os.symlink('/dev/zero', path),
            'text': lambda path: _write(path, b'text'),
            'a folder in a folder in a folder': lambda path: _write(path + '/a/b/c.png', b''),
            'a folder that is called as an image': lambda path: os.makedirs(path + '/a.png'),
            'a pipe that is called as an image': inside(os.mkfifo),
            'an endless file that is called as an image':
                inside(lambda path: os.symlink('/dev/zero', path)),
            'a link to its own folder': inside(lambda path: os.symlink('.', path))}.items():
        yield DataSet(name, put(make))
        for dataset in ('mnist', 'cifar10'):
            yield DataSet(f'{name} as the folder of {dataset}', put(make),
                          ('--dataset', dataset, '--data', 'data'))
