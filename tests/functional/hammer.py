#!/usr/bin/env python3
"""hammer.py EMULATOR MACHINE [--rounds N|--seconds S] [--seed N]: a guest that writes random values to ports, device memory, PCI configuration space
and descriptors in its memory, played by the test protocol. The process must not end, hang, or grow: memory that belongs to the guest is touched
first, so that what is resident may only rise while queues and caches fill. The first half of the rounds is for that; --verbose shows each round's figure.
"""
import argparse
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import time

RAM_BYTES, MMIO, PORTS = 16 << 20, 0xe0000000, 0xc000
BATCH, BATCHES_A_ROUND, PATIENCE_S = 400, 25, 120
GROWTH_KIB = 512       # a page here and there; what leaks on each access leaks much more
CHIPSET_PORTS = [*range(0x00, 0x10), 0x20, 0x21, *range(0x40, 0x44), *range(0x60, 0x65), *range(0x70, 0x74), *range(0x80, 0x90), 0x92, 0xa0, 0xa1, *range(0xb2, 0xb4),
                 *range(0xc0, 0xe0), *range(0x170, 0x178), *range(0x1f0, 0x1f8), *range(0x278, 0x27c), 0x2f8, 0x376, *range(0x378, 0x37b), *range(0x3b0, 0x3e0),
                 *range(0x3f0, 0x400), 0x402, *range(0x4d0, 0x4d2), *range(0x510, 0x51c), *range(0x600, 0x680), *range(0x1ce, 0x1d1), 0xcf8, 0xcfc, 0xcf9]
CHIPSET_MMIO = [(0xa0000, 0x20000), (0xfec00000, 0x100), (0xfed00000, 0x400), (0xfee00000, 0x1000), (0xb0000000, 0x100000)]
DEVICES = ['virtio-blk-pci,drive=d0', 'virtio-scsi-pci,id=scsi', 'scsi-hd,drive=d1,bus=scsi.0', 'virtio-net-pci,netdev=n0', 'virtio-serial-pci', 'virtio-rng-pci',
           'virtio-balloon-pci', 'virtio-gpu-pci', 'virtio-tablet-pci', 'e1000,netdev=n1', 'rtl8139,netdev=n2', 'nvme,serial=s,drive=d2', 'ich9-ahci,id=sata',
           'ide-hd,drive=d3,bus=sata.0', 'ide-cd,bus=sata.1', 'qemu-xhci,id=usb', 'usb-kbd,bus=usb.0', 'usb-mouse,bus=usb.0', 'usb-storage,drive=d4,bus=usb.0', 'usb-hub,bus=usb.0',
           'i6300esb', 'pvpanic-pci', 'bochs-display']


class Machine:
    def __init__(self, emulator, board, work):
        path = os.path.join(work, 'qtest')
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen()
        options = []
        for n in range(5):
            disk = pathlib.Path(work, f'disk{n}')
            disk.write_bytes(bytes(1 << 20))
            options += ['-drive', f'if=none,id=d{n},format=raw,file={disk}']
        for n in range(3):
            options += ['-netdev', f'user,id=n{n},restrict=on']
        for device in DEVICES:
            options += ['-device', device]
        self.process = subprocess.Popen([emulator, '-M', board, '-accel', 'qtest', '-m', f'{RAM_BYTES}B', '-qtest', f'unix:{path}', '-qtest-log', 'none', '-display', 'none',
                                         '-vga', 'std', '-no-shutdown', '-watchdog-action', 'none', '-nic', 'none', '-serial', 'null', *options])
        server.settimeout(PATIENCE_S)
        self.socket, _ = server.accept()
        self.socket.settimeout(PATIENCE_S)
        self.file = self.socket.makefile('rb')
        self.areas, self.ports = [], []

    def ask(self, lines):
        """The answers to some lines. All of them are sent first."""
        self.socket.sendall(''.join(f'{line}\n' for line in lines).encode())
        answers = [self.file.readline() for _ in lines]
        if not all(answers):
            sys.exit(f'the emulator ended with status {self.process.wait()}')
        return answers

    def config(self, slot, function, register, value=None):
        address = 0x80000000 | slot << 11 | function << 8 | register
        if value is not None:
            self.ask([f'outl 0xcf8 {address:#x}', f'outl 0xcfc {value & 0xffffffff:#x}'])
            return None
        return int(self.ask([f'outl 0xcf8 {address:#x}', 'inl 0xcfc'])[1].split()[1], 16)

    def place_functions(self):
        """What firmware does: each BAR gets a place, and decoding is on."""
        memory, port = MMIO, PORTS
        self.areas, self.ports, self.functions = [], [], []
        for slot in range(32):
            for function in range(8):
                if self.config(slot, function, 0) & 0xffff in (0xffff, 0):
                    continue
                self.functions.append((slot, function))
                n = 0
                header = self.config(slot, function, 0xc) >> 16 & 0x7f
                while n < (2 if header else 6):
                    register = 0x10 + 4 * n
                    n += 1
                    self.config(slot, function, register, 0xffffffff)
                    mask = self.config(slot, function, register)
                    if mask & 1 and mask >> 2 & 0x3fff:
                        size = 1 << ((mask & 0xfffc) & -(mask & 0xfffc)).bit_length() - 1
                        port = port + size - 1 & -size
                        self.config(slot, function, register, port)
                        self.ports.append((port, size))
                        port += size
                    elif mask and not mask & 1:
                        size = (mask & ~15) & -(mask & ~15)
                        memory = memory + size - 1 & -size
                        if memory + size > 0xfe000000:
                            self.config(slot, function, register, 0)
                            continue
                        self.config(slot, function, register, memory)
                        self.areas.append((memory, size))
                        memory += size
                        if mask & 6 == 4:
                            self.config(slot, function, register + 4, 0)
                            n += 1
                self.config(slot, function, 4, 7)

    def touch(self):
        """The guest's memory and the displays' become resident."""
        self.ask([f'memset 0 {RAM_BYTES:#x} 0xff', f'memset 0 {RAM_BYTES:#x} 0'])
        for base, size in self.areas:
            if size >= 1 << 20:
                self.ask([f'memset {address:#x} 0x1000 0x5a' for address in range(base, base + size, 4096)])

    def resident_kib(self):
        with open(f'/proc/{self.process.pid}/smaps_rollup', encoding='ascii') as rollup:
            return next(int(line.split()[1]) for line in rollup if line.startswith('Rss:'))


