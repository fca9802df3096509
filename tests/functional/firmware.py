#!/usr/bin/env python3
"""firmware.py EMULATOR [TEST...]: OVMF, as Debian's package installs it, to its shell on the serial port and on the screen.

bios: -bios. pflash: drives for two flash chips on pc, variables that are there again in the next run. blockdev: -machine pflash0=. secure: the
build with system management mode, whose flash only that mode can write. Skipped (77) without the package ovmf.
"""
import os
import pathlib
import socket
import sys
import tempfile
import time

from emulator import Qmp, check, finish
from terminal import UefiTerminal

OVMF = pathlib.Path('/usr/share/OVMF')
VARS = OVMF / 'OVMF_VARS_4M.fd'


class Machine(UefiTerminal):
    def __init__(self, folder, *options):
        super().__init__(folder, '-m', '128', '-vga', 'std', '-no-reboot', *options)

    def screen(self, path):
        """Width, height and number of colours of what is on the screen."""
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(self.qmp_path)
        Qmp(sock).ok('screendump', filename=path)
        sock.close()
        kind, width, height, _, pixels = pathlib.Path(path).read_bytes().split(None, 4)
        return int(width), int(height), len({pixels[n:n + 3] for n in range(0, len(pixels), 3)})


def test_bios(folder):
    for board in ('pc', 'q35'):
        machine = Machine(folder, '-M', board, '-bios', 'OVMF.fd')
        check(machine.shell(), f'{board} -bios: the shell on the serial port; {machine.text[-300:]!r}')
        text = machine.shell_command('ver')
        check('UEFI Interactive Shell' in text and 'EDK II' in text, f'{board} -bios: what the shell says of itself: {text!r}')
        width, height, colours = machine.screen(os.path.join(folder, 'screen.ppm'))
        check(width >= 640 and height >= 480 and colours > 2, f'{board} -bios: the shell on the screen: {width}x{height}, {colours} colours')
        machine.stop()


def keeps_variables(folder, what, *options):
    """A variable set in one run is there in the next one, and only the variables' file was written."""
    variables, value = os.path.join(folder, 'variables'), 'c0ffee42'
    pathlib.Path(variables).write_bytes(VARS.read_bytes())
    for run in range(2):
        machine = Machine(folder, *options)
        check(machine.shell(), f'{what}: the shell, run {run}; {machine.text[-300:]!r}')
        if run == 0:
            text = machine.shell_command(f'setvar Test -guid 11223344-5566-7788-99AA-BBCCDDEEFF00 -bs -rt -nv ={value}')
            check('Unable' not in text and 'rror' not in text, f'{what}: setvar: {text!r}')
        else:
            text = machine.shell_command('setvar Test -guid 11223344-5566-7788-99AA-BBCCDDEEFF00')
            check('C0 FF EE 42' in text.upper(), f'{what}: the variable in the next run: {text!r}')
        machine.stop()
    check(bytes.fromhex(value) in pathlib.Path(variables).read_bytes(), f'{what}: the variable is in its file')


def test_pflash(folder):
    keeps_variables(folder, 'pflash', '-M', 'pc', '-drive', f'if=pflash,unit=0,format=raw,readonly=on,file={OVMF}/OVMF_CODE_4M.fd',
                    '-drive', f'if=pflash,unit=1,format=raw,file={folder}/variables')


def test_blockdev(folder):
    variables = os.path.join(folder, 'variables')
    pathlib.Path(variables).write_bytes(VARS.read_bytes())
    machine = Machine(folder, '-M', 'q35,pflash0=code,pflash1=vars', '-blockdev',
                      f'driver=raw,node-name=code,read-only=on,file.driver=file,file.filename={OVMF}/OVMF_CODE_4M.fd,file.read-only=on',
                      '-blockdev', f'driver=raw,node-name=vars,file.driver=file,file.filename={variables}')
    check(machine.shell(), f'blockdev: the shell; {machine.text[-300:]!r}')
    machine.stop()
    check(pathlib.Path(variables).read_bytes() != VARS.read_bytes(), 'blockdev: variables were written')


def test_secure(folder):
    keeps_variables(folder, 'secure', '-M', 'q35,smm=on', '-smp', '2', '-global', 'driver=cfi.pflash01,property=secure,value=on',
                    '-drive', f'if=pflash,unit=0,format=raw,readonly=on,file={OVMF}/OVMF_CODE_4M.secboot.fd',
                    '-drive', f'if=pflash,unit=1,format=raw,file={folder}/variables')


TESTS = {'bios': test_bios, 'pflash': test_pflash, 'blockdev': test_blockdev, 'secure': test_secure}
if not VARS.exists():
    print('the package ovmf is not installed')
    sys.exit(77)
for name in sys.argv[2:] or TESTS:
    with tempfile.TemporaryDirectory(prefix='firmware-test-') as directory:
        start = time.time()
        TESTS[name](directory)
        print(f'{name}: {time.time() - start:.0f} s')
finish()
