#!/usr/bin/env python3
"""Random A64 instructions from the .isa tables, run by our emulator and by a reference; registers, flags, memory and signals must be equal
after each block of instructions. README.md says how to use it.

usage: random_insns.py [--section NAMES] [--rows REGEX] [--seed N] [--count N] [--blocks N] [--insns N] [--rounds N] [--keep FILE]
                       [--per-row [--digest | --expect FILE]] --run 'OUR COMMAND' [--ref 'REFERENCE COMMAND'] ISA-DIR GENERATOR
"""
import argparse
import hashlib
import importlib.util
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import program as P  # noqa: E402

SECTIONS = 'base system atomic crypto ext fp simd simd-fp simd-ls'.split()
OBJDUMP = 'aarch64-linux-gnu-objdump'
# Not to be compared between programs: control flow, waiting, what depends on keys, time and chance; handled in sequences of their own.
SKIP = re.compile(r'(svc|hvc|smc|brk|hlt|udf|isb|sb|wfe|wfi|wfet|wfit|mrs/rnd\w*|msr|msr/imm|sys|pacga|pac\w+|aut\w+|ldra[ab]|stx.*|stlx.*|'
                  r'cpyf?[me].*|set[me].*|prfm/lit)$')
GATES_WITHOUT = ('RCPC3', 'LOR')       # not in our model "max"
SPECIAL_X = [0, 1, 2, 7, 31, 32, 63, 64, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
             0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xffffffff80000000]
SPECIAL_D = [0, 1 << 63, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000,
             0xfff8000000000001, 0x7ff0000000000001, 0xfff4000000000000, 1, 0x000fffffffffffff, 0x0010000000000000,
             0x7fefffffffffffff, 0x8000000000000001, 0x3fe0000000000000, 0x43e0000000000000, 0xc3e0000000000000,
             0x41dfffffffc00000, 0x41e0000000000000, 0x40091eb851eb851f, 0x3ca0000000000000, 0x3fdfffffffffffff]
SPECIAL_S = [0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001, 0x7f800001, 0xffa00000, 1,
             0x007fffff, 0x00800000, 0x7f7fffff, 0x80000001, 0x3f000000, 0x4f000000, 0xcf000000, 0x5f000000, 0x33800000, 0x3effffff]
SPECIAL_H = [0, 0x8000, 0x3c00, 0xbc00, 0x7c00, 0xfc00, 0x7e00, 0xfe01, 0x7c01, 0xfd00, 1, 0x3ff, 0x400, 0x7bff, 0x8001, 0x3800]
FPCRS = [0] * 6 + [1 << 22, 2 << 22, 3 << 22, 1 << 24, 1 << 25, 1 << 19, 1 << 26, 0x03400000, 0x07c80000]


def load_tables(generator, isa_dir):
    spec = importlib.util.spec_from_file_location('gen_decode', generator)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    isa, section_of = module.Isa(), {}
    for name in SECTIONS:
        before = len(isa.rows)
        isa.read(os.path.join(isa_dir, f'a64-{name}.isa'))
        section_of.update((id(r), name) for r in isa.rows[before:])
    isa.check()
    return isa, section_of


def bits(word, hi, lo): return word >> lo & ((1 << (hi - lo + 1)) - 1)
def put(word, lo, n, value): return word & ~(((1 << n) - 1) << lo) | value << lo


