#!/usr/bin/env python3
"""Floating point of A64 over special values, in all modes of FPCR: results, FPSR and flags.

usage: fp_program.py [--digest FILE | --write FILE] [--ref 'QEMU ARGS'] [--rows REGEX] [--seed N] GEN-DECODE.py 'QEMU ARGS' FILE.isa...

For each floating-point row some words are made; a static program (written here, no assembler needed) runs a word on every operand set
(zeros, subnormals, the smallest normals, infinities, quiet and signalling NaNs with payloads, neighbours of powers of two; of half, single and
double precision) in every mode (rounding, FZ, DN, FZ16, AHP) and writes out V0, X0, FPSR and NZCV.
With --ref the outputs of two emulators are compared and what differs is shown; with --digest they are compared with the
digests of a file, which --write makes. A digest covers all of a row's words.
"""
import argparse
import hashlib
import importlib.util
import os
import random
import re
import struct
import subprocess
import sys
import tempfile

BASE, STEP = 0x400000, 96   # bytes of an operand set: V0 to V3, X1, flags
RECORD = 32                 # V0, X0, FPSR, NZCV
FPCR = {'rn': 0, 'rp': 1 << 22, 'rm': 2 << 22, 'rz': 3 << 22, 'fz16': 1 << 19, 'fz': 1 << 24, 'dn': 1 << 25, 'ahp': 1 << 26}
# ixc: FPSR.IXC is set before, else all of FPSR is clear.
MODES = ['rn', 'rp', 'rm', 'rz', 'rn fz', 'rn dn', 'rp fz dn', 'rn fz16', 'rn ahp', 'rm ahp fz16', 'rz fz fz16 ahp',
         'rn fz ixc', 'rp fz ixc', 'rm fz ixc', 'rz fz ixc', 'rn dn ixc']


