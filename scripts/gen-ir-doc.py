#!/usr/bin/env python3
"""gen-ir-doc.py OPS.def OUT.rst: the manual of IR operations, from the table that defines them."""
import re
import sys

AUX = {
    'cond': 'condition', 'fcond': 'floating-point condition', 'slot': 'slot', 'mem': 'memory descriptor',
    'helper': 'helper', 'exit': 'exit', 'rm': 'rounding', 'lane': 'lane size', 'pos': 'position and length',
    'n': 'number', 'imm': 'number',
}


def unquote(text):
    return re.sub(r'\\(.)', r'\1', text)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    path = sys.argv[1]
    out = ['IR operations', '=============', '',
           'Generated from ``include/tcg/ops.def``, whose head explains signatures and flags.', '']
    rows = 0
    table = []

    def flush():
        if table:
            out.extend(['.. list-table::', '   :header-rows: 1', '   :widths: 12 12 16 16 44', '',
                        '   * - operation', '     - signature', '     - aux', '     - flags', '     - result'])
            for row in table:
                for i, cell in enumerate(row):
                    out.append(('   * - ' if i == 0 else '     - ') + cell)
            out.append('')
            table.clear()

    with open(path, encoding='utf-8') as f:
        for number, line in enumerate(f, 1):
            section = re.match(r'/\* -- (.*?) -+ ?\*/', line)
            if section:
                flush()
                title = section.group(1).strip(' -')
                title = title[0].upper() + title[1:]
                out.extend([title, '-' * len(title), ''])
                continue
            if not line.startswith('OP('):
                continue
            m = re.match(r'OP\((\w+),\s*"([^"]*)",\s*([A-Z0|]+),\s*"((?:[^"\\]|\\.)*)"\)', line)
            if not m:
                sys.exit(f'{path}:{number}: cannot read this row')
            name, signature, flags, doc = m.groups()
            operands, _, aux = signature.partition('/')
            result, _, operands = operands.partition('=')
            form = ' '.join(operands.replace('-', '')) or '(none)'
            form = f'{form} → {result}' if result != '-' else form
            if aux and aux not in AUX:
                sys.exit(f'{path}:{number}: unknown aux kind {aux}')
            table.append([f'``{name}``', form, AUX.get(aux, '–'),
                          ' '.join(flags.lower().split('|')) if flags != '0' else '–', unquote(doc)])
            rows += 1
    flush()
    if not rows:
        sys.exit(f'{path}: no operations')
    with open(sys.argv[2], 'w', encoding='utf-8') as f:
        f.write('\n'.join(out))


if __name__ == '__main__':
    main()
