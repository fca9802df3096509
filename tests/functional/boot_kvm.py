#!/usr/bin/env python3
"""boot_kvm.py EMULATOR MACHINE KERNEL-IRQCHIP [floppy|virtio-blk|msix]: SeaBIOS starts GRUB's rescue CD or floppy under KVM, from an IDE or floppy drive or a
virtio disk whose kicks come by eventfds, and its menu is the picture that it is under TCG, pixel by pixel. msix: a message of a virtio
device arrives in the kernel's local APIC by an eventfd. Skipped (77) where /dev/kvm is not there or makes no machine, and without the CD (Debian's grub-rescue-pc) or SeaBIOS.
"""
import fcntl
import os
import pathlib
import re
import socket
import sys
import tempfile
import time

from emulator import Emulator, check, check_equal, finish, failures

CD, FLOPPY = (pathlib.Path(f'/usr/lib/grub-rescue/grub-rescue-{name}') for name in ('cdrom.iso', 'floppy.img'))
KVM_CREATE_VM = 0xae01
WAIT_S = 800  # a host whose KVM interprets most of the firmware
KEY_S = 4
LINE, LINES = 160, 25


def kvm_works():
    try:
        system = os.open('/dev/kvm', os.O_RDWR)
    except OSError as error:
        return print(f'/dev/kvm: {error}')
    try:
        os.close(fcntl.ioctl(system, KVM_CREATE_VM, 0))
        return True
    except OSError as error:
        return print(f'KVM_CREATE_VM: {error}')
    finally:
        os.close(system)


def cells_of(vm):
    """What the text mode shows: characters and their colours."""
    path = vm.path('text')
    vm.qmp.ok('pmemsave', val=0xb8000, size=LINE * LINES, filename=path)
    return pathlib.Path(path).read_bytes()


