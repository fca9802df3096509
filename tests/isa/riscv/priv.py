#!/usr/bin/env python3
"""Builds and runs the bare-metal tests in priv/ on the virt board.

usage: priv.py QEMU-SYSTEM-RISCV64 SOURCE-DIR [PROGRAM...]   (or …32: its name chooses the width)
"""
import os
import shutil
import subprocess
import sys
import tempfile

GCC = 'riscv64-linux-gnu-gcc'


def main():
    emulator, folder = sys.argv[1].split(), sys.argv[2]
    emulator[0] = os.path.abspath(emulator[0])
    if not shutil.which(GCC):
        print('skipped: no ' + GCC)
        return 77
    bad = 0
    with tempfile.TemporaryDirectory() as tmp:
        for name, cpu in [(n, c) for n in sys.argv[3:] or ['traps'] for c in ('', 'max')]:
            exe = os.path.join(tmp, name)
            isa = ['-march=rv32gc_zicsr', '-mabi=ilp32'] if 'riscv32' in emulator[0] else ['-march=rv64gc_zicsr', '-mabi=lp64']
            subprocess.run([GCC, *isa, '-O1', '-mcmodel=medany', '-ffreestanding',
                            '-fno-pic', '-fno-stack-protector', '-nostdlib', '-static', '-Wl,--build-id=none',
                            '-Wl,--no-warn-rwx-segments', '-T', os.path.join(folder, 'link.ld'), '-o', exe,
                            os.path.join(folder, 'start.S'), os.path.join(folder, name + '.c')], check=True)
            try:
                model = ['-cpu', cpu] if cpu else []
                run = subprocess.run(emulator + model + ['-M', 'virt', '-bios', 'none', '-display', 'none', '-serial', 'stdio',
                                                 '-monitor', 'none', '-kernel', exe],
                                     capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
                status, out = run.returncode, run.stdout + run.stderr
            except subprocess.TimeoutExpired as e:
                status, out = 'timeout', (e.stdout or b'').decode() + (e.stderr or b'').decode()
            if status or 'ok' not in out:
                print(f'{name} {cpu}: status {status}\n{out}')
                bad += 1
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
