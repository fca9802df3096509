#!/usr/bin/env python3
"""Builds and runs the bare-metal tests of the system level (system/) on the virt board.

usage: system.py QEMU-SYSTEM-AARCH64 SOURCE-DIR [PROGRAM...]
       system.py QEMU-SYSTEM-ARM SOURCE-DIR a32
"""
import os
import shutil
import subprocess
import sys
import tempfile

GCC = 'aarch64-linux-gnu-gcc'
GCC32 = 'arm-linux-gnueabihf-gcc'
CASES_SECURE = [('cortex-a57', 'virt,secure=on'), ('max', 'virt,secure=on,gic-version=3')]
CASES32 = [('cortex-a15', 'virt'), ('cortex-a7', 'virt')]
CASES = [(cpu, machine) for cpu in ('cortex-a57', 'max') for machine in ('virt', 'virt,virtualization=on')] + [('max', 'virt,mte=on')]


def main():
    emulator, folder = sys.argv[1].split(), sys.argv[2]
    emulator[0] = os.path.abspath(emulator[0])
    programs = sys.argv[3:] or ['levels', 'hyp', 'secure']
    narrow = programs[0].startswith('a32')
    gcc, cases = (GCC32, CASES32) if narrow else (GCC, CASES)
    options = ['-marm', '-march=armv7ve', '-mfloat-abi=soft'] if narrow else ['-mgeneral-regs-only']
    if not shutil.which(gcc):
        print('skipped: no ' + gcc)
        return 77
    bad = 0
    with tempfile.TemporaryDirectory() as tmp:
        for name in programs:
            exe = os.path.join(tmp, name)
            start = [] if name == 'secure' else [os.path.join(folder, 'a32start.S' if narrow else 'start.S')]
            subprocess.run([gcc, '-O1', '-ffreestanding', '-fno-tree-loop-distribute-patterns', '-fno-pic', '-fno-stack-protector',
                            *options, '-nostdlib', '-static', '-Wl,--build-id=none', '-Wl,--no-warn-rwx-segments',
                            '-T', os.path.join(folder, 'link.ld'), '-o', exe,
                            *start, os.path.join(folder, name + '.c')], check=True)
            for cpu, machine in CASES_SECURE if name == 'secure' else cases:
                try:
                    run = subprocess.run(emulator + ['-M', machine, '-cpu', cpu, '-nic', 'none', '-display', 'none', '-serial', 'stdio',
                                                     '-monitor', 'none', '-kernel', exe],
                                         capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
                    status, out = run.returncode, run.stdout + run.stderr
                except subprocess.TimeoutExpired as e:
                    status, out = 'timeout', (e.stdout or b'').decode() + (e.stderr or b'').decode()
                if status or 'ok' not in out.splitlines():
                    print(f'{name} {cpu} {machine}: status {status}\n{out}')
                    bad += 1
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
