#!/usr/bin/env python3
"""Random A32 and T32 instructions from the .isa tables, one of every row or many, each on a number of states: registers, flags, FPSCR, vector registers,
64 bytes of memory and signals under our emulator and under a reference, or a digest of what one wrote.

usage: a32_insns.py [--rows REGEX] [--seed N] [--words N] [--states N] [--t32] [--mode HEX] [--digest | --expect FILE] --run 'OUR COMMAND'
                    [--ref 'REFERENCE COMMAND'] ISA-DIR GENERATOR

--mode: bits of FPSCR in all states, beside the rounding mode. Without --t32 words of 32 bits are A32. Left out are branches, what reaches the
program counter or the stack pointer, and system instructions.
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

TABLES = 'a32 t32 vfp neon neon-ext'.split()
SKIP = re.compile(r'(b|bl|blx|bx|bxj|tbb|tbh|cbz|cbnz|it|push|pop|mcrr?|mrrc?|mrc|msr|mrs|vmsr|vmrs|udf|svc|hint|pld|pli|eret|add/tsp7|sub/tsp7|str/tsp|swpb?)(/.*)?$')
CODE, DATA, STACK_BYTES, STATE_BYTES = 0x10000, 0x400000, 0x10000, 512
# What follows DATA: 4: r0 to r12, 56: APSR, 60: FPSCR, 64: signal, 128: D0 to D31, 384: memory, 480: where the program is.
STATE, TARGET, STATES_END, STATES, TABLE, SIGACTION, MIDDLE = 480, 484, 488, 492, 496, 512, 416
OUTPUT_BYTES = 444
BOOT = [0xe59fd000, 0xea000000, 0]                       # ldr sp, the third word; b over it
SIGNALS = (4, 7, 11)
LOOP = [ # a state's memory, vector registers, flags and registers; the instruction; everything to memory, then to standard output; the next state
    0xe59d11e0, 0xe2811e16, 0xe8b10ff0, 0xe28d2d06, 0xe8a20ff0, 0xe8b10ff0, 0xe8a20ff0, 0xe59d11e0, 0xecb10b20, 0xecf10b20, 0xe4912004, 0xeee12a10,
    0xe4912004, 0xe12cf002, 0xe8911fff, 0xe1a0e00f, 0xe59df1e4, 0xe98d1fff, 0xe10f0000, 0xe58d0038, 0xeef10a10, 0xe58d003c, 0xe28d1080, 0xeca10b20,
    0xece10b20, 0xe3a00001, 0xe28d1004, 0xe3a02f6f, 0xe3a07004, 0xef000000, 0xe3a00000, 0xe58d0040, 0xe59d11e0, 0xe2811c02, 0xe58d11e0, 0xe59d21e8,
    0xe1510002, 0x1affffd9, 0xe59d11ec, 0xe58d11e0, 0xe59d11f0, 0xe4912004, 0xe58d11f0, 0xe58d21e4, 0xe3520000, 0x1affffd1, 0xe3a00000, 0xe3a07001,
    0xef000000]
# The signal's number to 64, goes on behind the instruction in A32: pc = lr, T and IT cleared.
HANDLER = [0xe5923054, 0xe5830040, 0xe5923058, 0xe582305c, 0xe5923060, 0xe3c33020, 0xe3c33cfe, 0xe3c33406, 0xe5823060, 0xe12fff1e]
SPECIAL = [0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffc12345, 1, 0x80000001, 0x00800000, 0x007fffff,
           0x7f7fffff, 0x4b000000, 0x4effffff, 0x4f000000, 0xcf000000, 0x3f000000, 0x40200000, 0xffffffff, 0x7ff00000, 0xfff80000, 0x3ff00000,
           0x00100000, 0x7c007c01, 0x3c00bc00, 0x00010400, 0x7e00fc00, 0x33800000, 0x1f800000, 0x20000000, 0x80800001]


def load_tables(generator, isa_dir):
    spec = importlib.util.spec_from_file_location('gen_decode', generator)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    isa = module.Isa()
    table_of = {}
    for name in TABLES:
        before = len(isa.rows)
        isa.read(os.path.join(isa_dir, name + '.isa'))
        table_of.update((id(r), name) for r in isa.rows[before:])
    isa.check()
    return isa, table_of


def put(isa, word, field, value):
    """The field's bits, its most significant part first."""
    parts = isa.fields[field].parts
    for hi, lo in reversed(parts):
        n = hi - lo + 1
        word = word & ~(((1 << n) - 1) << lo) | (value & (1 << n) - 1) << lo
        value >>= n
    return word


