#!/usr/bin/env python3
"""The first serial port: bytes through sockets, pipes and terminals, -nographic and its keys, slow readers."""
import fcntl
import os
import pty
import select
import socket
import struct
import subprocess
import tempfile
import termios
import time
from emulator import BINARY, Emulator, check, check_equal, finish

# Sends back every byte the UART at 0x10000000 receives, minding the transmitter.
ECHO = [
    0x100002b7,  # lui t0, 0x10000
    0x0052c303,  # 1: lbu t1, 5(t0)
    0x00137313,  # andi t1, t1, 1
    0xfe030ce3,  # beqz t1, 1b
    0x0002c383,  # lbu t2, 0(t0)
    0x0052c303,  # 2: lbu t1, 5(t0)
    0x02037313,  # andi t1, t1, 0x20
    0xfe030ce3,  # beqz t1, 2b
    0x00728023,  # sb t2, 0(t0)
    0xfe1ff06f,  # j 1b
]


def firmware(tmp):
    path = os.path.join(tmp, 'echo.bin')
    with open(path, 'wb') as f:
        f.write(struct.pack(f'<{len(ECHO)}I', *ECHO))
    return path


def exchange(sock, data):
    """Sends all of data while reading; returns what comes back."""
    sock.setblocking(False)
    sent, got, end = 0, b'', time.time() + 30
    while len(got) < len(data) and time.time() < end:
        readable, writable, _ = select.select([sock], [sock] if sent < len(data) else [], [], 0.5)
        if writable:
            try:
                sent += sock.send(data[sent:sent + 4096])
            except BlockingIOError:
                pass
        if readable:
            got += sock.recv(65536)
    sock.setblocking(True)
    return got


def test_socket(tmp, code):
    path = os.path.join(tmp, 'serial')
    with Emulator('-bios', code, '-serial', f'unix:{path},server=on,wait=off', machine='virt') as vm:
        vm.qmp.ok('cont')
        data = bytes(range(256)) * 16
        for _ in range(2):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(path)
            check(exchange(sock, data) == data, 'every byte comes back in order')
            sock.close()
        vm.qmp.ok('quit')
        check_equal(vm.wait(), 0, 'quit')


def test_slow_reader(tmp, code):
    """Nobody reads: the guest waits, the monitor does not, and nothing of what was taken is lost."""
    base = os.path.join(tmp, 'pipe')
    os.mkfifo(base + '.in')
    os.mkfifo(base + '.out')
    out = os.open(base + '.out', os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, 4096)
    with Emulator('-bios', code, '-serial', f'pipe:{base}', machine='virt') as vm:
        vm.qmp.ok('cont')
        feed = os.open(base + '.in', os.O_RDWR | os.O_NONBLOCK)
        data = bytes(range(256)) * 32
        check_equal(os.write(feed, data), len(data), 'the pipe takes it all')
        time.sleep(0.3)
        vm.qmp.ok('query-status')
        got, end = b'', time.time() + 30
        while len(got) < len(data) and time.time() < end:
            if select.select([out], [], [], 0.1)[0]:
                got += os.read(out, 65536)
        check(got == data, f'{len(got)} of {len(data)} bytes came back, equal: {got == data[:len(got)]}')
        os.close(feed)
        vm.qmp.ok('quit')
        check_equal(vm.wait(), 0, 'quit')
    os.close(out)


def until(master, text, timeout=10):
    data, end = b'', time.time() + timeout
    while text not in data and time.time() < end:
        if select.select([master], [], [], 0.1)[0]:
            data += os.read(master, 4096)
    check(text in data, f'{text!r} does not come: {data!r}')
    return data


def test_nographic(code):
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    process = subprocess.Popen([BINARY, '-M', 'virt', '-bios', code, '-nographic'], stdin=slave, stdout=slave, stderr=slave,
                               start_new_session=True)
    end = time.time() + 10
    while termios.tcgetattr(slave)[3] & (termios.ISIG | termios.ECHO) and time.time() < end:
        time.sleep(0.01)
    os.write(master, b'hello')
    until(master, b'hello')
    # Ctrl-C and the line discipline's keys are the guest's.
    check(not termios.tcgetattr(slave)[3] & termios.ISIG, 'Ctrl-C is not a signal')
    os.write(master, b'<\x03\x04\x1a\r>')
    check(b'\x03' in until(master, b'>'), 'control characters reach the guest')
    os.write(master, b'\x01\x01!')
    check(b'\x01' in until(master, b'!'), 'Ctrl-A Ctrl-A')
    os.write(master, b'\x01c')
    until(master, b'(qemu) ')
    os.write(master, b'info chardev\r')
    data = until(master, b'(qemu) ')
    check(b'serial0' in data, f'info chardev: {data!r}')
    os.write(master, b'stop\r')
    until(master, b'(qemu) ')
    os.write(master, b'info status\r')
    check(b'paused' in until(master, b'(qemu) '), 'the monitor rules')
    os.write(master, b'cont\r')
    until(master, b'(qemu) ')
    os.write(master, b'\x01cback')
    until(master, b'back')
    os.write(master, b'\x01t\nline\n')
    data = until(master, b'line')
    check(b'[00:00:0' in data, f'time stamps: {data!r}')
    os.write(master, b'\x01x')
    until(master, b'Terminated')
    check_equal(process.wait(10), 0, 'Ctrl-A x')
    check_equal(termios.tcgetattr(slave), before, 'terminal as before')
    os.close(master)
    os.close(slave)


def test_stdio(code):
    """A pipe as standard input and output: no terminal, no loss."""
    process = subprocess.Popen([BINARY, '-M', 'virt', '-bios', code, '-display', 'none', '-serial', 'stdio', '-monitor',
                                'none'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    data = b'0123456789abcdef' * 1024
    process.stdin.write(data)
    process.stdin.flush()
    got = b''
    while len(got) < len(data):
        piece = os.read(process.stdout.fileno(), 65536)
        if not piece:
            break
        got += piece
    check(got == data, 'through pipes')
    process.terminate()
    check_equal(process.wait(10), 0, 'SIGTERM')


def main():
    with tempfile.TemporaryDirectory() as tmp:
        code = firmware(tmp)
        test_socket(tmp, code)
        test_slow_reader(tmp, code)
        test_nographic(code)
        test_stdio(code)
    finish()


main()
