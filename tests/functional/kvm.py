"""kvm.py: the KVM accelerator against a recorded host: what is asked of the kernel, in which order, with what in it.

A preloaded library (tests/accel/kvm/fake-kvm.c) plays /dev/kvm from a script; no machine needs one for this. A host's capabilities and its
CPUID are those that an Intel processor with everything gives, unless a case says otherwise.
"""
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

from emulator import check, check_equal, finish, failures

EMULATOR, LIBRARY = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
IRQCHIP, USER_MEMORY, SET_TSS, NR_VCPUS, DESTROY_WORKS, IRQ_ROUTING, IRQFD, PIT2, IOEVENTFD, ADJUST_CLOCK = 0, 3, 4, 9, 21, 25, 32, 33, 36, 39
XSAVE, XCRS, TSC_CONTROL, MAX_VCPUS, TSC_DEADLINE, KVMCLOCK_CTRL, SIGNAL_MSI, READONLY = 55, 56, 60, 66, 72, 76, 77, 81
COALESCED_MMIO, IOEVENTFD_ANY_LENGTH = 15, 122
SMM, MULTI_SPACE, SPLIT, IMMEDIATE_EXIT, X2APIC_API = 117, 118, 121, 136, 129
CAPS = {USER_MEMORY: 1, DESTROY_WORKS: 1, IMMEDIATE_EXIT: 1, READONLY: 1, IRQCHIP: 1, IRQ_ROUTING: 4096, IRQFD: 1, IOEVENTFD: 1, PIT2: 1,
        ADJUST_CLOCK: 14, XSAVE: 1, XCRS: 1, MAX_VCPUS: 1024, NR_VCPUS: 8, TSC_DEADLINE: 1, KVMCLOCK_CTRL: 1, SIGNAL_MSI: 1, SPLIT: 1,
        IOEVENTFD_ANY_LENGTH: 1,
        TSC_CONTROL: 1, X2APIC_API: 3}
CPUID = """\
cpuid 0 0 16 756e6547 6c65746e 49656e69
cpuid 1 0 000506e3 00010800 f7fab223 0f8bfbff
cpuid 7 0 0 029c6fbb 00000008 84000000
cpuid d 0 7 340 340 0
cpuid d 1 f 0 0 0
cpuid d 2 100 240 0 0
cpuid 80000000 0 80000008 0 0 0
cpuid 80000001 0 0 0 121 2c100800
cpuid 80000008 0 3027 0 0 0
cpuid 40000000 0 40000001 4b4d564b 564b4d56 4d
cpuid 40000001 0 01007efb 0 0 0
"""
MSRS = ''.join(f'msr {n:x}\n' for n in (0x10, 0x3b, 0x174, 0x175, 0x176, 0x277, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102,
                                       0xc0000103, 0x4b564d00, 0x4b564d01, 0x4b564d04, 0x6e0))
work = tempfile.TemporaryDirectory()
firmware = os.path.join(work.name, 'bios.bin')
with open(firmware, 'wb') as f:
    f.write(bytes(65536))


class Host:
    """One run of the emulator on a made-up host; `log` is what it asked for."""

    def __init__(self, *args, script='', caps=None, board='pc', cpuid=CPUID, stdin='', until=None, act=None, seconds=60):
        path, log = os.path.join(work.name, 'script'), os.path.join(work.name, 'log')
        with open(path, 'w') as f:
            f.write(''.join(f'cap {n} {v}\n' for n, v in {**CAPS, **(caps or {})}.items()) + cpuid + MSRS + script)
        if os.path.exists(log):
            os.unlink(log)
        env = dict(os.environ, LD_PRELOAD=LIBRARY, FAKE_KVM_SCRIPT=path, FAKE_KVM_LOG=log)
        command = [EMULATOR, '-M', board, '-nodefaults', '-display', 'none', '-bios', firmware, '-m', '16', *args]
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.log, end = [], time.time() + seconds
        if act:
            act()
            self.process.send_signal(signal.SIGTERM)
        elif until:
            while self.process.poll() is None and time.time() < end:
                if os.path.exists(log) and until in open(log).read():
                    break
                time.sleep(0.05)
            if stdin:
                self.process.stdin.write(stdin.encode())
                self.process.stdin.flush()
            elif self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
        try:
            self.out, self.err = (t.decode(errors='replace') for t in self.process.communicate(timeout=seconds))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.out, self.err = (t.decode(errors='replace') for t in self.process.communicate())
            failures.append('the emulator did not end')
        self.status = self.process.returncode
        if os.path.exists(log):
            self.log = open(log).read().split('\n')

    def order(self, what, *patterns):
        """Each pattern is found, in this order."""
        at = 0
        for pattern in patterns:
            found = next((i for i in range(at, len(self.log)) if re.search(pattern, self.log[i])), None)
            if found is None:
                failures.append(f'{what}: no {pattern!r} after line {at}')
                print(f'FAILED: {what}: no {pattern!r} after line {at}', *self.log[max(0, at - 5):at + 60], self.err, sep='\n', file=sys.stderr)
                return
            at = found + 1

    def never(self, what, pattern):
        found = [line for line in self.log if re.search(pattern, line)]
        check(not found, f'{what}: {found[:3]}')

    def count(self, pattern):
        return sum(1 for line in self.log if re.search(pattern, line))


