#!/usr/bin/env python3
"""Compares our disassembly of random words of every table row with binutils' objdump.

usage: rows.py ROWS-PROGRAM [COUNT]
Rows binutils does not know are skipped; the summary says how many were compared.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

AS, OBJDUMP = 'riscv64-linux-gnu-as', 'riscv64-linux-gnu-objdump'
EXTS = ('v zicbom zicbop zicboz zihintpause zawrs zfh zba zbb zbc zbs zbkb zbkc zbkx zknd zkne zknh zksed zksh zkr '
        'svinval zicond zfa zacas zabha zcb zimop zcmop zihintntl zifencei zicsr')


def march(bits):
    """As many extensions as this assembler knows."""
    arch = f'rv{bits}imafdc'
    for ext in EXTS.split():
        trial = f'{arch}_{ext}'
        run = subprocess.run([AS, f'-march={trial}', '-o', '/dev/null', '/dev/null'], capture_output=True)
        if run.returncode == 0:
            arch = trial
    return arch


def normal(text):
    """One spelling for both: operands without blanks, symbols and comments dropped."""
    text = re.sub(r'\s*(#|<).*', '', text.strip())
    name, _, operands = text.partition('\t')
    operands = operands.replace(' ', '')
    return name.strip() + ('\t' + operands if operands else '')


def numbers(text):
    """Hexadecimal and decimal spell the same number."""
    def value(m):
        v = int(m[0], 0)
        return str(v - (1 << 64) if v >= 1 << 63 else v)
    return re.sub(r'(?<![a-z0-9.])-?(0x[0-9a-f]+|[0-9]+)(?![a-z0-9.])', value, text)


def main():
    program = sys.argv[1]
    count = sys.argv[2] if len(sys.argv) > 2 else '8'
    if not shutil.which(OBJDUMP):
        print('skipped: no ' + OBJDUMP)
        return 77
    bad = 0
    with tempfile.TemporaryDirectory() as tmp:
        for bits in (32, 64):
            raw, source, obj = (os.path.join(tmp, n) for n in ('raw', 's.s', 'o.o'))
            ours = subprocess.run([program, str(bits), count, '1', raw], capture_output=True, text=True)
            if ours.returncode:
                print(ours.stderr, end='')
                return 1
            lines = [line.split('\t', 2) for line in ours.stdout.splitlines()]
            with open(source, 'w', encoding='utf-8') as out:
                for _, word, _ in lines:
                    out.write(f'{".2byte" if len(word) == 4 else ".4byte"} 0x{word}\n')
            subprocess.run([AS, f'-march={march(bits)}', '-mabi=' + ('ilp32d' if bits == 32 else 'lp64d'),
                            '-o', obj, source], check=True)
            dump = subprocess.run([OBJDUMP, '-D', '-j', '.text', '-M', 'no-aliases', obj],
                                  capture_output=True, text=True, check=True).stdout
            theirs = [m for m in re.findall(r'^\s*([0-9a-f]+):\t([0-9a-f]+)\s+\t(.*)$', dump, re.M)]
            compared, unknown, rows_bad = 0, 0, set()
            table = {int(a, 16): (w, t) for a, w, t in theirs}
            at = 0
            for name, word, text in lines:
                entry = table.get(at)
                here = at
                at += len(word) // 2
                if entry is None or int(entry[0], 16) != int(word, 16) or entry[1].startswith('.') \
                        or 'unimp' in entry[1]:
                    unknown += 1
                    continue
                compared += 1
                # pc-relative targets: ours were made at pc 0
                a, b = numbers(normal(text)), numbers(normal(entry[1]))
                if name.startswith(('ntl', 'c.ntl', 'c.res', 'c.nop')) or re.match(r'c\.s(ra|rl|ll)i64', b):
                    continue        # a hint to us, an add to this objdump
                if a.startswith('csr'):   # objdump names more registers
                    a, b = (re.sub(r',[a-z0-9]+,', ',', t, count=1) for t in (a, b))
                if a != b:
                    ours_rel = re.search(r'(?:^|,|\t)(-?[0-9]+)$', a)
                    target = re.search(r'(?:,|\t)([0-9a-f]+)$', normal(entry[1]))
                    if ours_rel and target and \
                            (int(ours_rel[1]) + here - int(target[1], 16)) % (1 << bits) == 0:
                        continue
                    if name not in rows_bad:
                        print(f'rv{bits} {name} {word}: ours "{a}", objdump "{b}"')
                    rows_bad.add(name)
            bad += len(rows_bad)
            print(f'rv{bits}: {compared} compared, {unknown} not known to objdump, {len(rows_bad)} rows differ')
            if not compared:
                bad += 1
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
