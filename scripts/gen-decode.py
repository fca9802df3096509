#!/usr/bin/env python3
"""Turns .isa files (docs/devel/adding-instruction.md) into a decoder, argument structs, handler
prototypes, a dispatcher and the rows' table for disassembly and tests.

usage: gen-decode.py --prefix riscv [--target riscv] --header OUT.h --source OUT.c FILE.isa...
--target: the folder of target/ whose features (ext.h) the gates name, if that is not the prefix.

Every mistake in the input is one line `file:line: message` and status 1.
"""
import re
import sys

KINDS = ('normal', 'branch', 'jump', 'indirect', 'stop')
FLAGS = ('reads', 'sets')


class IsaError(Exception):
    pass


class Field:
    """Bits HI:LO of the word, most significant part first; scaled, biased, perhaps signed."""

    def __init__(self, signed, parts, shift, bias):
        self.signed, self.parts, self.shift, self.bias = signed, parts, shift, bias
        self.width = sum(hi - lo + 1 for hi, lo in parts)
        self.mask = 0
        for hi, lo in parts:
            bits = ((1 << (hi - lo + 1)) - 1) << lo
            if self.mask & bits:
                raise IsaError('field uses a bit twice')
            self.mask |= bits
        if self.width + shift > (32 if signed else 31):
            raise IsaError('field does not fit an int')

    def c_expr(self):
        at = self.width
        terms = []
        for hi, lo in self.parts:
            n = hi - lo + 1
            at -= n
            if self.signed and not terms:   # the first part carries the sign
                text = f'((int32_t)(w << {31 - hi}) >> {31 - hi + lo})'
                if at + self.shift:
                    text = f'(int32_t)((uint32_t){text} << {at + self.shift})'
            else:
                text = f'(w >> {lo} & {(1 << n) - 1:#x})'
                if at + self.shift:
                    text = f'({text} << {at + self.shift})'
                text = f'(int32_t){text}'
            terms.append(text)
        text = ' | '.join(terms)
        return f'({text}) + {self.bias}' if self.bias else text


class Format:
    def __init__(self, args, values, syntax):
        self.args, self.values, self.syntax = args, values, syntax


class Row:
    def __init__(self, where, name, length, mask, match, gates, section):
        self.where, self.name, self.length = where, name, length
        self.mask, self.match, self.gates, self.section = mask, match, gates, section
        self.format = self.handler = self.syntax = None
        self.kind, self.free = 'normal', 0
        self.flags = []
        self.ident = c_name(name)

    def overlaps(self, other):
        both = self.mask & other.mask
        return self.match & both == other.match & both

    def refines(self, other):
        return self.mask & other.mask == other.mask and self.mask != other.mask


def c_name(name):
    return name.replace('.', '_').replace('/', '_')


def camel(name):
    return ''.join(part.capitalize() for part in name.split('_'))


