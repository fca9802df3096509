#!/usr/bin/env python3
"""Turns the x86 instruction tables (target/x86/isa/*.isa, docs/devel/x86-isa.md) into the decoder's tables, the rows'
names and operands for disassembly and tests, and the prototypes of the handlers.

usage: gen-x86-decode.py --header OUT.h --source OUT.c --doc OUT.rst --features features.def FILE.isa...

Every mistake in the input is one line `file:line: message` and status 1.
"""
import argparse
import re
import sys

FLAGS = 'OSZAPCDI'
FLAG_LETTERS = '-tmwu01'
KINDS = ('normal', 'branch', 'jump', 'call', 'indirect', 'stop')
UNITS = ('int', 'x87', 'mmx', 'sse', 'avx', 'simd')
ATTRS = ('lock', 'i64', 'o64', 'd64', 'f64', 'pe', 'rep')
PP = {'np': 1, '66': 2, 'f3': 4, 'f2': 8, 'nf': 3}
MAPS = {(): 0, ('0f',): 1, ('0f', '38'): 2, ('0f', '3a'): 3}
VEX_MAPS = {'0f': 1, '0f38': 2, '0f3a': 3, 'map5': 5, 'map6': 6}
VEX_L = {'128': 1, 'l0': 1, 'lz': 1, '256': 2, 'l1': 2, '512': 4, 'lig': 7}
VEX_W = {'w0': 1, 'w1': 2, 'wig': 3}
SIZES = ('b', 'w', 'd', 'q', 'dq', 'qq', 'x', 'v', 'z', 'y', 'p', 'a', 's', 'ps', 'pd', 'ss', 'sd', 't', 'm', 'bs', 'h', '')
LETTERS = 'ABCDEGHIJLMNOPQRSUVWXYZ'
MODRM_RM = 'EMNQRUW'
MODRM_REG = 'CDGPSV'
FIXED = {
    **{name: ('REG', n, 'b') for n, name in enumerate(('AL', 'CL', 'DL', 'BL'))},
    'AX': ('REG', 0, 'w'), 'DX': ('REG', 2, 'w'), 'EAX': ('REG', 0, 'd'), 'rAX': ('REG', 0, 'v'), 'zAX': ('REG', 0, 'z'),
    'rCX': ('REG', 1, 'v'), 'rDX': ('REG', 2, 'v'), 'RAX': ('REG', 0, 'q'),
    **{name: ('SEG', n, 'w') for n, name in enumerate(('ES', 'CS', 'SS', 'DS', 'FS', 'GS'))},
    'ST0': ('ST', 0, 't'), 'XMM0': ('VEC', 0, 'dq'), '1': ('ONE', 1, 'b'),
}


class IsaError(Exception):
    pass


class Operand:
    def __init__(self, text):
        self.text, self.fixed = text, None
        if text in FIXED:
            self.kind, self.fixed, self.size = FIXED[text]
            self.mem_size = self.size
            return
        if text == 'STi':
            self.kind, self.size, self.mem_size = 'STI', 't', 't'
            return
        m = re.fullmatch(r'([A-Z])([a-z]*)(?:/M([a-z]*))?', text)
        if not m or m[1] not in LETTERS or m[2] not in SIZES or (m[3] or '') not in SIZES:
            raise IsaError(f"operand '{text}'")
        letter, self.size = m[1], m[2]
        self.mem_size = m[3] if m[3] is not None else m[2]
        if m[3] is not None:     # "Rd/Mw": another size in memory
            letter = {'R': 'E', 'U': 'W', 'N': 'Q'}.get(letter)
            if not letter:
                raise IsaError(f"operand '{text}': only R, U and N have an alternative in memory")
        self.kind = letter

    @property
    def uses_rm(self):
        return self.kind in MODRM_RM or self.kind == 'STI'

    @property
    def uses_reg(self):
        return self.kind in MODRM_REG


