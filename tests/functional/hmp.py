#!/usr/bin/env python3
"""The human monitor: commands, arguments, errors, line editing, history, completion."""
import os
import pty
import re
import select
import subprocess
import tempfile
import time
from emulator import BINARY, Emulator, check, check_equal, finish


class Screen:
    """Types on a terminal and reads what comes back, ended by the next prompt."""

    def __init__(self, *args):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen([BINARY, '-M', 'none', '-nodefaults', '-display', 'none', '-S', '-monitor',
                                         'stdio', *args], stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self.until(b'(qemu) ')

    def until(self, text, timeout=10):
        data, end = b'', time.time() + timeout
        while text not in data and time.time() < end:
            if select.select([self.master], [], [], 0.1)[0]:
                data += os.read(self.master, 4096)
        check(text in data, f'{text!r} does not come: {data!r}')
        return data

    def enter(self, keys):
        os.write(self.master, keys + b'\r')
        return self.until(b'(qemu) ')

    def close(self):
        os.write(self.master, b'\x15quit\r')
        check_equal(self.process.wait(10), 0, 'status after quit')
        os.close(self.master)


def test_registers():
    """What is there of M and S mode, also when FP is off; nothing that is RV32's."""
    with Emulator('-bios', 'none', machine='virt') as vm:
        text = vm.qmp.hmp('info registers')
        width = 16 if '64' in os.path.basename(BINARY) else 8
        for name in ['priv', 'pc', 'sstatus', 'scounteren', 'stimecmp', 'satp', 'mstatus', 'misa', 'mcountinhibit', 'pmpcfg2' if width == 16 else 'pmpcfg3',
                     'pmpaddr15', 'tselect', 'tdata1', 'mcycle', 'mhartid', 'fflags', 'frm', 'fcsr', 'x31/t6', 'f31/ft11']:
            check(re.search(rf'^ *.*\b{name} +([0-9a-f]{{{width}}}|M)\b', text, re.M), f'{name} in info registers: {text[:300]}')
        check(width == 8 or 'stimecmph' not in text, 'no upper halves on RV64')
        check('in_asm' in vm.qmp.hmp('log help'), 'log help lists the items')
        check_equal(vm.qmp.hmp('info accelerators'), '[tcg]\n', 'info accelerators')
        check('Error' in vm.qmp.hmp('gpa2hpa 0x10'), 'gpa2hpa where there is no memory')
        vm.qmp.ok('quit')


def test_editing():
    s = Screen()
    for keys, what in [
        (b'info statsu\x7f\x7fus', 'backspace'),
        (b'nfo status\x01i', 'Ctrl-A'),
        (b'nfo statu\x01i\x05s', 'Ctrl-A, Ctrl-E'),
        (b'info xtatus\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x08s', 'cursor keys, Ctrl-H'),
        (b'xinfo status\x1b[H\x1b[3~', 'Home, Delete'),
        (b'info statusxyz\x1b[D\x1b[D\x1b[D\x0b', 'Ctrl-K'),
        (b'garbage\x15info status', 'Ctrl-U'),
        (b'info nothing\x17status', 'Ctrl-W'),
        (b'info stat\t', 'completion of a sub-command'),
        (b'inf\tstatus', 'completion of a command'),
        (b'garbage\x15info status', 'plain'),
    ]:
        data = s.enter(keys)
        check(b'VM status: paused (prelaunch)' in data, f'{what}: {data!r}')
    data = s.enter(b'\x1b[A')
    check(b'VM status' in data, f'history: {data!r}')
    s.enter(b'info name')
    data = s.enter(b'\x10\x10\x10\x0e')
    check(b'VM status' in data or b'info' in data, f'history up and down: {data!r}')
    os.write(s.master, b'info m\t')
    data = s.until(b'(qemu) info m')
    check(b'memdev' in data and b'migrate' in data, f'list of completions: {data!r}')
    os.write(s.master, b'\x15')
    data = s.enter(b'x' * 5000)
    check(b'unknown command' in data, 'a very long line')
    data = s.enter(b'info history')
    check(b"'info status'" in data, f'info history: {data!r}')
    s.close()


def test_password():
    """change vnc password asks; what is typed is shown as stars and kept out of the history."""
    with tempfile.TemporaryDirectory() as tmp:
        s = Screen('-vnc', f'unix:{tmp}/vnc,password=on')
        os.write(s.master, b'change vnc password\r')
        s.until(b'Password: ')
        data = s.enter(b'ge\x7feheim\t\x10')
        check(b'*' in data and b'eheim' not in data and b'Error' not in data, f'stars: {data!r}')
        data = s.enter(b'info history')
        check(b'eheim' not in data and b"'change vnc password'" in data, f'history: {data!r}')
        s.close()
    s = Screen()
    os.write(s.master, b'change vnc password\r')
    s.until(b'Password: ')
    check(b'Error: ' in s.enter(b'x'), 'a password for no server')
    s.close()


def test_commands(vm):
    h = vm.qmp.hmp
    for line, expected in [
        ('info status', 'VM status: paused (prelaunch)\n'),
        ('  info   status  ', 'VM status: paused (prelaunch)\n'),
        ('info name', ''),
        ('info uuid', '00000000-0000-0000-0000-000000000000\n'),
        ('info kvm', 'kvm support: not compiled\n'),
        ('info foo', "unknown command: 'info foo'\n"),
        ('foo bar', "unknown command: 'foo'\n"),
        ('', ''),
        ('# comment', ''),
        ('stop x', 'stop: extraneous characters at the end of line\nTry "help stop" for more information\n'),
        ('p/d 1+2*3', '7\n'),
        ('p/d (1+2)*3', '9\n'),
        ('print/x 255', '0xff\n'),
        ('p/x -1', '0xffffffffffffffff\n'),
        ('p/d -1', '-1\n'),
        ('p/o 8', '010\n'),
        ("p/d 'A'", '65\n'),
        ('p/d 7%4+100/7', '17\n'),
        ('p/x ~0&0xff|0x100^1', '0x1fe\n'),
        ('p/d 1<<10', '1024\n'),
        ('p/d 5/0', 'division by zero\nTry "help print" for more information\n'),
        ('p/d 5%0', 'division by zero\nTry "help print" for more information\n'),
        ('p/d -9223372036854775808/-1', '-9223372036854775808\n'),
        ('p/d (1', "')' expected\nTry \"help print\" for more information\n"),
        ('p/d', 'unexpected end of expression\nTry "help print" for more information\n'),
        ('p/d ' + '(' * 1000, 'expression is nested too deeply\nTry "help print" for more information\n'),
        ('p/d $pc', 'No CPU available\nTry "help print" for more information\n'),
        ('p/z 1', "invalid char in format: 'z'\nTry \"help print\" for more information\n"),
        ('x /4xw 0', 'No CPU\n'),
        ('xp /2xw 0x1000', '00001000: Cannot access memory\n'),
        ('cpu 3', 'invalid CPU index\n'),
        ('info registers', 'No CPU available\n'),
        ('device_add nonsense', "Error: 'nonsense' is not a valid device model name\n"),
        ('device_del nonsense', "Error: Device 'nonsense' not found\n"),
        ('chardev-add null', 'Error: chardev: no id specified\n'),
        ('chardev-add ringbuf,id=r,size=64', ''),
        ('ringbuf_write r hello world', ''),
        ('ringbuf_read r 100', 'hello world\n'),
        ('chardev-remove r', ''),
        ('chardev-remove r', "Error: Chardev 'r' not found\n"),
        ('log nonsense', None),
        ('log unimp', ''),
        ('log none', ''),
        ('sendkey a', ''),
        ('sendkey a-nokey', 'Error: invalid parameter: nokey\n'),
        ('mouse_set 7', "Error: Mouse at index '7' not found\n"),
        ('screendump -f png /tmp/x.png', 'Error: There is no console to take a screendump from\n'),
        ('screendump', 'screendump: \'filename\' expected\nTry "help screendump" for more information\n'),
        ('savevm x', 'Error: snapshots of the machine are not supported yet\n'),
        ('qom-get /machine type', '"none-machine"\n'),
        ('qom-get "/machine" "type"', '"none-machine"\n'),
        ('qom-get "/machine', 'unterminated string\nTry "help qom-get" for more information\n'),
        ('trace-event foo on', 'Error: unknown event "foo"\n'),
        ('trace-event foo maybe', "Expected 'on' or 'off'\nTry \"help trace-event\" for more information\n"),
        ('info mtree -x', 'unsupported option -x\nTry "help info mtree" for more information\n'),
        ('set_link a maybe', "Expected 'on' or 'off'\nTry \"help set_link\" for more information\n"),
        ('cont', ''),
        ('info status', 'VM status: running\n'),
        ('stop', ''),
        ('info status', 'VM status: paused\n'),
    ]:
        got = h(line)
        if expected is None:
            check(got.startswith('Error: ') and got.count('\n') == 1, f'{line}: {got!r}')
        else:
            check_equal(got, expected, line)
    help_text = h('help')
    listed = re.findall(r'^(\S+?)(?:\|\S+)?(?: .*)? -- ', help_text, re.M)
    check(len(listed) > 60 and sorted(listed) == listed, 'help is sorted and complete')
    for name in listed:
        check(h('help ' + name).startswith(name), f'help {name}')
    # Nothing that "info" lists is unknown, and every one of them answers.
    for name in re.findall(r'^info (\S+)', h('info'), re.M):
        check('unknown command' not in h('info ' + name), f'info {name}')


def test_memory(vm):
    """With a board: physical memory, formats, save to files."""
    h = vm.qmp.hmp
    base = vm.ram
    check_equal(h(f'xp /4xb {base}').split(':')[0], f'{base[2:]}', 'address of xp')
    words = h(f'xp /4xw {base}').split(':')[1].split()
    first_bytes = h(f'xp /4xb {base}').split(':')[1].split()
    check_equal(words[0], '0x' + ''.join(b[2:] for b in reversed(first_bytes)), 'bytes and words agree')
    check_equal(len(h(f'xp /9xg {base}').strip().split('\n')), 5, 'two 8-byte words per line')
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, 'ram')
        check_equal(h(f'pmemsave {base} 0x20000 "{path}"'), '', 'pmemsave')
        with open(path, 'rb') as f:
            data = f.read()
        check_equal(len(data), 0x20000, 'size of the file')
        check_equal(hex(data[0]), hex(int(first_bytes[0], 16)), 'contents of the file')
        check('Error' in h(f'pmemsave 0x50 16 "{path}"'), 'nothing there')
        check('Error' in h(f'pmemsave {base} 16 "/nonexistent/x"'), 'no such directory')
    check('riscv_virt_board.ram' in h('info mtree'), 'info mtree')
    check('serial' in h('info qtree'), 'info qtree')
    check('(virt-machine)' in h('info qom-tree'), 'info qom-tree')
    check('Host virtual address' in h(f'gpa2hva {base}'), 'gpa2hva')
    check('ram' in h('info ramblock'), 'info ramblock')


