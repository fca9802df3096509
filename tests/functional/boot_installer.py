#!/usr/bin/env python3
"""boot_installer.py EMULATOR FOLDER ARCH KIND WAY: Debian 12's installer to its first question, on the screen.

FOLDER has the packages debian-installer-12-netboot-ARCH unpacked (skipped with 77 if not); KIND is text or gtk; WAY is kernel (-kernel and -initrd),
pxe-CARD (the card's boot ROM, pxelinux and its menu, all files by TFTP) or cd (-cdrom with an image of the same files, ISOLINUX and its menu; skipped
without the packages isolinux and xorriso). The question is there when the key "down" moves the bar in the list of languages
(and in the menu before it): two pictures that differ in two rows of text which have swapped their colours. Times are printed, not judged.
"""
import itertools
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from emulator import Emulator

MIN_BAR_ROWS, MAX_BAR_ROWS = 12, 40
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


def make_cd(tree, files, path):
    """A CD that starts by El Torito without emulation, as Debian's own: the same menu as over the network."""
    subprocess.run(['xorriso', '-as', 'mkisofs', '-quiet', '-o', path, '-U', '-R', '-c', 'boot.cat', '-b', 'isolinux.bin', '-no-emul-boot',
                    '-boot-load-size', '4', '-boot-info-table', '-graft-points', f'/debian-installer={tree}/debian-installer',
                    f'/isolinux.bin={ISOLINUX}', f'/isolinux.cfg={files}/boot-screens/syslinux.cfg', f'/ldlinux.c32={files}/boot-screens/ldlinux.c32'],
                   check=True)


def main():
    _, folder, arch, kind, way = sys.argv[1:6]
    tree = pathlib.Path(folder, f'usr/lib/debian-installer/images/12/{arch}/{kind}')
    files = tree / 'debian-installer' / arch
    card = way.removeprefix('pxe-')
    if not (files / 'linux').exists():
        print(f'no {tree}: scripts/test --images gets it')
        sys.exit(77)
    if way == 'cd' and not (ISOLINUX.exists() and shutil.which('xorriso')):
        print('isolinux or xorriso is not installed')
        sys.exit(77)
    work = tempfile.TemporaryDirectory(prefix='boot-installer-')
    if way == 'kernel':
        options = ['-kernel', files / 'linux', '-initrd', files / 'initrd.gz', '-append', 'vga=788']
    elif way == 'cd':
        cd = pathlib.Path(work.name, 'cd.iso')
        make_cd(tree, files, cd)
        options = ['-cdrom', cd]
    else:
        options = ['-boot', 'n', '-netdev', f'user,id=n,tftp={tree},bootfile=/pxelinux.0', '-device', f'{card},netdev=n']
    start = time.monotonic()
    with Emulator('-m', '1G', '-vga', 'std', *map(str, options), machine='pc', patience_s=PATIENCE_S) as vm:
        vm.qmp.ok('cont')

        def report(what):
            print(f'{time.monotonic() - start:7.1f} s, {cpu_s(vm):7.1f} s of processor: {what}', flush=True)

        if way != 'kernel':
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
