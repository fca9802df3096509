#!/usr/bin/env python3
"""Tests of scripts/gen-decode.py: field extraction, choice of the most specific row, gates, and every error.

usage: gen_decode.py GENERATOR [CC INCLUDE-DIR]
"""
import os
import subprocess
import sys
import tempfile

BASE = '''
field rd 11:7
field rs1 19:15
field imm signed 31:20
field split signed 31 7 30:25 11:8 <<1
args r rd:x rs1:x
args i rd:x rs1:x imm:d
args none
format R r rd rs1 : rd,rs1
format I i rd rs1 imm : rd,imm(rs1)
format C i rd=rd rs1=#2 imm=#0 : rd
format N none :
section - Test 1
'''
R = '0000000 00000 ..... 000 ..... 0110011'

ERRORS = [
    ('field rd 11:7', "field 'rd' is defined twice"),
    ('field x', 'field NAME'),
    ('field x 7:9', "bad bit range '7:9'"),
    ('field x 40:3', "bad bit range '40:3'"),
    ('field x seven', "'seven' is not a bit range"),
    ('field x 5:3 4:2', 'field uses a bit twice'),
    ('field x 31:0', 'field does not fit an int'),
    ('args r rd:x', "args 'r' is defined twice"),
    ('args q rd', "'rd': an argument needs a one-letter kind"),
    ('format X q rd', 'format NAME ARGS'),
    ('format X r rd rs1=nope', "no field 'nope'"),
    ('format X r rd', "format 'X' does not set exactly the arguments of 'r'"),
    ('section -', 'section GATE'),
    ('section a&b Test', "bad gate 'a&b'"),
    ('a 0000 R', "row 'a': 4 bits instead of 16 or 32"),
    (f'a {R} Q', "row 'a': no format 'Q'"),
    (f'a {R} R @nope', "unknown kind '@nope'"),
    (f'a {R} R\na {R} R', "row 'a' is already at"),
    ('a 0000000 ..... ..... 000 ..... 0110011 R', "row 'a': bits 0x1f00000 belong to no field"),
    ('a 0000000 00000 ..... 000 ----- 0110011 R', "row 'a': field bits 0xf80 are not in the pattern"),
    (f'a {R} R\nb 0000000 00000 ..... 000 ..... 0110011 R', "'b' overlaps 'a'"),
    ('a 0000000 00000 ..... 000 ..... 0110011 R -> h\nb ............ ..... 001 ..... 0110011 I -> h',
     "handler 'h' takes 'r'"),
]

PROGRAM = r'''
#include <stdio.h>
#include "t-decode.h"
#define CHECK(x) do { if (!(x)) { printf("failed: %s\n", #x); bad = 1; } } while (0)
void t_trans_h(TransCtx *c, const TArgsI *a) { (void)c; (void)a; }
void t_trans_branch(TransCtx *c, const TArgsB *a) { (void)c; (void)a; }
void t_trans_any(TransCtx *c, const TArgsR *a) { (void)c; (void)a; }
void t_trans_zero(TransCtx *c, const TArgsR *a) { (void)c; (void)a; }
void t_trans_gated(TransCtx *c, const TArgsR *a) { (void)c; (void)a; }
int main(void)
{
    bool ext[T_N_EXTS] = { false };
    TArgs a;
    int bad = 0;
    CHECK(t_decode32(0xfff10083, ext) == T_ROW_load);
    t_extract(T_ROW_load, 0xfff10083, &a);
    CHECK(a.i.rd == 1 && a.i.rs1 == 2 && a.i.imm == -1);
    CHECK(t_decode32(0x80000fe3, ext) == T_ROW_branch);
    t_extract(T_ROW_branch, 0x80000fe3, &a);      /* imm[12] set, imm[11] set, imm[4:1] = 15 */
    CHECK(a.b.imm == -4096 + 2048 + 30);
    CHECK(t_decode32(0x00010033, ext) == T_ROW_zero);   /* rd = 0: the more specific row */
    CHECK(t_decode32(0x000100b3, ext) == T_ROW_any);
    CHECK(t_decode32(0x00008133, ext) == T_ROW_any);    /* gate closed: falls to the general row */
    ext[T_EXT_Zx] = true;
    CHECK(t_decode32(0x00008133, ext) == T_ROW_gated);
    CHECK(t_decode32(0x00000000, ext) == -1);
    CHECK(t_decode16(0x4501, ext) == T_ROW_short);
    t_extract(T_ROW_short, 0x4501, &a);
    CHECK(a.i.rd == 10 && a.i.rs1 == 2 && a.i.imm == 0);
    CHECK(t_rows[T_ROW_branch].kind == DECODE_BRANCH && t_rows[T_ROW_short].length == 2);
    return bad;
}
'''
GOOD = BASE + '''
args b imm:p
format B b imm=split : imm
load    ............ ..... 000 ..... 0000011 I -> h
branch  ....... 00000 00000 000 ..... 1100011 B @branch
any     000000000000 ..... 000 ..... 0110011 R
zero    000000000000 ..... 000 00000 0110011 R
gated   000000000000 00001 000 00010 0110011 R [Zx]
short   010 0 ..... 00000 01 C -> h
'''


def generate(generator, tmp, text):
    path = os.path.join(tmp, 't.isa')
    with open(path, 'w', encoding='utf-8') as out:
        out.write(text)
    run = subprocess.run([sys.executable, generator, '--prefix', 't', '--header', os.path.join(tmp, 't-decode.h'),
                          '--source', os.path.join(tmp, 't-decode.c'), path], capture_output=True, text=True)
    return run, path


def main():
    generator = sys.argv[1]
    bad = 0
    with tempfile.TemporaryDirectory() as tmp:
        for text, message in ERRORS:
            run, path = generate(generator, tmp, BASE + text + '\n')
            where = f'{path}:'
            if run.returncode != 1 or not run.stderr.startswith(where) or message not in run.stderr \
                    or run.stderr.count('\n') != 1:
                print(f'{text!r}: wanted "{message}", got {run.returncode} {run.stderr!r}')
                bad += 1
        run, _ = generate(generator, tmp, GOOD)
        if run.returncode:
            print('the good table was refused: ' + run.stderr)
            return 1
        if len(sys.argv) > 3:
            os.makedirs(os.path.join(tmp, 'target/t'))
            with open(os.path.join(tmp, 'target/t/ext.h'), 'w', encoding='utf-8') as out:
                out.write('enum { T_EXT_Zx, T_N_EXTS };\n')
            with open(os.path.join(tmp, 'main.c'), 'w', encoding='utf-8') as out:
                out.write('#include "target/t/ext.h"\n' + PROGRAM)
            exe = os.path.join(tmp, 'main')
            subprocess.run([sys.argv[2], '-std=gnu11', '-I' + tmp, '-I' + sys.argv[3], '-o', exe,
                            os.path.join(tmp, 'main.c'), os.path.join(tmp, 't-decode.c')], check=True)
            run = subprocess.run([exe], capture_output=True, text=True)
            print(run.stdout, end='')
            bad += run.returncode != 0
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