def connect(path):
    client, end = socket.socket(socket.AF_UNIX), time.time() + 30
    while client.connect_ex(path) and time.time() < end:
        time.sleep(0.05)
    client.settimeout(30)
    return client


def wait_for(pattern, times, seconds=30):
    """Until the emulator has asked for it so often."""
    end = time.time() + seconds
    while time.time() < end:
        if sum(1 for line in open(os.path.join(work.name, 'log')) if re.search(pattern, line)) >= times:
            return
        time.sleep(0.05)


KVM = ('-accel', 'kvm')


def machines():
    on = Host(*KVM, until='RUN')
    on.order('in-kernel controllers', 'sys CREATE_VM', r'SET_IDENTITY_MAP_ADDR addr=0xfeffc000', r'SET_TSS_ADDR addr=0xfeffd000', 'CREATE_IRQCHIP',
             'SET_GSI_ROUTING nr=39', 'CREATE_PIT2 flags=1', 'CREATE_VCPU id=0', 'SET_CPUID2', 'vcpu0 SET_SREGS', 'vcpu0 SET_REGS', 'vcpu0 SET_LAPIC',
             'vcpu0 RUN')
    # The timer's line is pin 2 of the I/O APIC, and pin 2's last owner is it.
    pins = [line for line in on.log if line.endswith('chip=2 pin=2')]
    check_equal(pins, ['  route gsi=2 chip=2 pin=2', '  route gsi=0 chip=2 pin=2'], 'routes to pin 2')
    check_equal(on.count(r'route gsi=0 chip=0 pin=0'), 1, 'the timer at the 8259')
    on.order('reset state of controllers', r'SET_IRQCHIP chip=0 imr=0x0 elcr=0x0 elcr_mask=0xf8')
    on.order('reset state of controllers', r'SET_IRQCHIP chip=1 imr=0x0 elcr=0x0 elcr_mask=0xde')
    on.order('reset state of controllers', r'SET_IRQCHIP chip=2 base=0xfec00000 pin0=0x10000')
    on.order('reset state of the timer', r'SET_PIT2 flags=0 gates=110 mode=3')
    on.order('power-up registers', r'vcpu0 SET_SREGS cr0=0x60000010 cr4=0x0 efer=0x0 apic_base=0xfee00900',
             r'vcpu0 cs selector=0xf000 base=0xffff0000 limit=0xffff .*present=1 unusable=0', r'vcpu0 tr .*type=11 .*present=1',
             r'vcpu0 SET_REGS rip=0xfff0 rflags=0x2', r'vcpu0 SET_XSAVE fcw=0x40 mxcsr=0x1f80', r'vcpu0 SET_LAPIC id=0x0 svr=0xff lint0=0x10000',
             r'vcpu0 SET_MP_STATE 0', r'vcpu0 SET_VCPU_EVENTS')
    on.order('TSC after a reset', r'msr 0x10=0x0')
    on.order('memory', r'SET_USER_MEMORY_REGION slot=0x\w+ flags=0 gpa=0x0 size=0xa0000')
    on.order('firmware is read-only', r'SET_USER_MEMORY_REGION slot=0x\w+ flags=2 gpa=0xffff0000 size=0x10000')
    check_equal(on.status, 0, 'ends when asked to')

    split = Host('-accel', 'kvm,kernel-irqchip=split', until='RUN')
    split.order('split', 'ENABLE_CAP cap=121 arg=48', 'CREATE_VCPU', 'SET_LAPIC', 'RUN')
    split.never('split: nothing but local APICs', 'CREATE_IRQCHIP|CREATE_PIT2|SET_IRQCHIP')
    off = Host('-M', 'pc,kernel_irqchip=off', *KVM, until='RUN')
    off.never('off: no controllers', 'CREATE_IRQCHIP|CREATE_PIT2|SET_LAPIC|SET_MP_STATE|cap=121')
    smm = Host(*KVM, caps={SMM: 1, MULTI_SPACE: 2}, board='q35', until='RUN')
    smm.order('SMM has memory of its own', r'SET_USER_MEMORY_REGION slot=0x10000 flags=0 gpa=0x0')
    smp = Host(*KVM, '-smp', '3', script='exit 1 hlt\n', until='vcpu2 RUN')
    smp.order('application processors', 'CREATE_VCPU id=0', 'CREATE_VCPU id=1', 'CREATE_VCPU id=2')
    smp.order('application processors wait in the kernel', 'vcpu1 SET_LAPIC id=0x1000000', 'vcpu1 SET_MP_STATE 1')
    many = Host(*KVM, '-smp', '1,maxcpus=280', board='q35', until='RUN')
    many.order('more than 255', r'ENABLE_CAP cap=129 arg=3')


