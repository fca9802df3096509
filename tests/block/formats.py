#!/usr/bin/env python3
"""formats.py TOOLS [--reference FOLDER]... [--format FORMAT]...: image formats × options × sizes × operations.

The same operations go to an image of each kind and to a raw file; the two must compare as equal, `check` must be clean, and conversions to and
from the format must keep the content. With the qemu-img and qemu-io of a reference (--reference, or the folder in FORMATS_REFERENCE) each
image is also written by one side and read by the other, in turns. Without one, images a reference wrote are read from tests/block/samples.
"""
import argparse
import glob
import lzma
import os
import random
import subprocess
import sys
import tempfile

M = 1 << 20
# format: (options, sizes); a size of 0 is the default one.
KINDS = {
    'parallels': [('', (0, 3 * M + 512)), ('cluster_size=64k', (0,))],
    'qcow': [('', (0, 3 * M + 512))],
    'qed': [('', (0, 3 * M + 512)), ('cluster_size=4k,table_size=2', (0,)), ('cluster_size=1M', (0,))],
    'vdi': [('', (0, 3 * M + 512)), ('static=on', (0,))],
    'vhdx': [('', (0, 3 * M + 512)), ('block_size=1M', (0, 5 << 30)), ('block_size=32M,log_size=2M', (0,)), ('subformat=fixed', (0,)), ('block_state_zero=off', (0,))],
    'vmdk': [('', (0, 3 * M + 512)), ('subformat=monolithicFlat', (0,)), ('subformat=twoGbMaxExtentSparse', (0, 5 << 30)), ('subformat=twoGbMaxExtentFlat', (5 << 30,)),
             ('subformat=streamOptimized', (0,)), ('zeroed_grain=on', (0,)), ('adapter_type=lsilogic,compat6=on', (0,))],
    'vpc': [('', (0, 3 * M + 512)), ('force_size=on', (0, 3 * M + 512)), ('subformat=fixed', (0,)), ('subformat=fixed,force_size=on', (0,))],
}
ON_OTHERS = [('qcow', 'raw', ''), ('qed', 'raw', ''), ('qed', 'qed', 'cluster_size=4k'), ('vmdk', 'vmdk', ''), ('vmdk', 'vmdk', 'zeroed_grain=on')]
RESIZABLE = {'qed'}
NO_CHECK = {'qcow', 'raw', 'vpc'}
LEAKED_BY_OTHERS = {'parallels'} # what the reference takes ahead it does not always give back
SAYS_LESS = {('map', 'vhdx')}
SIZE = 40 * M
failed = 0


def fail(text):
    global failed
    failed += 1
    print(text)


class Tools:
    def __init__(self, folder, name):
        self.folder, self.name = folder, name

    def run(self, tool, *args, ok=(0,)):
        p = subprocess.run([os.path.join(self.folder, tool), *args], capture_output=True, text=True, timeout=120)
        if p.returncode not in ok:
            fail(f'{self.name}: {tool} {" ".join(args)}: status {p.returncode}\n{p.stdout[-500:]}{p.stderr[-500:]}')
        return p

    def img(self, *args, ok=(0,)):
        return self.run('qemu-img', *args, ok=ok)

    def io(self, fmt, image, commands):
        args = [part for c in commands for part in ('-c', c)]
        p = self.run('qemu-io', '-f', fmt, *args, image)
        bad = [l for l in (p.stdout + p.stderr).split('\n') if 'failed' in l or 'rror' in l]
        if bad:
            fail(f'{self.name}: {image}: {bad[:3]}')