class Row:
    def __init__(self, where, name, unit, section):
        self.where, self.name, self.unit, self.section = where, name, unit, section
        self.enc, self.map, self.opcode, self.plus_r = 'LEGACY', 0, 0, False
        self.pp, self.mod, self.reg, self.rm, self.w, self.l = 15, 0, -1, -1, 3, 7
        self.operands, self.attrs, self.features, self.any_feature = [], set(), [], False
        self.kind, self.flags, self.handler, self.aux = 'normal', '-' * 8, name.split('/')[0].replace('.', '_'), '0'
        self.has_modrm = False

    def keys(self):
        return [(self.enc, self.map, self.opcode + r) for r in range(8 if self.plus_r else 1)]

    def code_modes(self):
        return {'i64': 1, 'o64': 2}.get(next((a for a in ('i64', 'o64') if a in self.attrs), ''), 3)

    def space(self):
        """Sets of what the row accepts, for overlap and refinement."""
        return (self.pp, self.mod & 3 or 3, 255 if self.reg < 0 else 1 << self.reg, 255 if self.rm < 0 else 1 << self.rm,
                self.w, self.l, self.code_modes())

    def overlaps(self, other):
        return all(a & b for a, b in zip(self.space(), other.space()))

    def inside(self, other):
        return all(a & b == a for a, b in zip(self.space(), other.space()))

    def refines(self, other):
        """A row that needs more of the processor goes first; without it the other one means something."""
        if not self.inside(other):
            return False
        if self.space() != other.space():
            return True
        return bool(self.features) and not other.features

    def weight(self):
        """Smaller: more specific."""
        return (sum(bin(x).count('1') for x in self.space()), not self.features)