def width(isa, field): return sum(hi - lo + 1 for hi, lo in isa.fields[field].parts)


def make(isa, table, row, rng):
    """One word of the row; None: not this one."""
    word = row.match | rng.getrandbits(row.length * 8) & ~row.mask & ~row.free & (1 << row.length * 8) - 1
    word |= row.free & rng.choice((0, 0xff000, 0xfff, 0xfffff))      # should-be-zero and should-be-one bits
    if table in ('a32', 'vfp') and row.space in ('', None):
        word = word & 0x0fffffff | 0xe0000000
    members, args = isa.args[row.format.args], row.format.args
    memory = args in ('lsi', 'lsr', 'lsdi', 'lsdr', 'ldm', 'excl', 'nls', 'nl1', 'vls', 'vlm')
    values = row.format.values
    for arg, source in values.items():
        if isinstance(source, int):
            continue
        if members[arg] == 'g':
            choices = [n for n in range(13) if n < 1 << width(isa, source) and not (memory and n in (1, 2))]
            n = rng.choice(choices)
            if memory and arg == 'rn':
                n = 1
            elif memory and arg == 'rm':
                n = rng.choice((15, 13, 2)) if args in ('nls', 'nl1') else 2
            elif arg == 'rt' and (args in ('lsdi', 'lsdr') or row.name.endswith('exd')):
                n = rng.choice((4, 6, 8, 10))                     # a pair that leaves the stack pointer alone
            word = put(isa, word, source, n)
        elif memory and arg == 'imm' and args != 'lsr':
            word = put(isa, word, source, rng.randrange(min(48 >> isa.fields[source].shift, 1 << width(isa, source))))
        elif args == 'lsr' and arg in ('imm', 'typ'):
            word = put(isa, word, source, 0)
        elif args == 'ldm' and arg == 'list':
            if table == 't32' and row.length == 2:
                word = put(isa, word, source, 1 << rng.randrange(3, 8) | 1 << rng.randrange(3, 8) | 1)
            else:
                word = put(isa, word, source, sum(1 << n for n in rng.sample([0] + list(range(3, 13)), rng.randrange(2, 6))))
        elif args == 'vlm' and arg == 'n':
            word = put(isa, word, source, rng.randrange(1, 17))
        elif args == 'nls' and arg == 'align':
            word = put(isa, word, source, 0)
    if args == 'ldm' and not isinstance(values.get('s', 0), int):
        word = put(isa, word, values['s'], 0)                        # user registers: system instructions
    if args == 'lsi' and table == 'a32' and not isinstance(values['w'], int) and not word >> 24 & 1:
        word &= ~(1 << 21)                                           # unprivileged forms
    if args == 'vfix' and not word >> 7 & 1 and ((word & 15) << 1 | word >> 5 & 1) > 16:
        return None                                                  # unpredictable
    if args == 'nl1' and rng.random() < .9:                          # without alignment, which faults
        word &= ~(0x10 if 'all' in row.handler or (word >> 10 & 3) < 2 else 0x30)
    if word & row.mask != row.match or any(o is not row and o.space == row.space and o.length == row.length and o.refines(row)
                                           and word & o.mask == o.match for o in isa.rows):
        return None
    if args == 'lsdi' and table == 't32':
        rt, rt2, rn = word >> 12 & 15, word >> 8 & 15, word >> 16 & 15
        if rt == rt2 or (rn in (rt, rt2)) or not word & 0x1200000:
            return None
    if args in ('mul64', 'longx', 'r4', 'r4x') or args == 'excl':
        lo, hi = (word >> 12 & 15, word >> (16 if table == 'a32' else 8) & 15)
        if args in ('mul64', 'longx') and lo == hi:
            return None
        if args == 'excl' and len({word >> 12 & 15, word & 15, word >> 8 & 15, 1}) < 4:
            return None
    return word


