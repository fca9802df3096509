#!/usr/bin/env python3
"""boot_screen.py EMULATOR GUEST usb|ps2: the same pixels in a screendump, at a VNC client and in an SDL window (under Xvfb); keys, mouse and tablet from VNC
and from the window arrive in the guest. Skipped without the guest (scripts/guest-linux), Xvfb, xdotool or ImageMagick."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from emulator import Emulator, check, check_equal, finish
from guest_linux import GuestConsole, WAIT_S, initrd_with
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / 'hw'))
import rfb  # noqa: E402

GUEST, KIND = pathlib.Path(sys.argv[2]), sys.argv[3]
if not (GUEST / 'kernel').exists() or not all(map(shutil.which, ('Xvfb', 'xdotool', 'import'))):
    sys.exit(77)
USB = ['-device', 'qemu-xhci', '-device', 'usb-kbd', '-device', 'usb-tablet', '-device', 'usb-mouse']
KEYBOARD = 'QEMU QEMU USB Keyboard' if KIND == 'usb' else 'AT Translated Set 2 keyboard'
MOUSE = 'QEMU QEMU USB Mouse' if KIND == 'usb' else 'ImExPS/2 Generic Explorer Mouse'
TABLET = 'QEMU QEMU USB Tablet'


def ppm(data):
    head = re.match(rb'P6\n(\d+) (\d+)\n255\n', data)
    check(head, f'a PPM: {data[:40]}')
    return int(head[1]), int(head[2]), data[head.end():]


def screendump():
    vm.qmp.ok('screendump', filename=str(work / 'dump.ppm'))
    return ppm((work / 'dump.ppm').read_bytes())


def from_vnc():
    client.whole()
    return client.width, client.height, b''.join(v.to_bytes(4, 'big')[1:] for row in client.pixels for v in row)


def xdotool(*words):
    return subprocess.run(['xdotool', *map(str, words)], env=environment, check=True, capture_output=True, text=True).stdout.strip()


def from_window():
    done = subprocess.run(['import', '-window', window, '-depth', '8', 'ppm:-'], env=environment, stdout=subprocess.PIPE)
    return ppm(done.stdout)


def same_pixels(name, get):
    """The guest's picture stands still; what shows it may be a moment behind."""
    end = time.time() + WAIT_S
    while (got := get()) != (dump := screendump()) and time.time() < end:
        time.sleep(0.2)
    check_equal(got[:2], dump[:2], f'{name}: size')
    different = sum(a != b for a, b in zip(got[2], dump[2]))
    check(got == dump, f'{name}: {different} of {len(dump[2])} bytes differ from the screendump')


def use(name):
    """The pointing device that gets what comes."""
    if KIND == 'usb':
        vm.qmp.hmp(f"mouse_set {next(m['index'] for m in vm.qmp.ok('query-mice') if m['name'] == name)}")


work = pathlib.Path(f'screen-{KIND}').absolute()
shutil.rmtree(work, ignore_errors=True)
work.mkdir()
initrd_with(GUEST, 'screen', work / 'initrd.gz', ['hid-generic'])
shown, told = os.pipe()
xvfb = subprocess.Popen(['Xvfb', '-displayfd', str(told), '-screen', '0', '1600x1200x24', '-nolisten', 'tcp'], pass_fds=[told],
                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
os.close(told)
number = os.read(shown, 16).decode().strip()
environment = {**os.environ, 'DISPLAY': f':{number}'}
environment.pop('WAYLAND_DISPLAY', None)
try:
    with Emulator('-m', '512', '-vga', 'std', '-kernel', GUEST / 'kernel', '-initrd', work / 'initrd.gz', '-no-reboot', '-append',
                  f"quiet no_timer_check console=ttyS0 run=screen wait={6 if KIND == 'usb' else 3}", '-serial', f'file:{work}/console', '-display', 'sdl',
                  '-vnc', f'unix:{work}/vnc', *(USB if KIND == 'usb' else []), machine='pc', env=environment) as vm:
        console = GuestConsole(work / 'console', vm)
        vm.qmp.ok('cont')
        if console.wait('screen: ready'):
            client = rfb.Client(str(work / 'vnc'))
            client.set_encodings(16, 5, 0)
            window = xdotool('search', '--name', 'QEMU').splitlines()[-1]
            xdotool('windowmove', '--sync', window, 0, 0)  # all of it is on the screen
            check(len(set(screendump()[2])) > 100, 'there is a picture')
            same_pixels('VNC client', from_vnc)
            same_pixels('SDL window', from_window)

            client.key(1, ord('q'))
            client.key(0, ord('q'))
            console.expect(KEYBOARD, [(1, 16, 1), (1, 16, 0)])
            width, height = client.width, client.height
            if KIND == 'usb':
                use('QEMU HID Tablet')
                client.pointer(0, width - 1, height // 2)
                console.expect(TABLET, [(3, 0, 32767), (3, 1, height // 2 * 32767 // (height - 1))])
                client.pointer(4, 0, height - 1)
                client.pointer(0, 0, height - 1)
                console.expect(TABLET, [(3, 0, 0), (3, 1, 32767), (1, 273, 1), (1, 273, 0)])
            use('QEMU HID Mouse')
            client.pointer(0, 100, 100)
            client.pointer(0, 103, 98)
            console.expect(MOUSE, [(2, 0, 3), (2, 1, -2)])
            client.pointer(1, 103, 98)
            client.pointer(0, 103, 98)
            console.expect(MOUSE, [(1, 272, 1), (1, 272, 0)])

            xdotool('windowfocus', '--sync', window)
            xdotool('key', 'z')
            console.expect(KEYBOARD, [(1, 44, 1), (1, 44, 0)])
            if KIND == 'usb':
                use('QEMU HID Tablet')
                xdotool('mousemove', '--window', window, 40, 30)
                console.expect(TABLET, [(3, 0, 40 * 32767 // (width - 1)), (3, 1, 30 * 32767 // (height - 1))])
                xdotool('click', 2)
                console.expect(TABLET, [(1, 274, 1), (1, 274, 0)])
                use('QEMU HID Mouse')
            xdotool('mousemove', '--window', window, width // 2, height // 2)
            xdotool('click', 1)  # the window takes the pointer
            time.sleep(0.2)
            before = len(console.events(MOUSE))
            xdotool('mousemove_relative', '--', 9, -4)
            moved = console.wait_until(lambda: sum(v for t, c, v in console.events(MOUSE)[before:] if (t, c) == (2, 0)) > 0 and
                                       sum(v for t, c, v in console.events(MOUSE)[before:] if (t, c) == (2, 1)) < 0)
            check(moved, f'{MOUSE} from the window: {console.events(MOUSE)[before:]}')
            xdotool('click', 3)
            console.expect(MOUSE, [(1, 273, 1), (1, 273, 0)])
            client.sock.close()
        vm.qmp.ok('quit')
        vm.wait()
finally:
    xvfb.terminate()
    xvfb.wait()
shutil.rmtree(work)
finish()
