#!/usr/bin/env python3
"""style.py: the rules of the house a script can check, over the files git tracks. Exit 1 with file:line: messages."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAX_LINES = 1500
# Generated-looking tables may be longer; each with its reason.
LONG_FILES = {}
HOUSE_RULES = [
    (re.compile(r'^\s*#\s*(if|ifdef|ifndef|elif)\b.*\bTARGET_(?![A-Z0-9_]*_H\b)[A-Z0-9]+'), 'a target is data: no TARGET_ preprocessor symbols'),
    (re.compile(r'\bstrcpy\(|\bstrcat\(|\bsprintf\(|\bgets\('), 'unbounded string function'),
    (re.compile(r'\b(TODO|FIXME|XXX)\b'), 'unfinished work belongs in docs/support.rst or the roadmap'),
    (re.compile(r'[ \t]+$'), 'white space at the end of the line'),
]
# A vCPU's thread keeps its guest's x87 state in the x87 unit, also while C code runs (tcg/x86_64/lower-x87.c).
X87_ROOMS = re.compile(r'^(accel|block|gdbstub|hw|linux-user|net|target|tcg|util)/.*\.[ch]$')
X87_TYPES = re.compile(r'^(?! \*)[^"]*\b(long double|__float80|_Float64x|__m64)\b')


def tracked():
    out = subprocess.run(['git', '-C', ROOT, 'ls-files', '-z'], stdout=subprocess.PIPE, check=True).stdout
    return [ROOT / name for name in out.decode().split('\0') if name]


def check(path, complain):
    name = path.relative_to(ROOT).as_posix()
    if path.suffix not in ('.c', '.h', '.def', '.isa', '.py') and not name.endswith('meson.build'):
        return
    if name.endswith(('.c.inc', '.h.inc')):
        complain(name, 1, 'template code in headers')
    lines = path.read_text(encoding='utf-8').split('\n')
    if path.suffix in ('.c', '.h') and len(lines) > MAX_LINES and name not in LONG_FILES:
        complain(name, len(lines), f'more than {MAX_LINES} lines: split by concern')
    if path.suffix in ('.c', '.h') and not lines[0].startswith('/*'):
        complain(name, 1, 'no header comment')
    if name == 'tests/style/style.py':
        return
    for number, line in enumerate(lines, 1):
        if '\t' in line and path.suffix in ('.c', '.h', '.py'):
            complain(name, number, 'tab')
        if X87_ROOMS.match(name) and X87_TYPES.search(line):
            complain(name, number, 'C code must not use the x87 unit: it is the guest\'s')
        for pattern, message in HOUSE_RULES:
            if pattern.search(line):
                complain(name, number, message)


def main():
    problems = []
    files = tracked()
    if not files:
        sys.exit('style: no files')
    for path in files:
        if path.is_file():
            check(path, lambda name, number, text: problems.append(f'{name}:{number}: {text}'))
    print('\n'.join(problems) or f'{len(files)} files are in order')
    sys.exit(1 if problems else 0)


if __name__ == '__main__':
    main()