def states_bytes(rng, n, mode):
    out = b''
    for _ in range(n):
        kind = rng.randrange(3)
        words = [rng.getrandbits(32) if kind == 0 else rng.choice(SPECIAL) if kind == 1 and rng.random() < .8 else
                 rng.getrandbits(32) & 0x00ff00ff if kind == 2 and rng.random() < .7 else rng.getrandbits(32) for _ in range(128)]
        words[64] = rng.randrange(4) << 22 | mode
        words[65] = rng.getrandbits(32) & 0xf80f0000
        words[67], words[68] = DATA + MIDDLE, rng.choice((0, 4, 8, 16))
        out += struct.pack('<128I', *words)
    return out


def build(path, snippets, states):
    n_states = len(states) // STATE_BYTES
    code = list(BOOT)
    code[2] = DATA
    handler_at = CODE + 4 * (len(code) + len(LOOP) + 7 * len(SIGNALS) + 1)
    for number in SIGNALS:                                           # rt_sigaction(number, sp + 512, NULL, 8)
        code += [0xe3a00000 | number, 0xe28d1c02, 0xe3a02000, 0xe3a03008, 0xe3a070ae, 0xef000000, 0xe1a00000]
    loop = len(code)
    code += LOOP
    code[loop + len(LOOP) - 1:] = LOOP[-1:]
    code.append(0xe1a00000)
    code += HANDLER
    table = []
    text = struct.pack('<%dI' % len(code), *code)
    for thumb, halves in snippets:
        table.append(CODE + len(text) | thumb)
        text += halves
        text += bytes(-len(text) % 4)
    states_at = DATA + 1024
    table_at = states_at + len(states)
    data = bytearray(1024)
    struct.pack_into('<5I', data, STATE, states_at, table[0], table_at, states_at, table_at + 4)
    struct.pack_into('<5I', data, SIGACTION, handler_at, 4, 0, 0, 0)
    data = bytes(data) + states + struct.pack('<%dI' % (len(table) + 1), *table, 0)
    assert struct.unpack_from('<I', data, STATES_END)[0] == states_at + n_states * STATE_BYTES
    head = 0x1000
    header = b'\x7fELF\1\1\1' + bytes(9) + struct.pack('<HHIIIIIHHHHHH', 2, 40, 1, CODE, 52, 0, 0x5000200, 52, 32, 2, 0, 0, 0)
    at = head + len(text)
    at += -at % 0x1000
    header += struct.pack('<8I', 1, head, CODE, CODE, len(text), len(text), 5, 0x1000)
    header += struct.pack('<8I', 1, at, DATA - STACK_BYTES, DATA - STACK_BYTES, STACK_BYTES + len(data), STACK_BYTES + len(data), 6, 0x1000)
    image = (header.ljust(head, b'\0') + text).ljust(at, b'\0') + bytes(STACK_BYTES) + data
    with open(path, 'wb') as f:
        f.write(image)
    os.chmod(path, 0o755)


