#!/usr/bin/env python3
"""arm64core.py: what a core file of an aarch64 program has of its thread: general registers, floating point, thread pointer, PAC masks.

usage: arm64core.py QEMU-AARCH64 WORKDIR
"""
import os
import resource
import shutil
import struct
import subprocess
import sys

SOURCE = r'''
    .globl _start
_start:
    mov x0, #1
    msr tpidr_el0, x0
    adr x1, values
    ldp q0, q31, [x1]
    mov x2, #0x400000          /* RMode: towards plus infinity */
    msr fpcr, x2
    fmov d1, #3.0
    fmov d2, #1.0
    fdiv d3, d2, d1            /* inexact */
    mov x5, #0x1234
    mov x9, #8
    str xzr, [x9]
    .balign 16
values:
    .quad 0x0123456789abcdef, 0xfedcba9876543210, 0x1111111111111111, 0x2222222222222222
'''


def notes(core):
    phoff, = struct.unpack_from('<Q', core, 32)
    offset, = struct.unpack_from('<Q', core, phoff + 8)
    size, = struct.unpack_from('<Q', core, phoff + 32)
    at, found = offset, {}
    while at < offset + size:
        n_name, n, kind = struct.unpack_from('<III', core, at)
        name = core[at + 12:at + 12 + n_name - 1].decode()
        data = at + 12 + (n_name + 3) // 4 * 4
        found.setdefault((name, kind), core[data:data + n])
        at = data + (n + 3) // 4 * 4
    return found


def main():
    runner, work = os.path.abspath(sys.argv[1]), sys.argv[2]
    if not shutil.which('aarch64-linux-gnu-gcc'):
        print('no aarch64-linux-gnu-gcc')
        return 77
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    with open(os.path.join(work, 'regs.s'), 'w') as f:
        f.write(SOURCE)
    subprocess.run(['aarch64-linux-gnu-gcc', '-nostdlib', '-static', '-o', 'regs', 'regs.s'], cwd=work, check=True)
    unlimited = (resource.RLIM_INFINITY,) * 2
    p = subprocess.run([runner, './regs'], cwd=work, capture_output=True, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, unlimited))
    cores = [f for f in os.listdir(work) if f.endswith('.core')]
    if p.returncode != -11 or len(cores) != 1:
        print(p.returncode, cores, p.stderr.decode())
        return 1
    with open(os.path.join(work, cores[0]), 'rb') as f:
        found = notes(f.read())
    status, fp = found['CORE', 1], found['CORE', 2]
    general = struct.unpack_from('<34Q', status, 112)
    checks = {
        'x5 x9': (general[5], general[9]) == (0x1234, 8),
        'pc': general[32] % 4 == 0 and general[32] != 0,
        'size': len(fp) == 528,
        'v0': struct.unpack_from('<2Q', fp, 0) == (0x0123456789abcdef, 0xfedcba9876543210),
        'v31': struct.unpack_from('<2Q', fp, 31 * 16) == (0x1111111111111111, 0x2222222222222222),
        'v3': struct.unpack_from('<Q', fp, 48)[0] == 0x3fd5555555555556,
        'fpsr fpcr': struct.unpack_from('<II', fp, 512) == (0x10, 0x400000),
        'tls': found['LINUX', 0x401] == struct.pack('<Q', 1),
        'pac mask': found['LINUX', 0x406] == struct.pack('<QQ', 0x7f << 48, 0x7f << 48),
    }
    wrong = [name for name, ok in checks.items() if not ok]
    if wrong:
        print('wrong:', wrong, [hex(v) for v in general], fp.hex(), found.keys())
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
