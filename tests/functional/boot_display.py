#!/usr/bin/env python3
"""boot_display.py EMULATOR GUEST CARD [MACHINE]: Debian's kernel on a graphics card: what it finds, what its frame buffer shows in a screendump, and keys
and pointer movements that arrive as events. A card that firmware uses as a VGA is one again after a reset. Skipped without the guest
(scripts/guest-linux)."""
import os
import sys
import time
from emulator import Emulator, check, check_equal, finish

GUEST, CARD, MACHINE = sys.argv[2], sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else 'virt'
WAIT_S = 300
CONSOLE = 'ttyAMA0' if 'aarch64' in sys.argv[1] else 'ttyS0'
if not os.path.exists(os.path.join(GUEST, 'kernel')):
    sys.exit(77)


def wait_for(path, text):
    end = time.time() + WAIT_S
    while time.time() < end:
        with open(path, 'rb') as f:
            data = f.read().decode(errors='replace').replace('\r', '')
        if text in data:
            return data
        time.sleep(0.2)
    check(False, f'{text!r} does not come: {data[-500:]}')
    return data


log = f'console-{CONSOLE}-{MACHINE}-{CARD}'
with Emulator('-m', '512', '-kernel', f'{GUEST}/kernel', '-initrd', f'{GUEST}/initrd.gz', '-append', f'quiet console=tty0 console={CONSOLE} run=display',
              '-serial', f'file:{log}', '-device', CARD, '-device', 'virtio-keyboard-pci', '-device', 'virtio-tablet-pci', '-device', 'virtio-mouse-pci',
              machine=MACHINE, cwd=os.getcwd()) as vm:
    vm.qmp.ok('cont')
    text = wait_for(log, 'display: ready')
    check('1280,800 32' in text and 'Virtual-1 connected 1280x800' in text, f'frame buffer and connector: {text}')
    for name in ('Keyboard', 'Tablet', 'Mouse'):
        check(f'input: QEMU Virtio {name}' in text, f'{name}: {text}')
    picture = vm.path('picture.ppm')
    head, bars = b'P6\n1280 800\n255\n', b''.join(bytes([n * 0x20]) * 1024 * 3 for n in range(8)) * 8
    end, data = time.time() + WAIT_S, b''

    def drawn():
        return data[:len(head) + len(bars)] == head + bars

    while not drawn() and time.time() < end:  # the driver copies its shadow to the card now and then
        vm.qmp.ok('screendump', filename=picture)
        with open(picture, 'rb') as f:
            data = f.read()
    check(drawn(), 'what the guest has drawn')
    vm.qmp.ok('send-key', keys=[{'type': 'qcode', 'data': 'left'}])
    vm.qmp.ok('input-send-event', events=[{'type': 'abs', 'data': {'axis': 'x', 'value': 12345}}])
    index = next(m['index'] for m in vm.qmp.ok('query-mice') if m['name'] == 'QEMU Virtio Mouse')
    vm.qmp.hmp(f'mouse_set {index}')
    vm.qmp.hmp('mouse_move 7 0')
    # Of an event: type, code, value behind the time.
    for event in ('1 105 1 0', '1 105 0 0', '3 0 12345 0', '2 0 7 0'):
        wait_for(log, f' {event}\n')
    if MACHINE != 'virt':
        vm.qmp.ok('system_reset')
        end = time.time() + WAIT_S
        while not data.startswith(b'P6\n720 400\n') and time.time() < end:
            vm.qmp.ok('screendump', filename=picture)
            with open(picture, 'rb') as f:
                data = f.read()
        check(data.startswith(b'P6\n720 400\n'), f"the firmware's text after a reset: {data[:20]}")
        wait_for(log, 'display: ready')
    vm.qmp.ok('quit')
    vm.wait()
os.unlink(log)
finish()