def run(command, path):
    p = subprocess.run(command.split() + [path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=900, check=False)
    if p.returncode:
        sys.exit(f'{command}: status {p.returncode} {p.stderr.decode()[-500:]}')
    return p.stdout


def describe(ours, ref):
    a, b = struct.unpack('<111I', ours), struct.unpack('<111I', ref)
    names = ['r%d' % n for n in range(13)] + ['apsr', 'fpscr', 'signal'] + ['-'] * 15 + ['s%d' % n for n in range(64)] + ['m%d' % n for n in range(16)]
    return ' '.join('%s %08x/%08x' % (names[i] if i < len(names) else i, a[i], b[i]) for i in range(111) if a[i] != b[i])


def illegal(states): return all(states[at + 60] == 4 for at in range(0, len(states), OUTPUT_BYTES))


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--rows', default='')
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--words', type=int, default=1)
    p.add_argument('--states', type=int, default=12)
    p.add_argument('--t32', action='store_true')
    p.add_argument('--mode', default='0')
    p.add_argument('--digest', action='store_true')
    p.add_argument('--expect')
    p.add_argument('--keep')
    p.add_argument('--run', required=True)
    p.add_argument('--ref')
    p.add_argument('isa')
    p.add_argument('generator')
    o = p.parse_args()
    isa, table_of = load_tables(o.generator, o.isa)
    chosen, snippets = [], []
    for row in isa.rows:
        table = table_of[id(row)]
        if row.kind != 'normal' or SKIP.match(row.name) or (o.rows and not re.search(o.rows, row.name)) or (table == 't32') != (o.t32 and table == 't32'):
            continue
        if o.t32 and table == 'a32':
            continue
        rng = random.Random(f'{o.seed} {row.name}')
        made = tries = 0
        while made < o.words and tries < 100 * o.words:
            tries += 1
            word = make(isa, table, row, rng)
            if word is None:
                continue
            made += 1
            chosen.append((row.name, word))
            if not o.t32:
                snippets.append((0, struct.pack('<II', word, 0xe12fff1e)))
                continue
            if table != 't32' and word >> 28 == 15 and word >> 25 & 7 == 1:   # Advanced SIMD data processing
                word = 0xef000000 | word & 0xffffff | (word >> 24 & 1) << 28
            elif table != 't32' and word >> 24 == 0xf4:
                word = 0xf9000000 | word & 0xffffff
            halves = struct.pack('<HH', word >> 16, word & 0xffff) if row.length == 4 else struct.pack('<H', word)
            snippets.append((1, halves + struct.pack('<H', 0x4770)))
    states = states_bytes(random.Random(o.seed), o.states, int(o.mode, 16))
    with tempfile.TemporaryDirectory() as folder:
        path = o.keep or os.path.join(folder, 'insns')
        build(path, snippets, states)
        ours = run(o.run, path)
        ref = run(o.ref, path) if o.ref else None
    size = OUTPUT_BYTES * o.states
    if len(ours) != size * len(chosen) or (ref is not None and len(ref) != len(ours)):
        sys.exit(f'{len(ours)} bytes, reference {ref and len(ref)}, not {size * len(chosen)}')
    expected = {}
    if o.expect:
        with open(o.expect, encoding='utf-8') as f:
            expected = dict(line.rsplit(' ', 1) for line in f.read().splitlines() if not line.startswith('#'))
    failed = 0
    row_free = {row.name: row.free for row in isa.rows}
    key = 't32' if o.t32 else 'a32'
    for i, (name, word) in enumerate(chosen):
        mine = ours[i * size:(i + 1) * size]
        digest = hashlib.sha256(mine).hexdigest()[:16]
        label = f'{key} {o.mode} {name} {word:08x}'
        if o.digest and (ref is None or mine == ref[i * size:(i + 1) * size]):
            print(label, digest)
        elif o.expect and expected.get(label, digest) != digest: # rows where the reference does not follow the manual have none
            failed += 1
            print('FAILED:', label, digest, 'expected', expected.get(label))
        elif ref is not None and row_free[name] and illegal(ref[i * size:(i + 1) * size]) and not illegal(mine):
            continue                                                 # bits that should be something else; we ignore them
        elif ref is not None and mine != ref[i * size:(i + 1) * size]:
            failed += 1
            at = next(k for k in range(o.states) if mine[k * OUTPUT_BYTES:(k + 1) * OUTPUT_BYTES] != ref[i * size + k * OUTPUT_BYTES:i * size + (k + 1) * OUTPUT_BYTES])
            print('DIFFERS:', label, describe(mine[at * OUTPUT_BYTES:(at + 1) * OUTPUT_BYTES], ref[i * size + at * OUTPUT_BYTES:][:OUTPUT_BYTES])[:200])
    if o.expect and 10 * sum(f'{key} {o.mode} {name} {word:08x}' in expected for name, word in chosen) < 8 * len(chosen):
        sys.exit('the digests are of other instructions')
    if not o.digest:
        print(len(chosen), 'instructions,', failed, 'failed')
    sys.exit(failed != 0)


main()
