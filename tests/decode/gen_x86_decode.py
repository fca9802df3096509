#!/usr/bin/env python3
"""Tests of scripts/gen-x86-decode.py: every mistake in a table is one line with file and line number; rows that refine others are accepted.

usage: gen_x86_decode.py GENERATOR
"""
import os
import subprocess
import sys
import tempfile

FEATURES = 'FEATURE(1_EDX, SSE2, "sse2", 26)\nFEATURE(1_EDX, TSC, "tsc", 4)\n'

ERRORS = [
    ('add Eb,Gb | 00 /r', 'a row is MNEMONIC OPERANDS | OPCODE | ATTRIBUTES'),
    ('section fpu - text', 'section UNIT FEATURE TEXT'),
    ('add Kb,Gb | 00 /r | -> add', "operand 'Kb'"),
    ('add Eb,Gb | 00 | -> add', "operand 'Eb' needs /r or /digit"),
    ('add Eb,Gb | 00 /1 | -> add', "operand 'Gb' needs /r"),
    ('add Gd/Mw,Eb | 00 /r | -> add', 'only R, U and N have an alternative in memory'),
    ('push Zv | 50 | -> push', "operand 'Zv' needs an opcode with +r"),
    ('push Zv | 51+r | -> push', '+r with an opcode that is no multiple of eight'),
    ('add Eb,Gb | zz /r | -> add', 'no opcode byte'),
    ('fadd ST0,STi | d8 80+i | -> fadd', 'a fixed second byte is a register form'),
    ('add Eb,Gb | 00 /r sib | -> add', "'sib' in the opcode"),
    ('vadd Vx,Wx | vex.128.77.0f 58 /r | -> vadd', "'77' in 'vex.128.77.0f'"),
    ('vadd Vx,Wx | vex.128.66 58 /r | -> vadd', 'names no opcode map'),
    ('add Eb,Gb | 00 /r | fast -> add', "unknown attribute 'fast'"),
    ('add Eb,Gb | 00 /r | =mmm -> add', "'=mmm': six or eight of"),
    ('add Eb,Gb | 00 /r | @sometimes -> add', "unknown kind '@sometimes'"),
    ('add Eb,Gb | 00 /r | [SSE9] -> add', "no feature 'SSE9' in features.def"),
    ('add Eb,Gb | 00 /r | i64 o64 -> add', 'modes that exclude each other'),
    ('jmp Ev | ff /4 | @jump -> jmp', '@jump without a J operand'),
    ('inc Zv | 40+r | lock -> inc', 'lock without a memory operand'),
    ('add Eb,Gb | 00 /r | ->', "'->' is followed by"),
    ('add Eb,Gb,Ib,Ib,Ib | 00 /r | -> add', 'more than four operands'),
    ('add Eb,Gb | 00 /r | -> add\nsub Eb,Gb | 00 /r | -> sub', "'sub' overlaps 'add'"),
    ('add Eb,Ib | 80 /0 | -> add\nsub Mb,Gb | 80 /r | -> sub', "'sub' overlaps 'add'"),
    ('nop | 90 | -> nop\npop Eb | 90 /r | -> pop', 'opcode with ModRM here and without at'),
]

GOOD = '''
section int - Test
add Eb,Gb | 00 /r | lock =mmmmmm -> add
bsr Gv,Ev | 0f bd /r | -> bsr
lzcnt Gv,Ev | f3 0f bd /r | [SSE2] -> lzcnt
mov Zv,Iv | b8+r | -> mov
cmpxchg8b Mq | 0f c7 /1 | -> cx8
cmpxchg16b Mdq | 0f c7 /1 w1 | o64 -> cx16
xgetbv | 0f 01 d0 | [SSE2|TSC] -> xgetbv
lgdt Ms | 0f 01 /2 | -> lgdt
vaddps Vx,Hx,Wx | vex.np.0f.wig 58 /r | -> vaddps(IR_vfadd)
'''


def run(generator, text):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 't.isa')
        features = os.path.join(folder, 'features.def')
        with open(path, 'w', encoding='utf-8') as stream:
            stream.write(text)
        with open(features, 'w', encoding='utf-8') as stream:
            stream.write(FEATURES)
        out = {name: os.path.join(folder, 'out.' + name) for name in ('h', 'c', 'rst')}
        r = subprocess.run([sys.executable, generator, '--header', out['h'], '--source', out['c'], '--doc', out['rst'], '--features', features,
                            path], capture_output=True, text=True, check=False)
        texts = {}
        for name, at in out.items():
            if os.path.exists(at):
                with open(at, encoding='utf-8') as stream:
                    texts[name] = stream.read()
        return r, texts


def main():
    generator = sys.argv[1]
    failures = 0
    for text, want in ERRORS:
        r, _ = run(generator, '\n' + text + '\n')
        lines = r.stderr.strip().split('\n')
        line = 2 + text.count('\n')
        if r.returncode != 1 or len(lines) != 1 or want not in lines[0] or f't.isa:{line}:' not in lines[0]:
            print(f'{text!r}: wanted {want!r} at line {line}, got status {r.returncode}, {r.stderr!r}')
            failures += 1
    r, texts = run(generator, GOOD)
    if r.returncode:
        print(r.stderr)
        return 1
    for want, where in (('enum { X86_N_ROWS = 9 };', 'h'), ('void x86_trans_lzcnt(TransCtx *ctx, const X86Insn *in);', 'h'),
                        ('[X86_ENC_LEGACY][1][0xbd] = { ', 'c'), ('(uint16_t)(IR_vfadd), X86_ENC_VEX, 1, 0x58', 'c'),
                        ('[X86_ENC_LEGACY][0][0xbf] = { ', 'c'), ('``cmpxchg16b Mdq``', 'rst')):
        if want not in texts[where]:
            print(f'{want!r} is not in the output')
            failures += 1
    # lzcnt goes before bsr, cmpxchg16b before cmpxchg8b.
    rows = [line.split('"')[1] for line in texts['c'].split('\n') if line.startswith('    { "')]
    order = texts['c'].split('x86_candidates[] = {')[1].split('};')[0].replace(',', ' ').split()
    order = [rows[int(n)] for n in order]
    for first, second in (('lzcnt', 'bsr'), ('cmpxchg16b', 'cmpxchg8b'), ('xgetbv', 'lgdt')):
        if order.index(first) > order.index(second):
            print(f'{first} is tried after {second}')
            failures += 1
    return failures != 0


if __name__ == '__main__':
    sys.exit(main())
