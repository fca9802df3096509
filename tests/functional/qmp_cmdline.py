#!/usr/bin/env python3
"""The command line: one precise line and status 1 for what is wrong; help, files, daemon, pid file, signals."""
import os
import signal
import subprocess
import tempfile
import time
from emulator import BINARY, Emulator, check, check_equal, finish, run

BASE = ['-M', 'none', '-nodefaults', '-display', 'none', '-S', '-monitor', 'none']

# arguments; a part of the message
WRONG = [
    (['-foo'], "-foo: invalid option"),
    (['--foo'], "--foo: invalid option"),
    (['-kernel'], "-kernel: requires an argument"),
    (['-spice', 'x'], "option '-spice' is not supported"),
    (['-M', 'foo'], 'unsupported machine type: "foo"'),
    (['-M', 'none,foo=1'], 'foo'),
    (['-m', 'foo'], "'size'"),
    (['-m', '4G,slots=2'], 'slots specified'),
    (['-m', '1G,maxmem=512M'], 'maxmem'),
    (['-m', '20E'], "'size'"),
    (['-smp', '0'], 'greater than zero'),
    (['-smp', '9999'], '9999'),
    (['-smp', 'cpus=2,foo=1'], "Invalid parameter 'foo'"),
    (['-smp', '4,maxcpus=2'], 'maxcpus'),
    (['-accel', 'foo'], 'invalid accelerator foo'),
    (['-accel', 'kvm'], 'KVM cannot run riscv64 guests on this host'),
    (['-M', 'accel=kvm:foo'], 'foo'),
    (['-accel', 'tcg,foo=1'], 'foo'),
    (['-device', 'foo'], "'foo' is not a valid device model name"),
    (['-device', '{"driver": '], 'JSON'),
    (['-object', 'foo,id=x'], 'foo'),
    (['-object', 'foo'], "'id' is missing"),
    (['-chardev', 'foo,id=x'], "'foo' is not a valid char driver name"),
    (['-chardev', 'null'], 'no id specified'),
    (['-chardev', 'null,id=1'], 'identifier'),
    (['-chardev', 'null,id=x,foo=1'], "Invalid parameter 'foo'"),
    (['-chardev', 'null,id=x', '-chardev', 'null,id=x'], 'already exists'),
    (['-chardev', 'socket,id=x'], 'no path, port or fd given'),
    (['-chardev', 'socket,id=x,path=/nonexistent/x'], 'No such file or directory'),
    (['-chardev', 'socket,id=x,host=127.0.0.1,port=1'], 'Connection refused'),
    (['-chardev', 'file,id=x'], 'no filename given'),
    (['-chardev', 'ringbuf,id=x,size=3'], 'power of two'),
    (['-chardev', 'vc,id=x'], 'no display'),
    (['-serial', 'foo'], "'foo' is not a valid char driver"),
    (['-serial', 'tcp:x'], "must be HOST:PORT"),
    (['-serial', 'chardev:zz'], "'zz' not found"),
    (['-serial', 'vc'], 'no display'),
    (['-mon', 'foo'], 'chardev "foo" not found'),
    (['-mon', 'chardev=x,mode=foo', '-chardev', 'null,id=x'], 'unknown monitor mode'),
    (['-uuid', 'foo'], 'UUID'),
    (['-name', 'foo,bar=1'], "Invalid parameter 'bar'"),
    (['-rtc', 'base=foo'], 'datetime'),
    (['-rtc', 'foo=1'], "Invalid parameter 'foo'"),
    (['-display', 'gtk'], "'gtk'"),
    (['-vga', 'std'], "'std'"),
    (['-action', 'foo=bar'], "Invalid parameter 'foo'"),
    (['-action', 'panic=bar'], "does not accept value 'bar'"),
    (['-watchdog-action', 'foo'], "does not accept value 'foo'"),
    (['-global', 'foo'], 'DRIVER.PROPERTY'),
    (['-set', 'a'], 'can\'t parse'),
    (['-set', 'a.b.c=1'], "no option group 'a'"),
    (['-set', 'device.b.c=1'], 'no device "b" defined'),
    (['-readconfig', '/nonexistent'], 'No such file'),
    (['-runas', 'nobody-here'], "doesn't exist"),
    (['-chroot', '/nonexistent'], 'No such file'),
    (['-boot', 'foo=1'], "Invalid parameter 'foo'"),
    (['-boot', 'order=z'], "Invalid boot device 'z'"),
    (['-pidfile', '/nonexistent/a'], 'PID file'),
    (['-d', 'foo'], 'foo'),
    (['-dfilter', 'foo'], 'foo'),
    (['-echr', 'x'], 'character code'),
    (['-msg', 'timestamp=foo'], "'timestamp'"),
    (['-overcommit', 'foo=on'], "Invalid parameter 'foo'"),
    (['-add-fd', 'fd=1,set=1'], 'standard'),
    (['-add-fd', 'fd=99,set=1'], '99'),
    (['-sandbox', 'on'], 'not supported'),
    (['-trace', 'nonsense'], "'nonsense' does not exist"),
    (['-trace', 'events=/nonexistent'], 'No such file'),
    (['-d', 'trace:nonsense'], "'nonsense' does not exist"),
    (['-daemonize', '-monitor', 'stdio'], 'stdio'),
    (['-qmp', 'stdio', '-monitor', 'stdio'], 'multiple'),
    (['-append', 'x'], '-append only allowed with -kernel'),
    (['-parallel', 'stdio'], 'no parallel port'),
    (['-initrd', '/nonexistent'], '-initrd only allowed with -kernel'),
    (['a.img', 'b.img'], 'only one image'),
]

