#!/usr/bin/env python3
"""run.py: how fast we are against the reference, on the same guest files, in one run on this machine.

    tests/bench/run.py --reference DIR [--ours build] [--arch x86_64] [--suite kernels,libc,instructions,programs,start,system,guest,make,vcpus,greeting,memory]
                         [--only NAME,…] [--repeat 5]

DIR is a folder with q72/bin and q11/bin (two versions of the reference). For each benchmark every candidate runs
REPEAT times, interleaved; the figure is the median of processor time (user + system) of the whole process tree, or wall time for those
marked so. Output must be equal everywhere (native output where the native program is the same source). The last
column is the better reference's time divided by ours: more than 1 is faster. Geometric means per suite at the end.
Results are also written as JSON (--json FILE). The last five suites are in machine.py.
`--arch` is the guest's; aarch64 runs on a cortex-a72 everywhere (the references' `max` has vector extensions that make their C libraries
slow); system, guest, make, vcpus, greeting and memory know riscv64 and x86_64 (make: x86_64).
"""
import argparse
import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import machine

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent

# Rounds: about half a second to a second under the reference. 'wall': threads.
KERNELS = {
    'integer': 60, 'sort': 25, 'sieve': 50, 'tree': 100, 'interpreter': 9, 'branches': 18, 'recursion': 16,
    'indirect': 7, 'hash': 60, 'f64': 5, 'f32': 30, 'libm': 12, 'matrix': 10, 'vector-loops': 150, 'memory': 150,
    'syscalls': 6, 'signals': 4, 'threads': 60, 'setjmp': 20, 'fork': 8,
}
KERNELS_X86 = {'x87': 30, 'avx': 8, 'fma': 12}
KERNELS_ARM = {'neon-lanes': 80, 'neon-media': 80, 'neon-search': 160}
KERNELS_ARM32 = {'neon32-float': 20, 'neon32-bytes': 30, 'aes32': 10, 'sha32': 8, 'crc32': 60}
KERNELS_OF = {'riscv64': KERNELS, 'aarch64': KERNELS | KERNELS_ARM, 'arm': KERNELS | KERNELS_ARM32}
LIBC_FUNCTIONS = ('memcpy', 'memset', 'memcmp', 'strlen', 'memchr')
# Size: rounds, about a third of a second under the reference.
LIBC_SIZES = {8: 10, 64: 16, 512: 16, 4096: 20, 65536: 30, 1048576: 30}
WALL = {'threads', 'make'}


def tree_time(command, env=None, stdin=None, timeout=900):
    """(processor seconds, wall seconds, status, output) of a command and all its children."""
    begin = time.monotonic()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdin=stdin or subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        wall = time.monotonic() - begin
        out.seek(0)
        return usage.ru_utime + usage.ru_stime, wall, status, out.read()


class Bench:
    def __init__(self, name, commands, wall=False, compare=True):
        self.name, self.commands, self.wall, self.compare = name, commands, wall, compare

    def run(self, repeat):
        times, outputs = {who: [] for who in self.commands}, {}
        for _ in range(repeat):
            for who, command in self.commands.items():
                cpu, wall, status, output = tree_time(command)
                if status:
                    outputs[who] = f'status {status}: {output[-200:]!r}'
                    times[who].append(float('nan'))
                    continue
                outputs[who] = output
                times[who].append(wall if self.wall else cpu)
        self.medians = {who: statistics.median(t) for who, t in times.items()}
        base = outputs.get('q11') or outputs.get('q72')
        self.bad = [who for who, o in outputs.items()
                    if isinstance(o, str) or (self.compare and who == 'ours' and base is not None and o != base)]
        self.outputs = outputs
        return self

    @property
    def ratio(self):
        refs = [self.medians[w] for w in ('q72', 'q11') if w in self.medians and not math.isnan(self.medians[w])]
        ours = self.medians.get('ours')
        return min(refs) / ours if refs and ours and not math.isnan(ours) else float('nan')


def user_name(args):
    return 'qemu-' + args.arch.split('-')[0]


