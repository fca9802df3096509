#!/usr/bin/env python3
"""Random loops of VFP instructions (A32 and T32): singles, doubles, both, and Advanced SIMD between them, with branches on comparisons and loads that
fault, whose handler looks at the registers in its frame. The digest of each must be what our interpreter, or a reference, finds.

usage: vfp_streams.py [--seed N] [--count N] --run 'OUR COMMAND' --ref 'COMMAND' PROGRAM.c WORKDIR
"""
import argparse
import os
import random
import shutil
import subprocess
import sys

COMPILER = 'arm-linux-gnueabihf-gcc'
TWO_OPERANDS = ('vneg', 'vabs', 'vmov', 'vsqrt', 'vrintx')
THREE_OPERANDS = ('vadd', 'vsub', 'vmul', 'vmla', 'vmls', 'vnmls', 'vfma', 'vfnms', 'vnmul', 'vdiv', 'vmaxnm', 'vminnm')
CONDITIONS = 'eq ne cs mi vs hi ge gt le lt pl vc ls'.split()
PROLOGUE = ('push {r4-r11, lr}', 'vpush {d8-d15}', 'mov r12, r0', 'vldm r12!, {d0-d15}', 'vldm r12!, {d16-d31}', 'mov r2, #0', 'add r1, r0, #256',
            'add r3, r1, #128', 'ldm r3, {r4-r7}', 'mov r9, #3', 'b 3f', '3:')
# The registers go out in units of their own.
EPILOGUE = ('subs r9, r9, #1', 'bne 3b', 'b 4f', '4:', 'stm r3, {r4-r7}', 'mov r12, r0', 'b 5f', '5:', 'vstm r12!, {d0-d15}', 'vstm r12!, {d16-d31}',
            'vmrs r4, fpscr', 'str r4, [r3, #16]', 'vpop {d8-d15}', 'pop {r4-r11, pc}')


class Stream:
    def __init__(self, rng):
        self.rng = rng
        self.few = rng.random() < .5   # registers, so that they depend on each other
        self.kinds = rng.choice(['s', 's', 'd', 'd', 'sd', 'sdn'])

    def s(self):
        return f's{self.rng.randrange(8 if self.few else 32)}'

    def d(self):
        return f'd{self.rng.randrange(4 if self.few else 32)}'

    def q(self):
        return f'q{self.rng.randrange(2 if self.few else 16)}'

    def core(self):
        return f'r{self.rng.randrange(4, 8)}'

    def vector(self):
        return self.rng.choice([f'vadd.f32 {self.q()}, {self.q()}, {self.q()}', f'veor {self.q()}, {self.q()}, {self.q()}',
                                f'vorr {self.d()}, {self.d()}, {self.d()}', f'vdup.32 {self.q()}, r5', f'vmov.32 {self.d()}[1], r5', f'vmov.i64 {self.d()}, #0',
                                f'vmov.i32 {self.d()}, #0'])

    def scalar(self, kind):
        rng = self.rng
        r, t = (self.s, 'f32') if kind == 's' else (self.d, 'f64')
        compare = f'vcmp{rng.choice(["", "e"])}.{t} {r()}, {rng.choice([r(), "#0.0"])}'
        return rng.choice([
            f'{rng.choice(THREE_OPERANDS)}.{t} {r()}, {r()}, {r()}', f'{rng.choice(THREE_OPERANDS)}.{t} {r()}, {r()}, {r()}',
            f'{rng.choice(THREE_OPERANDS)}.{t} {r()}, {r()}, {r()}', f'{rng.choice(TWO_OPERANDS)}.{t} {r()}, {r()}',
            f'vmov.{t} {r()}, #{rng.choice(["1.0", "0.5", "-2.0", "31.0"])}',
            f'vmov {self.s()}, {self.core()}' if kind == 's' else f'vmov {self.d()}, {self.core()}, {self.core()}',
            f'vmov {self.core()}, {self.s()}' if kind == 's' else f'vmov r4, r{rng.randrange(5, 8)}, {self.d()}',
            f'vldr {r()}, [r1, #{8 * rng.randrange(16)}]', f'vstr {r()}, [r1, #{8 * rng.randrange(16)}]',
            f'{compare}\n vmrs APSR_nzcv, fpscr\n mrs r8, APSR\n and r8, r8, #0xf8000000\n eor r5, r5, r8', f'{compare}\n vmrs r8, fpscr\n eor r6, r6, r8',
            f'{compare}\n vmrs APSR_nzcv, fpscr\n b{rng.choice(CONDITIONS)} 1f\n vadd.{t} {r()}, {r()}, {r()}\n1:',
            f'{compare}\n b 1f\n1: vmrs APSR_nzcv, fpscr\n b{rng.choice(CONDITIONS)} 1f\n vadd.{t} {r()}, {r()}, {r()}\n1:',
            f'vcvt.s32.{t} {self.s()}, {r()}', f'vcvt.{t}.s32 {r()}, {self.s()}', f'vcvt.f64.f32 {self.d()}, {self.s()}',
            f'vcvt.f32.f64 {self.s()}, {self.d()}', 'ldr r6, [r2]', f'vsel{rng.choice(["eq", "ge", "gt", "vs"])}.{t} {r()}, {r()}, {r()}'])

    def lines(self):
        yield from PROLOGUE
        for _ in range(self.rng.randrange(6, 20)):
            kind = self.rng.choice(self.kinds)
            yield self.vector() if kind == 'n' else self.scalar(kind)
        yield from EPILOGUE


def write_assembly(path, rng, count):
    with open(path, 'w') as out:
        out.write('.syntax unified\n.arch armv8-a\n.fpu crypto-neon-fp-armv8\n.text\n')
        for i in range(count):
            out.write(f'.{rng.choice(["arm", "thumb"])}\n.type t{i}, %function\n.align 2\nt{i}:\n')
            out.writelines(f' {line}\n' for line in Stream(rng).lines())
        out.write(f'.data\n.align 2\n.globl tests, n_tests\nn_tests: .word {count}\ntests: .word ' + ', '.join(f't{i}' for i in range(count)) + '\n')


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--count', type=int, default=100)
    p.add_argument('--run', required=True)
    p.add_argument('--ref', required=True)
    p.add_argument('program')
    p.add_argument('workdir')
    o = p.parse_args()
    if not shutil.which(COMPILER):
        print('no', COMPILER)
        return 77
    os.makedirs(o.workdir, exist_ok=True)
    assembly, program = os.path.join(o.workdir, 'streams.S'), os.path.join(o.workdir, 'streams')
    write_assembly(assembly, random.Random(o.seed), o.count)
    subprocess.run([COMPILER, '-O1', '-Wall', '-static', '-o', program, o.program, assembly, '-Wl,-z,noexecstack'], check=True)
    ours, theirs = (subprocess.run([*command.split(), program], capture_output=True, text=True, check=True).stdout.splitlines()
                    for command in (o.run, o.ref))
    differ = [a for a, b in zip(ours, theirs) if a != b]
    if differ or len(ours) != len(theirs):
        print(f'{len(differ)} of {len(theirs)} differ ({assembly}): {differ[:4]}')
        return 1
    print(f'{o.count} streams: nothing differs; {theirs[-1]}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
