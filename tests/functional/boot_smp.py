#!/usr/bin/env python3
"""boot_smp.py EMULATOR GUEST TEST: several processors, and the small board, as Debian's kernel sees them.

A shell as first program (no modules) is asked for /proc/cpuinfo and the command line. What the kernel says of sockets, dies, cores and
threads must be what -smp said. GUEST is made by `scripts/guest-linux --arch amd64`; without it the test is skipped (77).
"""
import os
import pathlib
import re
import select
import subprocess
import sys
import time

TIMEOUT_S = 600
# Machine and options, -smp, sockets, dies, cores and threads that follow, words of the command line that the machine adds.
TESTS = {
    'pc': (['-M', 'pc'], '8,sockets=2,cores=2,threads=2', (2, 1, 2, 2), []),
    'q35': (['-M', 'q35'], '8,sockets=1,dies=2,cores=2,threads=2,maxcpus=8', (1, 2, 2, 2), []),
    'q35-maxcpus': (['-M', 'q35'], '5,maxcpus=12,cores=3', (4, 1, 3, 1), []),
    'microvm': (['-M', 'microvm', '-device', 'virtio-rng-device'], '2', (1, 1, 2, 1), ['tsc_early_khz=1000000']),
    'microvm-no-acpi': (['-M', 'microvm,acpi=off', '-device', 'virtio-rng-device', '-device', 'virtio-balloon-device'], '2', (1, 1, 2, 1),
                        ['virtio_mmio.device=512@0xfeb00e00:12', 'virtio_mmio.device=512@0xfeb00c00:11']),
    'microvm-bare': (['-M', 'microvm,pit=off,pic=off,rtc=off'], '1', (1, 1, 1, 1), ['tsc_early_khz=1000000']),
}


class Guest:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.text, self.end = '', time.time() + TIMEOUT_S

    def wait_for(self, pattern):
        while not re.search(pattern, self.text):
            ready = select.select([self.process.stdout], [], [], max(0, self.end - time.time()))[0]
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b''
            if not data:
                sys.exit(f'no {pattern!r} from the guest, which ended with\n{self.text[-1500:]}')
            self.text += data.decode(errors='replace').replace('\r', '')
        match = re.search(pattern, self.text)
        found, self.text = self.text[:match.end()], self.text[match.end():]
        return found

    def command(self, line):
        """What the shell printed; the echo has the quotes, the answer has not."""
        for c in line + '; echo do""ne\n':
            self.process.stdin.write(c.encode())
            self.process.stdin.flush()
            time.sleep(0.005)
        return self.wait_for('\ndone\n')


def check_cpus(text, n, shape):
    sockets, dies, cores, threads = shape
    cpus = [dict(re.findall(r'^([^\t:\n]+)\t*: (.*)$', block, re.M)) for block in text.split('\n\n') if 'processor\t' in block]
    if len(cpus) != n:
        sys.exit(f'{len(cpus)} processors, not {n}:\n{text}')

    def width(k):
        return (k - 1).bit_length()

    for i, cpu in enumerate(cpus):
        thread, core, die = i % threads, i // threads % cores, i // (threads * cores) % dies
        socket = i // (threads * cores * dies)
        apic_id = ((socket << width(dies) | die) << width(cores) | core) << width(threads) | thread
        got = int(cpu['processor']), int(cpu['physical id']), int(cpu['apicid'])
        if got != (i, socket, apic_id):
            sys.exit(f'processor {i}: number, socket, APIC id are {got}, not {(i, socket, apic_id)}')
        siblings = min(n - socket * dies * cores * threads, dies * cores * threads)
        if int(cpu['siblings']) != siblings:
            sys.exit(f'processor {i}: {cpu["siblings"]} siblings, not {siblings}')


def main():
    emulator, guest, name = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    machine, smp, shape, words = TESTS[name]
    if not (guest / 'kernel').exists():
        print('no guest: scripts/guest-linux --arch amd64 makes one')
        sys.exit(77)
    guest = Guest([emulator, *machine, '-smp', smp, '-m', '256', '-nodefaults', '-display', 'none', '-no-reboot', '-serial', 'stdio', '-kernel',
                   str(guest / 'kernel'), '-initrd', str(guest / 'initrd.gz'), '-append', 'console=ttyS0 quiet rdinit=/bin/busybox -- sh'])
    try:
        guest.wait_for('# ')
        guest.command('/bin/busybox mount -t proc proc /proc; /bin/busybox mount -t sysfs sys /sys')
        text = guest.command('/bin/busybox cat /proc/cpuinfo')
        if '-v' in sys.argv:
            print(text + guest.command('/bin/busybox grep -r . /sys/devices/system/cpu/cpu*/topology /sys/devices/system/cpu/possible'))
        check_cpus(text, int(smp.split(',')[0]), shape)
        line = guest.command('/bin/busybox cat /proc/cmdline')
        for word in words:
            if f' {word}' not in line:
                sys.exit(f'{word!r} is not in the command line: {line}')
    finally:
        guest.process.kill()
        guest.process.wait()
    print(f'{name}: as asked')


main()