def emulators(args, name):
    found = {'ours': [str(pathlib.Path(args.ours) / name)]}
    if args.reference:
        for version in ('q72', 'q11'):
            found[version] = [str(pathlib.Path(args.reference) / version / 'bin' / name)]
    if name == 'qemu-aarch64':
        found = {who: command + ['-cpu', 'cortex-a72'] for who, command in found.items()}
    if name == 'qemu-arm':
        found = {who: command + ['-cpu', 'max'] for who, command in found.items()}
    return found


def build(work, name, sources, compilers, flags):
    made = {}
    for who, compiler in compilers.items():
        made[who] = work / f'{name}-{who}'
        if not made[who].exists():
            subprocess.run([*compiler, '-O2', '-static', '-o', made[who], *sources, *flags], check=True)
    return made


def compilers(arch):
    """The host's program for scale, and the guest's: for x86 the same, or with 32 bits."""
    return {'native': ['gcc'], arch: {'riscv64': ['riscv64-linux-gnu-gcc'], 'aarch64': ['aarch64-linux-gnu-gcc'],
                                      'arm': ['arm-linux-gnueabihf-gcc', '-march=armv8-a+crc', '-mfpu=crypto-neon-fp-armv8', '-mfloat-abi=hard'], 'x86_64': ['gcc'], 'i386': ['i686-linux-gnu-gcc', '-msse2', '-mfpmath=sse'],
                                      'i386-x87': ['i686-linux-gnu-gcc', '-mfpmath=387']}[arch]}


def build_kernels(work, arch='riscv64'):
    return build(work, 'kernels', sorted((HERE / 'kernels').glob('*.c')), compilers(arch), ['-ftree-vectorize', '-lm', '-lpthread'])


def suite_kernels(args, work):
    made = build_kernels(work, args.arch)
    for name, rounds in KERNELS_OF.get(args.arch, KERNELS | KERNELS_X86).items():
        tail = [name, str(rounds)]
        commands = {} if name in KERNELS_ARM | KERNELS_ARM32 else {'native': [str(made['native'])] + tail}
        for who, emulator in emulators(args, user_name(args)).items():
            commands[who] = emulator + [str(made[args.arch])] + tail
        yield Bench(name, commands, wall=name in WALL)


def suite_libc(args, work):
    """The C library's memory functions, function by size."""
    made = build_kernels(work, args.arch)
    for function in LIBC_FUNCTIONS:
        for size, rounds in LIBC_SIZES.items():
            tail = [f'{function}-{size}', str(rounds)]
            commands = {'native': [str(made['native'])] + tail}
            for who, emulator in emulators(args, user_name(args)).items():
                commands[who] = emulator + [str(made[args.arch])] + tail
            yield Bench(tail[0], commands)


class Measured(Bench):
    """A row of a program that measures itself, in nanoseconds."""
    def __init__(self, name, medians):
        super().__init__(name, dict.fromkeys(medians), compare=False)
        self.medians, self.bad, self.outputs = medians, [], {}

    def run(self, repeat):
        return self


def suite_instructions(args, work):
    """Single instructions of x86, in nanoseconds, by a program that measures itself: of interest is what is below 1."""
    made = build(work, 'instructions', [HERE / 'instructions' / 'instructions.c'], compilers(args.arch), ['-mavx2'])
    commands = {'native': [str(made['native'])]} if args.native else {}
    for who, emulator in emulators(args, user_name(args)).items():
        commands[who] = emulator + [str(made[args.arch])]
    rows = {}
    for _ in range(args.repeat):
        for who, command in commands.items():
            # What the default CPU lacks stops the reference's older version; the rows until then count.
            for line in tree_time(command)[3].decode(errors='replace').splitlines():
                name, tab, ns = line.partition('\t')
                if tab:
                    rows.setdefault(name, {}).setdefault(who, []).append(float(ns))
    for name, times in rows.items():
        if 'ours' not in times:
            continue  # the host's program has rows of 64-bit code
        yield Measured(name, {who: statistics.median(t) for who, t in times.items()})