def load(path):
    spec = importlib.util.spec_from_file_location('gen_decode', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_float(row):
    name = row.name.split('/')[0]
    return row.match >> 26 & 3 == 3 and row.match >> 25 & 1 and re.match(r'f(?!.*mov$)|bf|scvtf|ucvtf|u.*e$', name) is not None


# -- operands ---------------------------------------------------------------------------------------------

def specials(bits):
    """Encodings of one format that matter."""
    exp, frac = {16: (5, 10), 32: (8, 23), 64: (11, 52)}[bits]
    one = ((1 << (exp - 1)) - 1) << frac
    top = ((1 << exp) - 1) << frac
    quiet = 1 << (frac - 1)
    unit = 1 << frac
    values = [0, 1, unit - 1, unit, unit + 1, one - 1, one, one + 1, one + unit, one + quiet, one - unit, top - 1, top,
              top | 1, top | quiet - 1, top | quiet, top | quiet | 5, one + (frac << frac) + 1, one + (frac + 1 << frac)]
    return values, 1 << (bits - 1)


def lane(rng, bits):
    values, sign = specials(bits)
    kind = rng.random()
    if kind < 0.5:
        v = rng.choice(values)
    elif kind < 0.7:   # about 1, so that sums cancel and products do not overflow
        exp, frac = {16: (5, 10), 32: (8, 23), 64: (11, 52)}[bits]
        v = ((1 << (exp - 1)) - 1 + rng.randrange(-4, 5) << frac) + rng.getrandbits(frac)
    elif kind < 0.85:  # about the smallest normal one and the bounds of integers
        exp, frac = {16: (5, 10), 32: (8, 23), 64: (11, 52)}[bits]
        e = rng.choice([0, 1, 2, frac, 2 * frac, (1 << (exp - 1)) - 1 + rng.choice([8, 15, 16, 31, 32, 63, 64])])
        v = (min(e, (1 << exp) - 2) << frac) + rng.choice([0, 1, (1 << frac) - 1, 1 << (frac - 1), rng.getrandbits(frac)])
    else:
        v = rng.getrandbits(bits - 1)
    return v ^ (sign if rng.random() < 0.4 else 0)


def operand_sets(rng, bits):
    values, sign = specials(bits)
    signed = values + [v ^ sign for v in values]
    pairs = [(a, b) for a in signed for b in values]
    rng.shuffle(pairs)
    sets = []
    for k in range(500):
        vectors = [sum(lane(rng, bits) << bits * i for i in range(128 // bits)) for _ in range(4)]
        if k < 400:
            a, b = pairs[k]
            for n, x in ((1, a), (2, b)):
                vectors[n] = vectors[n] >> bits << bits | x
            if k % 3 == 0:
                for n in (0, 3):
                    vectors[n] = vectors[n] >> bits << bits | rng.choice(signed)
        x1 = rng.choice([0, 1, 2**63, 2**63 - 1, 2**64 - 1, 2**31, 2**31 - 1, 2**32 - 1, 2**53 + 1, 2**24 + 1, rng.getrandbits(64),
                         rng.getrandbits(rng.randrange(1, 65)), 2**64 - rng.getrandbits(rng.randrange(1, 60))]) & 2**64 - 1
        nzcv = rng.getrandbits(4) << 28
        sets.append(b''.join(struct.pack('<QQ', v & 2**64 - 1, v >> 64) for v in vectors) +
                    struct.pack('<QQ', x1, nzcv) + bytes(16))
    return sets


# -- the program -----------------------------------------------------------------------------------------------

def movx(reg, value):
    return [(0xd2800000 if i == 0 else 0xf2800000) | i << 21 | (value >> 16 * i & 0xffff) << 5 | reg for i in range(4)]


def program(words, sets):
    """ELF image; for each word, mode and set one record on standard output."""
    data = b''.join(sets)
    def code(data_at, out_at):
        c = []
        for w in words:
            for mode in MODES:
                fpcr = sum(FPCR[m] for m in mode.split() if m != 'ixc')
                c += movx(10, fpcr) + [0xd51b4400 | 10]                          # msr fpcr, x10
                c += [0xd2800000 | (0x10 if 'ixc' in mode else 0) << 5 | 11]     # x11 = FPSR
                c += movx(20, data_at) + movx(21, out_at) + movx(22, len(sets))
                start = len(c)
                c += [0xd51b4420 | 11]                                           # msr fpsr, x11
                c += [0x3dc00000 | i << 10 | 20 << 5 | i for i in range(4)]      # ldr q0..q3
                c += [0xf9400000 | 8 << 10 | 20 << 5 | 1, 0xf9400000 | 9 << 10 | 20 << 5 | 5]
                c += [0xd2800000 | 0x5a5a << 5 | 0, 0xd51b4200 | 5]              # x0 = 0x5a5a; msr nzcv, x5
                c += [w]
                c += [0xd53b4420 | 2, 0xd53b4200 | 3]                            # mrs fpsr, nzcv
                c += [0x3d800000 | 21 << 5, 0xf9000000 | 2 << 10 | 21 << 5, 0xb9000000 | 6 << 10 | 21 << 5 | 2,
                      0xb9000000 | 7 << 10 | 21 << 5 | 3]
                c += [0x91000000 | STEP << 10 | 20 << 5 | 20, 0x91000000 | RECORD << 10 | 21 << 5 | 21]
                c += [0xf1000000 | 1 << 10 | 22 << 5 | 22]                       # subs x22, x22, #1
                c += [0x54000001 | (start - len(c) & 0x7ffff) << 5]
                c += movx(0, 1) + movx(1, out_at) + movx(2, len(sets) * RECORD) + movx(8, 64) + [0xd4000001]
        return c + movx(0, 0) + movx(8, 94) + [0xd4000001]
    n = len(code(0, 0)) * 4
    data_at = BASE + 0x1000 + (n + 15 & ~15)
    out_at = data_at + len(data)
    text = b''.join(struct.pack('<I', w) for w in code(data_at, out_at))
    body = text + bytes(data_at - BASE - 0x1000 - len(text)) + data
    head = struct.pack('<4sBBB9xHHIQQQIHHHHHH', b'\x7fELF', 2, 1, 1, 2, 183, 1, BASE + 0x1000, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    head += struct.pack('<IIQQQQQQ', 1, 7, 0x1000, BASE + 0x1000, BASE + 0x1000, len(body), len(body) + len(sets) * RECORD, 0x1000)
    return head + bytes(0x1000 - len(head)) + body


def run(command, image):
    with tempfile.NamedTemporaryFile(suffix='.elf', delete=False) as f:
        f.write(image)
    os.chmod(f.name, 0o755)
    try:
        p = subprocess.run(command.split() + [f.name], capture_output=True)
    finally:
        os.unlink(f.name)
    return p.returncode, p.stdout


def words_of(row, rng):
    """Registers 0 (written), 1, 2 and 3; what else is free at random."""
    n = row.match
    regs = 0
    for field, value in ((0x1f, 0), (0x3e0, 1 << 5)):
        if not row.mask & field:
            n |= value
            regs |= field
    if not row.mask & 0xf0000:
        n |= 2 << 16
        regs |= 0xf0000 | (0 if row.mask & 1 << 20 else 1 << 20 if '/e' not in row.name and '/ce' not in row.name else 0)
    name = row.name.split('/')[0]
    if name in ('fmadd', 'fmsub', 'fnmadd', 'fnmsub'):
        n |= 3 << 10
        regs |= 0x7c00
    if '/imm' in row.name or row.name.startswith('fmov/imm'):
        regs, n = 0x1f, row.match
    rest = ~row.mask & ~regs & 0xffffffff
    if '/i' in row.name or '/vc' in row.name or 'cvt' in name:  # shifts and scales: the field above is no register
        if not row.mask & 0xf0000 and row.match >> 21 & 1 == 0 or '/i' in row.name or row.name.split('/')[-1].startswith('vc'):
            n, rest = row.match | 1 << 5, ~row.mask & ~0x3ff & 0xffffffff
    count = min(1 << bin(rest).count('1'), 4)
    seen = set()
    while len(seen) < count:
        seen.add(n | rng.getrandbits(32) & rest & ~row.free)
        if len(seen) == 1 and rest & ~row.free == 0:
            break
    return sorted(seen)


def explain(word, sets, bits, ours, theirs, limit=3):
    shown = 0
    per = len(sets) * RECORD
    for at in range(0, min(len(ours), len(theirs)), RECORD):
        if ours[at:at + RECORD] == theirs[at:at + RECORD]:
            continue
        mode, k = at // per, at % per // RECORD
        v = [sets[k][16 * i:16 * i + 16][::-1].hex() for i in range(4)]
        x = struct.unpack('<QQ', sets[k][64:80])
        print(f'  f{bits} {MODES[mode]}: v0 {v[0]} v1 {v[1]} v2 {v[2]} v3 {v[3]} x1 {x[0]:x} nzcv {x[1] >> 28:x}')
        for name, r in (('ours', ours), ('ref ', theirs)):
            r = r[at:at + RECORD]
            print(f'    {name} v0 {r[15::-1].hex()} x0 {struct.unpack("<Q", r[16:24])[0]:x} fpsr {struct.unpack("<I", r[24:28])[0]:x} '
                  f'nzcv {r[31] >> 4:x}')
        shown += 1
        if shown == limit:
            return


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--ref')
    p.add_argument('--digest')
    p.add_argument('--write')
    p.add_argument('--rows', default='')
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('gen')
    p.add_argument('emulator')
    p.add_argument('files', nargs='+')
    a = p.parse_args()
    isa = load(a.gen).Isa()
    for path in a.files:
        isa.read(path)
    isa.check()
    known = {}
    if a.digest:
        known = dict(line.split() for line in open(a.digest) if not line.startswith('#'))
    out = open(a.write, 'w') if a.write else None
    rng = random.Random(a.seed)
    sets = {bits: operand_sets(rng, bits) for bits in (16, 32, 64)}
    failed = ran = 0
    for row in isa.rows:
        if not is_float(row):
            continue
        words = words_of(row, random.Random(f'{a.seed} {row.name}'))
        if not re.search(a.rows, row.name):
            continue
        digest, bad = hashlib.sha256(), False
        for bits in sets:
            status, ours = run(a.emulator, program(words, sets[bits]))
            digest.update(ours)
            if status:
                print(f'{row.name}: {" ".join(f"{w:08x}" for w in words)}: ends with {status}')
                bad = True
            elif a.ref:
                status, theirs = run(a.ref, program(words, sets[bits]))
                if ours != theirs:
                    bad = True
                    size = len(sets[bits]) * len(MODES) * RECORD
                    for i, w in enumerate(words):
                        x, y = ours[i * size:(i + 1) * size], theirs[i * size:(i + 1) * size]
                        if x != y:
                            print(f'{row.name} {w:08x}: differs' + (f' (reference ends with {status})' if status else ''))
                            explain(w, sets[bits], bits, x, y)
        ran += 1
        if known and known.get(row.name) != digest.hexdigest()[:16]:
            print(f'{row.name}: digest {digest.hexdigest()[:16]}, expected {known.get(row.name)}')
            bad = True
        if out:
            out.write(f'{row.name} {digest.hexdigest()[:16]}\n')
        failed += bad
    print(f'{ran} rows, {failed} failed')
    return 1 if failed or not ran else 0


if __name__ == '__main__':
    sys.exit(main())