def test_trace():
    with tempfile.TemporaryDirectory() as tmp:
        log = os.path.join(tmp, 'log')
        with Emulator('-trace', 'runstate_*', '-D', log) as vm:
            h = vm.qmp.hmp
            check_equal(h('info trace-events runstate_set'), 'runstate_set : state 1\n', 'switched on by -trace')
            check_equal(h('info trace-events qmp_command'), 'qmp_command : state 0\n', 'off at first')
            vm.qmp.ok('trace-event-set-state', name='qmp_*', enable=True)
            check_equal(vm.qmp.ok('trace-event-get-state', name='qmp_command'),
                        [{'name': 'qmp_command', 'state': 'enabled'}], 'trace-event-get-state')
            vm.qmp.ok('cont')
            vm.qmp.ok('stop')
            check_equal(h('trace-event qmp_command off'), '', 'trace-event off')
            vm.qmp.ok('query-status')
            vm.qmp.error('trace-event-get-state', 'unknown event', name='nonsense')
            vm.qmp.error('trace-event-set-state', 'unknown event', name='nonsense', enable=True)
            with open(log) as f:
                text = f.read()
            check('runstate_set from prelaunch to running' in text, f'runstate_set in {text!r}')
            check(':qmp_command' in text and 'command cont' in text, 'qmp_command')
            check('query-status' not in text, 'nothing after it was switched off')


def main():
    test_editing()
    test_password()
    test_registers()
    test_trace()
    with Emulator() as vm:
        test_commands(vm)
    with Emulator(machine='virt') as vm:
        vm.ram = '0x80000000'
        test_memory(vm)
        vm.qmp.ok('system_reset')
        check_equal(vm.qmp.wait_event('RESET')['data'], {'guest': False, 'reason': 'host-qmp-system-reset'}, 'RESET')
        vm.qmp.ok('system_powerdown')
        vm.qmp.wait_event('POWERDOWN')
    finish()


main()