def suite_start(args, work):
    source = work / 'nothing.c'
    source.write_text('int main(void) { return 0; }\n')
    made = build(work, 'nothing', [source], compilers(args.arch), [])
    loop = ['sh', '-c', 'i=0; while [ $i -lt 100 ]; do "$@"; i=$((i + 1)); done', 'loop']
    commands = {'native': loop + [str(made['native'])]}
    for who, emulator in emulators(args, user_name(args)).items():
        commands[who] = loop + emulator + [str(made[args.arch])]
    yield Bench('start x100', commands)


def suite_programs(args, work):
    """Debian's own programs, from a root made by scripts/debian-fetch."""
    packages = ['bash', 'coreutils', 'python3-minimal', 'perl-base', 'perl', 'gcc-14', 'xz-utils', 'zstd', 'openssl', 'sqlite3', 'python3', 'libc6-dev']
    roots = {}
    for arch in {'riscv64': ('riscv64', 'amd64'), 'aarch64': ('arm64', 'amd64'), 'arm': ('armhf', 'amd64'), 'x86_64': ('amd64',)}.get(args.arch, ('i386', 'amd64')):
        given = args.native_root if arch == 'amd64' else args.root
        roots[arch] = pathlib.Path(given or SOURCE / f'build/guest/bench-{arch}')
        if not (roots[arch] / 'usr/bin/python3').exists() and (args.native or arch != 'amd64' or args.arch == 'x86_64'):
            subprocess.run([SOURCE / 'scripts/debian-fetch', '--arch', arch, '--into', roots[arch], '--deps', *packages,
                            *(['nodejs'] if arch != 'i386' else [])], check=True)
    native = roots['amd64']
    root = next(iter(roots.values()))
    inputs = HERE / 'programs'
    text = work / 'text.bin'
    if not text.exists():
        data = b''.join(p.read_bytes() for p in sorted((SOURCE / 'include').rglob('*.h')))
        text.write_bytes((data * 40)[:8_000_000])
    big = work / 'big.c'
    if not big.exists():
        subprocess.run([sys.executable, inputs / 'make-c.py', '100'], stdout=open(big, 'wb'), check=True)
    def cc1(base):
        return str(next((base / 'usr/libexec/gcc').glob('*/14/cc1')))
    programs = {
        'python3': lambda b: [b / 'usr/bin/python3', '-S', '-E', inputs / 'work.py'],
        'perl': lambda b: [b / 'usr/bin/perl', inputs / 'work.pl'],
        'cc1 -O2': lambda b: [cc1(b), '-quiet', '-O2', big, '-o', '/dev/null'],
        'cc1 -O0': lambda b: [cc1(b), '-quiet', '-O0', big, '-o', '/dev/null'],
        'xz': lambda b: [b / 'usr/bin/xz', '-T1', '-3', '-k', '-c', text],
        'zstd': lambda b: [b / 'usr/bin/zstd', '-q', '--single-thread', '-9', '-c', text],
        'openssl': lambda b: [b / 'usr/bin/openssl', 'dgst', '-sha256', work / 'zeros'],
        'openssl aes': lambda b: [b / 'usr/bin/openssl', 'enc', '-aes-128-cbc', '-K', '0' * 32, '-iv', '0' * 32, '-in', work / 'zeros', '-out', '/dev/null'],
        'sqlite3': lambda b: [b / 'usr/bin/sqlite3', ':memory:', f'.read {inputs / "work.sql"}'],
        'node': lambda b: [b / 'usr/bin/node', inputs / 'work.js'],
        'bash': lambda b: [b / 'usr/bin/bash', inputs / 'work.sh'],
    }
    if args.arch.startswith('i386'):
        del programs['node']  # Debian has none
    if not (work / 'zeros').exists():
        (work / 'zeros').write_bytes(bytes(60_000_000))
    for name, make in programs.items():
        commands = {}
        if args.native:
            loader = native / 'usr/lib64/ld-linux-x86-64.so.2'
            libs = f'{native}/usr/lib/x86_64-linux-gnu'
            commands['native'] = [str(loader), '--library-path', libs] + [str(x) for x in make(native)]
            if name == 'node':  # finds its parts by /proc/self/exe, so not through a loader
                commands['native'] = ['node', str(inputs / 'work.js')]
        for who, emulator in emulators(args, user_name(args)).items():
            commands[who] = emulator + ['-L', str(root)] + [str(x) for x in make(root)]
        yield Bench(name, commands)


