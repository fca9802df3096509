#!/usr/bin/env python3
"""Zcmp and Zcmt: every register list, stack adjustment and register pair, and table jumps. Registers and stack must be the
same in the interpreter, in host code and, with REF_DIR set, in the reference.

usage: zcmp.py RUN-PROGRAM
"""
import os
import shutil
import subprocess
import sys
import tempfile

GCC = 'riscv64-linux-gnu-gcc'
MODEL = 'rv64,d=off,zcmp=on,zcmt=on'
S_REGS = (8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27)
JUMPS = (0, 5, 31, 32, 40, 255)


def write_out(address):
    return [*address, 'li a0, 1', 'li a7, 64', 'ecall']


def dump():
    return [f'sd x{n}, {n * 8}(x31)' for n in range(1, 31)] + ['li a2, 256'] + write_out(['mv a1, x31'])


def registers(k):
    return [f'li x{n}, {n * 0x1111 + k * 0x100000}' for n in range(1, 31) if n != 2] + ['la sp, stack_top']


def half(word):
    return [f'.2byte {word:#x}', '.2byte 1']     # and c.nop, to keep 4-byte alignment


def program():
    out = ['.option norelax', '.option norvc', '.globl _start', '_start:', 'la x31, buffer']
    k = 0
    for rlist in range(4, 16):
        for spimm in range(4):
            k += 1
            fields = rlist << 4 | spimm << 2
            out += registers(k) + half(0xb802 | fields) + dump()
            out += ['li a2, 240'] + write_out(['la a1, stack_top', 'addi a1, a1, -240'])
            out += [f'li x{n}, 0' for n in (1, *S_REGS)]
            out += half(0xba02 | fields) + dump()
            out += registers(k) + [f'la ra, l{k}'] + half(0xb802 | fields) + ['li ra, 0']
            out += half((0xbc02 if k & 1 else 0xbe02) | fields) + ['ebreak', f'l{k}:'] + dump()
    for a in range(8):
        for b in range(8):
            if a != b:
                out += registers(a * 8 + b) + half(0xac22 | a << 7 | b << 2) + dump()
            out += registers(a * 8 + b) + half(0xac62 | a << 7 | b << 2) + dump()
    out += ['la a0, table', 'csrw 0x17, a0']
    for i in JUMPS:
        out += registers(i) + half(0xa002 | i << 2) + ['ebreak', f'j{i}:'] + dump()
    out += ['li a0, 0', 'li a7, 93', 'ecall', '.data', '.balign 64', 'table:']
    out += [f'.dword {f"j{i}" if i in JUMPS else 0}' for i in range(256)]
    out += ['.balign 16', 'buffer: .space 256', '.space 512', 'stack_top: .space 512']
    return '\n'.join(out) + '\n'


def main():
    if not shutil.which(GCC):
        print('skipped: no ' + GCC)
        return 77
    with tempfile.TemporaryDirectory() as tmp:
        source, exe = os.path.join(tmp, 'z.S'), os.path.join(tmp, 'z')
        with open(source, 'w', encoding='utf-8') as out:
            out.write(program())
        subprocess.run([GCC, '-march=rv64imac_zicsr', '-mabi=lp64', '-nostdlib', '-static', '-o', exe, source], check=True)
        commands = [[sys.argv[1], '-i', '-c', MODEL], [sys.argv[1], '-c', MODEL]]
        reference = os.path.join(os.environ.get('REF_DIR', '/nonexistent'), 'qemu-riscv64')
        if os.path.exists(reference):
            commands.append([reference, '-cpu', MODEL])
        runs = [subprocess.run(c + [exe], capture_output=True) for c in commands]
        for command, run in zip(commands, runs):
            if run.returncode or not run.stdout or run.stdout != runs[0].stdout:
                print(f'{command[0]}: status {run.returncode}, {len(run.stdout)} bytes, {run.stderr.decode()[:200]}')
                return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
