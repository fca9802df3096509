#!/usr/bin/env python3
"""Runs spike/htif.S on the spike board: text by the console and by a system call, input, exit status, bad symbols.

usage: spike.py QEMU-SYSTEM-RISCV64 SOURCE-DIR      (or …32: its name chooses the width)
"""
import os
import shutil
import subprocess
import sys
import tempfile

GCC = 'riscv64-linux-gnu-gcc'
LINES = 'console\nsystem call \nhello\n'


def main():
    emulator, folder = os.path.abspath(sys.argv[1]), sys.argv[2]
    if not shutil.which(GCC):
        print('skipped: no ' + GCC)
        return 77
    isa = ['-march=rv32gc', '-mabi=ilp32'] if 'riscv32' in emulator else ['-march=rv64gc', '-mabi=lp64']
    command = [emulator, '-M', 'spike', '-bios', 'none', '-display', 'none', '-serial', 'stdio', '-monitor', 'none', '-kernel']
    bad = 0
    with tempfile.TemporaryDirectory() as tmp:
        def check(what, flags, status, output):
            nonlocal bad
            exe = os.path.join(tmp, 'htif')
            subprocess.run([GCC, *isa, '-fno-pic', '-nostdlib', '-static', '-Wl,--build-id=none', *flags,
                            '-Wl,--no-warn-rwx-segments', '-T', os.path.join(folder, 'priv', 'link.ld'), '-o', exe,
                            os.path.join(folder, 'spike', 'htif.S')], check=True)
            try:
                run = subprocess.run(command + [exe], capture_output=True, text=True, timeout=60, input='hello\n')
            except subprocess.TimeoutExpired:
                print(f'{what}: does not end')
                bad += 1
                return
            if run.returncode != status or output not in run.stdout + run.stderr:
                print(f'{what}: status {run.returncode}, expected {status}\n{run.stdout}{run.stderr}')
                bad += 1
        check('whole', [], 7, LINES)
        check('low half', ['-DLOW'], 7, LINES)
        check('misplaced', ['-Wl,--defsym=tohost=0x80000a01', '-Wl,-z,muldefs'], 1, 'must be two aligned 64-bit words')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
