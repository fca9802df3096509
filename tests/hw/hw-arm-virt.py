#!/usr/bin/env python3
"""The Arm `virt` board's device tree and images.

Usage: hw-arm-virt.py VIRT-DTB-PROGRAM. The tree is read here and checked against what firmware and kernels know of the board; with
HW_REFERENCE_AARCH64 (a qemu-system-aarch64 of version 11) and dtc also node by node against its tree, but for caches, which depend on the CPU
model. Bad images and options must give one line and status 1.
"""
import os
import shutil
import struct
import subprocess
import sys
import tempfile

program = sys.argv[1]
reference = os.environ.get('HW_REFERENCE_AARCH64')
failures = 0


def fail(text):
    global failures
    failures += 1
    print(text)


def parse(path):
    """[(node path, {property: bytes})] in order (Devicetree specification 0.4, chapter 5)."""
    data = open(path, 'rb').read()
    magic, _, at, strings = struct.unpack('>4I', data[:16])
    assert magic == 0xd00dfeed
    nodes, stack = [], []
    while True:
        token, = struct.unpack_from('>I', data, at)
        at += 4
        if token == 1:
            end = data.index(b'\0', at)
            stack.append(data[at:end].decode())
            nodes.append(('/'.join(stack) or '/', {}))
            open_nodes.append(nodes[-1][1])
            at = end + 4 & ~3
        elif token == 2:
            stack.pop()
            open_nodes.pop()
        elif token == 3:
            size, name = struct.unpack_from('>2I', data, at)
            name = data[strings + name:data.index(b'\0', strings + name)].decode()
            open_nodes[-1][name] = data[at + 8:at + 8 + size]
            at = at + 8 + size + 3 & ~3
        elif token == 9:
            return nodes


open_nodes = []
IGNORED = ('cache-', 'i-cache', 'd-cache', 'next-level-cache')


def cells(*values):
    return struct.pack(f'>{len(values)}I', *values)


def run(*args):
    return subprocess.run([program, *args], capture_output=True, text=True)


def tree(tmp, smp, *props):
    done = run(f'{tmp}/ours', 'aarch64', str(smp), '256M', 'dtb-randomness=off', *props)
    if done.returncode or done.stderr:
        fail(f'{props}: status {done.returncode} {done.stderr}')
        return None
    return parse(f'{tmp}/ours')


