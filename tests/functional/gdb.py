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


PC, T1, T2, CSR, PRIV = 32, 6, 7, 65, 65 + 4096


def main():
    with Emulator('-smp', '2', '-bios', 'none', machine='virt') as vm:
        path = vm.path('gdb')
        check('Waiting for gdb' in vm.qmp.hmp(f'gdbserver unix:{path},server=on,wait=off'), 'gdbserver')
        gdb = Gdb(path)
        check('PacketSize' in gdb.ask('qSupported:swbreak+;hwbreak+'), 'qSupported')
        check(gdb.ask('?').startswith('T'), 'stop reason')
        xml = gdb.ask('qXfer:features:read:target.xml:0,fff')
        check('riscv:rv64' in xml, f'architecture in {xml[:200]}')
        virtual = gdb.ask('qXfer:features:read:virtual.xml:0,fff')
        check('org.gnu.gdb.riscv.virtual' in virtual and 'name="priv"' in virtual, f'the mode has its own feature: {virtual[:200]}')
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
        # Watchpoints: told before the access, as gdb expects of RISC-V; who leaves them where they are is told again a round later.
        for kind, name, pc, rounds in [(2, 'watch', 8, [0, 1]), (3, 'rwatch', 0, [1, 1]), (4, 'awatch', 0, [0])]:
            check_equal(gdb.ask(f'Z{kind},{COUNTER:x},8'), 'OK', name)
            for made in rounds:
                before = struct.unpack('<Q', gdb.read(COUNTER, 8))[0]
                reply = gdb.ask('vCont;c:1')
                check(f'{name}:{COUNTER:x}' in reply, f'{name} stop: {reply}')
                check_equal(gdb.reg(PC), RAM + pc, f'pc at {name}')
                after = struct.unpack('<Q', gdb.read(COUNTER, 8))[0]
                check_equal(after - before, made, f'{name}: rounds between two stops')
            check_equal(gdb.ask(f'z{kind},{COUNTER:x},8'), 'OK', f'remove {name}')
        # A step over wfi waits for nothing.
        check_equal(gdb.ask(f'M{RAM + 0x100:x},4:{struct.pack("<I", 0x10500073).hex()}'), 'OK', 'write wfi')
        gdb.set_reg(PC, RAM + 0x100)
        check(gdb.ask('vCont;s:1').startswith('T05'), 'step over wfi')
        check_equal(gdb.reg(PC), RAM + 0x104, 'pc after wfi')
        # Steps into an interrupt handler, when they are told to.
        check_equal(gdb.ask('qqemu.Supported'), 'sstepbits;sstep;PhyMemMode', 'what more it can')
        check_equal(gdb.ask('qqemu.sstep'), '0x7', 'steps leave interrupts and timers alone')
        gdb.set_reg(CSR + 0x305, RAM + 0x200)   # mtvec
        gdb.set_reg(CSR + 0x304, 8)             # mie: software interrupts
        gdb.set_reg(CSR + 0x300, 8)             # mstatus.MIE
        check_equal(gdb.ask('Qqemu.PhyMemMode:1'), 'OK', 'physical addresses')
        check_equal(gdb.ask('M2000000,4:01000000'), 'OK', 'raise it')
        gdb.set_reg(PC, RAM + 4)
        check(gdb.ask('vCont;s:1').startswith('T05'), 'a step with an interrupt waiting')
        check_equal(gdb.reg(PC), RAM + 8, 'goes to the next instruction')
        check_equal(gdb.ask('Qqemu.sstep=5'), 'OK', 'with interrupts')
        check(gdb.ask('vCont;s:1').startswith('T05'), 'the same')
        check_equal(gdb.reg(PC), RAM + 0x200, 'goes to the handler')
        check_equal(gdb.ask('Qqemu.sstep=8'), 'E22', 'no such flag')
        check_equal(gdb.ask('M2000000,4:00000000'), 'OK', 'lower it')
        check_equal(gdb.ask('Qqemu.PhyMemMode:0'), 'OK', 'virtual addresses')
        gdb.set_reg(CSR + 0x304, 0)
        gdb.set_reg(PC, RAM)
        # Memory through page tables, whoever may use the page; and physical: a table at +2000 maps 0x40000000 to the RAM for U mode.
        pte = (RAM >> 12) << 10 | 0x1f
        check_equal(gdb.ask(f'M{RAM + 0x2008:x},8:{struct.pack("<Q", pte).hex()}'), 'OK', 'write a page table')
        gdb.set_reg(CSR + 0x180, 8 << 60 | (RAM + 0x2000) >> 12)
        gdb.set_reg(PRIV, 1)
        check_equal(gdb.read(0x40000000, 16).hex(), code, 'by a page of U mode, from S mode')
        check(gdb.ask(f'm{RAM:x},4').startswith('E'), 'not mapped')
        check_equal(gdb.ask('Qqemu.PhyMemMode:1'), 'OK', 'physical')
        check_equal(gdb.ask('qqemu.PhyMemMode'), '1', 'physical it is')
        check_equal(gdb.read(RAM, 16).hex(), code, 'by its physical address')
        check_equal(gdb.ask('Qqemu.PhyMemMode:0'), 'OK', 'virtual again')
        # The same by the monitor; a neighbour that goes on is the same line.
        check_equal(gdb.ask(f'M{RAM + 0x2010:x},8:{struct.pack("<Q", pte + (0x40000000 >> 2)).hex()}'), 'E14', 'not by its physical address')
        check_equal(gdb.ask('Qqemu.PhyMemMode:1'), 'OK', 'physical')
        check_equal(gdb.ask(f'M{RAM + 0x2010:x},8:{struct.pack("<Q", pte + (0x40000000 >> 2)).hex()}'), 'OK', 'a second entry')
        check_equal(gdb.ask('Qqemu.PhyMemMode:0'), 'OK', 'virtual again')
        check_equal(vm.qmp.hmp('info mem').splitlines()[2:], ['0000000040000000 0000000080000000 0000000080000000 rwxu---'], 'info mem')
        gdb.set_reg(PRIV, 3)
        gdb.set_reg(CSR + 0x180, 0)
        check_equal(vm.qmp.hmp('info mem'), 'No translation or protection\n', 'info mem without')
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
        # The same connection attaches again.
        check_equal(gdb.ask('!'), 'OK', 'extended')
        check_equal(gdb.ask('vAttach;2'), 'E22', 'no such process')
        check(gdb.ask('vAttach;1').startswith('T02'), 'attach again')
        check_equal(vm.qmp.ok('query-status')['running'], False, 'stopped by it')
        check_equal(gdb.ask('D;1'), 'OK', 'detach again')
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
