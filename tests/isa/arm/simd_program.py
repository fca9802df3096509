#!/usr/bin/env python3
"""Advanced SIMD of A64 on integers: what a static program (written here, no assembler needed) computes against simd_model.py, or with
--ref against another emulator.

usage: simd_program.py [--words N] [--states N] [--rows REGEX] [--seed N] [--ref 'QEMU ARGS'] GEN-DECODE.py 'QEMU ARGS' FILE.isa

Each row's words run on random states with many extreme lanes: V0 to V7, X0 to X3 and FPSR are compared after each. With --chain N
words follow each other on one state.
"""
import argparse
import importlib.util
import os
import random
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import simd_model

BASE, OUT = 0x400000, 0x10000000
IN_BYTES = RECORD = 8 * 16 + 4 * 8 + 16


def load(path):
    spec = importlib.util.spec_from_file_location('gen_decode', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_integer(row):
    return not re.match(r'v_(f|scvtf|ucvtf|bf)', row.handler)


def word_of(rng, row):
    """Random free bits; registers below 8, general ones below 4."""
    w = row.match | rng.getrandbits(32) & ~row.mask
    d, n, m = (rng.randrange(8) for _ in range(3))
    n = d if rng.random() < 0.25 else n
    if row.handler in ('v_umov', 'v_smov'):
        d &= 3
    if row.handler in ('v_dup_x', 'v_ins_x'):
        n &= 3
    free = ~row.mask & 0xffffffff
    for at, bits, value in ((0, 31, d), (5, 31, n), (16, 31, m), (16, 15, m)):
        fixed = row.format.name.startswith(('VSH', 'VCP', 'VMI'))
        if free >> at & bits == bits and not (at == 16 and fixed) and not (at == 5 and row.format.name == 'VMI'):
            if at == 16 and bits == 15 and free >> 16 & 31 == 31 and 'IXH' not in row.format.name:
                continue
            w = w & ~(bits << at) | value << at
    return w


def lane64(rng):
    kind = rng.randrange(8)
    if kind == 0:
        return rng.choice([0, 2**64 - 1, 2**63, 2**63 - 1])
    if kind < 4:
        bits = rng.choice([8, 16, 32])
        return sum(rng.choice([0, 1, (1 << bits) - 1, 1 << bits - 1, (1 << bits - 1) - 1, rng.getrandbits(bits)]) << i for i in range(0, 64, bits))
    if kind == 4:
        return sum((rng.randrange(-34, 34) & 255) << i for i in range(0, 64, 8))
    return rng.getrandbits(64) >> (rng.randrange(64) if kind == 5 else 0)


def state_of(rng):
    return [lane64(rng) | lane64(rng) << 64 for _ in range(8)], [lane64(rng) for _ in range(4)]


# -- the program -------------------------------------------------------------------------------------------------

def movx(reg, value):
    return [(0xd2800000 if i == 0 else 0xf2800000) | i << 21 | (value >> 16 * i & 0xffff) << 5 | reg for i in range(4)]


def program(chains, states):
    """ELF image: each chain of words on each state, one record to standard output."""
    data = b''.join(struct.pack('<20Q', *(x for v in vs for x in (v & 2**64 - 1, v >> 64)), *xs) + bytes(16) for vs, xs in states)
    def code(data_at):
        c = []
        for words in chains:
            c += movx(20, data_at) + movx(21, OUT) + movx(22, len(states))
            start = len(c)
            c += [0xd51b443f]                                                                  # msr fpsr, xzr
            c += [0x3dc00000 | i << 10 | 20 << 5 | i for i in range(8)]                        # ldr q0…
            c += [0xf9400000 | (16 + i) << 10 | 20 << 5 | i for i in range(4)]                 # ldr x0…
            c += words
            c += [0x3d800000 | i << 10 | 21 << 5 | i for i in range(8)]
            c += [0xf9000000 | (16 + i) << 10 | 21 << 5 | i for i in range(4)]
            c += [0xd53b4420 | 4, 0xf9000000 | 20 << 10 | 21 << 5 | 4]                         # mrs x4, fpsr
            c += [0x91000000 | RECORD << 10 | r << 5 | r for r in (20, 21)] + [0xf1000400 | 22 << 5 | 22]
            c += [0x54000001 | (start - len(c) & 0x7ffff) << 5]                                # b.ne
            c += movx(0, 1) + movx(1, OUT) + movx(2, RECORD * len(states)) + movx(8, 64) + [0xd4000001]
        return c + movx(0, 0) + movx(8, 94) + [0xd4000001]
    head = 64 + 2 * 56
    text = code(0)
    data_at = BASE + head + 4 * len(text) + 15 & ~15
    image = struct.pack(f'<{len(text)}I', *code(data_at))
    image += bytes(data_at - BASE - head - len(image)) + data
    elf = b'\x7fELF\x02\x01\x01' + bytes(9) + struct.pack('<HHIQQQIHHHHHH', 2, 183, 1, BASE + head, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    elf += struct.pack('<IIQQQQQQ', 1, 5, 0, BASE, BASE, head + len(image), head + len(image), 0x1000)
    elf += struct.pack('<IIQQQQQQ', 1, 6, 0, OUT, OUT, 0, RECORD * len(states), 0x1000)
    return elf + image


def run(command, path, size):
    done = subprocess.run(command.split() + [path], capture_output=True, timeout=900, check=False)
    if done.returncode or len(done.stdout) != size:
        sys.exit(f'{command}: status {done.returncode}, {len(done.stdout)} bytes of {size}: {done.stderr.decode()[:200]}')
    return done.stdout


def expected(chain, state):
    vs, xs = state
    st = simd_model.State(vs + [0] * 24, xs + [0] * 28)
    for row, w in chain:
        simd_model.execute(row.name.split('/')[0], row.format.name, w, st)
    return struct.pack('<21Q', *(x for v in st.v[:8] for x in (v & 2**64 - 1, v >> 64)), *st.x[:4], st.qc << 27)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('gen')
    ap.add_argument('emulator')
    ap.add_argument('isa')
    ap.add_argument('--words', type=int, default=2)
    ap.add_argument('--states', type=int, default=12)
    ap.add_argument('--rows', default='')
    ap.add_argument('--seed', type=int, default=1)
    ap.add_argument('--chain', type=int, default=1)
    ap.add_argument('--ref')
    args = ap.parse_args()
    isa = load(args.gen).Isa()
    isa.read(args.isa)
    for name, fmt in isa.formats.items():
        fmt.name = name
    rng = random.Random(args.seed)
    items = [(row, word_of(rng, row)) for row in isa.rows if is_integer(row) and re.match(args.rows, row.name) for _ in range(args.words)]
    if args.chain > 1:
        rng.shuffle(items)
    chains = [items[i:i + args.chain] for i in range(0, len(items), args.chain)]
    states = [state_of(rng) for _ in range(args.states)]
    size = RECORD * len(states) * len(chains)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'simd')
        with open(path, 'wb') as f:
            f.write(program([[w for _, w in c] for c in chains], states))
        os.chmod(path, 0o755)
        got = run(args.emulator, path, size)
        ref = run(args.ref, path, size) if args.ref else None
    bad = {}
    for k, chain in enumerate(chains):
        for j, state in enumerate(states):
            at = (k * len(states) + j) * RECORD
            have = got[at:at + 168]
            want = ref[at:at + 168] if ref else expected(chain, state)
            if have != want:
                label = ' '.join(row.name for row, _ in chain)
                if label not in bad and len(bad) < 12:
                    print(label, ' '.join(f'{w:08x}' for _, w in chain))
                    for r in range(0, 168, 16):
                        if have[r:r + 16] != want[r:r + 16]:
                            was = f'{state[0][r // 16]:032x}' if r < 128 else '-'
                            print(f'  {r:3d}: {have[r:r + 16][::-1].hex()} wanted {want[r:r + 16][::-1].hex()} was {was}')
                bad[label] = bad.get(label, 0) + 1
    print(f'{len(items)} words of {len(set(row.name for row, _ in items))} rows, {len(states)} states: {len(bad)} differ')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