class Maker:
    def __init__(self, isa, section_of, rng, sections, rows):
        self.rng, self.isa = rng, isa
        self.more_specific = {}
        self.rows = [r for r in isa.rows if r.kind in ('normal', 'branch') and not SKIP.match(r.name)
                     and not any(g in GATES_WITHOUT for gate in r.gates for g in gate)
                     and (not sections or section_of[id(r)] in sections) and (not rows or re.search(rows, r.name))]
        for r in self.rows:
            self.more_specific[id(r)] = [o for o in isa.rows if o is not r and o.refines(r) and o.match & r.mask == r.match]
        self.pac = [r for r in isa.rows if r.name.startswith('pac') and r.name != 'pacga' and not (sections and 'ext' not in sections)
                    and (not rows or re.search(rows, r.name))]

    def reg(self):
        n = self.rng.choice((0, 1, 2, 3, 4, 31)) if self.rng.random() < .4 else self.rng.randrange(32)
        return self.rng.randrange(26) if n in P.RESERVED else n

    def other_reg(self, *taken):
        while True:
            n = self.reg()
            if n not in taken:
                return n

    # -- one instruction, with what has to stand round it: a list of words ---------------------------------

    def item(self, row=None):
        if row in self.pac:
            return self.authentication(row)
        if not row and self.pac and (not self.rows or self.rng.random() < len(self.pac) / (len(self.pac) + len(self.rows))):
            return self.authentication(self.rng.choice(self.pac))
        while True:
            chosen = row or self.rng.choice(self.rows)
            word = chosen.match | self.rng.getrandbits(32) & ~chosen.mask | chosen.free     # should-be-one bits, and some without meaning
            if any(word & o.mask == o.match for o in self.more_specific[id(chosen)]):
                continue
            words = self.place(chosen, word)
            if words:
                return chosen.name, words

    def place(self, row, word):
        group = bits(word, 28, 25)
        if group & 5 == 4:
            return self.memory(row, word)
        if row.kind == 'branch':                                                                  # over one instruction that shows it
            n = 14 if row.name.startswith('tb') else 19
            return [put(word, 5, n, 2), P.add(26, 26, 1)]
        if row.name == 'mrs':
            return [P.mrs(self.reg() if self.rng.random() < .8 else 0, self.rng.choice((P.KEY_NZCV, P.KEY_FPCR, P.KEY_FPSR)))]
        members = self.isa.args[row.format.args]
        for arg, source in row.format.values.items():
            if isinstance(source, int) or self.isa.fields[source].parts != [(4, 0)]:
                continue
            kind = members[arg]
            if kind in 'gsxXw' or row.format.args in ('fix', 'vcp'):
                word = put(word, 0, 5, self.reg())
                if kind in 'sX' and bits(word, 4, 0) == 31:
                    return None
        # registers of operands: near ones more often, so that results are used
        if group & 7 == 5 and self.rng.random() < .5 and row.mask >> 5 & 31 == 0:
            word = put(word, 5, 5, self.reg())
        return [word] if word & row.mask == row.match else None

    def memory(self, row, word):
        vector, kind = bits(word, 26, 26), bits(word, 29, 27)
        if kind == 3 and bits(word, 24, 24) == 0 and not bits(word, 31, 24) & 0x3f == 0x19:      # literal
            return [put(put(word, 5, 19, self.rng.randrange(16)), 0, 5, self.rng.randrange(32) if vector else self.reg())]
        if row.name.startswith('cpy') or row.name.startswith('set'):
            return self.copy_or_set(row, word)
        base = self.rng.choice((28, 31))
        word = put(word, 5, 5, base)
        free = ~row.mask
        exclusive = kind == 1 and not vector
        back = kind == 1 and vector and bits(word, 23, 23)
        if kind == 5:
            back = bits(word, 23, 23)
            word = put(word, 10, 5, self.other_reg(bits(word, 4, 0)))
        elif kind == 7 and bits(word, 24, 24):
            word = put(word, 10, 12, self.rng.randrange(64))
        elif kind == 7 and bits(word, 21, 21) and bits(word, 11, 10) == 2:
            word = put(word, 16, 5, 27)
        elif kind == 7 and not bits(word, 21, 21):
            back = bits(word, 10, 10)
        elif kind == 3 and bits(word, 21, 21):                                                    # atomic pairs
            word = put(word, 16, 5, self.reg())
        elif kind == 3:                                                                           # ordered, unscaled
            if self.rng.random() < .8:
                word = put(word, 12, 9, self.rng.randrange(-8, 8) * 16 + self.rng.choice((0, 8, 4, 2, 1)) & 511)
        if not vector:
            word = put(word, 0, 5, self.reg())
            if kind == 5:
                word = put(word, 10, 5, self.other_reg(bits(word, 4, 0)))
            if kind == 7 and bits(word, 21, 21) and bits(word, 11, 10) == 0 or exclusive:
                if free >> 16 & 31 == 31 and not row.free >> 16 & 31:
                    word = put(word, 16, 5, self.reg())
                if exclusive and free >> 10 & 31 == 31 and not row.free >> 10 & 31:
                    word = put(word, 10, 5, self.other_reg(bits(word, 4, 0)))
        elif kind == 5 and bits(word, 22, 22) and bits(word, 4, 0) == bits(word, 14, 10):
            word ^= 1                                                                             # a pair of one register is no pair
        if word & row.mask != row.match:
            return None
        if row.name.startswith('casp') and self.rng.random() < .9:
            word = put(put(word, 16, 1, 0), 0, 1, 0)
            if bits(word, 20, 16) in (26, 28, 30) or bits(word, 4, 0) in (26, 28, 30):
                return None
        words = [word]
        if re.match(r'lda?x', row.name) and self.rng.random() < .8:
            store = word & ~0x00408000 | self.rng.randrange(2) << 15
            store = put(store, 16, 5, self.other_reg(bits(word, 4, 0), bits(word, 14, 10)))
            store = put(store, 0, 5, self.other_reg(bits(store, 20, 16)))
            if not row.name.startswith(('ldxp', 'ldaxp')):
                store |= 31 << 10
            else:
                store = put(store, 10, 5, self.other_reg(bits(store, 20, 16)))
            words.append(store)
        if back:
            words += [P.add(25, base, 0), P.eor(26, 26, 25), P.add(28, 29, P.MIDDLE), P.add(31, 28, 0)]
        return words

    def copy_or_set(self, row, word):
        """A prologue, the main part and the epilogue that belong together. Copies forward only may not overlap."""
        rng, is_set = self.rng, row.name.startswith('set')
        d, s, n = rng.sample(range(26), 3)
        at, size = rng.randrange(-600, 200), rng.choice((0, 1, 7, 16, 33, rng.randrange(300)))
        source = rng.randrange(-600, 200)
        if row.name.startswith('cpyf') and abs(at - source) < size:
            source = at + size + 8
        word = put(put(put(word, 0, 5, d), 16, 5, s), 5, 5, n)
        words = [P.add(d, 28, 0), P.movz(n, size)]
        words.insert(1, P.add(d, d, at) if at >= 0 else 0xd1000000 | -at << 10 | d << 5 | d)
        if not is_set:
            words += [P.add(s, 28, 0), P.add(s, s, source) if source >= 0 else 0xd1000000 | -source << 10 | s << 5 | s]
        step = 1 << 14 if is_set else 1 << 22
        return words + [word, word + step, word + 2 * step]

    def authentication(self, row):
        """Codes depend on keys nobody can set: what is signed is authenticated at once. Pointers have to be canonical for that."""
        name, word = row.name, row.match | self.rng.getrandbits(32) & ~row.mask & ~row.free
        if re.match(r'paci[ab]', name) and word >> 22 == 0x354:                                  # hints
            rd = 17 if name.endswith('1716') else 30
            back = word | 4 << 5
        else:
            rd = self.rng.randrange(26)
            word = put(word, 0, 5, rd)
            back = word | 1 << 12
        if bits(word, 9, 5) == rd and word >> 22 != 0x354:
            return self.authentication(row)
        canonical = [] if rd == 30 else [0xd340b800 | rd << 5 | rd]                              # ubfx rd, rd, #0, #47
        return name, canonical + [word, back]

    # -- states ---------------------------------------------------------------------------------------------

    def value_x(self):
        rng = self.rng
        v = rng.choice(SPECIAL_X) if rng.random() < .5 else rng.getrandbits(rng.choice((8, 16, 32, 64)))
        return (-v if rng.random() < .3 else v) & 0xffffffffffffffff

    def near(self, one, frac, width):
        rng = self.rng
        exp = rng.choice((0, 0, 1, -1, rng.randrange(-12, 14), rng.randrange(-30, 70))) if width > 16 else rng.randrange(-14, 15)
        v = one + exp * (1 << frac) + (rng.getrandbits(frac) & ~((1 << rng.choice((0, 0, frac // 2))) - 1))
        return (v | rng.randrange(2) << (width - 1)) & ((1 << width) - 1)

    def value_v(self):
        rng, kind = self.rng, self.rng.randrange(8)
        if kind < 2:
            lanes = [rng.choice(SPECIAL_D) if rng.random() < .5 else self.near(0x3ff0000000000000, 52, 64) for _ in range(2)]
            return b''.join(v.to_bytes(8, 'little') for v in lanes)
        if kind < 4:
            lanes = [rng.choice(SPECIAL_S) if rng.random() < .5 else self.near(0x3f800000, 23, 32) for _ in range(4)]
            return b''.join(v.to_bytes(4, 'little') for v in lanes)
        if kind == 4:
            lanes = [rng.choice(SPECIAL_H) if rng.random() < .5 else self.near(0x3c00, 10, 16) for _ in range(8)]
            return b''.join(v.to_bytes(2, 'little') for v in lanes)
        if kind == 5:
            return bytes(rng.choice((0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, rng.getrandbits(8))) for _ in range(16))
        if kind == 6:
            return b''.join((self.value_x() & 0xffffffff).to_bytes(4, 'little') for _ in range(4))
        return rng.randbytes(16)

    def state(self):
        out = b''.join(self.value_v() for _ in range(32))
        out += self.rng.choice(FPCRS).to_bytes(8, 'little') + (self.rng.getrandbits(4) << 28).to_bytes(8, 'little')
        out += b''.join(self.value_x().to_bytes(8, 'little') for _ in range(27)) + self.rng.randrange(64).to_bytes(8, 'little')
        return out + bytes(P.STATE_BYTES - len(out))


class Runner:
    def __init__(self, o, tmp):
        self.o, self.exe = o, o.keep or os.path.join(tmp, 'program')
        self.ours, self.theirs = o.run.split(), o.ref.split() if o.ref else None

    def run(self, command):
        try:
            r = subprocess.run(command + [self.exe], capture_output=True, timeout=300)
        except subprocess.TimeoutExpired as e:
            return 'none (it hangs)', e.stdout or b'', ''
        return r.returncode, r.stdout, r.stderr.decode(errors='replace')

    def both(self, blocks, states, pristine, rounds):
        P.build(self.exe, blocks, states, pristine, rounds)
        os.chmod(self.exe, 0o755)
        return self.run(self.ours), self.run(self.theirs)

    def culprit(self, items, state, pristine):
        """The shortest beginning of the block after which the states differ; its last instruction is to blame."""
        def bad(n):
            (s1, a, _), (s2, b, _) = self.both([[w for _, ws in items[:n] for w in ws]], [state], pristine, 1)
            return (s1 != s2 or a != b) and (a, b, s1, s2)
        lo, hi = 0, len(items)
        if not bad(hi):
            return None
        while hi - lo > 1:
            middle = (lo + hi) // 2
            lo, hi = (lo, middle) if bad(middle) else (middle, hi)
        return hi, bad(hi)


def disassemble(words):
    if not shutil.which(OBJDUMP):
        return ' '.join(f'{w:08x}' for w in words)
    with tempfile.NamedTemporaryFile() as f:
        f.write(b''.join(w.to_bytes(4, 'little') for w in words))
        f.flush()
        text = subprocess.run([OBJDUMP, '-D', '-b', 'binary', '-m', 'aarch64', '-z', f.name], capture_output=True, text=True).stdout
    return '; '.join(f'{m[1]} {m[2]}' for m in re.finditer(r':\t([0-9a-f]{8}) \t(.*)', text)).replace('\t', ' ')


def operands(words, a_state):
    """The input registers a word's fields may name, from the bytes of a state or dump before it."""
    w = words[-1] if len(words) < 3 else words[0]
    names = sorted({bits(w, 4, 0), bits(w, 9, 5), bits(w, 14, 10), bits(w, 20, 16)})
    out = [f'x{n}={int.from_bytes(a_state[8 * n:8 * n + 8], "little"):#x}' for n in names if n < 31]
    out += [f'v{n}={int.from_bytes(a_state[P.V + 16 * n:P.V + 16 * n + 16], "little"):#034x}' for n in names]
    return ' '.join(out) + f' nzcv={int.from_bytes(a_state[P.NZCV:P.NZCV + 8], "little"):#x} fpcr={int.from_bytes(a_state[P.FPCR:P.FPCR + 8], "little"):#x}'


def report(runner, seed, n, items, state, pristine, seen, dumps):
    found = runner.culprit(items, state, pristine)
    if not found:
        print(f'seed {seed} block {n}: alone nothing differs; among others ' + '; '.join(P.differences(*dumps)[:8]) + ': '
              + ' '.join(name for name, _ in items))
        return
    at, (a, b, s1, s2) = found
    name, words = items[at - 1]
    if seen.get(name, 0) >= 2:
        seen[name] += 1
        return
    seen[name] = seen.get(name, 0) + 1
    _, before, _ = (runner.both([[w for _, ws in items[:at - 1] for w in ws]], [state], pristine, 1))[1]
    status = '' if s1 == s2 else f'status {s1}, reference {s2}; '
    print(f'seed {seed} block {n}: {name}: {disassemble(words)}\n    {status}' + '; '.join(P.differences(a, b)[:8]) +
          f'\n    from {operands(words, before)}')


def random_program(maker, o):
    blocks = [[maker.item() for _ in range(o.insns)] for _ in range(o.blocks)]
    return blocks, [maker.state() for _ in range(61)]


def program_by_row(maker, seed, o):
    """A block for each row; what is in it and what it starts from depends on nothing but the row and the seed."""
    blocks, states = [], []
    for row in maker.rows + maker.pac:
        maker.rng = random.Random(f'{seed} {row.name}')
        blocks.append([maker.item(row) for _ in range(o.insns)])
        states.append([maker.state() for _ in range(o.rounds)])
    maker.rng = random.Random(seed)
    return blocks, [s[r] for r in range(o.rounds) for s in states]


def row_digest(dumps):
    """Of what a block left in each round, but for what depends on where it stands."""
    digest = hashlib.sha256()
    for d in dumps:
        digest.update(d[:240] + d[248:P.SIGNALS + 8] + d[P.SIGNALS + 16:])
    return digest.hexdigest()[:16]


def check_digests(path, digests, known):
    """How many differ from what the file says. Rows the file does not name are those nobody asked a reference about."""
    bad = 0
    with open(path, encoding='ascii') as lines:
        for line in lines:
            if line.startswith('#'):
                continue
            name, expected = line.split()
            if name not in known:
                print(f'{path}: there is no row {name}')
                bad += 1
            elif digests.get(name, expected) != expected:
                print(f'{name}: {digests[name]}, a reference made {expected}')
                bad += 1
    return bad


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--section', action='append', default=[])
    p.add_argument('--rows')
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--count', type=int, default=1)
    p.add_argument('--blocks', type=int, default=200)
    p.add_argument('--insns', type=int, default=16)
    p.add_argument('--rounds', type=int, default=3)
    p.add_argument('--keep')
    p.add_argument('--per-row', action='store_true')
    p.add_argument('--digest', action='store_true')
    p.add_argument('--expect')
    p.add_argument('--run', required=True)
    p.add_argument('--ref')
    p.add_argument('isa_dir')
    p.add_argument('generator')
    o = p.parse_args()
    sections = {s for text in o.section for s in text.split(',')}
    if sections - set(SECTIONS):
        sys.exit('sections: ' + ' '.join(SECTIONS))
    isa, section_of = load_tables(o.generator, o.isa_dir)
    bad, seen, executed = 0, {}, 0
    with tempfile.TemporaryDirectory() as tmp:
        runner = Runner(o, tmp)
        for seed in range(o.seed, o.seed + o.count):
            maker = Maker(isa, section_of, random.Random(seed), sections, o.rows)
            if not maker.rows and not maker.pac:
                sys.exit('no rows')
            blocks, states = program_by_row(maker, seed, o) if o.per_row else random_program(maker, o)
            pristine = random.Random(seed).randbytes(P.DUMP - P.SCRATCH)
            words = [[w for _, ws in items for w in ws] for items in blocks]
            executions = o.rounds * len(blocks)
            P.build(runner.exe, words, states, pristine, o.rounds)
            os.chmod(runner.exe, 0o755)
            status, a, errors = runner.run(runner.ours)
            executed += o.rounds * sum(map(len, words))
            if status or len(a) != executions * P.DUMP:
                print(f'seed {seed}: status {status}, {len(a) // P.DUMP} blocks of {executions}: {errors[:300]}')
                bad += 1
            if o.per_row and (o.digest or o.expect):
                names = [items[0][0] for items in blocks]
                digests = {name: row_digest([a[(r * len(blocks) + k) * P.DUMP:][:P.DUMP] for r in range(o.rounds)]) for k, name in enumerate(names)}
                if o.digest:
                    print('\n'.join(f'{name} {digest}' for name, digest in digests.items()))
                    continue
                bad += check_digests(o.expect, digests, {r.name for r in isa.rows})
            if not runner.theirs:
                continue
            status, b, errors = runner.run(runner.theirs)
            if status or len(b) != executions * P.DUMP:
                print(f'seed {seed}: the reference: status {status}, {len(b) // P.DUMP} blocks: {errors[:300]}')
                bad += 1
            if a == b:
                continue
            for k in range(0, max(len(a), len(b)), P.DUMP):
                if a[k:k + P.DUMP] != b[k:k + P.DUMP]:
                    bad += 1
                    at = k // P.DUMP
                    report(runner, seed, at, blocks[at % len(blocks)], states[at % len(states)], pristine, seen,
                           (a[k:k + P.DUMP], b[k:k + P.DUMP]))
                    if bad > 400:
                        break
    for name, times in sorted(seen.items(), key=lambda x: -x[1]):
        print(f'{name}: {times} blocks')
    if not bad and not o.digest:
        print(f'{executed} instructions of {len(maker.rows) + len(maker.pac)} kinds: nothing differs')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
