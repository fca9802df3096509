#!/usr/bin/env python3
"""armbe.py RUNNER SOURCE WORKDIR: a big-endian program of 32-bit Arm in its three forms: little-endian code (BE8) in A32 and T32, and, on a core of
Armv5, big-endian code (BE32).
"""
import os
import shutil
import subprocess
import sys

runner, source, work = sys.argv[1], os.path.abspath(sys.argv[2]), os.path.abspath(sys.argv[3])
COMPILER = 'arm-linux-gnueabihf-gcc'
if not shutil.which(COMPILER):
    print('skipped: no', COMPILER)
    sys.exit(77)
os.makedirs(work, exist_ok=True)
V7 = ['-march=armv7-a', '-mfpu=neon', '-mfloat-abi=hard', '-mbe8']
for name, flags, cpu in (('be8-a32', [*V7, '-marm'], 'max'), ('be8-t32', [*V7, '-mthumb'], 'cortex-a15'),
                         ('be32', ['-march=armv5te', '-mfloat-abi=soft', '-marm', '-mbe32'], 'arm926')):
    program = os.path.join(work, name)
    subprocess.run([COMPILER, '-mbig-endian', '-nostdlib', '-static', '-O1', '-fno-stack-protector', *flags, '-o', program, source], check=True)
    p = subprocess.run([runner, '-cpu', cpu, program], cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    if p.returncode or p.stdout != 'ok\n':
        sys.exit(f'{name}: status {p.returncode} {p.stdout}')
    print(name, 'ok')
