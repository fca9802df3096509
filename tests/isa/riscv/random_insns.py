#!/usr/bin/env python3
"""Random instructions from the .isa tables, run by our emulator and by a reference; every register, fcsr and
touched memory must be equal after each block.

usage: random_insns.py [--bits 64] [--blocks N] [--insns N] [--seed N] [--count N] [--only REGEX] [--rows REGEX]
                       --run 'OUR COMMAND' --ref 'REFERENCE COMMAND' ISA-DIR GENERATOR
Another emulator as the reference: --ref '…/qemu-riscv64 -cpu max' (what it gets wrong is left out below).
Skipped (77) when the cross compiler is missing.
"""
import argparse
import importlib.util
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

GCC = 'riscv64-linux-gnu-gcc'
OBJDUMP = 'riscv64-linux-gnu-objdump'
FILES = 'base atomic float bitmanip crypto compressed'.split()
RESERVED = (2, 15, 30, 31)          # scratch pointers and links
SKIP = re.compile(r'^(fence\.i|ecall|ebreak|auipc|jal|jalr|b(eq|ne|lt|ge|ltu|geu)|c\.(j|jal|jr|jalr|beqz|bnez|ebreak|'
                  r'unimp|addi16sp|res/.*)|cm\..*|csrr.*|cbo\.(inval|clean|flush)|wrs.*|pause)$')
SPECIAL_X = [0, 1, 2, 7, 31, 32, 63, 64, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
             0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xffffffff80000000]
SPECIAL_D = [0, 1 << 63, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000, 0xfff0000000000000,
             0x7ff8000000000000, 0xfff8000000000001, 0x7ff0000000000001, 0xfff4000000000000, 1, 0x000fffffffffffff,
             0x0010000000000000, 0x7fefffffffffffff, 0x8000000000000001, 0x3fe0000000000000, 0x43e0000000000000,
             0xc3e0000000000000, 0x41dfffffffc00000, 0x41e0000000000000, 0x40091eb851eb851f, 0x3ca0000000000000,
             0x41efffffffe00000, 0x43efffffffffffff, 0x3fdfffffffffffff]
SPECIAL_S = [0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001, 0x7f800001,
             0xffa00000, 1, 0x007fffff, 0x00800000, 0x7f7fffff, 0x80000001, 0x3f000000, 0x4f000000, 0xcf000000,
             0x4effffff, 0x5f000000, 0x4f7fffff, 0x33800000, 0x3effffff, 0x34000000]
SPECIAL_H = [0, 0x8000, 0x3c00, 0xbc00, 0x7c00, 0xfc00, 0x7e00, 0xfe01, 0x7c01, 0xfd00, 1, 0x3ff, 0x400, 0x7bff,
             0x8001, 0x3800, 0x77ff]


def load_tables(generator, isa_dir):
    spec = importlib.util.spec_from_file_location('gen_decode', generator)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    isa = module.Isa()
    for name in FILES:
        isa.read(os.path.join(isa_dir, name + '.isa'))
    return isa


def put_field(word, field, value):
    """The inverse of decoding a field of the word."""
    value = (value - field.bias) >> field.shift
    at = field.width
    for hi, lo in field.parts:
        n = hi - lo + 1
        at -= n
        bits = value >> at & ((1 << n) - 1)
        word = word & ~(((1 << n) - 1) << lo) | bits << lo
    return word


def get_field(word, field):
    value = 0
    for hi, lo in field.parts:
        value = value << (hi - lo + 1) | word >> lo & ((1 << (hi - lo + 1)) - 1)
    if field.signed and value >> (field.width - 1):
        value -= 1 << field.width
    return (value << field.shift) + field.bias


