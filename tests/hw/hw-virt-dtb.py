#!/usr/bin/env python3
"""The `virt` board's device tree against a reference emulator's.

Usage: hw-virt-dtb.py VIRT-DTB-PROGRAM. Compared without what depends on the CPU model
(riscv,isa*, mmu-type, block sizes), the random seed and the older name of riscv,delegation. Nodes of devices that do not exist
yet may be missing as a whole; nothing else may differ. Bad images must give one line and
status 1. The comparison is skipped without dtc or a reference
(HW_REFERENCE: its qemu-system-riscv64, version 10 or later); the rest always runs.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

program = sys.argv[1]
reference = os.environ.get('HW_REFERENCE')
failures = 0


def fail(text):
    global failures
    failures += 1
    print(text)


def parse(dtb):
    """{node path: {property: value text}} and the list of paths in order."""
    text = subprocess.run(['dtc', '-q', '-I', 'dtb', '-O', 'dts', dtb], check=True,
                          capture_output=True, text=True).stdout
    nodes, order, path = {}, [], []
    for line in text.splitlines():
        line = line.strip()
        if line.endswith('{'):
            path.append(line[:-1].strip())
            key = '/'.join(path)
            nodes[key] = {}
            order.append(key)
        elif line == '};':
            path.pop()
        elif line and path:
            name, _, value = line.rstrip(';').partition(' = ')
            nodes['/'.join(path)][name] = value
    return nodes, order


CPU = re.compile(r'riscv,isa|mmu-type|riscv,cbo[mpz]-block-size|rng-seed|phandle-start|riscv,delegate$')
MAY_BE_MISSING = re.compile(r'$^')


def compare(what, ours, theirs):
    a, order_a = parse(ours)
    b, order_b = parse(theirs)
    for node in b:
        if node not in a and not MAY_BE_MISSING.search(node):
            fail(f'{what}: node {node} is missing')
    for node in a:
        if node not in b:
            fail(f'{what}: node {node} is too much')
            continue
        for name in sorted(set(a[node]) | set(b[node])):
            if not CPU.match(name) and a[node].get(name) != b[node].get(name):
                fail(f'{what}: {node} {name}: {a[node].get(name)} instead of '
                     f'{b[node].get(name)}')
    if [n for n in order_b if n in a] != [n for n in order_a if n in b]:
        fail(f'{what}: nodes are in another order')


def run(*args):
    return subprocess.run([program, *args], capture_output=True, text=True)


with tempfile.TemporaryDirectory() as tmp:
    ours, theirs = f'{tmp}/ours.dtb', f'{tmp}/theirs.dtb'
    compared = 0
    cases = [(1, '128M', []), (2, '128M', []), (3, '1G', ['aclint=on']), (8, '3G', []),
             (4, '20G', ['append=console=ttyS0 root=/dev/vda']), (16, '64M', []), (65, '128M', [])]
    for aia in ('aia=aplic', 'aia=aplic-imsic'):
        cases += [(1, '128M', [aia]), (4, '128M', [aia, 'aclint=on']),
                  (4, '128M', [aia, 'aia-guests=3'])]
    for smp, mem, props in cases:
        what = f'smp {smp}, {mem}, {props}'
        done = run(ours, 'riscv64', str(smp), mem, 'firmware=none', *props)
        if done.returncode and 'not available yet' in done.stderr:
            continue
        if done.returncode or done.stderr:
            fail(f'{what}: status {done.returncode} {done.stderr}')
            continue
        if not reference or not shutil.which('dtc'):
            continue
        machine = ','.join(['virt', f'dumpdtb={theirs}'] +
                           [p for p in props if not p.startswith('append')])
        more = [w for p in props if p.startswith('append')
                for w in ('-append', p.partition('=')[2])]
        subprocess.run([reference, '-M', machine, '-smp', str(smp), '-m', mem, '-display', 'none',
                        '-bios', 'none', '-nodefaults', *more],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if os.path.exists(theirs):
            compare(what, ours, theirs)
            compared += 1
            os.unlink(theirs)

    # Bad input: status 1 and one line that names the culprit.
    def write(name, data):
        with open(f'{tmp}/{name}', 'wb') as f:
            f.write(data)
        return f'{tmp}/{name}'
    elf = bytearray(64 + 56)
    elf[:20] = b'\x7fELF\x02\x01\x01' + bytes(9) + b'\x02\0\xf3\0'
    elf[32:40] = (64).to_bytes(8, 'little')
    elf[54:58] = b'\x38\0\x01\0'
    good = bytes(elf)
    elf[64:68] = b'\x01\0\0\0'
    elf[96:104] = elf[104:112] = (0x1000).to_bytes(8, 'little')
    short = bytes(elf)
    elf[18] = 62
    other = bytes(elf)
    big = write('big', b'')
    os.truncate(big, 200 << 20)
    header = bytearray(4096)
    header[16:24] = (1 << 40).to_bytes(8, 'little')
    header[56:60] = b'RSC\x05'
    bad = [
        ('kernel', big), ('kernel', f'{tmp}/absent'), ('kernel', tmp),
        ('kernel', write('short-elf', short)), ('kernel', write('empty-elf', good)),
        ('kernel', write('other-elf', other)), ('kernel', write('tiny-elf', good[:60])),
        ('kernel', write('gz', b'\x1f\x8b\x08' + bytes(60))),
        ('kernel', write('image', bytes(header))), ('kernel', write('nothing', b'')),
        ('firmware', f'{tmp}/absent'), ('firmware', big), ('dtb', big), ('dtb', f'{tmp}/absent'),
        ('dtb', write('dtb', b'\xd0\x0d\xfe\xed' + b'\xff' * 60)),
    ]
    for option, path in bad:
        args = [f'{option}={path}'] + ([] if option == 'firmware' else ['firmware=none'])
        done = run(ours, 'riscv64', '1', '128M', *args)
        if done.returncode != 1 or done.stderr.count('\n') != 1 or \
                os.path.basename(path) not in done.stderr:
            fail(f'{option}={path}: status {done.returncode}, {done.stderr!r}')
    plain = write('plain', bytes(4096))
    done = run(ours, 'riscv64', '1', '128M', 'firmware=none', f'kernel={plain}', f'initrd={big}')
    if done.returncode != 1 or 'ramdisk' not in done.stderr:
        fail(f'initrd: {done}')
    for args in (['riscv64', '513', '128M'], ['riscv64', '1', '128M', 'aia=xx'],
                 ['riscv64', '1', '128M', 'nonsense=1'], ['riscv32', '1', '11G'],
                 ['riscv64', '1', '1001'], ['riscv64', '1', '128M', 'aia-guests=8']):
        done = run(ours, *args, 'firmware=none')
        if done.returncode != 1 or done.stderr.count('\n') != 1:
            fail(f'{args}: status {done.returncode}, {done.stderr!r}')

print(f'{compared} trees compared')
sys.exit(1 if failures else 0)
