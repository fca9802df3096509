#!/usr/bin/env python3
"""Compares F, D, Zfh and the rounding and quiet comparisons of Zfa with Berkeley TestFloat, values and flags.

usage: testfloat.py TESTFLOAT_GEN [--run 'qemu-riscv64 -cpu max'] [--only REGEX] [--level N] [--fused-every N] [--jobs N]
TESTFLOAT_GEN must be built on SoftFloat with the RISC-V specialization (the default NaN, the largest integer for a
NaN). Of the six million cases of a fused multiply-add every N-th is taken. Status 1 when a case is wrong.
"""
import argparse
import concurrent.futures
import os
import re
import shlex
import subprocess
import sys
import tempfile

MODES = ['near_even', 'minMag', 'min', 'max', 'near_maxMag']
FORMATS = ['f16', 'f32', 'f64']
INTS = ['i32', 'ui32', 'i64', 'ui64']
OPERATIONS = 'add sub mul div sqrt mulAdd roundToInt'.split()
EXACT = 'eq le lt le_quiet lt_quiet'.split()


def functions():
    """(function, modes it depends on)"""
    for f in FORMATS:
        for op in OPERATIONS + ['to_' + i for i in INTS]:
            yield f + '_' + op, range(5)
        for op in EXACT:
            yield f + '_' + op, range(1)
        for i in INTS:
            yield i + '_to_' + f, range(1 if f == 'f64' and '32' in i else 5)
        for to in FORMATS:
            if to != f:
                yield f + '_to_' + to, range(5 if to < f else 1)


def one(o, exe, name, mode):
    command = f'{shlex.quote(o.testfloat_gen)} -level {o.level} -tininessafter -exact -r{MODES[mode]} {name}'
    if name.endswith('mulAdd') and o.fused_every > 1:
        command += f" | awk 'NR % {o.fused_every} == 1'"
    p = subprocess.run(f'{command} | {o.run} {exe} {name} {mode}', shell=True, capture_output=True, text=True)
    return name, mode, p.returncode, p.stdout + p.stderr


def main():
    p = argparse.ArgumentParser()
    p.add_argument('testfloat_gen')
    p.add_argument('--run', default='qemu-riscv64 -cpu max')
    p.add_argument('--cc', default='riscv64-linux-gnu-gcc')
    p.add_argument('--only', default='')
    p.add_argument('--level', default='1')
    p.add_argument('--fused-every', type=int, default=61)
    p.add_argument('--jobs', type=int, default=2)
    o = p.parse_args()
    o.testfloat_gen = os.path.abspath(o.testfloat_gen)
    jobs = [(name, mode) for name, modes in functions() for mode in modes if re.search(o.only, name)]
    bad, cases = [], 0
    with tempfile.TemporaryDirectory() as tmp, concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
        exe = os.path.join(tmp, 'testfloat')
        subprocess.run([o.cc, '-O1', '-static', '-o', exe,
                        os.path.join(os.path.dirname(os.path.abspath(__file__)), 'testfloat.c')], check=True)
        for name, mode, status, text in pool.map(lambda j: one(o, exe, *j), jobs):
            cases += int((re.search(r'(\d+) cases', text) or [0, 0])[1])
            if status:
                bad.append(name)
                print(f'{name}, {MODES[mode]}: status {status}\n{text}', flush=True)
    print(f'{len(jobs)} functions and modes, {cases} cases, {len(bad)} functions and modes with wrong ones')
    return 1 if bad or not cases else 0


if __name__ == '__main__':
    sys.exit(main())