def cpuid():
    def leaf(host, number):
        line = next((line for line in host.log if f'vcpu0 cpuid {number}' in line), '')
        return [int(x, 16) for x in line.split()[4:]]

    h = Host(*KVM, '-cpu', 'host', until='RUN')
    one, seven, kvm, state = leaf(h, '00000001.0'), leaf(h, '00000007.0'), leaf(h, '40000001.0'), leaf(h, '0000000d.0')
    check_equal(one[0], 0x506e3, "the host's signature")
    check_equal(one[2] & 1 << 31, 1 << 31, 'a hypervisor')
    check_equal(one[2] & 1 << 21, 1 << 21, 'x2APIC')
    check_equal(one[2] & 1 << 24, 1 << 24, 'TSC deadline')
    check_equal(one[2] & 1 << 5, 0, 'no nested virtualization')
    check_equal(seven[1] & 0x20, 0x20, 'AVX2')
    check_equal(state[0], 7, 'state components')
    check_equal(kvm[0] & 0x01000009, 0x01000009, 'paravirtual clock, old and new')
    check_equal(leaf(h, '40000000.0'), [0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d], 'who it is')
    check_equal(leaf(h, '80000008.0')[0] & 0xff, 0x27, "the host's address bits")
    off = Host('-accel', 'kvm,kernel-irqchip=off', '-cpu', 'host', until='RUN')
    check_equal(leaf(off, '00000001.0')[2] & (1 << 21 | 1 << 24), 0, 'our local APIC: no x2APIC, no deadline')
    check_equal(leaf(off, '40000001.0')[0] & 1 << 6, 0, 'our local APIC: no paravirtual EOI')
    flags = Host(*KVM, '-cpu', 'host,-avx2,kvm=off', until='RUN')
    check_equal(leaf(flags, '00000007.0')[1] & 0x20, 0, '-avx2')
    check_equal(leaf(flags, '40000000.0'), [], 'kvm=off')
    named = Host(*KVM, '-cpu', 'Skylake-Server', until='RUN')
    check("host doesn't support requested feature: CPUID[eax=07h,ecx=00h].EBX.avx512f [bit 16]" in named.err, f'a model the host is less than: {named.err}')
    check_equal(leaf(named, '00000007.0')[1] & 1 << 16, 0, 'what the host lacks is not promised')
    enforce = Host(*KVM, '-cpu', 'Skylake-Server,enforce')
    check(enforce.status == 1 and "Host doesn't support requested features" in enforce.err, f'enforce: {enforce.err}')
    tsc = Host(*KVM, '-cpu', 'host,tsc-frequency=1500000000', until='RUN')
    tsc.order('TSC frequency', 'SET_TSC_KHZ 1500000', 'SET_CPUID2')
    no = Host(*KVM, '-cpu', 'host,tsc-frequency=1500000000', caps={TSC_CONTROL: 0})
    check(no.status == 1 and 'TSC frequency mismatch between VM (1500000 kHz) and host (2000000 kHz)' in no.err, f'TSC: {no.err}')


def exits():
    ports = Host(*KVM, script='exit 0 io out 70 1 f\nexit 0 io in 71 1\nexit 0 io in 92 1\nexit 0 mmio read fed00000 4\n', until='got mmio')
    ports.order('port and memory accesses', r'got io in 0x71 = 0x0', r'got io in 0x92 = 0x', r'got mmio read 0xfed00000 = 0x\w*8086a201$')
    for script, text in (('fail-entry 80000021', 'hardware reason 0x80000021'), ('internal 1', 'an instruction that KVM cannot emulate'),
                         ('internal 3', 'internal error 3 of the kernel'), ('reason 77', 'exit 77')):
        h = Host(*KVM, '-no-shutdown', '-monitor', 'stdio', script=f'exit 0 {script}\n', until='RUN', stdin='info status\nquit\n')
        check(text in h.err, f'{script}: {h.err}')
        check_equal(h.err.count('vCPU 0'), 1, f'{script}: said once')
    shutdown = Host(*KVM, '-no-reboot', script='exit 0 shutdown\n')
    check_equal(shutdown.status, 0, 'a triple fault resets; -no-reboot ends')
    monitor = os.path.join(work.name, 'monitor')

    def reset_and_stop():
        client = connect(monitor)
        for command, pattern, times in (('', 'RUN', 1), ('system_reset', 'CREATE_VCPU|msr 0x10=0x0', 3), ('stop', 'GET_CLOCK', 1), ('cont', 'SET_CLOCK', 1)):
            client.sendall(f'{command}\n'.encode())
            wait_for(pattern, times)

    reset = Host(*KVM, '-chardev', f'socket,id=m,path={monitor},server=on,wait=off', '-mon', 'chardev=m', act=reset_and_stop)
    check_equal(reset.count('SET_LAPIC id=0x0 svr=0xff'), 2, 'a reset resets the local APIC')
    check_equal(reset.count('SET_IRQCHIP chip=2'), 2, 'a reset resets the I/O APIC')
    check_equal(reset.count('msr 0x10=0x0'), 2, 'TSC after a reset, not after a stop')


