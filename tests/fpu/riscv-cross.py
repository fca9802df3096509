#!/usr/bin/env python3
"""Compares the library with RISC-V instructions run by a reference.

usage: riscv-cross.py LIBRARY_PROGRAM SOURCE INCLUDE_DIR ROUNDS

Skipped without a cross compiler or a reference (see reference.py).
"""
import os
import shutil
import struct
import subprocess
import sys
import tempfile

from reference import find_reference

ours, source, include, rounds = sys.argv[1:5]
gcc = shutil.which('riscv64-linux-gnu-gcc')
reference = find_reference()
if not gcc or not reference:
    print('no RISC-V compiler or no reference')
    sys.exit(77)
with tempfile.TemporaryDirectory() as tmp:
    exe = os.path.join(tmp, 'cross')
    subprocess.run([gcc, '-O1', '-static', '-I', include, source, '-o', exe], check=True)
    run = [reference, '-cpu', 'max', exe]
    args = [rounds, os.environ.get('FPU_SEED', '1')]
    want = subprocess.run(run + args, stdout=subprocess.PIPE, check=True).stdout
    got = subprocess.run([ours] + args, stdout=subprocess.PIPE, check=True).stdout
    bad = 0
    records = len(want) // 16
    if len(want) != len(got) or not records:
        print(f'{len(want)} bytes from the reference, {len(got)} from the library')
        sys.exit(1)
    for i in range(0, len(want), 16):
        if want[i:i + 16] != got[i:i + 16]:
            bad += 1
            if bad <= 20:
                name = subprocess.run([ours] + args + [str(i // 16)], capture_output=True, text=True)
                w, g = (struct.unpack('<QQ', x[i:i + 16]) for x in (want, got))
                print(f'record {i // 16} {name.stdout.strip()}: {g[0]:x} flags {g[1]:x}, '
                      f'reference {w[0]:x} flags {w[1]:x}')
    print(f'{bad} of {records} differ')
    sys.exit(1 if bad else 0)