def compare(tmp, smp, props):
    ours = tree(tmp, smp, *props)
    subprocess.run([reference, '-M', ','.join(['virt', f'dumpdtb={tmp}/theirs', 'dtb-randomness=off', *props]), '-smp', str(smp), '-m', '256M',
                    '-cpu', 'cortex-a57', '-display', 'none', '-nodefaults'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    theirs = parse(f'{tmp}/theirs')
    os.unlink(f'{tmp}/theirs')
    if not ours:
        return
    if [n for n, _ in ours] != [n for n, _ in theirs]:
        fail(f'{props}: other nodes, or in another order')
    for (name, a), (_, b) in zip(ours, theirs):
        for prop in sorted(set(a) | set(b)):
            if not prop.startswith(IGNORED) and a.get(prop) != b.get(prop):
                fail(f'{props}: {name} {prop}: {a.get(prop)} instead of {b.get(prop)}')


with tempfile.TemporaryDirectory() as tmp:
    nodes = dict(tree(tmp, 4) or [])
    places = {'/flash@0': (0, 0, 0, 0x4000000, 0, 0x4000000, 0, 0x4000000), '/pl011@9000000': (0, 0x9000000, 0, 0x1000),
              '/pl031@9010000': (0, 0x9010000, 0, 0x1000), '/fw-cfg@9020000': (0, 0x9020000, 0, 0x18),
              '/pl061@9030000': (0, 0x9030000, 0, 0x1000), '/virtio_mmio@a003e00': (0, 0xa003e00, 0, 0x200),
              '/memory@40000000': (0, 0x40000000, 0, 0x10000000), '/pcie@10000000': (0x40, 0x10000000, 0, 0x10000000),
              '/intc@8000000': (0, 0x8000000, 0, 0x10000, 0, 0x8010000, 0, 0x10000),
              '/intc@8000000/v2m@8020000': (0, 0x8020000, 0, 0x1000), '/cpus/cpu@3': (3,)}
    for node, reg in places.items():
        if nodes.get(node, {}).get('reg') != cells(*reg):
            fail(f'{node}: reg is {nodes.get(node, {}).get("reg")}')
    lines = {'/pl011@9000000': (0, 1, 4), '/pl031@9010000': (0, 2, 4), '/pl061@9030000': (0, 7, 4), '/virtio_mmio@a000000': (0, 16, 1),
             '/virtio_mmio@a003e00': (0, 47, 1), '/timer': (1, 13, 0xf04, 1, 14, 0xf04, 1, 11, 0xf04, 1, 10, 0xf04)}
    for node, irq in lines.items():
        if nodes.get(node, {}).get('interrupts') != cells(*irq):
            fail(f'{node}: interrupts are {nodes.get(node, {}).get("interrupts")}')
    for props, node, name, want in (
            (['virtualization=on'], '/psci', 'method', b'smc\0'), ([], '/psci', 'method', b'hvc\0'),
            (['secure=on'], '/psci', 'method', None), (['secure=on'], '/pl011@9040000', 'secure-status', b'okay\0'),
            (['highmem=off'], '/pcie@10000000', 'reg', cells(0, 0x3f000000, 0, 0x1000000)),
            (['virtio-mmio-transports=1'], '/virtio_mmio@a000200', 'reg', None), (['msi=off'], '/pcie@10000000', 'msi-map', None), ([], '/smmuv3@9050000', 'reg', None),
            (['iommu=smmuv3'], '/smmuv3@9050000', 'interrupts', cells(0, 74, 1, 0, 75, 1, 0, 76, 1, 0, 77, 1))):
        got = dict(tree(tmp, 1, *props) or []).get(node, {}).get(name)
        if got != want:
            fail(f'{props}: {node} {name} is {got}')
    seeds = [dict(parse(f'{tmp}/ours'))['/chosen'].get('rng-seed') for _ in range(2)
             if run(f'{tmp}/ours', 'aarch64', '1', '256M').returncode == 0]
    if len(seeds) != 2 or None in seeds or seeds[0] == seeds[1]:
        fail('rng-seed is not random')

    if reference and shutil.which(reference):
        for smp, props in ((1, []), (8, ['virtualization=on']), (2, ['secure=on']), (3, ['highmem=off', 'virtio-mmio-transports=5']),
                           (1, ['highmem-mmio-size=1T', 'compact-highmem=off']), (1, ['msi=off']), (2, ['gic-version=3']),
                           (300, ['gic-version=max']), (1, ['gic-version=3', 'its=off']), (1, ['gic-version=3', 'iommu=smmuv3']), (2, ['gic-version=3', 'virtualization=on']),
                           (70, ['gic-version=4', 'virtualization=on'])):
            compare(tmp, smp, props)
    else:
        print('not compared: HW_REFERENCE_AARCH64 names no emulator')

    def write(name, data):
        with open(f'{tmp}/{name}', 'wb') as f:
            f.write(data)
        return f'{tmp}/{name}'
    header = bytearray(4096)
    header[16:24] = (1 << 40).to_bytes(8, 'little')
    header[56:60] = b'ARM\x64'
    offset = bytearray(header)
    offset[8:16], offset[16:24] = (0xfffffffffffff000).to_bytes(8, 'little'), (4096).to_bytes(8, 'little')
    elf = bytearray(64 + 56)
    elf[:20] = b'\x7fELF\x02\x01\x01' + bytes(9) + b'\x02\0\xf3\0'
    big = write('big', b'')
    os.truncate(big, 300 << 20)
    for option, path in (('kernel', big), ('kernel', f'{tmp}/absent'), ('kernel', tmp), ('kernel', write('huge-image', bytes(header))),
                         ('kernel', write('far-image', bytes(offset))), ('kernel', write('riscv-elf', bytes(elf))),
                         ('kernel', write('gz', b'\x1f\x8b\x08' + bytes(60))), ('firmware', f'{tmp}/absent'), ('firmware', big),
                         ('dtb', write('dtb', b'\xd0\x0d\xfe\xed' + b'\xff' * 60))):
        done = run(f'{tmp}/ours', 'aarch64', '1', '256M', f'{option}={path}')
        if done.returncode != 1 or done.stderr.count('\n') != 1 or os.path.basename(path) not in done.stderr:
            fail(f'{option}={path}: status {done.returncode}, {done.stderr!r}')
    for prop in ('gic-version=host', 'gic-version=4', 'gic-version=x-5', 'gic-version=7', 'iommu=x', 'msi=x', 'virtio-mmio-transports=33',
                 'highmem-mmio-size=3T', 'highmem-mmio-size=1G', 'its=on', 'ras=on', f'initrd={big}'):
        done = run(f'{tmp}/ours', 'aarch64', '1', '256M', 'gic-version=2', prop)
        if done.returncode != 1 or not done.stderr:
            fail(f'{prop}: status {done.returncode}, {done.stderr!r}')
    if run(f'{tmp}/ours', 'aarch64', '9', '256M', 'gic-version=2').returncode != 1:
        fail('nine processors on a GICv2')
sys.exit(failures != 0)
