#!/usr/bin/env python3
"""Compares vector instructions with a reference, or with golden digests.

usage: check.py PROGRAM GOLDEN_FILE CASES SEED
       check.py RUNNER --translated SOURCE INCLUDE_DIR GOLDEN_FILE CASES SEED VLEN
       check.py RUNNER --program SOURCE VLEN
       check.py PROGRAM --reference SOURCE INCLUDE_DIR CASES SEED VLEN...

The second form runs the instructions as a program under RUNNER, our own qemu-riscv64, the third any program
that exits with 0; they and the last need a RISC-V compiler and are skipped without. The last needs a
reference (see tests/fpu/reference.py) as well. FPU_RECORD=1 rewrites the golden files with the reference's answers.
"""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../../fpu'))
from reference import find_reference  # noqa: E402

GCC = shutil.which('riscv64-linux-gnu-gcc')


def build(source, include, exe):
    subprocess.run([GCC, '-O1', '-static', '-I', include, source, '-o', exe], check=True)


def translated(runner, source, include, golden, cases, seed, vlen):
    if not GCC:
        print('no RISC-V compiler')
        return 77
    with tempfile.TemporaryDirectory() as tmp:
        exe = os.path.join(tmp, 'cross')
        build(source, include, exe)
        got = subprocess.run([runner, '-cpu', f'max,vlen={vlen}', exe, 'digest', cases, seed],
                             capture_output=True, text=True, check=True).stdout.split()
    with open(golden, encoding='ascii') as stream:
        want = stream.read().split()
    for i, (a, b) in enumerate(zip(got, want)):
        if a != b:
            print(f'VLEN {vlen}: digest {i} is {a}, not {b}')
            return 1
    return 0 if len(got) == 2 + int(cases) // 500 else 1


def program(runner, source, vlen):
    if not GCC:
        print('no RISC-V compiler')
        return 77
    with tempfile.TemporaryDirectory() as tmp:
        exe = os.path.join(tmp, 'program')
        build(source, '.', exe)
        return subprocess.run([runner, '-cpu', f'max,vlen={vlen}', exe]).returncode


def main(argv):
    if argv[2] == '--program':
        return program(argv[1], *argv[3:])
    return compare(argv)


def compare(argv):
    library = argv[1]
    if argv[2] == '--translated':
        return translated(library, *argv[3:])
    if argv[2] != '--reference':
        with open(argv[2], 'rb') as golden:
            return subprocess.run([library, 'digest', *argv[3:5]], stdin=golden).returncode
    source, include, cases, seed = argv[3:7]
    reference = find_reference()
    if not GCC or not reference:
        print('no RISC-V compiler or no reference')
        return 77
    status = 0
    with tempfile.TemporaryDirectory() as tmp:
        exe = os.path.join(tmp, 'cross')
        build(source, include, exe)
        for vlen in argv[7:]:
            run = [reference, '-cpu', f'max,vlen={vlen}', exe]
            if os.environ.get('FPU_RECORD'):
                with open(os.path.join(os.path.dirname(source), f'golden-{vlen}.txt'), 'wb') as out:
                    subprocess.run([*run, 'digest', '20000', '1'], stdout=out, check=True)
            records = os.path.join(tmp, 'records')
            with open(records, 'wb') as out:
                subprocess.run([*run, 'records', cases, seed], stdout=out, check=True)
            with open(records, 'rb') as inp:
                status |= subprocess.run([library, 'records', cases, seed], stdin=inp).returncode
    return 1 if status else 0


sys.exit(main(sys.argv))