def operations(rng, size, n):
    """Writes of patterns and zeros, aligned in various ways; a few at the ends."""
    for i in range(n):
        unit = rng.choice((512, 4096, 65536, M))
        length = min(unit * rng.randint(1, 8 if unit < M else 2), size)
        at = rng.choice((0, size - length, rng.randrange(0, size - length + 1) // unit * unit))
        at = at // 512 * 512
        yield rng.choice((f'write -P {rng.randint(1, 255)} {at} {length}',) * 4 + (f'write -z {at} {length}', f'write -z -u {at} {length}'))


def same(tools, fmt, image, raw, what, may_leak=False):
    p = tools.img('compare', '-f', fmt, '-F', 'raw', image, raw, ok=(0, 1))
    if p.returncode:
        fail(f'{what}: {tools.name} reads another content: {p.stdout.strip()} {p.stderr.strip()}')
    if fmt not in NO_CHECK:
        tools.img('check', '-q', '-f', fmt, image, ok=(0, 3) if may_leak else (0,))


def described_alike(ours, other, fmt, image, what):
    """Formats of which the reference says less are in SAYS_LESS."""
    def lines(text):
        # Older ones do not tell of compression; of zeros it does not matter whether somebody wrote them.
        return [l.replace(', "compressed": true', '').replace('"zero": true, "data": true', '"zero": true, "data": false')
                for l in text.replace(', "compressed": false', '').split('\n') if 'disk size' not in l]
    for command, *rest in (('info',), ('map', '--output=json')):
        if (command, fmt) in SAYS_LESS:
            continue
        a, b = (lines(t.img(command, *rest, '-f', fmt, image).stdout) for t in (ours, other))
        if command == 'info': # of the children older ones do not tell
            a, b = ((x[:next((i for i, l in enumerate(x) if l.startswith('Child node')), len(x))]) for x in (a, b))
            a, b = ([l for l in x if l] for x in (a, b))
        if a != b:
            fail(f'{what}: {command} differs from {other.name}\n' + '\n'.join([f'  - {l}' for l in b if l not in a][:5] + [f'  + {l}' for l in a if l not in b][:5]))


def one(ours, others, fmt, options, size, work, seed):
    rng = random.Random(f'{fmt} {options} {size} {seed}')
    size = size or SIZE
    what = f'{fmt} {options or "-"} {size}'
    for number, (first, second) in enumerate([(ours, o) for o in others] + [(o, ours) for o in others] or [(ours, ours)]):
        image, raw, back = (os.path.join(work, f'{number}.{x}') for x in ('img', 'raw', 'back'))
        first.img('create', '-q', '-f', fmt, *(('-o', options) if options else ()), image, str(size))
        ours.img('create', '-q', '-f', 'raw', raw, str(size))
        info = ours.img('info', '-f', fmt, image).stdout
        real = int(info.split(' bytes)')[0].split('(')[-1])
        os.truncate(raw, real)
        # The reference writes each cluster of a stream once.
        for turn, tools in enumerate((ours,) * 3 if 'streamOptimized' in options else (first, second, first)):
            todo = list(operations(rng, size, 12))
            tools.io(fmt, image, todo)
            ours.io('raw', raw, todo)
            for reader in (ours, second if second is not ours else first):
                leaks = fmt in LEAKED_BY_OTHERS and (turn or first is not ours)
                same(reader, fmt, image, raw, f'{what}, turn {turn} written by {tools.name}', leaks)
        if second is not first:
            described_alike(ours, second if first is ours else first, fmt, image, what)
        ours.img('convert', '-f', fmt, '-O', 'raw', image, back)
        same(ours, 'raw', back, raw, f'{what} converted to raw')
        new = os.path.join(work, f'{number}.new')
        first.img('convert', '-f', 'raw', '-O', fmt, *(('-o', options) if options else ()), raw, new)
        p = second.img('compare', '-f', fmt, '-F', 'raw', new, raw, ok=(0, 1))
        if p.returncode:
            fail(f'{what} converted from raw by {first.name}, read by {second.name}: {p.stdout.strip()} {p.stderr.strip()}')
        if 'subformat=fixed' not in options and ours.img('info', '--output=json', new).stdout.find(f'"format": "{fmt}"') < 0:
            fail(f'{what}: the format is not found out')
        for f in glob.glob(os.path.join(work, '*')):
            os.unlink(f)


def with_backing(ours, others, fmt, base_fmt, options, work, seed):
    """An image on another, of a smaller size: written in turns, then what differs goes to the other (commit)."""
    rng = random.Random(f'{fmt} {base_fmt} {options} {seed}')
    what = f'{fmt} {options or "-"} on {base_fmt}'
    size = SIZE
    for number, (first, second) in enumerate([(ours, o) for o in others] + [(o, ours) for o in others] or [(ours, ours)]):
        image, raw, base = (os.path.join(work, f'{number}.{x}') for x in ('img', 'raw', 'base'))
        ours.img('create', '-q', '-f', 'raw', raw, str(size))
        second.img('create', '-q', '-f', base_fmt, base, str(size - M if fmt != 'vmdk' else size))
        todo = list(operations(rng, size - M, 10))
        second.io(base_fmt, base, todo)
        ours.io('raw', raw, todo)
        first.img('create', '-q', '-f', fmt, *(('-o', options) if options else ()), '-b', base, '-F', base_fmt, image, str(size))
        for turn, tools in enumerate((first, second, first)):
            todo = list(operations(rng, size, 12))
            tools.io(fmt, image, todo)
            ours.io('raw', raw, todo)
            for reader in (ours, second if second is not ours else first):
                same(reader, fmt, image, raw, f'{what}, turn {turn} written by {tools.name}')
        if fmt in RESIZABLE:
            first.img('resize', '-q', '-f', fmt, image, str(size + 3 * M))
            os.truncate(raw, size + 3 * M)
            for reader in (ours, first):
                same(reader, fmt, image, raw, f'{what}, resized by {first.name}')
        else:
            first.img('commit', '-q', '-f', fmt, image)
            p = ours.img('compare', '-f', base_fmt, '-F', 'raw', base, raw, ok=(0, 1))
            if p.returncode:
                fail(f'{what}, committed by {first.name}: {p.stdout.strip()} {p.stderr.strip()}')
        for f in glob.glob(os.path.join(work, '*')):
            os.unlink(f)


def sample_images(ours, folder, formats, work):
    """NAME.FORMAT.xz has the content of the pattern in sample_raw()."""
    n = 0
    for path in sorted(glob.glob(os.path.join(folder, '*.xz'))):
        name, fmt, _ = os.path.basename(path).rsplit('.', 2)
        if formats and fmt not in formats:
            continue
        image, raw = os.path.join(work, f'{name}.{fmt}'), os.path.join(work, 'raw')
        with lzma.open(path) as f, open(image, 'wb') as out:
            out.write(f.read())
        sample_raw(raw, int(ours.img('info', '-f', fmt, image).stdout.split(' bytes)')[0].split('(')[-1]))
        same(ours, fmt, image, raw, f'sample {name}.{fmt}')
        n += 1
    return n


SAMPLE_OPERATIONS = ('write -P 17 0 4k', 'write -P 34 1000k 100k', 'write -P 51 3M 64k', 'write -z 3080k 8k', 'write -P 68 5120k 512')


def sample_raw(path, size):
    data = bytearray(size)
    for op in SAMPLE_OPERATIONS:
        words = op.split()
        unit = {'k': 1024, 'M': M}
        at, length = (int(w[:-1]) * unit[w[-1]] if w[-1] in unit else int(w) for w in words[-2:])
        data[at:at + length] = bytes([int(words[2]) if words[1] == '-P' else 0]) * length
    with open(path, 'wb') as f:
        f.write(data)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('tools')
    parser.add_argument('--format', dest='formats', action='append', default=[])
    parser.add_argument('--reference', action='append', default=[f for f in os.environ.get('FORMATS_REFERENCE', '').split(':') if f])
    parser.add_argument('--seed', type=int, default=1)
    args = parser.parse_args()
    ours = Tools(args.tools, 'ours')
    others = [Tools(f, f) for f in args.reference]
    n = 0
    for fmt, kinds in KINDS.items():
        for options, sizes in kinds:
            for size in sizes:
                if not args.formats or fmt in args.formats:
                    with tempfile.TemporaryDirectory(prefix='formats-') as work:
                        one(ours, others, fmt, options, size, work, args.seed)
                    n += 1
    for fmt, base_fmt, options in ON_OTHERS:
        if not args.formats or fmt in args.formats:
            with tempfile.TemporaryDirectory(prefix='formats-') as work:
                with_backing(ours, others, fmt, base_fmt, options, work, args.seed)
            n += 1
    with tempfile.TemporaryDirectory(prefix='formats-') as work:
        n += sample_images(ours, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'samples'), args.formats, work)
    print(f'{n} kinds of images, {failed} failures')
    return 1 if failed or not n else 0


if __name__ == '__main__':
    sys.exit(main())
