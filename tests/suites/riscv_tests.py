#!/usr/bin/env python3
"""Builds and runs the instruction tests of riscv-tests (isa/rv*) on the spike board.

usage: riscv_tests.py FOLDER [--run 'qemu-system-riscv64'] [--cpu max] [--only REGEX] [--jobs N]
FOLDER is a checkout of riscv-tests with its env. The physical environment (env/p) is used. A program's exit status is
the number of the case that failed. 32-bit folders (rv32…) are run with the emulator's name ending in 32.
"""
import argparse
import concurrent.futures
import os
import re
import shlex
import subprocess
import sys
import tempfile

GCC = 'riscv64-linux-gnu-gcc'


def collect(folder):
    isa = os.path.join(folder, 'isa')
    for room in sorted(os.listdir(isa)):
        if not re.match(r'rv(32|64)', room):
            continue
        names = sorted(n[:-2] for n in os.listdir(os.path.join(isa, room)) if n.endswith('.S'))
        listed = os.path.join(isa, room, 'Makefrag')
        if os.path.exists(listed):
            with open(listed, encoding='utf-8') as f:
                text = f.read().replace('\\\n', ' ')
            words = ' '.join(re.findall(r'_(?:sc|mc)_tests\s*=\s*(.*)', text)).split()
            names = [n for n in names if n in words]
        for name in names:
            yield room, name


def one(o, room, name, tmp):
    bits = room[2:4]
    isa = os.path.join(o.folder, 'isa')
    exe = os.path.join(tmp, room + '-' + name)
    march = f'rv{bits}g{"c" if room[4:] in ("mi", "si", "uc") else ""}' + ''.join('_' + z for z in re.findall(r'z[a-z]+', room))
    abi = ['-mabi=' + ('lp64d' if bits == '64' else 'ilp32d')]
    p = subprocess.run([GCC, '-c', *abi, f'-march=rv{bits}gc', '-fno-pic', f'-Wa,-march={march}', '-I',
                        os.path.join(o.folder, 'env', 'p'), '-I', os.path.join(isa, 'macros', 'scalar'), '-o', exe + '.o',
                        os.path.join(isa, room, name + '.S')], capture_output=True, text=True)
    if p.returncode == 0:
        p = subprocess.run([GCC, *abi, f'-march=rv{bits}gc', '-static', '-nostdlib', '-nostartfiles', '-Wl,--build-id=none',
                            '-Wl,--no-warn-rwx-segments', '-T', os.path.join(o.folder, 'env', 'p', 'link.ld'), '-o', exe,
                            exe + '.o'], capture_output=True, text=True)
    if p.returncode:
        return 'not built', room, name, p.stderr.strip().splitlines()[-3:]
    run = shlex.split(o.run)
    run[0] = re.sub(r'64$', bits, run[0])
    try:
        p = subprocess.run(run + ['-M', 'spike', '-bios', 'none', '-cpu', o.cpu, '-display', 'none', '-serial', 'none',
                                  '-monitor', 'none', '-kernel', exe], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                           timeout=120)
        status, text = p.returncode, p.stderr
    except subprocess.TimeoutExpired:
        status, text = 'time is over', ''
    return 'passed' if status == 0 else 'failed', room, name, [f'case {status} {text.strip()[:200]}']


def main():
    p = argparse.ArgumentParser()
    p.add_argument('folder')
    p.add_argument('--run', default='qemu-system-riscv64')
    p.add_argument('--cpu', default='max')
    p.add_argument('--only', default='')
    p.add_argument('--jobs', type=int, default=2)
    o = p.parse_args()
    tests = [t for t in collect(o.folder) if re.search(o.only, '/'.join(t))]
    count = {}
    with tempfile.TemporaryDirectory() as tmp, concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
        for kind, room, name, text in pool.map(lambda t: one(o, *t, tmp), tests):
            count[kind] = count.get(kind, 0) + 1
            if kind != 'passed':
                print(f'{room}/{name}: {kind}: {" ".join(text)}', flush=True)
    print(', '.join(f'{n} {kind}' for kind, n in sorted(count.items())) or 'no tests')
    return 0 if set(count) == {'passed'} else 1


if __name__ == '__main__':
    sys.exit(main())
