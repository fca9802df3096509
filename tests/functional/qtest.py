"""qtest.py: -accel qtest and -qtest: what a test that plays the processor sees. Answers are the reference's, where devices do not differ."""
import os
import signal
import socket
import subprocess
import sys
import tempfile

from emulator import check, check_equal, finish

PC, RISCV = (os.path.abspath(path) for path in sys.argv[1:3])
work = tempfile.TemporaryDirectory()


class Machine:
    """A machine with the protocol on a socket; what it is asked is a line, what it says a list of them."""

    def __init__(self, *args, binary=PC, board='pc', accel='qtest', **kwargs):
        path, self.log = os.path.join(work.name, 'socket'), os.path.join(work.name, 'log')
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen()
        self.process = subprocess.Popen([binary, '-M', board, '-accel', accel, '-qtest', f'unix:{path}', '-qtest-log', self.log, '-display', 'none', '-nodefaults',
                                         '-m', '16', *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
        server.settimeout(60)
        self.sock, _ = server.accept()
        os.unlink(path)
        self.sock.settimeout(60)
        self.text = b''

    def line(self):
        while b'\n' not in self.text:
            got = self.sock.recv(65536)
            if not got:
                raise EOFError(self.process.stderr.read().decode())
            self.text += got
        line, self.text = self.text.split(b'\n', 1)
        return line.decode()

    def ask(self, command):
        """The answer; interrupts that came before it are kept."""
        self.sock.sendall(command.encode() + b'\n')
        self.irqs = []
        while (line := self.line()).startswith('IRQ'):
            self.irqs.append(line[4:])
        return line

    def expect(self, *pairs):
        for command, answer in pairs:
            check_equal(self.ask(command), answer, command[:60])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()
        self.process.send_signal(signal.SIGTERM)
        self.out, self.err = self.process.communicate(timeout=60)
        check_equal(self.process.returncode, 0, f'ends when asked to: {self.err}')


def memory():
    with Machine() as m:
        m.expect(('endianness', 'OK little'), ('writeb 0x1000 0x12', 'OK'), ('writew 0x1002 0x1234', 'OK'), ('writel 0x1004 0xdeadbeef', 'OK'),
                 ('writeq 0x1008 0x1122334455667788', 'OK'), ('read 0x1000 0x10', 'OK 0x12003412efbeadde8877665544332211'),
                 ('readb 0x1000', 'OK 0x0000000000000012'), ('readw 4098', 'OK 0x0000000000001234'), ('readl 0x1004', 'OK 0x00000000deadbeef'),
                 ('readq 0x1008', 'OK 0x1122334455667788'), ('write 0x2000 0x4 0x01020304', 'OK'), ('read 0x2000 4', 'OK 0x01020304'),
                 ('write 0x2000 4 0xff', 'OK'), ('read 0x2000 4', 'OK 0xff000000'), ('write 0x2000 2 0x01020304', 'OK'), ('read 0x2000 4', 'OK 0x01020000'),
                 ('write 0x2000 2 0xzz11', 'OK'), ('read 0x2000 2', 'OK 0xff11'), ('write 0x2000 4 zz', 'ERR invalid argument size'),
                 ('b64read 0x1000 0x10', 'OK EgA0Eu++rd6Id2ZVRDMiEQ=='), ('b64write 0x3000 3 YWJj', 'OK'), ('b64read 0x3000 3', 'OK YWJj'),
                 ('b64write 0x3000 3 eHl6dw==', 'OK'), ('read 0x3000 4', 'OK 0x78797a00'), ('memset 0x4000 0x10 0x15a', 'OK'),
                 ('read 0x4000 0x12', 'OK 0x' + '5a' * 16 + '0000'), ('memset 0x4000 0 0x11', 'OK'), ('readb 0x4000', 'OK 0x000000000000005a'),
                 ('read 10 10', 'OK 0x' + '00' * 10), ('foo', "FAIL Unknown command 'foo'"), (' inb 0x70', "FAIL Unknown command ''"))
        big = os.urandom(3 << 20)
        m.expect((f'write 0x100000 {len(big)} 0x{big.hex()}', 'OK'), (f'read 0x100000 {len(big)}', 'OK 0x' + big.hex()))
        m.sock.sendall(b'\n\nendi')
        m.expect(('anness', 'OK little'), ('writeb 0x4000 1 more words than there are names for 1 2 3 4 5', 'OK'))
    log = open(m.log).read().split('\n')
    check(log[0].startswith('[I 0.00') and log[0].endswith('] OPENED') and log[1].startswith('[R +') and log[1].endswith('] endianness') and
          log[2].startswith('[S +') and log[2].endswith('] OK little'), f'the log: {log[:3]}')
    check(any('b64write: data length mismatch (told 3, found 4)' in line for line in log), 'the log: a wrong length')


def ports():
    with Machine('-device', 'e1000,addr=3') as m:
        m.expect(('outl 0xcf8 0x80000000', 'OK'), ('inl 0xcfc', 'OK 0x12378086'), ('inw 0xcfc', 'OK 0x8086'), ('inb 0xcfe', 'OK 0x0037'),
                 ('outb 0x70 0x0b', 'OK'), ('inb 0x71', 'OK 0x0002'), ('inb 0x70', 'OK 0x00ff'), ('inl 0x1f000', 'FAIL inl: wrong or missing arguments'),
                 ('outl 0xcf8 0x80001810', 'OK'), ('outl 0xcfc 0xfe000000', 'OK'), ('outl 0xcf8 0x80001804', 'OK'), ('outw 0xcfc 6', 'OK'),
                 ('writel 0xfe005400 0x12345678', 'OK'), ('readl 0xfe005400', 'OK 0x0000000012345678'), ('outb 0x92 2', 'OK'), ('outb 0x92 0', 'OK'),
                 ('writel 0x8000 0x55', 'OK'), ('outb 0xcf9 6', 'OK'))
        while m.ask('readl 0xfe005400') == 'OK 0x0000000012345678':
            pass
        m.expect(('readl 0x8000', 'OK 0x0000000000000055'))


    for port, args in (0xe9, ()), (0x402, ('-global', 'isa-debugcon.iobase=0x402')):
        path = os.path.join(work.name, 'debug')
        with Machine('-debugcon', f'file:{path}', *args) as m:
            m.expect((f'outb {port} 0x41', 'OK'), (f'inb {port}', 'OK 0x00e9'))
        check_equal(open(path).read(), 'A', f'-debugcon at port {port:x}')


def clock():
    with Machine(board='none') as m:
        m.expect(('clock_step', 'FAIL cannot advance clock to the next deadline because there is no pending deadline'), ('clock_step 0', 'FAIL could not advance time'),
                 ('clock_step -5', 'FAIL could not advance time'), ('clock_set 0', 'OK 0'), ('clock_set 10', 'OK 10'), ('clock_set 10', 'OK 10'),
                 ('clock_set 5', 'FAIL 10'), ('clock_step 1', 'OK 11'), ('clock_step x', 'FAIL clock_step: wrong or missing arguments'))
    # The timer at 1193182/4096 Hz, one pulse a period; a guest's days pass at once.
    with Machine() as m:
        m.expect(('irq_intercept_in ioapic', 'OK'), ('irq_intercept_in ioapic', 'OK'), ('irq_intercept_out /machine/i440fx', 'FAIL IRQ intercept already enabled'),
                 ('outb 0x43 0x34', 'OK'), ('outb 0x40 0x00', 'OK'), ('outb 0x40 0x10', 'OK'))
        m.expect(('clock_step 5000000', 'OK 5000000'))
        check_equal(m.irqs[-1:], ['raise 0'], 'one period')
        m.expect(('clock_set 1000000000', 'OK 1000000000'))
        check_equal(m.irqs.count('raise 0'), 290, 'a second of periods')
        check(1000000000 < int(m.ask('clock_step')[3:]) <= 1000000000 + 3432838, 'the next deadline is less than a period away')
        m.expect(('set_irq_in ioapic unnamed-gpio-in 5 1', 'OK'))
        check_equal(m.irqs, ['raise 5'], 'a line that the test drives')
        m.expect(('set_irq_in ioapic unnamed-gpio-in 5 7', 'OK'))
        check_equal(m.irqs, [], 'no change')
        m.expect(('set_irq_in ioapic unnamed-gpio-in 99 1', 'FAIL Unknown line'), ('set_irq_in ioapic foo 5 1', 'FAIL Unknown line'), ('set_irq_in nope a 5 1', 'FAIL Unknown device'))
    with Machine() as m:
        m.expect(('irq_intercept_in nope', 'FAIL Unknown device'), ('irq_intercept_in /machine/i440fx', 'FAIL No intercepts installed'))


def nothing_runs():
    """Firmware does not: no port it writes to has changed, and the registers are those of a reset; everything else works."""
    path = os.path.join(work.name, 'monitor')
    with Machine('-smp', '2', '-chardev', f'socket,id=m,path={path},server=on,wait=off', '-mon', 'chardev=m,mode=readline') as m:
        monitor = socket.socket(socket.AF_UNIX)
        monitor.connect(path)
        monitor.settimeout(60)
        text = b''
        for command in ('info status', 'info registers', 'stop', 'info status', 'cont', 'system_reset', 'info cpus', 'info kvm', 'quit-not'):
            monitor.sendall(command.encode() + b'\n')
        while b"'quit-not'" not in text:
            text += monitor.recv(65536)
        text = text.decode()
        check('EIP=0000fff0' in text, f'registers: {text}')
        check('VM status: running' in text and 'VM status: paused' in text, f'run state: {text}')
        m.expect(('clock_step 1000000000', 'OK 1000000000'))
        monitor.sendall(b'info registers\n')
        text = ''
        while 'EIP=' not in text:
            text += monitor.recv(65536).decode()
        check('EIP=0000fff0' in text, f'no instruction later: {text}')
        monitor.close()
    with Machine(binary=RISCV, board='virt') as m:
        m.expect(('readl 0x1000', 'OK 0x0000000000000297'), ('writel 0x80000000 0x11223344', 'OK'), ('readl 0x80000000', 'OK 0x0000000011223344'),
                 ('clock_step 1000', 'OK 1000'), ('readb 0x10000005', 'OK 0x0000000000000060'))
        # The timer of hart 0 counts at 10 MHz.
        m.expect(('clock_set 5000000', 'OK 5000000'), ('readq 0x200bff8', 'OK 0x000000000000c350'))


def beside_tcg():
    with Machine('-S', accel='tcg') as m:
        m.expect(('writel 0x1000 5', 'OK'), ('readl 0x1000', 'OK 0x0000000000000005'), ('clock_step 5', "FAIL Unknown command 'clock_step'"), ('clock_set 5', "FAIL Unknown command 'clock_set'"))


def mistakes():
    with Machine() as m:
        for command in ('outb 0x70', 'inb', 'inb zz', 'outb 0x70 z', 'readb', 'writeq 5', 'read 0', 'read 0 0', 'write 0 4', 'write 0 0 0x00', 'memset 0 4', 'b64read 0', 'b64write 0 0',
                        'clock_set', 'irq_intercept_in', 'irq_intercept_out', 'set_irq_in', 'set_irq_in ioapic', 'read 0 0x1000000000', 'memset 0 0xffffffffffffffff 1', 'inb  0x71'):
            check_equal(m.ask(command), f'FAIL {command.split()[0]}: wrong or missing arguments', command)
        m.expect(('x' * (33 << 20), 'FAIL the line is too long'), ('endianness', 'OK little'))
        m.sock.sendall(bytes(range(1, 256)).replace(b'\n', b'') * 10 + b'\n')
        check(m.line().startswith("FAIL Unknown command"), 'no text')

    def fails(*args):
        done = subprocess.run([PC, '-display', 'none', '-nodefaults', *args], capture_output=True, timeout=60)
        check_equal(done.returncode, 1, f'{args}')
        return done.stderr.decode().strip().replace('qemu-system-x86_64: ', '')

    check_equal(fails('-accel', 'qtest,foo=1'), "-accel qtest,foo=1: Property 'qtest-accel.foo' not found", 'an option')
    check_equal(fails('-accel', 'qtest', '-icount', '1').count('\n'), 0, 'instructions that are counted')
    check_equal(fails('-qtest', 'foo:bar').count('\n'), 0, 'no such back end')
    check_equal(fails('-accel', 'qtest', '-qtest', 'null', '-qtest-log', '/nonexistent/log'), "-qtest null: cannot open '/nonexistent/log': No such file or directory", 'the log')
    listed = subprocess.run([PC, '-accel', 'help'], capture_output=True, timeout=60).stdout.decode()
    check('qtest' not in listed, f'not in the list: {listed}')


for case in (memory, ports, clock, nothing_runs, beside_tcg, mistakes):
    case()
finish()
