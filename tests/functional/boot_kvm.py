#!/usr/bin/env python3
"""boot_kvm.py EMULATOR MACHINE KERNEL-IRQCHIP [virtio-blk]: SeaBIOS starts GRUB's rescue CD under KVM, from an IDE drive or a virtio disk whose kicks
come by eventfds, and its menu is the picture that it is under TCG, pixel by pixel. Skipped (77) where /dev/kvm is not there or makes no machine, and without the CD (Debian's grub-rescue-pc) or SeaBIOS.
"""
import fcntl
import os
import pathlib
import re
import sys
import tempfile
import time

from emulator import Emulator, check, check_equal, finish, failures

CD = pathlib.Path('/usr/lib/grub-rescue/grub-rescue-cdrom.iso')
KVM_CREATE_VM = 0xae01
WAIT_S = 800  # a host whose KVM interprets most of the firmware
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


def drive(disk):
    return ('-drive', f'file={CD},format=raw,if=none,id=cd,snapshot=on', '-device', 'virtio-blk-pci,drive=cd') if disk else ('-cdrom', CD)


def menu(machine, accel, disk, whole, trace):
    """The menu as cells and as a picture, once a key has ended its countdown and it is `whole`: GRUB draws it line by line, then the colours."""
    with Emulator('-accel', accel, '-m', '128', '-net', 'none', '-vga', 'std', *drive(disk), '-trace', 'virtio_queue_eventfd', '-D', trace.name,
                  machine=machine) as vm:
        vm.qmp.ok('cont')
        if not wait_cells(vm, f'{accel}: the menu', lambda cells, _: 'executed automatically in' in text_of(cells)):
            return None, None
        vm.qmp.hmp('sendkey up')
        if not wait_cells(vm, f'{accel}: a key arrives, and the menu is there', whole):
            return None, None
        dump, cells = vm.path('dump'), cells_of(vm)
        vm.qmp.ok('screendump', filename=dump)
        check_equal(vm.qmp.ok('query-kvm')['enabled'], accel != 'tcg', f'{accel}: query-kvm')
        print(text_of(cells))
        return cells, pathlib.Path(dump).read_bytes()


def drawn(cells, before):
    text = text_of(cells)
    return text.rstrip().endswith('command-line.') and 'Change the colors' in text and cells == before


def main():
    machine, irqchip, *disk = sys.argv[2:]
    if not CD.exists() or not pathlib.Path('/usr/share/seabios/bios-256k.bin').exists() or not kvm_works():
        sys.exit(77)
    trace = tempfile.NamedTemporaryFile()
    cells, expected = menu(machine, 'tcg', disk, drawn, trace)
    check('virtio_queue_eventfd' not in trace.read().decode(), 'tcg: kicks are calls')
    if not expected:
        finish()
    _, got = menu(machine, f'kvm,kernel-irqchip={irqchip}', disk, lambda now, _: now == cells, trace)
    if got:
        kicks = trace.read().decode().count('virtio_queue_eventfd device virtio-blk-device queue 0')
        print(kicks, 'kicks by eventfd')
        check(kicks > 100 if disk else not kicks, f'{kicks} kicks by eventfd')
        size = [re.match(rb'P6\n(\d+) (\d+)\n255\n', picture) for picture in (expected, got)]
        check_equal(size[1] and size[1].groups(), size[0].groups(), 'size')
        different = sum(a != b for a, b in zip(expected, got))
        check(expected == got, f'{different} bytes of the pictures differ')
        check(len(set(expected[-3 * int(size[0][1]) * 350:])) > 1, 'there is a picture')
    finish()


main()
