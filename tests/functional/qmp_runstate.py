#!/usr/bin/env python3
"""Run states with a guest that runs: stop, cont, reset, power off; looking at vCPUs while they run or sleep."""
import os
import signal
import struct
import tempfile
import time
from emulator import Emulator, check, check_equal, finish, run

# Hart 0 counts in memory at 0x80001008, the others wait for interrupts.
COUNT = [0xf14022f3, 0x00029c63, 0x00001317, 0x00033383, 0x00138393, 0x00733023, 0xff5ff06f, 0x10500073, 0xffdff06f]
COUNTER = 0x80001008


def finisher(value):
    """Writes value to the test finisher."""
    low = value & 0xfff
    high = (value + 0x800) >> 12 & 0xfffff
    return [0x001002b7, high << 12 | 0x337, (low & 0xfff) << 20 | 0x30313, 0x0062a023, 0x10500073, 0xffdff06f]


def firmware(tmp, code):
    path = os.path.join(tmp, f'code-{hash(tuple(code)) & 0xffffffff:x}')
    with open(path, 'wb') as f:
        f.write(struct.pack(f'<{len(code)}I', *code))
    return path


def counter(vm):
    return int(vm.qmp.hmp(f'xp /1xg {COUNTER:#x}').split(':')[1], 16)


def test_running(path):
    with Emulator('-smp', '2', '-bios', path, machine='virt') as vm:
        q = vm.qmp
        check_equal(q.ok('query-status'), {'status': 'prelaunch', 'running': False}, '-S')
        q.ok('cont')
        q.wait_event('RESUME')
        check_equal(q.ok('query-status'), {'status': 'running', 'running': True}, 'cont')
        end = time.time() + 10
        while counter(vm) == 0 and time.time() < end:
            time.sleep(0.01)
        check(counter(vm) > 0, 'the guest runs')
        cpus = q.ok('query-cpus-fast')
        check_equal([c['cpu-index'] for c in cpus], [0, 1], 'vCPUs')
        threads = {c['thread-id'] for c in cpus}
        check(len(threads) == 2 and all(os.path.exists(f'/proc/{vm.process.pid}/task/{t}') for t in threads),
              f'thread ids {threads}')
        for c in cpus:
            check(isinstance(q.ok('qom-get', path=c['qom-path'], property='type'), str), f'path {c["qom-path"]}')
        # One vCPU is busy, one sleeps; both can be looked at, again and again.
        for _ in range(50):
            text = q.hmp('info registers -a')
            check('CPU#0' in text and 'CPU#1' in text, f'info registers -a: {text[:80]!r}')
        pc = int(q.hmp('p/x $pc'), 16)
        check(0x8000000c <= pc <= 0x80000018, f'pc of the busy vCPU {pc:#x}')
        text = q.hmp('x /2i 0x8000001c')
        check('wfi' in text, f'disassembly: {text!r}')
        q.ok('stop')
        q.wait_event('STOP')
        first = counter(vm)
        time.sleep(0.05)
        check_equal(counter(vm), first, 'a stopped guest stands still')
        q.ok('cont')
        end = time.time() + 10
        while counter(vm) == first and time.time() < end:
            time.sleep(0.01)
        check(counter(vm) > first, 'it goes on')
        for _ in range(20):
            q.ok('system_reset')
            check_equal(q.wait_event('RESET')['data'], {'guest': False, 'reason': 'host-qmp-system-reset'}, 'RESET')
        for _ in range(20):
            q.ok('stop')
            q.ok('cont')
        with tempfile.TemporaryDirectory() as tmp:
            saved = os.path.join(tmp, 'mem')
            q.ok('memsave', val=0x80000000, size=8, filename=saved, cpu_index=1)
            with open(saved, 'rb') as f:
                check_equal(f.read(), struct.pack('<2I', *COUNT[:2]), 'memsave')
            q.error('memsave', 'Invalid addr', val=0x50, size=8, filename=saved)
            q.error('memsave', 'cpu-index', val=0x80000000, size=8, filename=saved, cpu_index=9)
        vm.process.send_signal(signal.SIGTERM)
        q.wait_event('SHUTDOWN')
        check_equal(vm.wait(), 0, 'SIGTERM while running')


def test_guest_end(tmp):
    off, again = firmware(tmp, finisher(0x5555)), firmware(tmp, finisher(0x7777))
    failed = firmware(tmp, finisher(0x53333))
    base = ['-M', 'virt', '-nodefaults', '-display', 'none']
    check_equal(run(*base, '-bios', off), (0, '', ''), 'guest powers off')
    check_equal(run(*base, '-bios', failed)[0], 5, 'guest ends with a failure code')
    check_equal(run(*base, '-bios', again, '-no-reboot')[0], 0, '-no-reboot')
    check_equal(run(*base, '-bios', again, '-action', 'reboot=shutdown')[0], 0, '-action reboot=shutdown')
    with Emulator('-bios', off, '-no-shutdown', machine='virt') as vm:
        vm.qmp.ok('cont')
        check_equal(vm.qmp.wait_event('SHUTDOWN')['data'], {'guest': True, 'reason': 'guest-shutdown'}, 'SHUTDOWN')
        vm.qmp.wait_event('STOP')
        check_equal(vm.qmp.ok('query-status'), {'status': 'shutdown', 'running': False}, '-no-shutdown')
        vm.qmp.error('cont', 'Resetting')
        vm.qmp.ok('system_reset')
        vm.qmp.wait_event('RESET')
        check_equal(vm.qmp.ok('query-status'), {'status': 'prelaunch', 'running': False}, 'reset after shutdown')
        vm.qmp.ok('cont')
        vm.qmp.wait_event('SHUTDOWN')
        vm.qmp.ok('quit')
        check_equal(vm.wait(), 0, 'quit after shutdown')
    with Emulator('-bios', again, machine='virt') as vm:
        vm.qmp.ok('cont')
        for _ in range(5):
            check_equal(vm.qmp.wait_event('RESET')['data'], {'guest': True, 'reason': 'guest-reset'}, 'guest resets')
        vm.qmp.ok('set-action', reboot='shutdown')
        check_equal(vm.qmp.wait_event('SHUTDOWN')['data'], {'guest': True, 'reason': 'guest-reset'}, 'set-action')
        check_equal(vm.wait(), 0, 'status')


def test_file_cut(tmp):
    """The file that was loaded is cut short while the machine runs: a reset loads what was there."""
    path = firmware(tmp, COUNT)
    with Emulator('-bios', path, machine='virt') as vm:
        os.truncate(path, 0)
        vm.qmp.ok('system_reset')
        vm.qmp.wait_event('RESET')
        vm.qmp.ok('cont')
        end = time.time() + 10
        while counter(vm) == 0 and time.time() < end:
            time.sleep(0.01)
        check(counter(vm) > 0, 'the guest runs after the reset')


def main():
    with tempfile.TemporaryDirectory() as tmp:
        test_running(firmware(tmp, COUNT))
        test_guest_end(tmp)
        test_file_cut(tmp)
    finish()


main()
