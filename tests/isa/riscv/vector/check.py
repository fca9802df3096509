#!/usr/bin/env python3
"""Compares vector instructions with a reference, or with golden digests.

usage: check.py PROGRAM GOLDEN_FILE CASES SEED
       check.py PROGRAM --reference SOURCE INCLUDE_DIR CASES SEED VLEN...

The second form needs a RISC-V compiler and a reference (FPU_REFERENCE, else qemu-riscv64 in the path)
and is skipped without. FPU_RECORD=1 rewrites the golden files with the reference's answers.
"""
import os
import shutil
import subprocess
import sys
import tempfile


def main(argv):
    program = argv[1]
    if argv[2] != '--reference':
        with open(argv[2], 'rb') as golden:
            return subprocess.run([program, 'digest', *argv[3:5]], stdin=golden).returncode
    source, include, cases, seed = argv[3:7]
    gcc = shutil.which('riscv64-linux-gnu-gcc')
    reference = os.environ.get('FPU_REFERENCE') or shutil.which('qemu-riscv64')
    if not gcc or not reference:
        print('no RISC-V compiler or no reference')
        return 77
    status = 0
    with tempfile.TemporaryDirectory() as tmp:
        exe = os.path.join(tmp, 'cross')
        subprocess.run([gcc, '-O1', '-static', '-I', include, source, '-o', exe], check=True)
        for vlen in argv[7:]:
            run = [reference, '-cpu', f'max,vlen={vlen}', exe]
            if os.environ.get('FPU_RECORD'):
                with open(os.path.join(os.path.dirname(source), f'golden-{vlen}.txt'), 'wb') as out:
                    subprocess.run([*run, 'digest', '20000', '1'], stdout=out, check=True)
            records = os.path.join(tmp, 'records')
            with open(records, 'wb') as out:
                subprocess.run([*run, 'records', cases, seed], stdout=out, check=True)
            with open(records, 'rb') as inp:
                status |= subprocess.run([program, 'records', cases, seed], stdin=inp).returncode
    return 1 if status else 0


sys.exit(main(sys.argv))