def text_of(cells):
    characters = cells[::2].decode('cp437')
    return '\n'.join(characters[n * LINE // 2:(n + 1) * LINE // 2].rstrip('\0 ') for n in range(LINES))


def wait_cells(vm, what, test):
    """test(cells, those before)"""
    end, before, cells = time.time() + WAIT_S, b'', b''
    while time.time() < end and vm.process.poll() is None:
        before, cells = cells, cells_of(vm)
        if test(cells, before):
            return True
        time.sleep(0.5)
    failures.append(what)
    print(f'FAILED: {what}; the screen:\n{text_of(cells)}\n', vm.qmp.hmp('info status'), vm.qmp.hmp('info registers'), file=sys.stderr)


DRIVES = {
    'cd': ('-cdrom', CD),
    'floppy': ('-drive', f'file={FLOPPY},format=raw,if=floppy,snapshot=on'),
    'virtio-blk': ('-drive', f'file={CD},format=raw,if=none,id=cd,snapshot=on', '-device', 'virtio-blk-pci,drive=cd'),
}


def menu(machine, accel, disk, whole, trace):
    """The menu as cells and as a picture, once a key has ended its countdown and it is `whole`: GRUB draws it line by line, then the colours."""
    with Emulator('-accel', accel, '-m', '128', '-net', 'none', '-vga', 'std', *DRIVES[disk], '-trace', 'virtio_queue_eventfd', '-D', trace.name,
                  machine=machine) as vm:
        vm.qmp.ok('cont')

        pressed = 0

        def there(cells, before):
            """On a busy host the countdown's five seconds may be over before anybody looks: the key is there before the menu, which draws an entry
            anew for each."""
            nonlocal pressed
            text, now = text_of(cells), time.time()
            if 'GRUB' in text and 'Change the colors' not in text and now > pressed + KEY_S:
                vm.qmp.hmp('sendkey up')
                pressed = now
            return now > pressed + KEY_S and cells == before and whole(cells)

        if not wait_cells(vm, f'{accel}: a key arrives, and the menu is there', there):
            return None, None, 0
        dump, cells = vm.path('dump'), cells_of(vm)
        vm.qmp.ok('screendump', filename=dump)
        check_equal(vm.qmp.ok('query-kvm')['enabled'], accel != 'tcg', f'{accel}: query-kvm')
        print(text_of(cells))
        reads = sum(drive['stats']['rd_operations'] for drive in vm.qmp.ok('query-blockstats'))
        vm.qmp.ok('quit')
        vm.wait()  # the trace is whole then
        return cells, pathlib.Path(dump).read_bytes(), reads


def drawn(cells):
    text = text_of(cells)
    return text.rstrip().endswith('command-line.') and 'Change the colors' in text


class Device:
    """A virtio device that firmware leaves alone, driven from outside beside the running processor."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.file = self.sock.makefile()

    def ask(self, command):
        self.sock.sendall(command.encode() + b'\n')
        return self.file.readline().split()

    def config(self, slot, offset):
        self.ask(f'outl 0xcf8 {0x80000000 | slot << 11 | offset:#x}')
        return int(self.ask('inl 0xcfc')[1], 16)

    def store(self, address, size, value):
        check_equal(self.ask(f"write{'-bw-l'[size]} {address:#x} {value:#x}"), ['OK'], 'a store')


def message(machine, irqchip):
    """Buffer, rings and a message of vector 0x61, after firmware has switched the local APIC on."""
    trace, path = tempfile.NamedTemporaryFile(), os.path.join(tempfile.gettempdir(), f'qtest-{os.getpid()}')
    slot, queue, vector = 5, 0x100000, 0x61
    with Emulator('-accel', f'kvm,kernel-irqchip={irqchip}', '-m', '64', '-net', 'none', '-device', f'virtio-rng-pci,addr={slot}', '-qtest',
                  f'unix:{path},server=on,wait=off', '-qtest-log', 'none', '-trace', 'pci_msix_wire', '-trace', 'virtio_queue_eventfd', '-D', trace.name,
                  machine=machine) as vm:
        vm.qmp.ok('cont')
        dev, end = Device(path), time.time() + WAIT_S
        while time.time() < end and not (dev.config(slot, 4) & 2 and 'APIC enabled' in vm.qmp.hmp('info lapic')):
            time.sleep(0.5)
        dev.ask(f'outl 0xcf8 {0x80000004 | slot << 11:#x}')
        dev.ask('outw 0xcfc 7')
        table, base = dev.config(slot, 0x14) & ~15, dev.config(slot, 0x20) & ~15
        dev.ask(f'outl 0xcf8 {0x80000098 | slot << 11:#x}')
        dev.ask('outw 0xcfe 0x8000')
        for offset, value in ((0, 0xfee00000), (4, 0), (8, vector), (12, 0)):
            dev.store(table + 16 + offset, 4, value)
        for address, size, value in ((queue, 4, queue + 0x3000), (queue + 4, 4, 0), (queue + 8, 4, 8), (queue + 12, 4, 2), (queue + 0x1000, 4, 0x10000),
                                     (queue + 0x1004, 4, 0)):
            dev.store(address, size, value)
        for offset, size, value in ((20, 1, 3), (8, 4, 1), (12, 4, 1), (20, 1, 11), (22, 2, 0), (24, 2, 4), (26, 2, 1), (32, 4, queue), (36, 4, 0),
                                    (40, 4, queue + 0x1000), (44, 4, 0), (48, 4, queue + 0x2000), (52, 4, 0), (28, 2, 1), (20, 1, 15)):
            dev.store(base + offset, size, value)
        dev.store(base + 0x3000, 2, 0)
        arrived, lapic = re.compile(rf'(ISR|IRR)\s.*\b{vector}\b'), ''
        while time.time() < end and not arrived.search(lapic):
            time.sleep(0.1)
            lapic = vm.qmp.hmp('info lapic')
        check(arrived.search(lapic), f'the message has arrived: {lapic}')
        check_equal(dev.ask(f'readw {queue + 0x2002:#x}')[1], '0x0000000000000001', 'the buffer has come back')
        check('route 48 connected 1' in trace.read().decode(), 'by an eventfd')
    os.path.exists(path) and os.unlink(path)


def main():
    machine, irqchip, disk = (*sys.argv[2:], 'cd')[:3]
    if disk == 'msix' and kvm_works():
        message(machine, irqchip)
        finish()
    if not CD.exists() or not pathlib.Path('/usr/share/seabios/bios-256k.bin').exists() or not kvm_works():
        sys.exit(77)
    trace = tempfile.NamedTemporaryFile()
    cells, expected, _ = menu(machine, 'tcg', disk, drawn, trace)
    check('virtio_queue_eventfd' not in trace.read().decode(), 'tcg: kicks are calls')
    if not expected:
        finish()
    _, got, reads = menu(machine, f'kvm,kernel-irqchip={irqchip}', disk, lambda now: now == cells, trace)
    if got:
        kicks = trace.read().decode().count('virtio_queue_eventfd device virtio-blk-device queue 0')
        print(kicks, 'kicks by eventfd')
        check_equal(kicks, reads if disk == 'virtio-blk' else 0, f'kicks by eventfd of {reads} reads')
        size = [re.match(rb'P6\n(\d+) (\d+)\n255\n', picture) for picture in (expected, got)]
        check_equal(size[1] and size[1].groups(), size[0].groups(), 'size')
        different = sum(a != b for a, b in zip(expected, got))
        check(expected == got, f'{different} bytes of the pictures differ')
        check(len(set(expected[-3 * int(size[0][1]) * 350:])) > 1, 'there is a picture')
    finish()


main()