def interrupts():
    """INTR of controllers that are ours: the 8259s' line 0 through LINT0 (set up as firmware does)."""
    setup = ''.join(f'exit 0 io out {port:x} 1 {value:x}\n' for port, value in
                    ((0x20, 0x11), (0x21, 0x20), (0x21, 4), (0x21, 1), (0x21, 0xfe), (0x43, 0x34), (0x40, 0x10), (0x40, 0)))
    split = Host('-accel', 'kvm,kernel-irqchip=split', script='exit 0 interrupts 0 1\n' + setup + 'exit 0 wait\n', until='window=1')
    split.order('not ready: the kernel is asked for the moment', 'RUN window=1')
    ready = Host('-accel', 'kvm,kernel-irqchip=split', script='exit 0 interrupts 1 1\n' + setup, until='INTERRUPT')
    ready.order('ready: the vector goes in', 'INTERRUPT vector=0x20', 'RUN')
    on = Host(*KVM, script='exit 0 io out 92 1 0\nexit 0 io out 70 1 b\nexit 0 io out 71 1 52\nexit 0 io in 71 1\n', until='got io')
    on.never('the kernel injects', 'INTERRUPT')
    # An I/O APIC of ours (split): level-triggered input 11 to vector 0x41 of CPU 0; its end is asked for by a route.
    def rte(pin, low, high):
        return ''.join(f'exit 0 mmio write {addr:x} 4 {value:x}\n' for addr, value in
                       ((0xfec00000, 0x11 + 2 * pin), (0xfec00010, high), (0xfec00000, 0x10 + 2 * pin), (0xfec00010, low)))
    level = Host('-accel', 'kvm,kernel-irqchip=split', script=rte(11, 0x8041, 0) + 'exit 0 eoi 65\n' + rte(11, 0x18041, 0), until='nr=0')
    level.order('route of a level input', r'SET_GSI_ROUTING nr=1', r'route gsi=11 msi address=fee00000 data=0000c041', r'SET_GSI_ROUTING nr=0')
    nmi = Host('-accel', 'kvm,kernel-irqchip=off', '-monitor', 'stdio', script='exit 0 cr8 5\n', until='RUN', stdin='nmi\nquit\n')
    nmi.order('cr8 of our local APIC', 'RUN window=0 cr8=0')


def packet(text):
    return f'${text}#{sum(text.encode()) & 0xff:02x}'.encode()


def debugger():
    path, answers = os.path.join(work.name, 'gdb'), []

    def talk():
        client = connect(path)
        for request in ('?', 'Z0,fff8,1', 'Z2,2000,4', 'c', 'z0,fff8,1', 'z2,2000,4', 's'):
            client.sendall(packet(request))
            got = b''
            while not re.search(rb'\$[^#]*#..', got):
                data = client.recv(4096)
                if not data:
                    return
                got += data
            client.sendall(b'+')
            answers.append(re.search(rb'\$([^#]*)#', got).group(1).decode())

    h = Host(*KVM, '-S', '-chardev', f'socket,id=g,path={path},server=on,wait=off', '-gdb', 'chardev:g', act=talk,
             script='exit 0 debug 1 2 fff8\nexit 0 debug 1 4000 fff9\n')
    check_equal([a[:3] for a in answers[1:]], ['OK', 'OK', 'T05', 'OK', 'OK', 'T05'], f'gdb: {answers}')
    # A watched write of 4 bytes comes first, then the breakpoint.
    h.order('breakpoints and single step', r'SET_GUEST_DEBUG control=0x20001 dr0=0x2000 dr1=0xfff8 dr7=0xd040a', 'RUN',
            r'SET_GUEST_DEBUG control=0x3 dr0=0x0 dr1=0x0 dr7=0x0', 'RUN')


def clocks():
    h = Host(*KVM, '-monitor', 'stdio', until='RUN', stdin='stop\ninfo status\ncont\ninfo status\nquit\n')
    h.order('the clock stands with the machine', 'GET_CLOCK', r'SET_CLOCK clock=123456789 flags=0', 'KVMCLOCK_CTRL')
    h.order('so does the timer', 'GET_PIT2', 'SET_PIT2')


def out(port, size, value):
    return f'exit 0 io out {port:x} {size} {value:x}\n'


def store(address, size, value):
    return f'exit 0 mmio write {address:x} {size} {value:x}\n'


