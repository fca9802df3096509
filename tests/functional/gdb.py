#!/usr/bin/env python3
"""The gdb stub of a machine, packet by packet: memory, registers, breakpoints, steps, watchpoints, threads, detach."""
import select
import socket
import struct
import time
from emulator import Emulator, check, check_equal, finish

RAM = 0x80000000
CODE = [
    0x00033383,  # loop: ld t2, 0(t1)
    0x00138393,  # addi t2, t2, 1
    0x00733023,  # sd t2, 0(t1)
    0xff5ff06f,  # j loop
]
COUNTER = RAM + 0x1000


class Gdb:
    def __init__(self, path):
        end = time.time() + 10
        while True:
            self.sock = socket.socket(socket.AF_UNIX)
            try:
                self.sock.connect(path)
                break
            except OSError:
                self.sock.close()
                if time.time() > end:
                    raise
                time.sleep(0.01)
        self.buffer = b''

    def send(self, text):
        data = text.encode()
        self.sock.sendall(b'$' + data + b'#%02x' % (sum(data) & 255))

    def receive(self, timeout=10):
        end = time.time() + timeout
        while True:
            start = self.buffer.find(b'$')
            stop = self.buffer.find(b'#', start)
            if start >= 0 and 0 <= stop <= len(self.buffer) - 3:
                packet = self.buffer[start + 1:stop]
                self.buffer = self.buffer[stop + 3:]
                self.sock.sendall(b'+')
                return packet.decode()
            if not select.select([self.sock], [], [], max(0, end - time.time()))[0]:
                raise TimeoutError('no packet from the stub')
            self.buffer += self.sock.recv(4096)

    def ask(self, text):
        self.send(text)
        return self.receive()

    def read(self, addr, size):
        return bytes.fromhex(self.ask(f'm{addr:x},{size:x}'))

    def reg(self, number):
        return struct.unpack('<Q', bytes.fromhex(self.ask(f'p{number:x}')))[0]

    def set_reg(self, number, value):
        check_equal(self.ask(f'P{number:x}={struct.pack("<Q", value).hex()}'), 'OK', f'register {number}')


PC, T1, T2 = 32, 6, 7


def main():
    with Emulator('-smp', '2', '-bios', 'none', machine='virt') as vm:
        path = vm.path('gdb')
        check('Waiting for gdb' in vm.qmp.hmp(f'gdbserver unix:{path},server=on,wait=off'), 'gdbserver')
        gdb = Gdb(path)
        check('PacketSize' in gdb.ask('qSupported:swbreak+;hwbreak+'), 'qSupported')
        check(gdb.ask('?').startswith('T'), 'stop reason')
        xml = gdb.ask('qXfer:features:read:target.xml:0,fff')
        check('riscv:rv64' in xml, f'architecture in {xml[:200]}')
        check_equal(gdb.ask('qfThreadInfo')[0], 'm', 'threads')
        code = struct.pack('<4I', *CODE).hex()
        check_equal(gdb.ask(f'M{RAM:x},10:{code}'), 'OK', 'write code')
        check_equal(gdb.read(RAM, 16).hex(), code, 'read code')
        check(gdb.ask(f'm{0x50:x},4').startswith('E'), 'nothing there')
        gdb.set_reg(PC, RAM)
        gdb.set_reg(T1, COUNTER)
        check_equal((gdb.reg(PC), gdb.reg(T1)), (RAM, COUNTER), 'registers read back')
        # Steps of the one vCPU, the other stays.
        for expected in [4, 8, 12, 0, 4]:
            reply = gdb.ask('vCont;s:1')
            check(reply.startswith('T05'), f'step: {reply}')
            check_equal(gdb.reg(PC), RAM + expected, 'pc after a step')
        check_equal(struct.unpack('<Q', gdb.read(COUNTER, 8))[0], 1, 'one round was made')
        # A breakpoint hit again and again.
        check_equal(gdb.ask(f'Z0,{RAM + 12:x},4'), 'OK', 'breakpoint')
        for i in range(2, 5):
            reply = gdb.ask('vCont;c:1')
            check('T05' in reply and 'swbreak' in reply, f'breakpoint stop: {reply}')
            check_equal(gdb.reg(PC), RAM + 12, 'pc at the breakpoint')
            check_equal(gdb.reg(T2), i, 'rounds')
            check(gdb.ask('vCont;s:1').startswith('T05'), 'step over the breakpoint')
        check_equal(gdb.ask(f'z0,{RAM + 12:x},4'), 'OK', 'remove it')
        # Watchpoints: told after the access.
        for kind, name, pc in [(2, 'watch', 12), (3, 'rwatch', 4), (4, 'awatch', 12)]:
            check_equal(gdb.ask(f'Z{kind},{COUNTER:x},8'), 'OK', name)
            reply = gdb.ask('vCont;c:1')
            check(f'{name}:{COUNTER:x}' in reply, f'{name} stop: {reply}')
            check_equal(gdb.reg(PC), RAM + pc, f'pc after {name}')
            check_equal(gdb.ask(f'z{kind},{COUNTER:x},8'), 'OK', f'remove {name}')
        # Interrupt from the debugger; stop and cont from the monitor.
        gdb.send('vCont;c:1')
        time.sleep(0.05)
        check_equal(vm.qmp.ok('query-status')['running'], True, 'running')
        gdb.sock.sendall(b'\x03')
        check(gdb.receive().startswith('T02'), 'interrupt')
        check_equal(vm.qmp.ok('query-status'), {'status': 'paused', 'running': False}, 'stopped by interrupt')
        gdb.send('vCont;c:1')
        time.sleep(0.02)
        vm.qmp.ok('stop')
        check(gdb.receive().startswith('T02'), 'stop of the monitor is told')
        check('VM status' in bytes.fromhex(gdb.ask('qRcmd,' + b'info status'.hex()).lstrip('O')).decode(), 'qRcmd')
        check_equal(gdb.receive(), 'OK', 'end of qRcmd')
        before = struct.unpack('<Q', gdb.read(COUNTER, 8))[0]
        check_equal(gdb.ask('D;1'), 'OK', 'detach')
        time.sleep(0.05)
        check_equal(vm.qmp.ok('query-status')['running'], True, 'runs after detach')
        gdb.sock.close()
        # Somebody else comes.
        gdb = Gdb(path)
        check(gdb.ask('?').startswith('T'), 'second connection')
        check(struct.unpack('<Q', gdb.read(COUNTER, 8))[0] > before, 'it ran meanwhile')
        gdb.sock.close()
        check('Disabled' in vm.qmp.hmp('gdbserver none'), 'gdbserver none')
        vm.qmp.ok('quit')
        check_equal(vm.wait(), 0, 'quit')
    finish()


main()