HELP = [
    (['-help'], '-machine'),
    (['-h'], '-machine'),
    (['--version'], 'version'),
    (['-M', 'help'], 'none'),
    (['-machine', 'type=?'], 'none'),
    (['-M', 'none,help'], 'dtb=<str>'),
    (['-accel', 'help'], 'tcg'),
    (['-device', 'help'], ''),
    (['-chardev', 'help'], 'socket'),
    (['-object', 'help'], 'objects'),
    (['-display', 'help'], 'none'),
    (['-d', 'help'], 'in_asm'),
    (['-trace', 'help'], 'runstate_set'),
    (['-L', 'help'], '/'),
    (['-netdev', 'help'], 'user'),
    (['-nic', 'help'], 'user'),
]


def test_wrong():
    for args, part in WRONG:
        status, out, err = run(*BASE, *args)
        lines = err.strip().split('\n')
        check(status == 1 and part in err and out == '', f'{args}: status {status}, {err!r} {out!r}')
        # A list of accelerators says which of them are not there.
        check(len(lines) <= (2 if 'kvm:' in str(args) else 1), f'{args}: more than one line: {err!r}')
        check(err.startswith('qemu-system-riscv64: '), f'{args}: {err!r}')


def test_help():
    for args, part in HELP:
        status, out, err = run(*args)
        check(status == 0 and part in out and err == '', f'{args}: status {status}, {err!r}')
    status, out, err = run('-device', 'nonsense,help')
    check(status == 1 and 'nonsense' in err, '-device nonsense,help')


def test_names():
    system = os.path.join(os.path.dirname(BINARY), 'qemu-system')
    done = subprocess.run([system], capture_output=True)
    check(done.returncode == 1 and b'-target' in done.stderr, 'qemu-system without architecture')
    done = subprocess.run([system, '-target', 'riscv32', '-M', 'help'], capture_output=True)
    check(done.returncode == 0, 'qemu-system -target riscv32')
    done = subprocess.run(['qemu-system-z80', '-version'], executable=system, capture_output=True)
    check(done.returncode == 1 and b'z80' in done.stderr, 'unknown architecture')


def test_config():
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, 'config')
        status, out, err = run(*BASE, '-chardev', 'null,id=c0', '-name', 'a "name"', '-writeconfig', path,
                               '-M', 'none,foo=1')
        with open(path) as f:
            text = f.read()
        check('[chardev "c0"]' in text and 'backend = "null"' in text, f'-writeconfig: {text}')
        with open(path, 'w') as f:
            f.write('# comment\n[chardev "cc"]\n  backend = "ringbuf"\n  size = "64"\n\n[name]\n  guest = "from file"\n')
        with Emulator('-readconfig', path, '-set', 'chardev.cc.size=128') as vm:
            check_equal(vm.qmp.ok('query-name'), {'name': 'from file'}, 'name from a file')
            vm.qmp.ok('ringbuf-write', device='cc', data='x' * 200)
            check_equal(len(vm.qmp.ok('ringbuf-read', device='cc', size=1000)), 128, '-set changed the size')
        for bad, part in [('[chardev "x"\n', 'malformed'), ('a = "b"\n', 'no group'), ('[nope]\n', "'nope'"),
                          ('[chardev "x"]\nbackend\n', 'parse error'), ('[chardev "x"]\n foo = "1"\nbackend="null"\n', 'foo')]:
            with open(path, 'w') as f:
                f.write(bad)
            status, out, err = run(*BASE, '-readconfig', path)
            check(status == 1 and part in err and err.count('\n') == 1, f'{bad!r}: {status} {err!r}')


