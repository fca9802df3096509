#!/usr/bin/env python3
"""The SMBIOS tables of hw-smbios as dmidecode reads them. Usage: hw-smbios-dmidecode.py HW-SMBIOS-PROGRAM.

Skipped without dmidecode.
"""
import os
import shutil
import subprocess
import sys
import tempfile

EXPECTED = [
    'SMBIOS 3.0.0 present', 'Vendor: V', 'BIOS Revision: 4.5', 'UEFI is supported', 'Product Name: P', 'Version: 1.0',
    'UUID: 11223344-5566-7788-99aa-bbccddeeff00', 'Location In Chassis: L', 'Socket Designation: SK 0',
    'Socket Designation: SK 1', 'Max Speed: 3000 MHz', 'Core Count: 2', 'Thread Count: 4', 'String 2: one,two',
    'Maximum Capacity: 18 GB', 'Size: 18 GB', 'Locator: DM 0', 'Speed: 2400 MT/s', 'Ending Address: 0x0007FFFFFFF',
    'Ending Address: 0x004FFFFFFFF', 'Reference Designation: NIC', 'End Of Table',
]
if not shutil.which('dmidecode'):
    print('no dmidecode')
    sys.exit(77)
with tempfile.TemporaryDirectory() as directory:
    dump = os.path.join(directory, 'dump')
    subprocess.run([sys.argv[1], dump], check=True)
    run = subprocess.run(['dmidecode', '--from-dump', dump], capture_output=True, text=True)
missing = [text for text in EXPECTED if text not in run.stdout]
complaints = [line for line in run.stdout.splitlines() + run.stderr.splitlines()
              if any(word in line.lower() for word in ('truncated', 'broken', 'wrong', 'mismatch', 'inconsistent', 'out of spec'))]
for text in missing:
    print('missing:', text)
for line in complaints:
    print('complaint:', line)
if missing or complaints:
    print(run.stdout)
sys.exit(1 if missing or complaints or run.returncode else 0)