class Isa:
    def __init__(self):
        self.fields, self.args, self.formats, self.rows = {}, {}, {}, []
        self.exclusive = set()
        self.gates, self.section = [], ''
        self.space, self.spaces = '', ['']
        self.names = {}

    # -- reading -------------------------------------------------------------------------------

    def read(self, path):
        self.gates, self.section, self.space = [], '', ''
        with open(path, encoding='utf-8') as stream:
            for number, line in enumerate(stream, 1):
                words = re.sub(r'(^|\s)#(\s.*|$)', '', line).split()
                if not words:
                    continue
                try:
                    self.statement(f'{path}:{number}', words)
                except IsaError as e:
                    raise IsaError(f'{path}:{number}: {e}') from None

    def statement(self, where, words):
        reader = getattr(self, 'read_' + words[0], None)
        if reader and words[0] in ('field', 'args', 'format', 'section', 'exclusive', 'space'):
            reader(words[1:])
        else:
            self.read_row(where, words)

    def read_field(self, words):
        if len(words) < 2:
            raise IsaError('field NAME [signed] HI:LO... [<<N] [+N]')
        name, parts, signed, shift, bias = words[0], [], False, 0, 0
        for word in words[1:]:
            if word == 'signed':
                signed = True
            elif word.startswith('<<'):
                shift = int(word[2:])
            elif word.startswith('+'):
                bias = int(word[1:])
            else:
                m = re.fullmatch(r'(\d+)(?::(\d+))?', word)
                if not m:
                    raise IsaError(f"'{word}' is not a bit range")
                hi, lo = int(m[1]), int(m[2] if m[2] is not None else m[1])
                if not 31 >= hi >= lo:
                    raise IsaError(f"bad bit range '{word}'")
                parts.append((hi, lo))
        if name in self.fields:
            raise IsaError(f"field '{name}' is defined twice")
        if not parts:
            raise IsaError(f"field '{name}' has no bits")
        self.fields[name] = Field(signed, parts, shift, bias)

    def read_args(self, words):
        if not words:
            raise IsaError('args NAME ARG:KIND...')
        if words[0] in self.args:
            raise IsaError(f"args '{words[0]}' is defined twice")
        members = {}
        for word in words[1:]:
            name, _, kind = word.partition(':')
            if len(kind) != 1:
                raise IsaError(f"'{word}': an argument needs a one-letter kind")
            members[name] = kind
        self.args[words[0]] = members

    def read_format(self, words):
        if len(words) < 2 or words[1] not in self.args:
            raise IsaError('format NAME ARGS ARG[=FIELD|=#N]... [: SYNTAX]')
        if words[0] in self.formats:
            raise IsaError(f"format '{words[0]}' is defined twice")
        syntax = ''
        if ':' in words:
            at = words.index(':')
            syntax, words = ' '.join(words[at + 1:]), words[:at]
        values = {}
        for word in words[2:]:
            arg, _, source = word.partition('=')
            source = source or arg
            if source.startswith('#'):
                source = int(source[1:], 0)
            elif source not in self.fields:
                raise IsaError(f"no field '{source}'")
            values[arg] = source
        if set(values) != set(self.args[words[1]]):
            raise IsaError(f"format '{words[0]}' does not set exactly the arguments of '{words[1]}'")
        self.formats[words[0]] = Format(words[1], values, syntax)

    def read_section(self, words):
        if len(words) < 2:
            raise IsaError('section GATE MANUAL-SECTION')
        self.gates, self.section = self.parse_gate(words[0]), ' '.join(words[1:])

    def read_space(self, words):
        if len(words) != 1 or not re.fullmatch(r'[a-z]\w*', words[0]):
            raise IsaError('space NAME')
        self.space = words[0]
        if self.space not in self.spaces:
            self.spaces.append(self.space)

    def read_exclusive(self, words):
        for a in words:
            for b in words:
                if a != b:
                    self.exclusive.add((a, b))

    @staticmethod
    def parse_gate(text):
        """'A|B,C' means (A or B) and C; '-' is always open."""
        if text == '-':
            return []
        gates = [tuple(part.split('|')) for part in text.split(',')]
        for gate in gates:
            for name in gate:
                if not re.fullmatch(r'!?\w+', name):
                    raise IsaError(f"bad gate '{text}'")
        return gates

    def read_row(self, where, words):
        name, bits, at = words[0], '', 1
        while at < len(words) and re.fullmatch(r'[01.\-]+', words[at]):
            bits += words[at]
            at += 1
        if len(bits) not in (16, 32):
            raise IsaError(f"row '{name}': {len(bits)} bits instead of 16 or 32")
        if at == len(words) or words[at] not in self.formats:
            raise IsaError(f"row '{name}': no format" + (f" '{words[at]}'" if at < len(words) else ''))
        mask = int(''.join('1' if c in '01' else '0' for c in bits), 2)
        match = int(''.join('1' if c == '1' else '0' for c in bits), 2)
        row = Row(where, name, len(bits) // 8, mask, match, list(self.gates), self.section)
        if row.ident in self.names:
            raise IsaError(f"row '{name}' is already at {self.names[row.ident]}")
        self.names[row.ident] = where
        row.space = self.space
        row.format = self.formats[words[at]]
        row.free = int(''.join('1' if c == '-' else '0' for c in bits), 2)
        row.handler, syntax = row.ident, []
        rest = iter(words[at + 1:])
        for word in rest:
            if word == '->':
                row.handler = c_name(next(rest, ''))
            elif word.startswith('@'):
                if word[1:] in FLAGS:
                    row.flags.append('DECODE_' + word[1:].upper())
                    continue
                row.kind = word[1:]
                if row.kind not in KINDS:
                    raise IsaError(f"unknown kind '{word}'")
            elif word.startswith('[') and word.endswith(']'):
                row.gates += self.parse_gate(word[1:-1])
            else:
                syntax.append(word)
        row.syntax = ' '.join(syntax) or row.format.syntax
        row.syntax = '' if row.syntax == '""' else row.syntax
        self.check_bits(row, bits)
        self.rows.append(row)

    def check_bits(self, row, bits):
        """The dots of a pattern are exactly the bits of its format's fields."""
        used = 0
        for source in row.format.values.values():
            if not isinstance(source, int):
                used |= self.fields[source].mask
        dots = int(''.join('1' if c == '.' else '0' for c in bits), 2)
        if dots & ~used:
            raise IsaError(f"row '{row.name}': bits {dots & ~used:#x} belong to no field")
        if used & ~(dots | row.mask):
            raise IsaError(f"row '{row.name}': field bits {used & ~dots:#x} are not in the pattern")

    # -- checking ------------------------------------------------------------------------------

    def check(self):
        args_of = {}
        for row in self.rows:
            args = args_of.setdefault(row.handler, (row.format.args, row.where))
            if args[0] != row.format.args:
                raise IsaError(f"{row.where}: handler '{row.handler}' takes '{args[0]}' at {args[1]}")
        for i, a in enumerate(self.rows):
            for b in self.rows[:i]:
                if (a.space == b.space and a.length == b.length and a.overlaps(b) and not a.refines(b) and not b.refines(a)
                        and not self.gates_exclude(a, b) and not self.resolved(a, b)):
                    raise IsaError(f"{a.where}: '{a.name}' overlaps '{b.name}' at {b.where}, "
                                   'neither is more specific')

    def resolved(self, a, b):
        """A third row is exactly the words that a and b share."""
        return any(c is not a and c is not b and c.space == a.space and c.mask == a.mask | b.mask and
                   c.match == a.match | b.match for c in self.rows)

    def gates_exclude(self, a, b):
        singles_a = [g[0] for g in a.gates if len(g) == 1]
        singles_b = [g[0] for g in b.gates if len(g) == 1]
        return any((x, y) in self.exclusive or x == '!' + y or y == '!' + x
                   for x in singles_a for y in singles_b)

    # -- writing -------------------------------------------------------------------------------

    def gate_expr(self, row):
        terms = []
        for gate in row.gates:
            names = [('!' if g[0] == '!' else '') + f'ext[{self.target.upper()}_EXT_{g.lstrip("!")}]'
                     for g in gate]
            terms.append(names[0] if len(names) == 1 else '(' + ' || '.join(names) + ')')
        return ' && '.join(terms)

    def emit_decide(self, out, rows, done, prefix, indent):
        """Switches on the lowest run of bits that all rows fix; else tries one after another."""
        pad = '    ' * indent
        common = ~done
        for row in rows:
            common &= row.mask
        if len(rows) > 1 and common:
            lo = (common & -common).bit_length() - 1
            n = 1
            while common >> (lo + n) & 1:
                n += 1
            run = ((1 << n) - 1) << lo
            groups = {}
            for row in rows:
                groups.setdefault((row.match & run) >> lo, []).append(row)
            if len(groups) > 1:
                out.append(f'{pad}switch (w >> {lo} & {run >> lo:#x}) {{')
                for value in sorted(groups):
                    out.append(f'{pad}case {value:#x}:')
                    self.emit_decide(out, groups[value], done | run, prefix, indent + 1)
                    out.append(f'{pad}    break;')
                out.append(f'{pad}}}')
                return
            # One value for all: test it once, then go on below.
            out.append(f'{pad}if ((w >> {lo} & {run >> lo:#x}) == {next(iter(groups)):#x}) {{')
            self.emit_decide(out, rows, done | run, prefix, indent + 1)
            out.append(f'{pad}}}')
            return
        for row in sorted(rows, key=lambda r: -bin(r.mask).count('1')):
            tests = []
            if row.mask & ~done:
                tests.append(f'(w & {row.mask & ~done:#x}) == {row.match & ~done:#x}')
            gate = self.gate_expr(row)
            if gate:
                tests.append(gate)
            test = f'if ({" && ".join(tests)}) ' if tests else ''
            out.append(f'{pad}{test}return {prefix.upper()}_ROW_{row.ident};')
            if not tests:
                return

    def header(self, prefix):
        P, C = prefix.upper(), camel(prefix)
        out = ['/* Generated by scripts/gen-decode.py; do not edit. */', f'#ifndef {P}_DECODE_H',
               f'#define {P}_DECODE_H', '', '#include "target/decode.h"', '',
               f'typedef enum {C}Row {{']
        out += [f'    {P}_ROW_{row.ident},' for row in self.rows]
        out += [f'    {P}_N_ROWS', f'}} {C}Row;', '']
        for name, members in self.args.items():
            text = 'int ' + ', '.join(members) if members else 'int unused'
            out.append(f'typedef struct {C}Args{camel(name)} {{ {text}; }} {C}Args{camel(name)};')
        out += ['', f'typedef union {C}Args {{', '    int v[DECODE_MAX_ARGS];']
        out += [f'    {C}Args{camel(name)} {c_name(name)};' for name in self.args]
        out += [f'}} {C}Args;', '', '/* The handlers: one external function each. */']
        for handler, args in self.handlers().items():
            out.append(f'void {prefix}_trans_{handler}(TransCtx *ctx, const {C}Args{camel(args)} *a);')
        out += ['', f'extern const DecodeRow {prefix}_rows[{P}_N_ROWS];',
                f'/* The row of `w` ({prefix} instruction word) under the extensions ext[], or -1. */',
                *(f'int {self.decoder(prefix, space, bits)}(uint32_t w, const bool *ext);' for space in self.spaces for bits in (16, 32)),
                f'void {prefix}_extract(int row, uint32_t w, {C}Args *ret);',
                f'void {prefix}_dispatch(int row, TransCtx *ctx, const {C}Args *args);',
                f'bool {prefix}_row_enabled(int row, const bool *ext);', '', '#endif', '']
        return '\n'.join(out)

    @staticmethod
    def decoder(prefix, space, bits):
        return f'{prefix}_{space}_decode{bits}' if space else f'{prefix}_decode{bits}'

    def handlers(self):
        return {row.handler: row.format.args for row in self.rows}

    def syntax_bytes(self, row):
        """Literal characters; an argument is \\xff, index + 1, kind."""
        members = self.args[row.format.args]
        text = ''
        for piece in re.split(r'([a-z_][a-z0-9_]*(?::[A-Za-z])?)', row.syntax):
            name, _, kind = piece.partition(':')
            if name in members:
                if (kind or members[name]) in 'rm':   # an optional last operand brings its own comma
                    text = text.rstrip()
                text += f'\\377\\{list(members).index(name) + 1:03o}{kind or members[name]}'
            else:
                text += piece
        return text

    def source(self, prefix, header_name):
        P, C = prefix.upper(), camel(prefix)
        out = ['/* Generated by scripts/gen-decode.py; do not edit. */',
               f'#include "{header_name}"', f'#include "target/{self.target}/ext.h"', '']
        out += [f'const DecodeRow {prefix}_rows[{P}_N_ROWS] = {{']
        for row in self.rows:
            gate = ','.join('|'.join(g) for g in row.gates)
            shown = row.name.split('/')[0]
            out.append(f'    {{ "{shown}", "{self.syntax_bytes(row)}", "{gate}", "{row.section}", '
                       f'{row.mask:#x}, {row.match:#x}, {row.free:#x}, {row.length}, '
                       f'DECODE_{row.kind.upper()}, {" | ".join(row.flags) or 0} }},')
        out += ['};', '']
        for space, length in ((space, length) for space in self.spaces for length in (2, 4)):
            out += [f'int {self.decoder(prefix, space, length * 8)}(uint32_t w, const bool *ext)', '{']
            rows = [row for row in self.rows if row.space == space and row.length == length]
            if rows:
                self.emit_decide(out, rows, 0, prefix, 1)
            out += ['    return -1;', '}', '']
        names = {id(f): name for name, f in self.formats.items()}
        used = {id(row.format) for row in self.rows}
        out += [f'static const uint8_t format_of[{P}_N_ROWS] = {{',
                *[f'    {list(names).index(id(row.format))},' for row in self.rows], '};', '',
                f'void {prefix}_extract(int row, uint32_t w, {C}Args *ret)', '{',
                '    switch (format_of[row]) {']
        for index, (key, name) in enumerate(names.items()):
            if key in used:
                fmt = self.formats[name]
                out.append(f'    case {index}: /* {name} */')
                for arg, source in fmt.values.items():
                    value = source if isinstance(source, int) else self.fields[source].c_expr()
                    out.append(f'        ret->{c_name(fmt.args)}.{arg} = {value};')
                out.append('        break;')
        out += ['    }', '}', '', f'void {prefix}_dispatch(int row, TransCtx *ctx, const {C}Args *args)',
                '{', '    switch (row) {']
        for row in self.rows:
            name = f'{prefix}_trans_{row.handler}'
            call = f'{name}(ctx, &args->{c_name(row.format.args)})'
            out.append(f'    case {P}_ROW_{row.ident}: {call}; break;')
        out += ['    }', '}', '', f'bool {prefix}_row_enabled(int row, const bool *ext)', '{',
                '    switch (row) {']
        for row in self.rows:
            gate = self.gate_expr(row)
            if gate:
                out.append(f'    case {P}_ROW_{row.ident}: return {gate};')
        out += ['    default: return true;', '    }', '}', '']
        return '\n'.join(out)


def main(argv):
    options, files = {}, []
    args = iter(argv)
    for arg in args:
        if arg.startswith('--'):
            options[arg[2:]] = next(args, None)
        else:
            files.append(arg)
    if not files or None in options.values() or set(options) - {'target'} != {'prefix', 'header', 'source'}:
        print(__doc__, file=sys.stderr)
        return 2
    isa = Isa()
    isa.target = options.get('target', options['prefix'])
    try:
        for path in files:
            isa.read(path)
        isa.check()
    except (IsaError, OSError, ValueError) as e:
        print(e, file=sys.stderr)
        return 1
    with open(options['header'], 'w', encoding='utf-8') as stream:
        stream.write(isa.header(options['prefix']))
    with open(options['source'], 'w', encoding='utf-8') as stream:
        stream.write(isa.source(options['prefix'], options['header'].split('/')[-1]))
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