def poke(address, size, value):
    return f'exit 0 poke {address:x} {size} {value:x}\n'


def until(text):
    return f'exit 0 until {text}\n'


def config(slot, offset, size, value):
    return out(0xcf8, 4, 0x80000000 | slot << 11 | offset & ~3) + out(0xcfc + (offset & 3), size, value)


PORT, TABLE, MODERN, QUEUE = 0xc000, 0xfe010000, 0xfe000000, 0x10000


def place(slot, modern=MODERN):
    """BARs as virtio-pci has them, on; all lines of the slots are ISA's 11."""
    return (config(1, 0x60, 4, 0x0b0b0b0b) + config(slot, 0x10, 4, PORT) + config(slot, 0x14, 4, TABLE) + config(slot, 0x20, 4, modern) + config(slot, 0x24, 4, 0) +
            config(slot, 4, 2, 7))


def buffer(index):
    """The driver offers its buffer number `index` (8 bytes at 20000h) of queue 0."""
    return (poke(QUEUE + 16 * (index % 4), 8, 0x20000) + poke(QUEUE + 16 * (index % 4) + 8, 8, 0x2_00000008) +
            poke(QUEUE + 0x1000 + 4 + 2 * (index % 4), 2, index % 4) + poke(QUEUE + 0x1000 + 2, 2, index + 1))


def start_modern(base=MODERN, vector=0xffff):
    """A driver of virtio 1 with queue 0: 4 entries at QUEUE, its rings in the pages after it."""
    return ''.join(store(base + offset, size, value) for offset, size, value in
                   ((20, 1, 3), (8, 4, 1), (12, 4, 1), (20, 1, 11), (22, 2, 0), (24, 2, 4), (26, 2, vector), (32, 4, QUEUE), (36, 4, 0),
                    (40, 4, QUEUE + 0x1000), (44, 4, 0), (48, 4, QUEUE + 0x2000), (52, 4, 0), (28, 2, 1), (20, 1, 15)))


KICK = MODERN + 0x3000
RNG = ('-device', 'virtio-rng-pci,addr=3')


def event(address, length, flags, data=0):
    return rf'vm IOEVENTFD addr=0x{address:x} len={length} flags=0x{flags:x} data=0x{data:x}$'


