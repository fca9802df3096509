#!/usr/bin/env python3
"""high.py RUNNER COMPILER SOURCE WORKDIR: high.c linked above the runner's own heap and mappings, which are near 0x555555555000 or, with an
unlimited stack, 0x2aaaaaaaa000; and a program that lies where the runner itself is, which has to be refused in words.
"""
import os
import re
import shutil
import subprocess
import sys

runner, compiler, source, work = sys.argv[1:]
if not shutil.which(compiler):
    print('skipped: no', compiler)
    sys.exit(77)
os.makedirs(work, exist_ok=True)


def build(address):
    program = os.path.join(work, '%x' % address)
    subprocess.run([compiler, '-O1', '-Wall', '-D_GNU_SOURCE', '-static', '-no-pie', '-pthread', f'-Wl,-Ttext-segment={address:#x}', '-o', program, source], check=True, stderr=subprocess.PIPE)
    return [runner, program, f'{address:#x}']


def run(command):
    p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
    return p.returncode, p.stdout


for address in (0x10000000000, 0x600000000000, 0x700000000000):
    command = build(address)
    for how in ([], ['setarch', '-R'], ['prlimit', '--stack=unlimited'], ['prlimit', '--as=900000000']):
        if shutil.which((how or ['sh'])[0]):
            status, text = run([*how, *command])
            if (status, text) != (0, 'ok\n'):
                sys.exit(f'{address:#x} {how}: status {status}, {text!r}')
# Without randomization the runner is where static-pie programs begin on x86-64; elsewhere it may be somewhere else.
status, text = run(['setarch', '-R', *build(0x555555560000)])
if status == 0 and text == 'ok\n':
    print('the runner lies elsewhere')
elif status != 1 or not re.search(r'the program wants the addresses 0x5555555[0-9a-f]+ to 0x[0-9a-f]+, which are .* in use', text):
    sys.exit(f'where the runner is: status {status}, {text!r}')
print('ok')