class Maker:
    def __init__(self, isa, bits, rng, rows):
        self.isa, self.bits, self.rng = isa, bits, rng
        self.rows = [r for r in isa.rows if self.wanted(r) and (not rows or re.search(rows, r.name))]

    def wanted(self, row):
        singles = [g[0] for g in row.gates if len(g) == 1]
        if f'rv{96 - self.bits}' in singles or 'Zcmp' in singles or 'Zcmt' in singles:
            return False
        if self.bits == 64 and 'Zcf' in singles:
            return False
        if row.name.startswith('froundnx'):
            return False        # of a quiet NaN it clears NX in the reference (11.1)
        return not SKIP.match(row.name) and row.kind == 'normal'

    def reg(self, write):
        while True:
            n = self.rng.choice((1, 3, 5, 6, 8, 9, 10)) if self.rng.random() < .4 else self.rng.randrange(32)
            if not (write and n in RESERVED):
                return n

    def insn(self):
        rng = self.rng
        while True:
            row = rng.choice(self.rows)
            word = row.match
            members = self.isa.args[row.format.args]
            memory = '(rs1)' in row.syntax
            fixed = {a: s for a, s in row.format.values.items() if isinstance(s, int)}
            values = {}
            for arg, source in row.format.values.items():
                if isinstance(source, int):
                    continue
                field = self.isa.fields[source]
                lo, hi = field.bias, field.bias + (1 << field.width) - 1
                kind = members[arg]
                if kind == 'r':
                    v = rng.choice((0, 1, 2, 3, 4, 7, 7, 7))
                elif kind in 'xf' and arg == 'rs1' and memory:
                    v = 31 if hi >= 31 else 15
                elif kind in 'xfs' and field.width <= 5:
                    v = self.reg(arg == 'rd')
                    if not lo <= v <= hi:
                        v = rng.randint(lo, hi)
                elif arg == 'imm' and memory:
                    v = rng.randrange(-128, 120) if field.signed else rng.randrange(0, 120 >> field.shift) << field.shift
                    v &= ~((1 << field.shift) - 1)
                elif field.signed:
                    v = rng.randrange(-(1 << (field.width - 1)), 1 << (field.width - 1)) << field.shift
                else:
                    v = (rng.randrange(1 << field.width) << field.shift) + field.bias
                values[arg] = v
                word = put_field(word, field, v)
            if word & row.mask != row.match:
                continue
            values = {a: get_field(word, self.isa.fields[row.format.values[a]]) for a in values}
            rd = values.get('rd', fixed.get('rd'))
            rd_is_f = re.search(r'\brd:f', row.syntax) or members.get('rd') == 'f'
            if rd in RESERVED and not rd_is_f:
                continue
            if self.bits == 32 and row.name in ('slli', 'srli', 'srai', 'rori', 'bclri', 'bseti', 'binvi', 'bexti',
                                                'c.slli', 'c.srli', 'c.srai') and values.get('imm', 0) > 31:
                continue
            if row.name.startswith('sc.'):
                continue            # only after an lr of its size: whether another succeeds is left open (Unprivileged 13.2)
            if (row.name.startswith('amocas') or re.match(r'l[bhwd]/al', row.name)) and rd == 0:
                continue            # the reference's constant zero is no longer one after it (11.1)
            if row.name.startswith('aes64ks1i') and values['imm'] > 10:
                continue
            if row.name == 'amocas.q' or (row.name == 'amocas.d' and self.bits == 32):
                if (values['rd'] | values['rs2']) & 1 or values['rd'] + 1 in RESERVED:
                    continue
            # a word that another, more specific row takes is that row's turn
            if any(o is not row and o.length == row.length and word & o.mask == o.match and o.refines(row)
                   for o in self.isa.rows):
                continue
            size = {2: '.2byte', 4: '.4byte'}[row.length]
            text = f'    {size} {word:#x}  # {row.name}'
            if row.name.startswith('lr.') and rng.random() < .7:
                order = rng.choice(('', '.aq', '.rl', '.aqrl'))
                text += f'\n    {row.name.replace("lr", "sc")}{order} x{self.reg(True)}, x{self.reg(False)}, (x{values["rs1"]})'
            return text

    def value_x(self):
        rng = self.rng
        v = rng.choice(SPECIAL_X) if rng.random() < .5 else rng.getrandbits(rng.choice((8, 16, 32, 64)))
        if rng.random() < .3:
            v = -v
        return v & ((1 << self.bits) - 1)

    def value_f(self):
        rng = self.rng
        kind = rng.random()
        if kind < .35:
            v = rng.choice(SPECIAL_D) if rng.random() < .5 else self.near(0x3ff0000000000000, 52)
        elif kind < .75:
            v = rng.choice(SPECIAL_S) if rng.random() < .5 else self.near(0x3f800000, 23)
            v |= 0xffffffff << 32
        elif kind < .95:
            v = rng.choice(SPECIAL_H) if rng.random() < .5 else rng.getrandbits(16)
            v |= 0xffffffffffff << 16
        else:
            v = rng.getrandbits(64)
        return v

    def near(self, one, frac_bits):
        rng = self.rng
        exp = rng.choice((0, 0, 1, -1, rng.randrange(-30, 70), rng.randrange(-100, 100)))
        sign = (1 << 63 if frac_bits == 52 else 1 << 31) * rng.randrange(2)
        frac = rng.getrandbits(frac_bits) & ~((1 << rng.choice((0, 0, 10, 20))) - 1)
        return one + exp * (1 << frac_bits) + frac | sign

    def program(self, blocks, n_insns):
        b, x = self.bits // 8, self.bits == 64
        ld, sd, word = ('ld', 'sd', '.8byte') if x else ('lw', 'sw', '.4byte')
        out = ['    .option norvc', '    .option norelax', '    .globl _start', '    .text', '_start:']
        for k in range(blocks):
            out += [f'    lla x31, table{k}', '    jal x30, load_state', f'block{k}:', '    .option push']
            out += [self.insn() for _ in range(n_insns)]
            if self.rng.random() < .2:
                out.append(f'    csrrwi x{self.reg(True)}, frm, {self.rng.randrange(5)}')
                out += [self.insn() for _ in range(n_insns // 2)]
            if self.rng.random() < .2:
                out.append(f'    csrr{self.rng.choice("wsc")} x{self.reg(True)}, fflags, x{self.reg(False)}')
                out += [self.insn() for _ in range(2)]
            out += ['    .option pop', '    .balign 4', '    jal x30, save_state']
        out += ['    li a0, 0', '    li a7, 93', '    ecall']
        out += ['load_state:']
        out += [f'    fld f{n}, {n * 8}(x31)' for n in range(32)]
        out += [f'    {ld} x1, 256(x31)', '    fscsr x1']
        out += [f'    {ld} x{n}, {264 + n * 8}(x31)' for n in range(1, 30) if n not in RESERVED]
        out += ['    lla x31, scratch', '    mv x2, x31', '    mv x15, x31', '    jr x30']
        out += ['save_state:']
        out += [f'    {sd} x{n}, {264 + n * 8}(x31)' for n in range(1, 30)]
        out += [f'    fsd f{n}, {600 + n * 8}(x31)' for n in range(32)]
        out += ['    frcsr x1', f'    {sd} x1, 856(x31)', '    li a0, 1', '    addi a1, x31, -128', '    li a2, 992',
                '    li a7, 64', '    ecall', '    jr x30']
        out += ['    .data', '    .balign 64', '    .space 2048', 'scratch:', '    .space 2048']
        for k in range(blocks):
            out.append(f'    .balign 8\ntable{k}:')
            out += [f'    .8byte {self.value_f():#x}' for _ in range(32)]
            out.append(f'    .8byte {self.rng.choice((0, 0, 0, 1, 2, 3, 4)) << 5}')
            out += [f'    .8byte {self.value_x():#x}' for _ in range(32)]
        return '\n'.join(out) + '\n'


DUMP = 992


def explain(a, b):
    """Which parts of a dumped block differ."""
    text = []
    for off in range(0, DUMP, 8):
        x, y = a[off:off + 8], b[off:off + 8]
        if x == y:
            continue
        where = off - 128
        if 264 <= where < 264 + 32 * 8:
            name = f'x{(where - 264) // 8}'
        elif 600 <= where < 856:
            name = f'f{(where - 600) // 8}'
        elif where == 856:
            name = 'fcsr'
        else:
            name = f'mem{where:+d}'
        text.append(f'{name}: {int.from_bytes(x, "little"):#x}, reference {int.from_bytes(y, "little"):#x}')
    return '; '.join(text)


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--bits', type=int, default=64)
    p.add_argument('--blocks', type=int, default=150)
    p.add_argument('--insns', type=int, default=12)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--count', type=int, default=1)
    p.add_argument('--rows')
    p.add_argument('--keep')
    p.add_argument('--run', required=True)
    p.add_argument('--ref', required=True)
    p.add_argument('isa_dir')
    p.add_argument('generator')
    o = p.parse_args()
    ref = o.ref.split()
    if not shutil.which(GCC):
        print('skipped: no cross compiler')
        return 77
    isa = load_tables(o.generator, o.isa_dir)
    bad = 0
    with tempfile.TemporaryDirectory() as tmp:
        for seed in range(o.seed, o.seed + o.count):
            maker = Maker(isa, o.bits, random.Random(seed), o.rows)
            source, exe = os.path.join(tmp, 'p.S'), o.keep or os.path.join(tmp, 'p')
            with open(source, 'w', encoding='utf-8') as out:
                out.write(maker.program(o.blocks, o.insns))
            subprocess.run([GCC, f'-march=rv{o.bits}gc', '-mabi=' + ('lp64d' if o.bits == 64 else 'ilp32d'), '-nostdlib',
                            '-static', '-o', exe, source], check=True)
            runs = [subprocess.run(cmd + [exe], capture_output=True) for cmd in (o.run.split(), ref)]
            if runs[1].returncode:
                print(f'seed {seed}: the reference ended with {runs[1].returncode} {runs[1].stderr.decode()}')
                bad += 1
            if runs[0].returncode == 77:
                print(runs[0].stderr.decode(), end='')
                return 77
            a, b = runs[0].stdout, runs[1].stdout
            if runs[0].returncode or a != b:
                bad += 1
                n = next((k for k in range(0, max(len(a), len(b)), DUMP) if a[k:k + DUMP] != b[k:k + DUMP]), 0)
                n = n // DUMP
                print(f'seed {seed}: status {runs[0].returncode} {runs[0].stderr.decode()[:300]}; block {n}: '
                      + explain(a[n * DUMP:(n + 1) * DUMP], b[n * DUMP:(n + 1) * DUMP])[:1000])
                dump = subprocess.run([OBJDUMP, '-d', exe], capture_output=True, text=True).stdout
                m = re.search(rf'<block{n}>:\n(.*?)\n\n', dump, re.S)
                names = re.search(rf'block{n}:\n(.*?)save_state', open(source).read(), re.S)
                print(m[1] if m else '')
                print('    rows: ' + ' '.join(re.findall(r'# (\S+)', names[1])) if names else '')
    if not bad:
        print(f'{o.count} programs of {o.blocks} blocks agree, {len(maker.rows)} kinds of instructions')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