class Isa:
    def __init__(self, features):
        self.known, self.rows = features, []
        self.unit, self.section, self.default_features = 'int', '', ([], False)

    def read(self, path):
        self.unit, self.section, self.default_features = 'int', '', ([], False)
        with open(path, encoding='utf-8') as stream:
            for number, line in enumerate(stream, 1):
                line = re.sub(r'(^|\s)#.*', '', line).strip()
                if not line:
                    continue
                try:
                    self.statement(f'{path}:{number}', line)
                except IsaError as e:
                    raise IsaError(f'{path}:{number}: {e}') from None

    def statement(self, where, line):
        words = line.split()
        if words[0] == 'section':       # section UNIT [FEATURE]|- text
            if len(words) < 3 or words[1] not in UNITS:
                raise IsaError(f'section UNIT FEATURE TEXT, UNIT one of {" ".join(UNITS)}')
            self.unit, self.section = words[1], ' '.join(words[3:])
            self.default_features = ([], False) if words[2] == '-' else self.parse_features(words[2])
            return
        parts = [part.strip() for part in line.split('|')]
        if '[' in line:                 # alternatives of features use the same sign
            parts = [part.strip() for part in re.split(r'\|(?![^\[]*\])', line)]
        if len(parts) != 3:
            raise IsaError('a row is MNEMONIC OPERANDS | OPCODE | ATTRIBUTES')
        head = parts[0].split(None, 1)
        row = Row(where, head[0], self.unit, self.section)
        if len(head) > 1:
            row.operands = [Operand(text.strip()) for text in head[1].split(',')]
            if len(row.operands) > 4:
                raise IsaError('more than four operands')
        row.features, row.any_feature = self.default_features
        self.parse_opcode(row, parts[1].lower().split())
        self.parse_attributes(row, parts[2])
        self.finish(row)
        self.rows.append(row)

    def parse_features(self, text):
        m = re.fullmatch(r'\[(\w+(?:[,|]\w+)*)\]', text)
        if not m:
            raise IsaError(f"'{text}' is not [FEATURE,FEATURE] or [FEATURE|FEATURE]")
        names = re.split(r'[,|]', m[1])
        for name in names:
            if name not in self.known:
                raise IsaError(f"no feature '{name}' in features.def")
        if len(names) > 3:
            raise IsaError('more than three features')
        return names, '|' in m[1]

    @staticmethod
    def parse_opcode(row, words):
        at = 0
        if words and words[0].startswith(('vex', 'evex')):
            fields = words[0].split('.')
            row.enc, row.pp, row.map, row.w, row.l = fields[0].upper(), 1, 0, 3, 7
            for field in fields[1:]:
                if field in VEX_L:
                    row.l = VEX_L[field]
                elif field in VEX_W:
                    row.w = VEX_W[field]
                elif field in VEX_MAPS:
                    row.map = VEX_MAPS[field]
                elif field in PP and field != 'nf':
                    row.pp = PP[field]
                else:
                    raise IsaError(f"'{field}' in '{words[0]}'")
            if not row.map:
                raise IsaError(f"'{words[0]}' names no opcode map")
            at = 1
        else:
            if words and words[0] in PP and len(words) > 1 and not words[1].startswith(('/', 'w')):
                row.pp = PP[words[0]]
                at = 1
            path = []
            while at < len(words) - 1 and tuple(path + [words[at]]) in MAPS and re.fullmatch(r'[0-9a-f]{2}(\+r)?', words[at + 1]):
                path.append(words[at])
                at += 1
            row.map = MAPS[tuple(path)]
        m = re.fullmatch(r'([0-9a-f]{2})(\+r)?', words[at] if at < len(words) else '')
        if not m:
            raise IsaError('no opcode byte')
        row.opcode, row.plus_r = int(m[1], 16), bool(m[2])
        if row.plus_r and row.opcode & 7:
            raise IsaError('+r with an opcode that is no multiple of eight')
        for word in words[at + 1:]:
            m = re.fullmatch(r'([0-9a-f]{2})(\+i)?', word)
            if word == '/r':
                row.has_modrm = True
            elif re.fullmatch(r'/[0-7]', word):
                row.has_modrm, row.reg = True, int(word[1])
            elif m:      # a whole ModRM byte, or one with a register in its low bits
                value = int(m[1], 16)
                if value < 0xc0 or m[2] and value & 7:
                    raise IsaError(f"'{word}': a fixed second byte is a register form")
                row.has_modrm, row.mod, row.reg = True, 2, value >> 3 & 7
                if not m[2]:
                    row.rm = value & 7
            elif word in ('w0', 'w1'):
                row.w = VEX_W[word]
            elif word in ('mem', 'reg', 'any'):   # any: ModRM.mod means nothing, rm is a register (MOV to and from CR and DR)
                row.mod = {'mem': 1, 'reg': 2, 'any': 7}[word]
            elif word in ('ib', 'iw', 'iz'):
                pass
            else:
                raise IsaError(f"'{word}' in the opcode")

    def parse_attributes(self, row, text):
        words = text.split()
        at = 0
        while at < len(words):
            word = words[at]
            if word in ATTRS:
                row.attrs.add(word)
            elif word.startswith('='):
                letters = word[1:]
                if len(letters) not in (6, 8) or any(c not in FLAG_LETTERS for c in letters):
                    raise IsaError(f"'{word}': six or eight of {FLAG_LETTERS} for {FLAGS}")
                row.flags = letters.ljust(8, '-')
            elif word.startswith('@'):
                row.kind = word[1:]
                if row.kind not in KINDS:
                    raise IsaError(f"unknown kind '{word}'")
            elif word.startswith('['):
                names, any_of = self.parse_features(word)
                row.features, row.any_feature = names, any_of
            elif word == '->':
                at += 1
                m = re.fullmatch(r'(\w+)(?:\((.*)\))?', ' '.join(words[at:]))
                if not m:
                    raise IsaError("'->' is followed by HANDLER or HANDLER(NUMBER), at the end of the row")
                row.handler, row.aux = m[1], m[2] or '0'
                break
            else:
                raise IsaError(f"unknown attribute '{word}'")
            at += 1

    @staticmethod
    def finish(row):
        only = {'M': 1, 'N': 2, 'R': 2, 'U': 2}
        for op in row.operands:
            if (op.uses_rm or op.uses_reg) and not row.has_modrm:
                raise IsaError(f"operand '{op.text}' needs /r or /digit")
            if op.uses_reg and row.reg >= 0:
                raise IsaError(f"operand '{op.text}' needs /r")
            if op.kind in only and not row.mod:
                row.mod = only[op.kind]
            if op.kind == 'Z' and not row.plus_r:
                raise IsaError(f"operand '{op.text}' needs an opcode with +r")
        if row.has_modrm and not row.mod:
            row.mod = 3
        if len(row.attrs & {'i64', 'o64'}) > 1 or len(row.attrs & {'d64', 'f64'}) > 1:
            raise IsaError('modes that exclude each other')
        if row.kind in ('branch', 'jump', 'call') and not any(op.kind == 'J' for op in row.operands):
            raise IsaError(f'@{row.kind} without a J operand')
        if 'lock' in row.attrs and not (row.operands and row.mod & 1):
            raise IsaError('lock without a memory operand')

    def check(self):
        cells = self.cells()
        for rows in cells.values():
            if len({row.has_modrm for row in rows}) > 1:
                raise IsaError(f'{rows[1].where}: opcode with ModRM here and without at {rows[0].where}')
            for i, a in enumerate(rows):
                for b in rows[:i]:
                    if a.overlaps(b) and not a.refines(b) and not b.refines(a):
                        raise IsaError(f"{a.where}: '{a.name}' overlaps '{b.name}' at {b.where}, neither is more specific")

    def cells(self):
        cells = {}
        for row in self.rows:
            for key in row.keys():
                cells.setdefault(key, []).append(row)
        return cells

    # -- writing -------------------------------------------------------------------------------

    def header(self):
        out = ['/* Generated by scripts/gen-x86-decode.py; do not edit. */', '#ifndef X86_DECODE_H', '#define X86_DECODE_H', '',
               '#include "target/x86/decode.h"', '', f'enum {{ X86_N_ROWS = {len(self.rows)} }};',
               'extern const X86Row x86_rows[X86_N_ROWS];', '', '/* The handlers: one external function each. */']
        out += [f'void x86_trans_{name}(TransCtx *ctx, const X86Insn *in);'
                for name in sorted({row.handler for row in self.rows})]
        return '\n'.join(out + ['', '#endif', ''])

    @staticmethod
    def operand_c(op):
        kind = {'REG': 'FIXED_REG', 'SEG': 'FIXED_SEG', 'VEC': 'FIXED_VEC', 'ST': 'FIXED_ST'}.get(op.kind, op.kind)
        return (f'{{ X86_SPEC_{kind}, X86_SIZE_{op.size.upper() or "NONE"}, X86_SIZE_{op.mem_size.upper() or "NONE"}, '
                f'{op.fixed or 0} }}')

    def row_c(self, row):
        masks = {letters: sum(1 << i for i, c in enumerate(row.flags) if c in letters) for letters in ('tw', 'mw01u', 'u', '0', '1')}
        attrs = ' | '.join(f'X86_ATTR_ROW_{a.upper()}' for a in sorted(row.attrs)) or '0'
        features = [f'X86_FEAT_{name}' for name in row.features] + ['X86_FEAT_NONE'] * (3 - len(row.features))
        operands = ', '.join(self.operand_c(op) for op in row.operands) or '{ 0 }'
        return (f'    {{ "{row.name}", "{row.section}", x86_trans_{row.handler}, {{ {operands} }}, '
                f'{{ {", ".join(features)} }}, {attrs}, (uint16_t)({row.aux}), X86_ENC_{row.enc}, {row.map}, {row.opcode:#x}, '
                f'{row.pp}, {row.mod if row.has_modrm else 0}, {row.reg}, {row.rm}, {row.w}, {row.l}, {int(row.any_feature)}, '
                f'{len(row.operands)}, SCAN_{row.kind.upper()}, X86_UNIT_{row.unit.upper()}, '
                f'{{ {masks["tw"]:#x}, {masks["mw01u"]:#x}, {masks["u"]:#x}, {masks["0"]:#x}, {masks["1"]:#x} }} }},')

    def source(self):
        number = {id(row): n for n, row in enumerate(self.rows)}
        out = ['/* Generated by scripts/gen-x86-decode.py; do not edit. */', '#include "target/x86/translate.h"', '#include "target/x86/simd.h"', '', 'const X86Row x86_rows[X86_N_ROWS] = {']
        out += [self.row_c(row) for row in self.rows]
        candidates, cells = [], {}
        for key, rows in sorted(self.cells().items(), key=lambda item: str(item[0])):
            rows = sorted(rows, key=Row.weight)
            cells[key] = (len(candidates), len(rows), rows[0].has_modrm)
            candidates += [number[id(row)] for row in rows]
        out += ['};', '', 'const uint16_t x86_candidates[] = {']
        for at in range(0, len(candidates), 24):
            out.append('    ' + ', '.join(str(n) for n in candidates[at:at + 24]) + ',')
        out += ['};', '', 'const X86Cell x86_cells[X86_N_ENCS][X86_N_MAPS][256] = {']
        for (enc, opmap, opcode), (first, n, modrm) in cells.items():
            out.append(f'    [X86_ENC_{enc}][{opmap}][{opcode:#x}] = {{ {first}, {n}, {int(modrm)} }},')
        return '\n'.join(out + ['};', ''])

    def doc(self):
        out = ['x86 instructions', '================', '', 'Generated from ``target/x86/isa/*.isa``.', '',
               '.. list-table::', '   :header-rows: 1', '', '   * - Instruction', '     - Feature', '     - Flags (OSZAPCDI)', '     - Manual']
        for row in self.rows:
            text = row.name + (' ' + ', '.join(op.text for op in row.operands) if row.operands else '')
            out += [f'   * - ``{text}``', '     - ' + ('|' if row.any_feature else ',').join(row.features),
                    f'     - ``{row.flags}``', f'     - {row.section}']
        return '\n'.join(out + [''])


def main():
    parser = argparse.ArgumentParser()
    for name in ('header', 'source', 'doc', 'features'):
        parser.add_argument('--' + name, required=True)
    parser.add_argument('files', nargs='+')
    args = parser.parse_args()
    with open(args.features, encoding='utf-8') as stream:
        features = set(re.findall(r'^FEATURE\(\w+, (\w+),', stream.read(), re.M))
    try:
        isa = Isa(features)
        for path in args.files:
            isa.read(path)
        isa.check()
    except IsaError as e:
        print(e, file=sys.stderr)
        return 1
    for path, text in ((args.header, isa.header()), (args.source, isa.source()), (args.doc, isa.doc())):
        with open(path, 'w', encoding='utf-8') as stream:
            stream.write(text)
    return 0


if __name__ == '__main__':
    sys.exit(main())
