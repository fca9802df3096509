#!/usr/bin/env python3
"""Compares the rows of .isa files with an assembler's view of the same words: mnemonic by mnemonic.

usage: rows_objdump.py [-n WORDS] [--objdump PROGRAM] [--space] GEN-DECODE.py FILE.isa...

Random words of every row are disassembled by aarch64 objdump; a row that objdump names differently is
reported once, with a word. A row may fill reserved encodings (its handler refuses them), which objdump shows
as `.inst`; they are counted. With --space, random words of the SIMD and floating-point space are also taken
that no row claims: mnemonics that objdump knows there are listed as missing. Status 1 if a name differs.
"""
import argparse
import collections
import importlib.util
import random
import re
import struct
import subprocess
import sys
import tempfile

# Encodings that have names of their own only as aliases, or with zeros in CRm.
ALIASES = {'b.cond': re.compile(r'b\.'), 'cfinv': re.compile('msr'), 'xaflag': re.compile('msr'), 'axflag': re.compile('msr')}
HINTS = re.compile(r'(pac|aut)i[ab](1716|sp|z)$|xpaclri$')
# Of extensions that binutils 2.40 does not know.
NEWER = re.compile(r'(stlr|ldapr)/._(pre|post)|(stilp|ldiapp)/|(ldclrp|ldsetp|swpp)a?l?$')


def load(path):
    spec = importlib.util.spec_from_file_location('gen_decode', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def objdump(program, words):
    with tempfile.NamedTemporaryFile(suffix='.bin') as f:
        f.write(b''.join(struct.pack('<I', w) for w in words))
        f.flush()
        text = subprocess.run([program, '-D', '-b', 'binary', '-m', 'aarch64', '-M', 'no-aliases', '-z', f.name], check=True,
                              capture_output=True, text=True).stdout
    names = [m[1] for m in re.finditer(r'^\s*[0-9a-f]+:\t[0-9a-f]{8} \t(\S+)', text, re.M)]
    if len(names) != len(words):
        sys.exit(f'{program}: {len(names)} lines for {len(words)} words')
    return names


def main():
    p = argparse.ArgumentParser()
    p.add_argument('-n', type=int, default=40)
    p.add_argument('--objdump', default='aarch64-linux-gnu-objdump')
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--space', action='store_true')
    p.add_argument('gen')
    p.add_argument('files', nargs='+')
    a = p.parse_args()
    isa = load(a.gen).Isa()
    for path in a.files:
        isa.read(path)
    isa.check()
    rng = random.Random(a.seed)

    def decode(w):
        hits = [r for r in isa.rows if w & r.mask == r.match]
        return max(hits, key=lambda r: bin(r.mask).count('1'), default=None)

    def fill(row):  # what has no meaning should mostly be zeros in some rows, ones in others
        return row.match | rng.getrandbits(32) & ~row.mask & ~row.free | rng.choice((0, row.free))

    words = [fill(row) for row in isa.rows for _ in range(a.n)]
    wrong, reserved, seen = {}, collections.Counter(), collections.Counter()
    for w, theirs in zip(words, objdump(a.objdump, words)):
        row = decode(w)
        ours = row.name.split('/')[0]
        base = theirs.removesuffix('2')
        if theirs in ('.inst', 'udf'):
            reserved[row.name] += 1
        elif (ours not in (theirs, base) and not (HINTS.match(ours) and theirs == 'hint')
              and not (ours in ALIASES and ALIASES[ours].match(theirs))):
            wrong.setdefault(row.name, f'{w:08x} is {theirs}')
        else:
            seen[row.name] += 1
    for name, text in wrong.items():
        print(f'{name}: {text}')
    never = [r.name for r in isa.rows if not seen[r.name] and r.name not in wrong and not NEWER.match(r.name)]
    for name in never:
        print(f'{name}: objdump knows none of its words')
    print(f'{len(isa.rows)} rows, {len(words)} words, {sum(reserved.values())} reserved')
    if reserved:
        print('reserved words in: ' + ' '.join(f'{n}:{c}' for n, c in sorted(reserved.items())))
    if a.space:
        free = [w for w in (rng.getrandbits(32) & ~0x06000000 | rng.choice((0x04000000, 0x06000000)) | 0x04000000
                            for _ in range(400000))
                if w >> 25 & 0xf in (0x7, 0xf, 0x6, 0xe) and not decode(w)]
        missing = collections.defaultdict(list)
        for w, name in zip(free, objdump(a.objdump, free)):
            if name not in ('.inst', 'udf'):
                missing[name].append(w)
        for name, ws in sorted(missing.items()):
            print(f'no row: {name} {len(ws)} ({ws[0]:08x})')
    return 1 if wrong or never else 0


if __name__ == '__main__':
    sys.exit(main())