def test_process():
    with tempfile.TemporaryDirectory() as tmp:
        pidfile, qmp = os.path.join(tmp, 'pid'), os.path.join(tmp, 'qmp')
        with Emulator('-pidfile', pidfile) as vm:
            with open(pidfile) as f:
                check_equal(int(f.read()), vm.process.pid, 'pid file')
            status, out, err = run(*BASE, '-pidfile', pidfile)
            check(status == 1 and 'another process' in err, 'a held pid file')
            vm.process.send_signal(signal.SIGTERM)
            event = vm.qmp.wait_event('SHUTDOWN')
            check_equal(event['data'], {'guest': False, 'reason': 'host-signal'}, 'SHUTDOWN by signal')
            check_equal(vm.wait(), 0, 'status after SIGTERM')
            message = vm.process.stderr.read().decode()
            check(f'terminating on signal 15 from pid {os.getpid()}' in message, message)
        check(not os.path.exists(pidfile), 'pid file is removed')
        # A daemon: the parent comes back when the monitor already listens.
        status, out, err = run('-M', 'none', '-nodefaults', '-nographic', '-daemonize', '-pidfile', pidfile,
                               '-qmp', f'unix:{qmp},server=on,wait=off')
        check_equal((status, out, err), (0, '', ''), '-daemonize')
        check(os.path.exists(qmp), 'the daemon listens')
        with open(pidfile) as f:
            pid = int(f.read())
        check_equal(os.getsid(pid) != os.getsid(0), True, 'own session')
        check_equal(os.readlink(f'/proc/{pid}/cwd'), '/', 'directory of the daemon')
        os.kill(pid, signal.SIGTERM)
        end = time.time() + 10
        while os.path.exists(f'/proc/{pid}') and time.time() < end:
            time.sleep(0.01)
        check(not os.path.exists(pidfile) and not os.path.exists(qmp), 'the daemon cleans up')
        status, out, err = run('-M', 'none', '-nographic', '-daemonize')
        check(status == 1 and '-nographic cannot be used with -daemonize' in err, f'defaults on stdio: {err}')
        status, out, err = run('-M', 'none', '-nodefaults', '-display', 'none', '-daemonize', '-device', 'nonsense')
        check(status == 1 and 'nonsense' in err, 'a daemon that cannot start says why')
        status, out, err = run(*BASE, '-msg', 'timestamp=on', '-M', 'none,nope=1')
        check(err[:2] == '20' and 'Z qemu-system-riscv64: ' in err, f'time stamps: {err!r}')


def test_spellings():
    """--opt, doubled commas, JSON lists, several -machine."""
    with tempfile.TemporaryDirectory() as tmp:
        out = os.path.join(tmp, 'a,b')
        with Emulator('--name', 'x,,y', '--chardev', f'file,id=f,path={out.replace(",", ",,")}', '-uuid',
                      '12345678-ABCD-abcd-0123-0123456789ab', '-chardev',
                      '{"backend": "ringbuf", "id": "r", "size": 64}') as vm:
            check_equal(vm.qmp.ok('query-name'), {'name': 'x,y'}, 'doubled comma')
            check(os.path.exists(out), 'a path with a comma')
            check_equal(vm.qmp.ok('query-uuid'), {'UUID': '12345678-abcd-abcd-0123-0123456789ab'}, 'uuid')
            options = {o['option']: o['parameters'] for o in vm.qmp.ok('query-command-line-options')}
            check({'name': 'size', 'type': 'size'} in options['memory'], 'parameters of -m')
            check_equal(len(vm.qmp.ok('query-command-line-options', option='smp-opts')), 1, 'one option')
            vm.qmp.error('query-command-line-options', 'foo', option='foo')


def main():
    test_wrong()
    test_help()
    test_names()
    test_config()
    test_process()
    test_spellings()
    finish()


main()
