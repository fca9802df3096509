#!/usr/bin/env python3
"""zynq.py EMULATOR: a program of our own (guest/zynq.c) on xilinx-zynq-a9: UART, timers, SD card, second processor, restart.
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
LINES = ['hello', 'locked 00000001', 'kept 00400000', 'ticks 00000001', 'down 00000001', 'looped 00007802', 'uart 00010000', 'ocr 80ff8000', None,
         'mailbox 00000001', 'held 00000001', 'second 80000001', 'again a5080000', 'got 0000005a']


def main():
    if not shutil.which(COMPILER):
        print(f'{COMPILER} is not there')
        sys.exit(77)
    work = pathlib.Path(tempfile.mkdtemp(prefix='zynq-'))
    source = pathlib.Path(__file__).parent / 'guest/zynq.c'
    subprocess.run([COMPILER, '-O1', '-marm', '-march=armv7-a', '-mfloat-abi=soft', '-ffreestanding', '-nostdlib', '-static', '-no-pie',
                    '-Wl,--build-id=none', '-Wl,-Ttext=0x100000', '-o', work / 'program', source], check=True)
    card = bytearray(os.urandom(1 << 20))
    (work / 'card').write_bytes(card)
    total = 0
    for word, in struct.iter_unpack('<I', card[7 * 512:8 * 512]):
        total = ((total << 1 | total >> 31) & 0xffffffff) ^ word
    try:
        with Emulator('-smp', '2', '-kernel', str(work / 'program'), '-drive', f'file={work}/card,format=raw,if=sd', '-chardev',
                      f'socket,id=c,path={work}/serial,server=on,wait=off,logfile={work}/log', '-serial', 'chardev:c', machine='xilinx-zynq-a9',
                      cwd=os.getcwd()) as vm:
            vm.qmp.ok('cont')
            end = time.time() + 60

            def wait_for(line):
                while line + '\n' not in log() and vm.process.poll() is None and time.time() < end:
                    time.sleep(0.05)

            def log():
                return (work / 'log').read_text() if (work / 'log').exists() else ''
            wait_for('again a5080000')
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(str(work / 'serial'))
                peer.sendall(b'Z')
                wait_for('got 0000005a')
            check_equal(log().split('\n')[:len(LINES)], [line or f'card {total:08x}' for line in LINES], 'what the program says')
        written = (work / 'card').read_bytes()[9 * 512:10 * 512]
        check_equal(written, b''.join(struct.pack('<I', 0xb0a20000 + i) for i in range(128)), 'what was written to the card')
        # It has no such flash, and says so.
        done = subprocess.run([sys.argv[1], '-M', 'xilinx-zynq-a9', '-display', 'none', '-drive', f'if=pflash,format=raw,file={work}/card'], capture_output=True,
                              text=True, timeout=60)
        check(done.returncode == 1 and 'does not support if=pflash' in done.stderr, f'a flash: {done.returncode} {done.stderr!r}')
    finally:
        shutil.rmtree(work)
    finish()


main()
