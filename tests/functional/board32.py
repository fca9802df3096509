#!/usr/bin/env python3
"""board32.py EMULATOR BOARD: a program of our own (guest/board32.c) on a 32-bit Arm board: serial port, timer interrupts, SD card, picture, restart.
Skipped (77) without a compiler for Arm."""
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from emulator import Emulator, check, check_equal, finish

COMPILER = 'arm-linux-gnueabihf-gcc'
V7, V5 = ['-march=armv7-a'], ['-march=armv5te']
CONFIGURATION = '*reg({0:#x}+0xa4)=0xc0900000'    # SYS_CFGCTRL: start, write, "reboot"
BOARDS = {
    'realview-pb-a8': dict(load=0x70100000, flags=V7, id='01780500', UART=0x10009000, TIMER=0x10011000, TIMER_IRQ=36, GIC_CPU=0x1e000000,
                           GIC_DIST=0x1e001000, MMCI=0x10005000, CLCD=0x10020000, LCD_CONTROL=0x18, ID=0x10000000,
                           RESET='*reg(0x10000020)=0xa05f,*reg(0x10000040)=7'),
    'vexpress-a9': dict(load=0x60100000, flags=V7, id='1190f500', UART=0x10009000, TIMER=0x10011000, TIMER_IRQ=34, GIC_CPU=0x1e000100,
                        GIC_DIST=0x1e001000, MMCI=0x10005000, CLCD=0x10020000, LCD_CONTROL=0x18, ID=0x10000000, RESET=CONFIGURATION.format(0x10000000)),
    'vexpress-a15': dict(load=0x80100000, flags=V7, id='1190f500', UART=0x1c090000, TIMER=0x1c110000, TIMER_IRQ=34, GIC_CPU=0x2c002000,
                         GIC_DIST=0x2c001000, MMCI=0x1c050000, CLCD=0x1c1f0000, LCD_CONTROL=0x18, ID=0x1c010000, RESET=CONFIGURATION.format(0x1c010000)),
    'versatilepb': dict(load=0x100000, flags=V5, id='41007004', UART=0x101f1000, TIMER=0x101e2000, TIMER_IRQ=4, INT_ENABLE=0x10140010, MMCI=0x10005000,
                        CLCD=0x10120000, LCD_CONTROL=0x18, ID=0x10000000, RESET='*reg(0x10000020)=0xa05f,*reg(0x10000040)=0x107'),
    'integratorcp': dict(load=0x100000, flags=V5, id='411a3001', UART=0x16000000, TIMER=0x13000100, TIMER_IRQ=6, INT_ENABLE=0x14000008, MMCI=0x1c000000,
                         CLCD=0xc0000000, LCD_CONTROL=0x1c, ID=0x10000000, RESET='*reg(0x1000000c)=8'),
}


def main():
    name, board = sys.argv[2], BOARDS[sys.argv[2]]
    if not shutil.which(COMPILER):
        print(f'{COMPILER} is not there')
        sys.exit(77)
    work = pathlib.Path(tempfile.mkdtemp(prefix='board32-'))
    source = pathlib.Path(__file__).parent / 'guest/board32.c'
    words = [f'-D{k}={v}' for k, v in board.items() if k.isupper()]
    subprocess.run([COMPILER, '-O1', '-marm', *board['flags'], '-mfloat-abi=soft', '-ffreestanding', '-nostdlib', '-static', '-no-pie', '-Wl,--build-id=none',
                    f'-Wl,-Ttext={board["load"]:#x}', *words, '-o', work / 'program', source], check=True)
    card = bytearray(os.urandom(1 << 20))
    (work / 'card').write_bytes(card)
    total = 0
    for word, in struct.iter_unpack('<I', card[7 * 512:8 * 512]):
        total = ((total << 1 | total >> 31) & 0xffffffff) ^ word
    try:
        with Emulator('-kernel', str(work / 'program'), '-drive', f'file={work}/card,format=raw,if=sd', '-no-reboot', '-chardev',
                      f'socket,id=c,path={work}/serial,server=on,wait=off,logfile={work}/log', '-serial', 'chardev:c', machine=name, cwd=os.getcwd()) as vm:
            vm.qmp.ok('cont')
            end = time.time() + 60

            def log():
                return (work / 'log').read_text() if (work / 'log').exists() else ''
            while 'drawn' not in log() and vm.process.poll() is None and time.time() < end:
                time.sleep(0.05)
            for line in ('hello', f'id {board["id"]}', 'ticks 00000001', 'ocr 80ff8000', f'card {total:08x}', 'drawn'):
                check(line + '\n' in log(), f'{line!r} is missing: {log()!r}')
            vm.qmp.ok('screendump', filename=str(work / 'picture'))
            want = bytearray(b'P6\n64 64\n255\n')
            for i in range(64 * 64):
                want += (i * 0x1234 & 0xffffff).to_bytes(3, 'big')
            check((work / 'picture').read_bytes() == bytes(want), 'the picture')
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(str(work / 'serial'))
                peer.sendall(b'Z')
                while vm.process.poll() is None and time.time() < end:
                    time.sleep(0.05)
            check('got 0000005a\n' in log(), f'what was typed: {log()!r}')
            check_equal(vm.process.poll(), 0, 'the end after the restart')
        written = (work / 'card').read_bytes()[9 * 512:10 * 512]
        check_equal(written, b''.join(struct.pack('<I', 0xb0a20000 + i) for i in range(128)), 'what was written to the card')
    finally:
        shutil.rmtree(work)
    finish()


main()