def suite_system(args, work):
    """Debian's kernel to init and power-off on each board; a PC's firmware to the first instruction of a boot sector, UEFI to a loader's."""
    guest = machine.need_guest(args)
    name = machine.emulator_name(args)
    for board in machine.BOARDS[args.arch]:
        for smp in (1, 4) if board in ('virt', 'pc') else (1,):
            commands = {who: machine.machine(args, emulator, guest, guest / 'initrd.gz', 'nothing', smp, board=board, serial='null',
                                             append=machine.extra(who, board, work))
                        for who, emulator in emulators(args, name).items()}
            yield Bench(f'{board} smp {smp}', commands, compare=False)
    if args.arch == 'x86_64':
        disk = machine.boot_sector(work)
        for board in machine.BOARDS['x86_64']:
            yield Bench(f'firmware {board}', {who: machine.firmware(emulator, board, disk) for who, emulator in emulators(args, name).items()},
                        compare=False)
        disk = machine.efi_disk(work)
        yield Bench('UEFI q35', {who: machine.uefi(emulator, disk) for who, emulator in emulators(args, name).items()}, compare=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--reference')
    parser.add_argument('--ours', default=str(SOURCE / 'build'))
    parser.add_argument('--suite', default='kernels,start,programs,system')
    parser.add_argument('--arch', default='riscv64', choices=['riscv64', 'x86_64', 'i386', 'i386-x87', 'aarch64', 'arm'], help='of the guest')
    parser.add_argument('--only', default='')
    parser.add_argument('--repeat', type=int, default=5)
    parser.add_argument('--work', default=str(SOURCE / 'build/bench'))
    parser.add_argument('--root', help='Debian of the guest architecture (default build/guest/bench-ARCH)')
    parser.add_argument('--native-root', help='Debian of this machine and of x86_64 guests (default build/guest/bench-amd64)')
    parser.add_argument('--guest', help='made by scripts/guest-linux (default build/guest/linux-ARCH)')
    parser.add_argument('--no-native', dest='native', action='store_false')
    parser.add_argument('--json')
    args = parser.parse_args()
    args.guest = args.guest or str(SOURCE / f'build/guest/linux-{machine.DEBIAN.get(args.arch, args.arch)}')
    work = pathlib.Path(args.work)
    work.mkdir(parents=True, exist_ok=True)
    only = set(filter(None, args.only.split(',')))
    results, failed = [], False
    for suite in args.suite.split(','):
        if suite in machine.SUITES:
            results += machine.run(suite, args, work, lambda name: emulators(args, name), build_kernels(work, args.arch)[args.arch],
                                   {n: r for n, r in KERNELS.items() if not only or n in only})
            continue
        ratios = []
        print(f'{suite:14} {"native":>8} {"ours":>8} {"7.2":>8} {"11":>8}  times native  better reference / ours')
        for bench in globals()['suite_' + suite](args, work):
            if only and bench.name not in only:
                continue
            if not args.native:
                bench.commands.pop('native', None)
            m = bench.run(args.repeat).medians
            cell = lambda who: f'{m[who]:8.3f}' if who in m else f'{"-":>8}'
            native = f'{m["ours"] / m["native"]:8.1f}' if m.get('native') else f'{"-":>8}'
            note = ''
            if bench.bad:
                failed = True
                note = '  WRONG: ' + ', '.join(f'{w} ({bench.outputs[w]})' if isinstance(bench.outputs[w], str) else w for w in bench.bad)
            print(f'{bench.name:14} {cell("native")} {cell("ours")} {cell("q72")} {cell("q11")}  {native}      {bench.ratio:8.2f}'
                  + (' wall' if bench.wall else '') + note, flush=True)
            results.append({'suite': suite, 'name': bench.name, 'seconds': m, 'ratio': bench.ratio, 'bad': bench.bad})
            if not math.isnan(bench.ratio):
                ratios.append(bench.ratio)
        if ratios:
            print(f'{suite}: geometric mean {math.exp(statistics.mean(map(math.log, ratios))):.2f}, least {min(ratios):.2f}\n')
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(results, indent=1))
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