def ioeventfds():
    """Kicks of queues through eventfds; flags: 1 the value matters, 2 a port, 4 no longer."""
    start, done = place(3) + start_modern(), until('IRQ_LINE gsi=11 level=1')
    isr, filled = f'exit 0 mmio read {MODERN + 0x1000:x} 1\n', 'exit 0 peek 12000 4\n'
    h = Host(*KVM, *RNG, script=start + buffer(0) + store(KICK, 2, 0) + done + filled + isr + store(MODERN + 20, 1, 0) + store(KICK, 2, 0) + isr, until='fe001000 = 0xffffffffffffff00')
    h.order('a kick by eventfd', event(KICK, 0, 0), event(PORT + 16, 2, 3), 'ioeventfd addr=0xfe003000', 'IRQ_LINE gsi=11 level=1',
            r'peek 0x12000 = 0x10000$', r'got mmio read 0xfe001000 = 0x\w*01$', event(KICK, 0, 4), event(PORT + 16, 2, 7),
            r'got mmio read 0xfe001000 = 0x\w*00$')
    check_equal((h.count('vm IOEVENTFD'), h.count('ioeventfd addr')), (4, 1), 'reset: nothing is left')

    legacy = (out(PORT + 14, 2, 0) + out(PORT + 8, 4, QUEUE >> 12) + out(PORT + 18, 1, 7))
    ring = (poke(QUEUE, 8, 0x20000) + poke(QUEUE + 8, 8, 0x2_00000008) + poke(QUEUE + 16 * 8 + 2, 2, 1))
    h = Host(*KVM, '-device', 'virtio-rng-pci-transitional,addr=3', script=place(3) + ring + legacy + out(PORT + 16, 2, 1) + out(PORT + 16, 2, 0) + done +
             out(PORT + 18, 1, 0), until='flags=0x7')
    h.order('a legacy kick by eventfd', event(PORT + 16, 2, 3), 'ioeventfd addr=0xc010', 'IRQ_LINE gsi=11 level=1', event(PORT + 16, 2, 7))

    moved = config(3, 0x20, 4, 0xfd000000)
    h = Host(*KVM, *RNG, script=start + moved + config(3, 4, 2, 5) + config(3, 4, 2, 0) + config(3, 4, 2, 6) + buffer(0) + store(0xfd003000, 2, 0) + done,
             until='IRQ_LINE gsi=11 level=1')
    h.order('a BAR moves, goes and comes', event(KICK, 0, 0), event(PORT + 16, 2, 3), event(KICK, 0, 4), event(0xfd003000, 0, 0), event(0xfd003000, 0, 4),
            event(PORT + 16, 2, 7), event(0xfd003000, 0, 0), 'ioeventfd addr=0xfd003000', 'IRQ_LINE gsi=11 level=1')

    h = Host(*KVM, *RNG, caps={IOEVENTFD_ANY_LENGTH: 0}, script=start, until='addr=0xc010')
    h.order('a host that wants a size', event(KICK, 2, 0))
    for what, args, host in (('refused', RNG, {'script': 'refuse IOEVENTFD 28\n'}), ('not there', RNG, {'caps': {IOEVENTFD: 0}}),
                             ('ioeventfd=off', ('-device', 'virtio-rng-pci,addr=3,ioeventfd=off'), {})):
        h = Host(*KVM, *args, script=host.get('script', '') + start + buffer(0) + store(KICK, 2, 0), caps=host.get('caps'), until='IRQ_LINE gsi=11 level=1')
        h.order(f'{what}: a kick is an exit', 'IRQ_LINE gsi=11 level=1')
        h.never(f'{what}: no eventfd', 'vm IOEVENTFD')
        check_equal(h.err.count('No space left on device'), what == 'refused', f'{what}: said once: {h.err}')

    monitor = os.path.join(work.name, 'stop')

    def stop_and_go():
        client = connect(monitor)
        for command, pattern, times in (('', 'vm IOEVENTFD', 2), ('stop', 'vm IOEVENTFD', 4), ('cont', 'vm IOEVENTFD', 6), ('system_reset', 'vm IOEVENTFD', 8)):
            client.sendall(f'{command}\n'.encode())
            wait_for(pattern, times)

    h = Host(*KVM, *RNG, '-chardev', f'socket,id=m,path={monitor},server=on,wait=off', '-mon', 'chardev=m', script=start, act=stop_and_go)
    h.order('stop, go on, reset', *(event(KICK, 0, flags) for flags in (0, 4, 0, 4)))
    check_equal(h.count('vm IOEVENTFD'), 8, 'stop, go on, reset')

    base = 0xfeb00e00
    mmio = ''.join(store(base + offset, 4, value) for offset, value in
                   ((0x70, 3), (0x24, 1), (0x20, 1), (0x70, 11), (0x30, 0), (0x38, 4), (0x80, QUEUE), (0x90, QUEUE + 0x1000), (0xa0, QUEUE + 0x2000),
                    (0x44, 1), (0x70, 15)))
    h = Host(*KVM, '-global', 'virtio-mmio.force-legacy=off', '-device', 'virtio-rng-device', board='microvm',
             script=mmio + buffer(0) + store(base + 0x50, 4, 0) + until('ioeventfd') + store(base + 0x44, 4, 0), until='flags=0x5')
    h.order('memory-mapped transport', event(base + 0x50, 4, 1), 'ioeventfd addr=0xfeb00e50', event(base + 0x50, 4, 5))


MSIX_CONTROL, PENDING = 0x9a, TABLE + 0x4000


def message(vector, address, data, control=0):
    return ''.join(store(TABLE + 16 * vector + offset, 4, value) for offset, value in ((0, address), (4, 0), (8, data), (12, control)))


def served(n):
    """A kick that is an exit where eventfds want two bytes; the driver polls until its n-th buffer has come back."""
    return buffer(n - 1) + store(KICK, 4, 0) + f'exit 0 await 12002 2 {n:x}\n'


