#!/usr/bin/env python3
"""boot_board.py EMULATOR GUEST BOARD: Debian's kernel with its own device tree on a board: processors, SD card both ways, frame buffer, power-off.

GUEST is made by scripts/guest-linux; without it, or without what the test needs of the host (e2fsprogs, fdtput), it is skipped (77).
"""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from emulator import Emulator, check, check_equal, finish
from guest_linux import GuestConsole, initrd_with

MIB = 1 << 20
GUEST, BOARD = pathlib.Path(sys.argv[2]), sys.argv[3]
BOARDS = {
    # A frame buffer that firmware has set up is a node which firmware adds.
    'raspi3b': dict(dtb='bcm2837-rpi-3-b.dtb', cpus=4, console='ttyS1', serial=1, devices='hwrng,thermal,picture',
                    modules=['bcm2835', 'rng-core', 'bcm2835-rng', 'bcm2835_wdt', 'bcm2835_thermal'],
                    framebuffer=dict(base=0x3c100000, width=640, height=480, stride=1280, format='r5g6b5'),
                    says=['hwrng works', 'temperature 25']),
    'raspi2b': dict(dtb='bcm2836-rpi-2-b.dtb', cpus=4, console='ttyAMA0', serial=0, devices='hwrng',
                    modules=['bcm2835', 'rng-core', 'bcm2835-rng', 'bcm2835_wdt'], says=['hwrng works']),
    'vexpress-a9': dict(dtb='vexpress-v2p-ca9.dtb', cpus=1, console='ttyAMA0', serial=0, devices='', modules=['armmmci'],
                        options=['-m', '512M'], says=[]),
    'vexpress-a15': dict(dtb='vexpress-v2p-ca15-tc1.dtb', cpus=1, console='ttyAMA0', serial=0, devices='', modules=['armmmci'],
                         options=['-m', '512M'], says=[]),
    # Its tree has the third SD host alone.
    'smdkc210': dict(dtb='exynos4210-smdkv310.dtb', cpus=2, console='ttySAC0', serial=0, devices='', modules=['sdhci', 'sdhci-s3c'], card=2, says=[]),
}


def prepare(board, work):
    dtbs = sorted((GUEST / 'packages').glob(f'usr/lib/linux-image*/**/{board["dtb"]}'))
    if not dtbs or not (GUEST / 'initrd.gz').exists() or not all(shutil.which(tool) for tool in ('mkfs.ext4', 'debugfs', 'fdtput')):
        print('the guest, its device trees, e2fsprogs or fdtput are not there')
        sys.exit(77)
    shutil.copy(dtbs[-1], work / 'board.dtb')
    fb = board.get('framebuffer')
    if fb:
        def put(kind, *words):
            subprocess.run(['fdtput', '-t', kind, work / 'board.dtb', *map(str, words)], check=True)
        node = f'/chosen/framebuffer@{fb["base"]:x}'
        subprocess.run(['fdtput', '-c', work / 'board.dtb', node], check=True)
        put('i', '/chosen', '#address-cells', 1)
        put('i', '/chosen', '#size-cells', 1)
        subprocess.run(['fdtput', work / 'board.dtb', '/chosen', 'ranges'], check=True)
        put('s', node, 'compatible', 'simple-framebuffer')
        put('x', node, 'reg', f'{fb["base"]:x}', f'{fb["stride"] * fb["height"]:x}')
        put('i', node, 'width', fb['width'])
        put('i', node, 'height', fb['height'])
        put('i', node, 'stride', fb['stride'])
        put('s', node, 'format', fb['format'])
    tree, data = work / 'tree', os.urandom(3 * MIB)
    tree.mkdir()
    (tree / 'from-host').write_bytes(data)
    with open(work / 'sd.img', 'wb') as f:
        f.truncate(64 * MIB)
    subprocess.run(['mkfs.ext4', '-q', '-F', '-d', tree, work / 'sd.img'], check=True)
    initrd_with(GUEST, 'board', work / 'initrd', board['modules'])
    return hashlib.sha256(data).hexdigest()


def value(text, word):
    lines = [line.split(' ')[1] for line in text.split('\n') if line.startswith(word + ' ')]
    return lines[0] if lines else None


def expected_picture(fb):
    """What board.sh draws, the first 64 lines' worth of bytes, as a PPM has it."""
    line = b''.join(bytes([n, 255 - n]) for n in range(256))
    out = bytearray()
    for at in range(0, 64 * len(line), 2):
        v = line[at % 512] | line[at % 512 + 1] << 8
        r, g, b = v >> 11, v >> 5 & 63, v & 31
        out += bytes([r << 3 | r >> 2, g << 2 | g >> 4, b << 3 | b >> 2])
    return bytes(out)


def main():
    board = BOARDS[BOARD]
    work = pathlib.Path(tempfile.mkdtemp(prefix='boot-board-'))
    try:
        sent = prepare(board, work)
        log = work / 'console'
        serials = ['-serial', 'null'] * board['serial'] + ['-serial', f'file:{log}']
        with Emulator('-kernel', str(GUEST / 'kernel'), '-dtb', str(work / 'board.dtb'), '-initrd', str(work / 'initrd'), '-append',
                      f'console={board["console"]} quiet run=board devices={board["devices"]}', *serials,
                      '-drive', f'file={work}/sd.img,format=raw,if=sd,index={board.get("card", 0)}', *board.get('options', []), machine=BOARD, cwd=os.getcwd()) as vm:
            console = GuestConsole(log, vm)
            vm.qmp.ok('cont')
            fb = board.get('framebuffer')
            if fb and console.wait('drawn'):
                picture, want = work / 'picture.ppm', b'P6\n%d %d\n255\n' % (fb['width'], fb['height']) + expected_picture(fb)
                end, got = time.time() + 30, b''
                while got[:len(want)] != want and time.time() < end:
                    vm.qmp.ok('screendump', filename=str(picture))
                    got = picture.read_bytes()
                check(got[:len(want)] == want, 'the picture is what the guest has drawn')
            console.wait('guest-test board: exit 0')
            text = console.text()
            check(f'{board["cpus"]} cpus' in text, f'processors: {text[-2000:]}')
            for line in board['says']:
                check(line in text, f'{line!r} is missing: {text[-2000:]}')
            check_equal(value(text, 'from-host'), sent, 'what the guest read from the card')
            end = time.time() + 60
            while vm.process.poll() is None and time.time() < end:
                time.sleep(0.1)
            check_equal(vm.process.poll(), 0, 'powered off')
        check_equal(subprocess.run(['e2fsck', '-f', '-n', work / 'sd.img'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode, 0,
                    'the file system is clean')
        subprocess.run(['debugfs', '-R', f'dump /from-guest {work}/from-guest', work / 'sd.img'], stderr=subprocess.DEVNULL, check=True)
        check_equal(hashlib.sha256((work / 'from-guest').read_bytes()).hexdigest(), value(text, 'from-guest'), 'what is on the card afterwards')
    finally:
        shutil.rmtree(work)
    finish()


main()
