#!/usr/bin/env python3
"""Runs the execution tests of gcc's torture suite (gcc.c-torture/execute) under our user-mode emulator.

usage: gcc_torture.py FOLDER [--arch riscv64|x86_64|i386|arm64|armhf] [--run 'OURS'] [--ref 'REFERENCE'] [--cc COMPILER] [--jobs N]
                      [--only REGEX] [--flags '-O2'] [--flags '-O3 -march=…'] …
FOLDER is gcc/testsuite/gcc.c-torture/execute of a gcc source tree. Each program is linked statically and has to end
with status 0. Of the directives only those that name options count; a program that does not compile is counted
apart, as is one that fails under the reference too (given with --ref, asked only about failures). Status 1 when a
program fails that the reference runs, or any fails and there is no reference.
"""
import argparse
import concurrent.futures
import os
import re
import shlex
import subprocess
import sys
import tempfile

# Of each architecture: compiler, a word of the targets that its dg- directives name, the runner.
ARCHES = {
    'riscv64': ('riscv64-linux-gnu-gcc', r'riscv', 'qemu-riscv64'),
    'x86_64': ('x86_64-linux-gnu-gcc', r'x86_64|i.86', 'qemu-x86_64'),
    'i386': ('i686-linux-gnu-gcc', r'i.86|ia32', 'qemu-i386'),
    'arm64': ('aarch64-linux-gnu-gcc', r'aarch64', 'qemu-aarch64'),
    'armhf': ('arm-linux-gnueabihf-gcc', r'arm', 'qemu-arm'),
}

# Builtins are tested with the functions defined in lib/; the rest is what the suite's own driver passes.
COMMON = ['-w', '-static', '-pipe', '-fno-diagnostics-show-caret', '-std=gnu17']
GROUPS = {'': [], 'ieee': ['-ffloat-store', '-fno-inline'], 'builtins': ['-fno-tree-dse', '-fno-tree-loop-distribute-patterns']}


def collect(folder):
    for group in GROUPS:
        where = os.path.join(folder, group)
        for name in sorted(os.listdir(where)):
            if name.endswith('.c') and not name.endswith('-lib.c'):
                yield group, os.path.join(where, name)


def options(path, targets):
    """Options of the dg- directives; those for another target only are left out."""
    with open(path, encoding='latin-1') as f:
        text = f.read()
    found = []
    for m in re.finditer(r'\{\s*dg-(?:additional-)?options\s+"([^"]*)"\s*(\{[^}]*\})?', text):
        if not m[2] or re.search(targets, m[2]) or '*-*-*' in m[2]:
            found += shlex.split(m[1])
    x_file = path[:-2] + '.x'
    if os.path.exists(x_file):
        with open(x_file, encoding='latin-1') as f:
            m = re.search(r'set additional_flags "([^"]*)"', f.read())
        if m and '$' not in m[1]:
            found += shlex.split(m[1])
    return found


def run(command, seconds):
    try:
        p = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           timeout=seconds)
        return p.returncode, p.stdout.decode('latin-1')
    except subprocess.TimeoutExpired:
        return 'timeout', ''


def one(o, group, path, flags, tmp):
    name = os.path.relpath(path, o.folder)
    exe = os.path.join(tmp, re.sub(r'\W', '_', name + flags))
    sources = [path]
    if group == 'builtins':
        sources += [path[:-2] + '-lib.c', os.path.join(os.path.dirname(path), 'lib', 'main.c')]
    status, text = run([o.cc] + shlex.split(flags) + COMMON + GROUPS[group] + options(path, ARCHES[o.arch][1])
                       + [s for s in sources if os.path.exists(s)] + ['-o', exe, '-lm'], 300)
    if status:
        return 'not compiled', name, text.strip().splitlines()[-1:] or ['']
    status, text = run(shlex.split(o.run) + [exe], 120)
    kind = 'passed'
    if status:
        kind = 'failed'
        if o.ref and run(shlex.split(o.ref) + [exe], 120)[0] not in (0,):
            kind = 'fails under the reference too'
        if o.keep and kind == 'failed':
            os.rename(exe, os.path.join(o.keep, os.path.basename(exe)))
    if os.path.exists(exe):
        os.unlink(exe)
    return kind, name, [f'status {status} {text[:200]}']


def main():
    p = argparse.ArgumentParser()
    p.add_argument('folder')
    p.add_argument('--arch', choices=sorted(ARCHES), default='riscv64')
    p.add_argument('--run')
    p.add_argument('--ref')
    p.add_argument('--cc')
    p.add_argument('--jobs', type=int, default=2)
    p.add_argument('--only', default='')
    p.add_argument('--keep', help='folder for the programs that fail')
    p.add_argument('--flags', action='append')
    o = p.parse_args()
    o.cc = o.cc or ARCHES[o.arch][0]
    o.run = o.run or ARCHES[o.arch][2]
    tests = [t for t in collect(o.folder) if re.search(o.only, t[1])]
    bad = 0
    for flags in o.flags or ['-O0', '-O2', '-O3']:
        count = {}
        with tempfile.TemporaryDirectory() as tmp, concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
            for kind, name, text in pool.map(lambda t: one(o, *t, flags, tmp), tests):
                count[kind] = count.get(kind, 0) + 1
                if kind != 'passed':
                    print(f'{flags}: {name}: {kind}: {" ".join(text)}', flush=True)
        print(f'{flags}: ' + ', '.join(f'{n} {kind}' for kind, n in sorted(count.items())), flush=True)
        bad += count.get('failed', 0)
    return 1 if bad or not tests else 0


if __name__ == '__main__':
    sys.exit(main())