def irqfds():
    """Messages of MSI-X by eventfds, and what holds them back."""
    begin = place(3) + config(3, MSIX_CONTROL, 2, 0x8000) + message(1, 0xfee00000, 0x4041) + start_modern(vector=1)
    pending = f'exit 0 mmio read {PENDING:x} 4\n'
    masked = store(TABLE + 16 + 12, 4, 1) + served(2) + pending + message(1, 0xfee01000, 0x4042) + until('message gsi=48') + pending
    function = config(3, MSIX_CONTROL, 2, 0xc000) + served(3) + pending + config(3, MSIX_CONTROL, 2, 0x8000) + until('message gsi=48')
    elsewhere = message(1, 0x30000, 0x1234) + served(4) + 'exit 0 await 30000 4 1234\nexit 0 peek 30000 4\n'
    again = message(1, 0xfee00000, 0x4043) + served(5) + until('message gsi=48') + config(3, MSIX_CONTROL, 2, 0)
    for irqchip in 'on', 'split':
        h = Host('-accel', f'kvm,kernel-irqchip={irqchip}', *RNG, caps={IOEVENTFD_ANY_LENGTH: 0}, until='peek 0x7000',
                 script=begin + served(1) + until('message gsi=48') + masked + function + elsewhere + again + 'exit 0 peek 7000 1\n')
        h.order(f'{irqchip}: messages', r'route gsi=48 msi address=fee00000 data=00004041', 'IRQFD gsi=48 flags=0', 'message gsi=48',
                r'read 0xfe014000 = 0x\w*02$', 'IRQFD gsi=48 flags=1', r'route gsi=48 msi address=fee01000 data=00004042', 'IRQFD gsi=48 flags=0', 'message gsi=48',
                r'read 0xfe014000 = 0x\w*00$', r'read 0xfe014000 = 0x\w*02$', 'message gsi=48', 'IRQFD gsi=48 flags=1', 'peek 0x30000 = 0x1234',
                r'route gsi=48 msi address=fee00000 data=00004043', 'IRQFD gsi=48 flags=0', 'message gsi=48', 'IRQFD gsi=48 flags=1', 'SET_GSI_ROUTING', 'peek 0x7000')
        h.never(f'{irqchip}: no other way', 'SIGNAL_MSI')
        check_equal(h.count('IRQFD'), 6, f'{irqchip}: connected, disconnected')
        last = max(n for n, line in enumerate(h.log) if 'SET_GSI_ROUTING' in line)
        check(not any('gsi=48' in line for line in h.log[last:]), f'{irqchip}: the route is given back')
    for what, args, accel, caps in (('no irqfd', RNG, 'kvm', {IRQFD: 0}), ('ioeventfd=off', ('-device', 'virtio-rng-pci,addr=3,ioeventfd=off'), 'kvm', {})):
        h = Host('-accel', accel, *args, caps={IOEVENTFD_ANY_LENGTH: 0, **caps}, script=begin + served(1), until='SIGNAL_MSI')
        h.order(what, 'SIGNAL_MSI address=0x0+fee00000 data=0x4041')
        h.never(what, 'IRQFD')
    refused = Host(*KVM, *RNG, caps={IOEVENTFD_ANY_LENGTH: 0}, script='refuse IRQFD 22\n' + begin + served(1) + served(2), until='SIGNAL_MSI')
    refused.order('refused', 'refused IRQFD', 'SIGNAL_MSI', 'SIGNAL_MSI')
    check_equal(refused.count('refused IRQFD'), 1, 'refused: not asked for again')
    reset = os.path.join(work.name, 'reset')

    def system_reset():
        client = connect(reset)
        wait_for('message', 1)
        client.sendall(b'system_reset\n')
        wait_for('IRQFD', 2)

    h = Host(*KVM, *RNG, '-chardev', f'socket,id=m,path={reset},server=on,wait=off', '-mon', 'chardev=m', caps={IOEVENTFD_ANY_LENGTH: 0},
             script=begin + served(1) + until('message'), act=system_reset)
    h.order('reset', 'IRQFD gsi=48 flags=0', 'IRQFD gsi=48 flags=1')


def coalescing():
    """Writes that the kernel collects: video memory of planes, filters of a network card."""
    planar = ''.join(out(port, 1, value) for port, value in ((0x3c4, 2), (0x3c5, 15), (0x3c4, 4), (0x3c5, 6), (0x3ce, 6), (0x3cf, 5), (0x3ce, 5), (0x3cf, 0), (0x3ce, 8),
                                                                  (0x3cf, 255)))
    h = Host(*KVM, '-vga', 'std', caps={COALESCED_MMIO: 2}, script=planar + store(0xa0010, 1, 0x5a) + store(0xa0010, 2, 0x77a5) + store(0xa0020, 1, 0x33) +
             'exit 0 mmio read a0010 1\nexit 0 mmio read a0011 1\nexit 0 mmio read a0020 1\n' +
             ''.join(store(0xa0100 + n, 1, n & 0xff) for n in range(300)) + 'exit 0 mmio read a022b 1\nexit 0 mmio read a0180 1\n', until='read 0xa0180')
    h.order('planes', 'vm REGISTER_COALESCED_MMIO addr=0xa0000 size=131072', 'coalesced 0xa0010', 'coalesced 0xa0010', 'coalesced 0xa0020',
            r'mmio read 0xa0010 = 0x\w*a5$', r'mmio read 0xa0011 = 0x\w*77$', r'mmio read 0xa0020 = 0x\w*33$', r'read 0xa022b = 0x\w*2b$', r'read 0xa0180 = 0x\w*80$')
    check(165 < h.count('coalesced 0xa0[12]..') < 300, f"a full ring leaves an exit: {h.count('coalesced 0xa0[12]..')}")
    h = Host(*KVM, '-vga', 'std', script=planar + store(0xa0010, 1, 0x5a) + 'exit 0 mmio read a0010 1\n', until='read 0xa0010')
    h.order('no ring', r'mmio read 0xa0010 = 0x\w*5a$')
    h.never('no ring', 'COALESCED')
    # Without an exit of the vCPU that wrote: the monitor reads.
    h = Host(*KVM, '-vga', 'std', '-monitor', 'stdio', caps={COALESCED_MMIO: 2}, script=planar + store(0xa0010, 1, 0x5a), until='coalesced', stdin='xp /1bx 0xa0010\nquit\n')
    check('0x5a' in h.out, f'the monitor reads: {h.out}')
    bar = 0xfe000000
    h = Host(*KVM, '-device', 'e1000,addr=3', caps={COALESCED_MMIO: 2}, until=f'read 0x{bar + 0x57fc:x}', script=config(3, 0x10, 4, bar) + config(3, 4, 2, 6) +
             store(bar + 0x5400, 4, 0x12345678) + store(bar + 0x57fc, 4, 0x9abcdef0) + store(bar + 0x38, 4, 0x8100) +
             f'exit 0 mmio read {bar + 0x5400:x} 4\nexit 0 mmio read {bar + 0x57fc:x} 4\n' + config(3, 4, 2, 0))
    h.order('filters', f'vm REGISTER_COALESCED_MMIO addr=0x{bar + 0x5200:x} size=640', f'vm REGISTER_COALESCED_MMIO addr=0x{bar + 0x5600:x} size=512',
            'coalesced 0xfe005400', 'coalesced 0xfe0057fc', r'read 0xfe005400 = 0x\w*12345678$', r'read 0xfe0057fc = 0x\w*9abcdef0$',
            f'UNREGISTER_COALESCED_MMIO addr=0x{bar + 0x5200:x} size=640')
    h.never('nothing else waits', 'coalesced 0xfe000038')
    load = 'exit 0 mmio read a0010 1\n'
    for last in (170, 0xffffffff):
        h = Host(*KVM, '-vga', 'std', caps={COALESCED_MMIO: 2}, script=planar + f'exit 0 ring {last:x}\n' + store(0xa0010, 1, 0x5a) + load, until='read 0xa0010')
        h.order('an index out of range', r'mmio read 0xa0010 = 0x\w*5a$')
        check_equal(h.status, 0, 'an index out of range')
    h = Host(*KVM, '-vga', 'std', caps={COALESCED_MMIO: 3}, script=planar + store(0xa0010, 1, 0x5a) + load, until='read 0xa0010')
    h.order('a ring outside of the run area', r'mmio read 0xa0010 = 0x\w*5a$')
    h.never('a ring outside of the run area', 'COALESCED')
    check_equal(h.status, 0, 'a ring outside of the run area')


