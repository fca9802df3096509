#!/usr/bin/env python3
"""firmware.py EMULATOR [TEST...]: OVMF, as Debian's package installs it, to its shell on the serial port and on the screen.

bios: -bios. pflash: drives for two flash chips on pc, variables that are there again in the next run. blockdev: -machine pflash0=. secure: the
build with system management mode, whose flash only that mode can write. Skipped (77) without the package ovmf.
"""
import os
import pathlib
import re
import select
import socket
import subprocess
import sys
import tempfile
import time

from emulator import BINARY, Qmp, check, finish

OVMF = pathlib.Path('/usr/share/OVMF')
VARS = OVMF / 'OVMF_VARS_4M.fd'
TIMEOUT_S = 600
PROMPT = 'Shell> '


class Machine:
    """A machine whose serial port is the shell's terminal."""

    def __init__(self, folder, *options):
        self.qmp_path = os.path.join(folder, 'qmp')
        self.process = subprocess.Popen([BINARY, '-m', '128', '-nodefaults', '-display', 'none', '-vga', 'std', '-no-reboot', '-serial', 'stdio',
                                         '-qmp', f'unix:{self.qmp_path},server=on,wait=off', *map(str, options)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.text = ''
        self.end = time.time() + TIMEOUT_S

    def wait_for(self, pattern):
        """The text up to and with the pattern, without escape sequences; '' if it never comes."""
        while True:
            clean = re.sub(r'\x1b\[[0-9;?]*[A-Za-z]', '', self.text)
            match = re.search(pattern, clean)
            if match:
                self.text = clean[match.end():]
                return clean[:match.end()]
            if not select.select([self.process.stdout], [], [], max(0, self.end - time.time()))[0]:
                return ''
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return ''
            self.text += data.decode(errors='replace')

    def send(self, text):
        """As a person types: the port's FIFO has 16 bytes and the shell looks at it now and then."""
        for c in text:
            self.process.stdin.write(c.encode())
            self.process.stdin.flush()
            time.sleep(0.02)

    def shell(self):
        found = self.wait_for('Press ESC')
        if found:
            self.send('\x1b')
            found = self.wait_for(PROMPT)
        return bool(found)

    def command(self, line):
        self.send(line + '\r')
        return self.wait_for(PROMPT)

    def screen(self, path):
        """Width, height and number of colours of what is on the screen."""
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(self.qmp_path)
        Qmp(sock).ok('screendump', filename=path)
        sock.close()
        kind, width, height, _, pixels = pathlib.Path(path).read_bytes().split(None, 4)
        return int(width), int(height), len({pixels[n:n + 3] for n in range(0, len(pixels), 3)})

    def stop(self):
        self.process.kill()
        self.process.wait()


def test_bios(folder):
    for board in ('pc', 'q35'):
        machine = Machine(folder, '-M', board, '-bios', 'OVMF.fd')
        check(machine.shell(), f'{board} -bios: the shell on the serial port; {machine.text[-300:]!r}')
        text = machine.command('ver')
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
            text = machine.command(f'setvar Test -guid 11223344-5566-7788-99AA-BBCCDDEEFF00 -bs -rt -nv ={value}')
            check('Unable' not in text and 'rror' not in text, f'{what}: setvar: {text!r}')
        else:
            text = machine.command('setvar Test -guid 11223344-5566-7788-99AA-BBCCDDEEFF00')
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
