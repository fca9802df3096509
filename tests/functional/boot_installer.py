#!/usr/bin/env python3
"""boot_installer.py EMULATOR FOLDER ARCH KIND WAY: Debian 12's installer to its first question.

FOLDER has the packages debian-installer-12-netboot-ARCH unpacked (skipped with 77 if not); KIND is text or gtk, or, on arm64 and armhf, serial; WAY is kernel
(-kernel and -initrd), uefi (the same, started by AAVMF), pxe-CARD (the card's boot ROM, pxelinux and its menu, all files by TFTP) or cd (-cdrom with an image
of the same files; on PCs ISOLINUX and its menu, on arm64 GRUB; skipped without the packages isolinux, grub-efi-arm64-bin in FOLDER, and xorriso). The
question is there when the key "down" moves the bar in the list of languages (and in the menu before it): two pictures that differ in two rows of text which have
swapped their colours. On the serial port, "up" moves it from English to C. Times are printed, not judged.
"""
import itertools
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from emulator import Emulator

MIN_BAR_ROWS, MAX_BAR_ROWS = 12, 40
ANSI_UP, SERIAL_BAR = b'\x1b[A', '\x1b[37m\x1b[41m'
# Machine, its screen and keyboard, what the kernel is told.
PC = ('pc', ['-vga', 'std'], 'vga=788')
ARM = ('virt', ['-cpu', 'cortex-a72', '-device', 'qemu-xhci', '-device', 'usb-kbd', '-device', 'usb-tablet', '-device'], 'console=tty0')
# The kernel of 32 bits does not reach PCIe's configuration space where it usually is.
ARM32 = ('virt,highmem=off', ['-cpu', 'cortex-a15'])
AAVMF = '/usr/share/AAVMF/AAVMF_CODE.fd'
ISOLINUX = pathlib.Path('/usr/lib/ISOLINUX/isolinux.bin')
PATIENCE_S = 3600          # for one answer of the monitor
ANSWER_S = 20
SAME, DIFFERENT = 24, 40    # of 255, means of a colour


def picture(vm):
    """Width and the rows of the screen."""
    path = vm.path('screen.ppm')
    vm.qmp.ok('screendump', filename=path)
    data = pathlib.Path(path).read_bytes()
    _, size, _, pixels = data.split(b'\n', 3)
    width, height = map(int, size.split())
    return width, [pixels[y * width * 3:(y + 1) * width * 3] for y in range(height)]


def mean(rows, columns):
    """The mean colour of some columns."""
    values = [[row[3 * x + c] for row in rows for x in columns] for c in range(3)]
    return [sum(v) / len(v) for v in values]


def distance(a, b):
    return max(abs(x - y) for x, y in zip(a, b))


def columns_changed(width, a, b):
    return [x for x in range(width) if a[3 * x:3 * x + 3] != b[3 * x:3 * x + 3]]