def unavailable():
    h = Host(*KVM, script='refuse open 2\n')
    check_equal((h.status, h.err.count('\n')), (1, 1), f'no /dev/kvm: {h.err}')
    check('-accel kvm: Could not access KVM kernel module: No such file or directory' in h.err, h.err)
    h = Host('-accel', 'kvm', '-accel', 'tcg', '-S', script='refuse open 13\n', until='never', seconds=2)
    check('Permission denied' in h.err and 'falling back to tcg' in h.err, f'fall-back: {h.err}')
    h = Host('-M', 'pc,accel=kvm:tcg', '-S', script='refuse CREATE_VM 16\n', until='never', seconds=2)
    check('falling back to tcg' in h.err and 'CREATE_VM' in h.err, f'busy: {h.err}')
    h = Host(*KVM, caps={IMMEDIATE_EXIT: 0})
    check(h.status == 1 and 'KVM_CAP_IMMEDIATE_EXIT' in h.err, f'an old kernel: {h.err}')
    h = Host('-accel', 'kvm,kernel-irqchip=split', caps={SPLIT: 0})
    check(h.status == 1 and 'split irqchip' in h.err and h.err.count('\n') == 1, f'no split: {h.err}')
    h = Host('-cpu', 'host')
    check(h.status == 1 and h.err.count('\n') == 1 and "CPU model 'host' requires KVM" in h.err, f'host without KVM: {h.err}')
    h = Host('-accel', 'kvm,kernel-irqchip=maybe')
    check(h.status == 1 and "Parameter 'kernel-irqchip' does not accept value 'maybe'" in h.err, h.err)
    h = Host('-enable-kvm', '-accel', 'tcg')
    check(h.status == 1 and 'incompatible' in h.err, h.err)
    h = Host('-M', 'microvm,ioapic2=on', *KVM)
    check(h.status == 1 and "ioapic2=on: the accelerator's interrupt controllers have one I/O APIC" in h.err, f'second I/O APIC, kernel-irqchip=on: {h.err}')
    h = Host('-M', 'microvm,ioapic2=on', '-accel', 'kvm,kernel-irqchip=split', '-monitor', 'stdio', until='RUN', stdin='info pic\nquit\n')
    check_equal(h.out.count('pin 23 '), 2, f'second I/O APIC, split: {h.err}')
    h = Host('-M', 'pc,smm=on', *KVM)
    check(h.status == 1 and 'System Management Mode not supported by this hypervisor.' in h.err, h.err)


for case in (machines, cpuid, exits, interrupts, debugger, clocks, ioeventfds, irqfds, coalescing, unavailable):
    case()
finish()
