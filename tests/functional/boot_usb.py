#!/usr/bin/env python3
"""boot_usb.py EMULATOR GUEST MACHINE CONTROLLER: Debian's kernel on an xHCI controller: what it finds, a disk it reads and writes, hot plug, keys and
pointer movements that arrive as events. Skipped without the guest (scripts/guest-linux)."""
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
from emulator import Emulator, check, check_equal, finish
from guest_linux import GuestConsole, WAIT_S, button, initrd_with, key

GUEST, MACHINE, CONTROLLER = pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4]
CONSOLE = 'ttyAMA0' if 'aarch64' in sys.argv[1] else 'ttyS0'
MIB = 1 << 20
if not (GUEST / 'kernel').exists() or not shutil.which('mkfs.ext4'):
    sys.exit(77)


def value(word):
    found = re.search(rf'^{word} ([0-9a-f]{{64}})$', console.text(), re.M)
    check(found, f'no line {word!r}: {console.text()[-500:]}')
    return found and found[1]


def expect_events(vm, device, sent, expected):
    vm.qmp.ok('input-send-event', events=sent)
    console.expect(device, expected)


work = pathlib.Path(f'usb-{CONSOLE}-{MACHINE.split(",")[0]}-{CONTROLLER}')
shutil.rmtree(work, ignore_errors=True)
work.mkdir()
log, image, data = (work / 'console').absolute(), (work / 'disk.img').absolute(), os.urandom(4 * MIB)
(work / 'tree').mkdir()
(work / 'tree/from-host').write_bytes(data)
image.write_bytes(b'')
os.truncate(image, 32 * MIB)
subprocess.run(['mkfs.ext4', '-q', '-F', '-d', work / 'tree', image], check=True)
initrd_with(GUEST, 'usb', work / 'initrd.gz', ['hid-generic'])

DISK = ['driver=usb-storage', 'drive=d0', 'id=stick', 'bus=xhci.0', 'port=3']
with Emulator('-m', '512', '-kernel', GUEST / 'kernel', '-initrd', work / 'initrd.gz', '-append', f'quiet no_timer_check console={CONSOLE} run=usb', '-no-reboot',
              '-serial', f'file:{log}', '-device', f'{CONTROLLER},id=xhci', '-device', 'usb-tablet,bus=xhci.0,port=1,id=tablet',
              '-device', 'usb-hub,bus=xhci.0,port=2', '-device', 'usb-kbd,bus=xhci.0,port=2.1,id=keys', '-device', 'usb-mouse,bus=xhci.0,port=2.2,id=mouse',
              '-blockdev', f'driver=raw,node-name=d0,file.driver=file,file.filename={image}', '-device', ','.join(DISK).replace('driver=', ''),
              machine=MACHINE) as vm:
    check_equal(vm.qmp.hmp('info usb').splitlines(), [
        '  Device 0.0, Port 1, Speed 480 Mb/s, Product QEMU USB Tablet, ID: tablet', '  Device 0.0, Port 2, Speed 12 Mb/s, Product QEMU USB Hub',
        '  Device 0.0, Port 2.1, Speed 12 Mb/s, Product QEMU USB Keyboard, ID: keys', '  Device 0.0, Port 2.2, Speed 12 Mb/s, Product QEMU USB Mouse, ID: mouse',
        '  Device 0.0, Port 3, Speed 5000 Mb/s, Product QEMU USB MSD, ID: stick'], 'info usb before the guest runs')
    console = GuestConsole(log, vm)
    vm.qmp.ok('cont')
    if console.wait('usb: written'):
        text = console.text()
        for line in ('0627:0001 speed 480 product QEMU USB Tablet', '0409:55aa speed 12 product QEMU USB Hub', '0627:0001 speed 12 product QEMU USB Keyboard',
                     '0627:0001 speed 12 product QEMU USB Mouse', '46f4:0001 speed 5000 product QEMU USB HARDDRIVE'):
            check(line in text, f'{line}: {text[-1500:]}')
        check('Device 0.0,' not in vm.qmp.hmp('info usb'), 'every device has an address')
        vm.qmp.ok('device_del', id='stick')
        vm.qmp.wait_event('DEVICE_DELETED')
    if console.wait('usb: unplugged'):
        check('MSD' not in vm.qmp.hmp('info usb'), 'the disk is gone')
        vm.qmp.ok('device_add', **dict(item.split('=') for item in DISK))
    if console.wait('usb: events'):
        check_equal(value('again'), value('from-guest'), 'what was written, after the disk was unplugged and plugged in again')
        expect_events(vm, 'QEMU USB Keyboard', [key('a', True), key('a', False)], [(1, 30, 1), (1, 30, 0)])
        expect_events(vm, 'QEMU USB Keyboard', [key('meta_l', True), key('right', True), key('right', False), key('meta_l', False)],
                      [(1, 125, 1), (1, 106, 1), (1, 106, 0), (1, 125, 0)])
        mice = vm.qmp.ok('query-mice')
        for name, absolute in (('QEMU HID Tablet', True), ('QEMU HID Mouse', False)):
            check([name, absolute] in [[m['name'], m['absolute']] for m in mice], f'query-mice: {mice}')
        position = [{'type': 'abs', 'data': {'axis': 'x', 'value': 12345}}, {'type': 'abs', 'data': {'axis': 'y', 'value': 321}}]
        expect_events(vm, 'QEMU USB Tablet', position, [(3, 0, 12345), (3, 1, 321)])
        mouse = next(m['index'] for m in mice if m['name'] == 'QEMU HID Mouse')
        vm.qmp.hmp(f'mouse_set {mouse}')
        expect_events(vm, 'QEMU USB Mouse', [{'type': 'rel', 'data': {'axis': 'x', 'value': 300}}, {'type': 'rel', 'data': {'axis': 'y', 'value': -7}}],
                      [(2, 0, 127), (2, 0, 46), (2, 1, -7)])
        expect_events(vm, 'QEMU USB Mouse', [button('right', True), button('right', False), button('wheel-up', True), button('wheel-up', False)],
                      [(1, 273, 1), (1, 273, 0), (2, 8, 1)])
        vm.qmp.ok('device_del', id='keys')
    if console.wait('usb: done'):
        check('complaint:' not in console.text(), f'the guest complains: {console.text()[-1500:]}')
        console.wait('guest-test usb: exit 0')
        vm.wait(WAIT_S)
        check_equal(value('from-host'), hashlib.sha256(data).hexdigest(), 'what the guest read')
        done = subprocess.run(['e2fsck', '-f', '-n', image], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        check_equal(done.returncode, 0, f'the file system is clean: {done.stdout.decode()}')
shutil.rmtree(work)
finish()
