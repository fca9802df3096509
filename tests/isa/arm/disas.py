#!/usr/bin/env python3
"""Compares the disassembly of floating-point and Advanced SIMD instructions with objdump's, mnemonic and operands.

usage: disas.py ARM-DISAS [COUNT [SEED]]
Words that objdump does not know, and those whose mnemonic stands alone (target/arm/disas-simd.c says which), are passed over.
"""
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

OBJDUMP = 'aarch64-linux-gnu-objdump'


def normal(text):
    """Lists in full, numbers in decimal, no blanks."""
    text = re.sub(r'//.*', '', text)
    text = re.sub(r'\s+', '', text)
    text = re.sub(r'\{v(\d+)\.(\w+)-v(\d+)\.\w+\}',
                  lambda m: '{' + ','.join(f'v{(int(m[1]) + i) % 32}.{m[2]}' for i in range((int(m[3]) - int(m[1])) % 32 + 1)) + '}', text)
    return re.sub(r'0x([0-9a-f]+)(<.*>)?', lambda m: str(int(m[1], 16) % 2**64), text)


def main():
    if not shutil.which(OBJDUMP):
        print('no', OBJDUMP)
        return 77
    count, seed = (sys.argv[2:] + ['20', '1'])[:2] if len(sys.argv) < 4 else sys.argv[2:4]
    ours = [line.split('\t', 1) for line in subprocess.run([sys.argv[1], count, seed], check=True, capture_output=True,
                                                           text=True).stdout.splitlines()]
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, 'words')
        with open(path, 'wb') as f:
            f.write(b''.join(struct.pack('<I', int(word, 16)) for word, _ in ours))
        text = subprocess.run([OBJDUMP, '-D', '-b', 'binary', '-m', 'aarch64', '-M', 'no-aliases', '-z', path], check=True,
                              capture_output=True, text=True).stdout
    theirs = re.findall(r'^\s*([0-9a-f]+):\t[0-9a-f]{8} \t(\S+)[ \t]*(.*)$', text, re.M)
    if len(theirs) != len(ours):
        sys.exit(f'{len(theirs)} lines of objdump for {len(ours)} words')
    compared, wrong = 0, []
    for (word, mine), (at, name, operands) in zip(ours, theirs):
        simd = int(word, 16) >> 25 & 7 in (6, 7)
        if not simd or '\t' not in mine or name in ('.inst', 'udf'):
            continue
        compared += 1
        # objdump's literals are addresses in the file.
        relative = int(word, 16) & 0x3b000000 == 0x18000000
        own_name, own_operands = mine.split('\t', 1)
        same = relative or normal(own_operands) == normal(operands)
        if own_name != name or not same:
            wrong.append(f'{word}: {name} {operands}, not {mine}')
    print(f'{compared} compared, {len(wrong)} differ')
    print('\n'.join(wrong[:20]))
    return 1 if wrong or compared < len(ours) // 3 else 0


if __name__ == '__main__':
    sys.exit(main())
