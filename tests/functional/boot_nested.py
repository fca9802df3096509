#!/usr/bin/env python3
"""boot_nested.py EMULATOR GUEST CPU GIC: Debian's kernel at EL2 runs itself once more under its KVM.

The guest's KVM is driven by a client of our own (guest/kvm-client.c); the nested kernel starts two processors, runs a program in each, sleeps by its
timer and switches off. Skipped (77) without GUEST (scripts/guest-linux --arch arm64), the cross compiler or dtc.
"""
import gzip
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading

TIMEOUT_S = 1500
HERE = pathlib.Path(__file__).parent / 'guest'
COMPILER = 'aarch64-linux-gnu-gcc'
INIT = '''#!/bin/busybox sh
/bin/busybox mkdir -p /proc /dev
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
say() { echo "$*" > /dev/kmsg; }
say "inner: $(/bin/busybox uname -sm), $(/bin/busybox grep -c ^processor /proc/cpuinfo) cpus"
sum() { /bin/busybox taskset $1 /bin/busybox seq 1 $2 | /bin/busybox sha256sum; }
say "inner: sums $(sum 1 20000) $(sum 2 20000)"
/bin/busybox sleep 1
say "inner: slept"
/bin/busybox poweroff -f
'''
DTS = '''/dts-v1/;
/ {
  #address-cells = <2>; #size-cells = <2>; compatible = "linux,dummy-virt"; interrupt-parent = <&gic>;
  chosen { bootargs = "earlycon=pl011,mmio32,0x9000000 keep_bootcon rdinit=/init loglevel=6"; linux,initrd-start = <0 0x48200000>; linux,initrd-end = <0 %(end)#x>; };
  memory@40000000 { device_type = "memory"; reg = <0 0x40000000 0 0x10000000>; };
  psci { compatible = "arm,psci-1.0", "arm,psci-0.2"; method = "hvc"; };
  cpus { #address-cells = <1>; #size-cells = <0>;
    cpu@0 { device_type = "cpu"; compatible = "arm,armv8"; reg = <0>; enable-method = "psci"; };
    cpu@1 { device_type = "cpu"; compatible = "arm,armv8"; reg = <1>; enable-method = "psci"; }; };
  gic: intc@8000000 { compatible = "%(gic)s"; interrupt-controller; #interrupt-cells = <3>; reg = <0 0x8000000 0 0x10000 0 %(second)s>; };
  timer { compatible = "arm,armv8-timer"; interrupts = <1 13 %(flags)s 1 14 %(flags)s 1 11 %(flags)s 1 10 %(flags)s>; };
};
'''
GICS = {'2': {'gic': 'arm,cortex-a15-gic', 'second': '0x8010000 0 0x10000', 'flags': '0x304'},
        '3': {'gic': 'arm,gic-v3', 'second': '0x80a0000 0 0x40000', 'flags': '4'}}
GICS['4'] = GICS['3']   # what is new in it is for the hypervisor


def archive(files):
    """A "newc" archive of (name, data); data None: a folder."""
    out = b''
    for name, data in [*files, ('TRAILER!!!', b'')]:
        mode = 0o40755 if data is None else 0o100755
        data = data or b''
        head = '070701' + ''.join('%08x' % n for n in (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0))
        body = head.encode() + name.encode() + b'\0'
        body += b'\0' * (-len(body) % 4) + data
        out += body + b'\0' * (-len(body) % 4)
    return out


def make_initrd(guest, gic, work):
    inner = gzip.compress(archive([('bin', None), ('dev', None), ('bin/busybox', (guest / 'packages/usr/bin/busybox').read_bytes()), ('init', INIT.encode())]))
    client, dtb = work / 'kvm-client', work / 'dtb'
    subprocess.run([COMPILER, '-O2', '-Wall', '-Werror', '-static', '-pthread', '-o', client, HERE / 'kvm-client.c'], check=True)
    subprocess.run(['dtc', '-q', '-O', 'dtb', '-o', dtb], input=(DTS % {**GICS[gic], 'end': 0x48200000 + len(inner)}).encode(), check=True)
    outer = archive([('nested', None), ('nested/kvm-client', client.read_bytes()), ('nested/kernel', (guest / 'kernel').read_bytes()), ('nested/initrd.gz', inner),
                     ('nested/dtb', dtb.read_bytes()), ('tests', None), ('tests/nested', (HERE / 'nested.sh').read_bytes())])
    (work / 'initrd').write_bytes((guest / 'initrd.gz').read_bytes() + gzip.compress(outer, 1))


def main():
    emulator, guest, cpu, gic = sys.argv[1], pathlib.Path(sys.argv[2]), *sys.argv[3:5]
    if not (guest / 'kernel').exists() or not shutil.which(COMPILER) or not shutil.which('dtc'):
        print('scripts/guest-linux --arch arm64, gcc-aarch64-linux-gnu or dtc is not there')
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix='boot-nested-') as folder:
        work = pathlib.Path(folder)
        make_initrd(guest, gic, work)
        process = subprocess.Popen([emulator, '-M', f'virt,virtualization=on,gic-version={gic}', '-cpu', cpu, '-smp', '2', '-m', '1G', '-nographic', '-nic', 'none', '-no-reboot',
                                    '-kernel', guest / 'kernel', '-initrd', work / 'initrd', '-append', 'console=ttyAMA0 quiet run=nested kvm-arm.vgic_v4_enable=1'],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        timer = threading.Timer(TIMEOUT_S, process.kill)
        timer.start()
        text = process.communicate()[0].decode(errors='replace').replace('\r', '')
        timer.cancel()
    sums = re.search(r'inner: sums ([0-9a-f]{64}) +- ([0-9a-f]{64})', text)
    if ('inner: Linux aarch64, 2 cpus' not in text or not sums or sums[1] != sums[2] or 'inner: slept' not in text or
            'nested: system event 1' not in text or 'guest-test nested: exit 0' not in text):
        sys.exit(f'the nested guest did not come to its end:\n{text[-3000:]}')
    if gic == '4' and 'GICv4 support' not in text:
        sys.exit(f'KVM does not use the GICv4:\n{text[-3000:]}')
    print('\n'.join(line for line in text.splitlines() if 'inner:' in line or 'kvm' in line))


main()