def bar_moved(before, after):
    """True: two neighbouring rows of text swapped their colours. (The mark of a scroll bar may have moved, too.)"""
    width, old = before
    if after[0] != width or len(after[1]) != len(old):
        return False
    new = after[1]
    changed = [y for y, (a, b) in enumerate(zip(old, new)) if a != b and len(columns_changed(width, a, b)) >= width // 8]
    if not changed:
        return False
    top, n = changed[0], changed[-1] + 1 - changed[0]
    if not 2 * MIN_BAR_ROWS <= n <= 2 * MAX_BAR_ROWS:
        return False
    columns = columns_changed(width, old[top], new[top])
    halves = [(top, top + n // 2), (top + (n + 1) // 2, top + n)]
    upper_old, lower_old = (mean(old[a:b], columns) for a, b in halves)
    upper_new, lower_new = (mean(new[a:b], columns) for a, b in halves)
    return (distance(upper_old, lower_new) < SAME and distance(lower_old, upper_new) < SAME and distance(upper_old, lower_old) > DIFFERENT)


def settled(vm):
    """A picture that has not changed for a while."""
    last = picture(vm)
    while True:
        time.sleep(3)
        now = picture(vm)
        if now == last:
            return now
        last = now


def press(vm, key):
    vm.qmp.ok('send-key', keys=[{'type': 'qcode', 'data': key}])


def is_dark(screen):
    """More than half is black: a console, no menu."""
    width, rows = screen
    return sum(row.count(0) for row in rows) > 3 * width * len(rows) // 2


def after_key(vm, key, before):
    """The picture that a key leads to. A busy guest takes a while; one without a list shows no change at all."""
    press(vm, key)
    end = time.monotonic() + ANSWER_S
    while picture(vm) == before and time.monotonic() < end:
        time.sleep(1)
    return settled(vm)


def wait_for_list(vm):
    """Presses "down" until a bar follows, and "up" when nothing did: what has been typed ahead may come to the list. Rows of different heights swap
    nothing, so that the next two are tried."""
    while True:
        before = settled(vm)
        if is_dark(before):
            continue
        after = after_key(vm, 'down', before)
        if bar_moved(before, after):
            return
        if after == before:
            after_key(vm, 'up', after)


def stop_countdown(vm):
    """Graphical installers' menu starts speech after a while unless the bar is moved, and says so every second: it would not settle."""
    last, keys = None, itertools.cycle(('down', 'up'))
    while last is None or is_dark(last) or last != picture(vm):
        press(vm, next(keys))
        time.sleep(1)
        last = picture(vm)
        time.sleep(2)


def cpu_s(vm):
    fields = pathlib.Path(f'/proc/{vm.process.pid}/stat').read_text().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def make_uefi_cd(files, grub, path, work):
    """A CD with GRUB for UEFI, which starts the only entry of its menu."""
    folder = work / 'cd'
    (folder / 'boot/grub').mkdir(parents=True)
    for name, source in (('linux', files / 'linux'), ('initrd.gz', files / 'initrd.gz')):
        shutil.copyfile(source, folder / name)
    (folder / 'boot/grub/grub.cfg').write_text("set timeout=1\nmenuentry 'Install' {\n  linux /linux --- quiet\n  initrd /initrd.gz\n}\n")
    subprocess.run(['grub-mkrescue', '-d', grub, '-o', path, folder], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_cd(tree, files, path):
    """A CD that starts by El Torito without emulation, as Debian's own: the same menu as over the network."""
    subprocess.run(['xorriso', '-as', 'mkisofs', '-quiet', '-o', path, '-U', '-R', '-c', 'boot.cat', '-b', 'isolinux.bin', '-no-emul-boot',
                    '-boot-load-size', '4', '-boot-info-table', '-graft-points', f'/debian-installer={tree}/debian-installer',
                    f'/isolinux.bin={ISOLINUX}', f'/isolinux.cfg={files}/boot-screens/syslinux.cfg', f'/ldlinux.c32={files}/boot-screens/ldlinux.c32'],
                   check=True)


def kernel_of(files):
    return next((files / name for name in ('linux', 'vmlinuz') if (files / name).exists()), files / 'linux')


def arm_options(files, grub, kind, way, work):
    """Options of the board `virt`. A screen is virtio's where the installer has its driver, else a frame buffer of the firmware."""
    cpu = ARM32[1] if 'armhf' in files.parts else ARM[1][:2]
    options = cpu if kind == 'serial' else [*cpu, *ARM[1][2:], 'virtio-gpu-pci' if way == 'kernel' else 'ramfb']
    if way in ('uefi', 'cd'):
        options += ['-bios', AAVMF]
    if way == 'cd':
        make_uefi_cd(files, grub, work / 'cd.iso', work)
        return [*options, '-drive', f'if=none,id=cd,media=cdrom,format=raw,file={work}/cd.iso', '-device', 'virtio-scsi-pci', '-device', 'scsi-cd,drive=cd']
    return [*options, '-kernel', kernel_of(files), '-initrd', files / 'initrd.gz', *(['-append', ARM[2]] if kind != 'serial' else [])]


def serial_dialogue(vm, port, report):
    """The list of languages as a terminal shows it, its bar on English; after "up" on C."""
    text, moved = '', False
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        text += port.recv(65536).decode(errors='replace')
        if f'{SERIAL_BAR}English' in text and not moved:
            report("the installer's list is there")
            time.sleep(2)
            port.sendall(ANSI_UP)
            text, moved = '', True
        if moved and re.search(re.escape(SERIAL_BAR) + r'C\s', text):
            report("the installer's bar moves")
            return
    sys.exit(f'no list of languages: {text[-600:]!r}')


def main():
    _, folder, arch, kind, way = sys.argv[1:6]
    tree = pathlib.Path(folder, f"usr/lib/debian-installer/images/12/{arch}/{'text' if kind == 'serial' else kind}")
    files = tree / 'debian-installer' / arch
    grub = pathlib.Path(folder, 'usr/lib/grub/arm64-efi')
    card = way.removeprefix('pxe-')
    if not kernel_of(files).exists():
        print(f'no {tree}: scripts/test --images gets it')
        sys.exit(77)
    needs = {'cd': [shutil.which('xorriso')], 'uefi': []}.get(way, [])
    needs += [os.path.exists(AAVMF)] if way in ('cd', 'uefi') and arch == 'arm64' else []
    needs += [shutil.which('grub-mkrescue') and grub.exists() if arch == 'arm64' else ISOLINUX.exists()] if way == 'cd' else []
    if not all(needs):
        print('isolinux, xorriso, grub-mkrescue or AAVMF is not installed')
        sys.exit(77)
    work = tempfile.TemporaryDirectory(prefix='boot-installer-')
    machine, screen, append = PC
    if arch in ('arm64', 'armhf'):
        machine, options, screen = (ARM32 if arch == 'armhf' else ARM)[0], arm_options(files, grub, kind, way, pathlib.Path(work.name)), []
    elif way == 'kernel':
        options = ['-kernel', files / 'linux', '-initrd', files / 'initrd.gz', '-append', append]
    elif way == 'cd':
        cd = pathlib.Path(work.name, 'cd.iso')
        make_cd(tree, files, cd)
        options = ['-cdrom', cd]
    else:
        options = ['-boot', 'n', '-netdev', f'user,id=n,tftp={tree},bootfile=/pxelinux.0', '-device', f'{card},netdev=n']
    port_path = os.path.join(work.name, 'serial')
    if kind == 'serial':
        options += ['-serial', f'unix:{port_path},server=on,wait=off']
    start = time.monotonic()
    with Emulator('-m', '1G', *screen, *map(str, options), machine=machine, patience_s=PATIENCE_S) as vm:
        def report(what):
            print(f'{time.monotonic() - start:7.1f} s, {cpu_s(vm):7.1f} s of processor: {what}', flush=True)

        if kind == 'serial':
            port = socket.socket(socket.AF_UNIX)
            port.connect(port_path)
        vm.qmp.ok('cont')
        if kind == 'serial':
            serial_dialogue(vm, port, report)
        elif way in ('kernel', 'uefi') or arch in ('arm64', 'armhf'):
            wait_for_list(vm)
            report("the installer's bar moves")
        else:
            stop_countdown(vm)
            wait_for_list(vm)
            report("the menu's bar moves")
            press(vm, 'home')
            settled(vm)
            press(vm, 'ret')
            wait_for_list(vm)
            report("the installer's bar moves")
        if len(sys.argv) > 6:
            vm.qmp.ok('screendump', filename=os.path.abspath(sys.argv[6]), format='png')
        vm.qmp.ok('quit')
        vm.wait()


main()
