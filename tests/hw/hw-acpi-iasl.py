#!/usr/bin/env python3
"""ACPI tables through the ACPICA compiler: each must be disassembled and compiled again without an error.

Usage: hw-acpi-iasl.py HW-ACPI-PROGRAM. The DSDTs must come back the same (names in the AML are relative or absolute as we
wrote them: compiled with -oa). Skipped without iasl (Debian: acpica-tools).
"""
import os
import shutil
import subprocess
import sys
import tempfile

if not shutil.which('iasl'):
    print('no iasl')
    sys.exit(77)
failures = 0
with tempfile.TemporaryDirectory() as directory:
    subprocess.run([sys.argv[1], directory], check=True)
    tables = sorted(name[:-4] for name in os.listdir(directory))
    for name in tables:
        def iasl(*args):
            return subprocess.run(['iasl', *args], cwd=directory, capture_output=True, text=True)
        down = iasl('-d', name + '.aml')
        dsl = os.path.join(directory, name + '.dsl')
        text = open(dsl).read() if os.path.exists(dsl) else ''
        if down.returncode or not text or 'Incorrect checksum' in down.stdout + down.stderr or '/**** ' in text:
            print(f'{name}: not disassembled:\n{down.stdout}{down.stderr}')
            failures += 1
            continue
        up = iasl('-oa', '-p', name + '-again', name + '.dsl')
        if up.returncode or ' 0 Errors' not in up.stdout:
            print(f'{name}: not compiled again:\n{up.stdout}{up.stderr}')
            failures += 1
    for board in ('pc', 'q35', 'microvm', 'many', 'arm-v2', 'arm-v3'):
        if f'{board}-DSDT' not in tables:
            print(f'{board}: no DSDT')
            failures += 1
print(f'{len(tables)} tables, {failures} failures')
sys.exit(1 if failures else 0)