class Hammer:
    def __init__(self, machine, seed):
        self.machine, self.random, self.rounds = machine, random.Random(seed), 0

    def value(self):
        """Often the address of something in memory: descriptors, rings, tables."""
        r = self.random
        return r.choice((r.getrandbits(32), r.randrange(RAM_BYTES) & ~15, r.randrange(RAM_BYTES) & ~4095, r.getrandbits(8), 1 << r.randrange(32), 0, 0xffffffff))

    def line(self):
        r, kind = self.random, self.random.randrange(100)
        size = r.choice('bwl')
        if kind < 30:
            base, length = r.choice(self.machine.ports) if self.machine.ports and r.random() < 0.5 else (r.choice(CHIPSET_PORTS), 1)
            port = base + r.randrange(length)
            return f'in{size} {port:#x}' if r.random() < 0.3 else f"out{size} {port:#x} {self.value() & (1 << {'b': 8, 'w': 16, 'l': 32}[size]) - 1:#x}"
        if kind < 75:
            base, length = r.choice(self.machine.areas + CHIPSET_MMIO)
            where = base + r.choice((r.randrange(length), r.randrange(min(length, 0x100)), r.randrange(min(length, 0x1000)) & ~3))
            return f'read{size} {where:#x}' if r.random() < 0.3 else f'write{size} {where:#x} {self.value() & (1 << {"b": 8, "w": 16, "l": 32}[size]) - 1:#x}'
        if kind < 84 and self.rounds % 2:  # every other round, since most such writes take a function away
            return f'readl {r.randrange(RAM_BYTES) & ~3:#x}'
        if kind < 80:
            slot, function = r.choice(self.machine.functions)
            return f'outl 0xcf8 {0x80000000 | slot << 11 | function << 8 | r.randrange(64) << 2:#x}'
        if kind < 84:
            return f'outl 0xcfc {self.value():#x}'
        if kind == 99:
            return f'clock_step {r.randrange(20_000_000)}'
        return f'writel {r.randrange(RAM_BYTES) & ~3 if r.random() < 0.5 else r.randrange(0x10000) & ~3:#x} {self.value():#x}'

    def round(self):
        self.rounds += 1
        self.machine.place_functions()
        for _ in range(BATCHES_A_ROUND):
            self.machine.ask([self.line() for _ in range(BATCH)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('emulator')
    parser.add_argument('machine')
    parser.add_argument('--rounds', type=int, default=20, help=f'of {BATCH * BATCHES_A_ROUND} accesses each')
    parser.add_argument('--seconds', type=float, help='instead of a number of rounds')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--verbose', action='store_true')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='hammer-') as work:
        machine = Machine(os.path.abspath(args.emulator), args.machine, work)
        try:
            machine.place_functions()
            machine.touch()
            hammer, resident, end = Hammer(machine, args.seed), [machine.resident_kib()], time.monotonic() + (args.seconds or 0)
            while time.monotonic() < end if args.seconds else len(resident) <= args.rounds:
                hammer.round()
                resident.append(machine.resident_kib())
                if args.verbose:
                    print(f'{len(resident) - 1} rounds: {resident[-1]} KiB', flush=True)
        except TimeoutError:
            sys.exit(f'no answer within {PATIENCE_S} s')
        finally:
            machine.process.kill()
            machine.process.wait()
    first, second = max(resident[:len(resident) // 2 + 1]), max(resident[len(resident) // 2 + 1:])
    print(f'{(len(resident) - 1) * BATCH * BATCHES_A_ROUND} accesses; resident KiB: {resident[0]} at the start, at most {first} in the first half, {second} in the second')
    if second > first + GROWTH_KIB:
        sys.exit('the process grows')


main()
