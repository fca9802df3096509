#!/usr/bin/env python3
"""Character devices: made and removed by QMP and command line; sockets, pty, ring buffers, mux, telnet."""
import os
import pty
import select
import signal
import socket
import subprocess
import tempfile
import termios
import time
from emulator import BINARY, Emulator, Qmp, check, check_equal, finish, run


def unix_backend(path, **more):
    return {'type': 'socket', 'data': {'addr': {'type': 'unix', 'data': {'path': path}}, **more}}


def names(vm):
    return {c['label']: c['filename'] for c in vm.qmp.ok('query-chardev')}


def test_add_remove(vm):
    q = vm.qmp
    file_path = vm.path('out')
    for name, backend, shown in [
        ('null0', {'type': 'null', 'data': {}}, 'null'),
        ('ring0', {'type': 'ringbuf', 'data': {'size': 16}}, 'ringbuf'),
        ('file0', {'type': 'file', 'data': {'out': file_path}}, 'file'),
        ('sock0', unix_backend(vm.path('s0')), f'disconnected:unix:{vm.path("s0")},server=on'),
        ('udp0', {'type': 'udp', 'data': {'remote': {'type': 'inet', 'data': {'host': '127.0.0.1', 'port': '9'}}}},
         'udp'),
    ]:
        check_equal(q.ok('chardev-add', id=name, backend=backend), {}, f'chardev-add {name}')
        check_equal(names(vm).get(name), shown, f'file name of {name}')
    q.error('chardev-add', 'already exists', id='null0', backend={'type': 'null', 'data': {}})
    q.error('chardev-add', 'identifier', id='0', backend={'type': 'null', 'data': {}})
    q.error('chardev-add', 'power of two', id='r', backend={'type': 'ringbuf', 'data': {'size': 3}})
    q.error('chardev-add', 'No such file', id='f', backend={'type': 'file', 'data': {'out': '/nonexistent/x'}})
    answer = q.ok('chardev-add', id='pty0', backend={'type': 'pty', 'data': {}})
    check(answer['pty'].startswith('/dev/pts/'), 'pty path')
    check(os.path.exists(vm.path('s0')), 'socket file')
    for name in ['null0', 'file0', 'sock0', 'udp0', 'pty0']:
        q.ok('chardev-remove', id=name)
        check(name not in names(vm), f'{name} is gone')
    check(not os.path.exists(vm.path('s0')), 'socket file is removed')
    q.error('chardev-remove', 'not found', id='null0')
    q.error('chardev-remove', 'busy', id='compat_monitor0')
    q.error('chardev-change', 'hotswap', id='compat_monitor0', backend={'type': 'null', 'data': {}})


def test_ringbuf(vm):
    q = vm.qmp
    q.ok('ringbuf-write', device='ring0', data='hello')
    check_equal(q.ok('ringbuf-read', device='ring0', size=100), 'hello', 'ring buffer')
    q.ok('ringbuf-write', device='ring0', data='MDEyMzQ1Njc4OWFiY2RlZmdoaQ==', format='base64')
    check_equal(q.ok('ringbuf-read', device='ring0', size=4), '3456', 'oldest bytes are lost')
    check_equal(q.ok('ringbuf-read', device='ring0', size=100, format='base64'), 'Nzg5YWJjZGVmZ2hp', 'base64')
    q.error('ringbuf-write', 'valid', device='ring0', data='x', format='base64')
    q.error('ringbuf-read', 'ringbuf', device='compat_monitor0', size=1)
    q.error('ringbuf-read', 'greater than zero', device='ring0', size=0)


def read_until(read, text, timeout=10):
    data = b''
    end = time.time() + timeout
    while text not in data and time.time() < end:
        data += read()
    return data


def test_sockets():
    """A server that is left and entered again; TCP with a port range; a client that reconnects."""
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, 'client')
        listener = socket.socket(socket.AF_UNIX)
        with Emulator('-chardev', f'socket,id=c,path={path},reconnect-ms=50', '-mon', 'chardev=c,mode=control',
                      '-chardev', 'socket,id=t,host=127.0.0.1,port=0,server=on,wait=off', '-mon',
                      'chardev=t,mode=control') as vm:
            for i in range(3):
                second = vm.connect(vm.qmp_path) if i else None
                if second:
                    vm.qmp = second
                vm.qmp.ok('query-status')
                vm.qmp.sock.close()
            vm.qmp = vm.connect()
            name = names(vm)['t']
            check(name.startswith('disconnected:tcp:127.0.0.1:') and name.endswith(',server=on'), name)
            port = int(name.split(':')[3].split(',')[0])
            tcp = Qmp(socket.create_connection(('127.0.0.1', port)))
            tcp.ok('query-status')
            check(' <-> 127.0.0.1:' in names(vm)['t'], 'connected name: ' + names(vm)['t'])
            tcp.sock.close()
            # The client keeps trying until somebody listens, and again after a loss.
            listener.bind(path)
            listener.listen(1)
            listener.settimeout(10)
            for _ in range(2):
                peer, _ = listener.accept()
                client = Qmp(peer)
                client.ok('query-status')
                peer.close()
        listener.close()


def test_telnet():
    with Emulator('-chardev', 'socket,id=m,host=127.0.0.1,port=0,server=on,wait=off,telnet=on', '-mon',
                  'chardev=m') as vm:
        port = int(names(vm)['m'].split(':')[3].split(',')[0])
        sock = socket.create_connection(('127.0.0.1', port))
        sock.settimeout(10)
        data = read_until(lambda: sock.recv(4096), b'(qemu) ')
        check(b'\xff\xfb\x01' in data and b'\xff\xfb\x03' in data, 'telnet offers echo and go-ahead')
        # Options in the middle of a command are not part of it; CR LF is one end of line.
        sock.sendall(b'info \xff\xfd\x18sta\xff\xfa\x18\x00xterm\xff\xf0tus\r\n')
        data = read_until(lambda: sock.recv(4096), b'prelaunch')
        check(b'VM status: paused (prelaunch)' in data, f'command through telnet: {data!r}')
        sock.close()


def test_pty(vm):
    q = vm.qmp
    path = q.ok('chardev-add', id='p', backend={'type': 'pty', 'data': {}})['pty']
    slave = os.open(path, os.O_RDWR | os.O_NOCTTY)
    attributes = termios.tcgetattr(slave)
    check(not attributes[3] & termios.ECHO, 'a new pty does not echo')
    os.close(slave)
    q.ok('chardev-remove', id='p')


def start_on_pty(*args):
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    process = subprocess.Popen([BINARY, *args], stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    return master, slave, before, process


def pty_reader(master):
    def read():
        return os.read(master, 4096) if select.select([master], [], [], 0.2)[0] else b''
    return read


def test_mux():
    """Ctrl-A keys on a terminal shared by two monitors, and the terminal's modes afterwards."""
    args = ['-M', 'none', '-nodefaults', '-display', 'none', '-S', '-chardev', 'stdio,id=io,mux=on,signal=off',
            '-mon', 'chardev=io', '-mon', 'chardev=io']
    master, slave, before, process = start_on_pty(*args)
    read = pty_reader(master)
    read_until(read, b'(qemu) ')
    check(not termios.tcgetattr(slave)[3] & (termios.ICANON | termios.ECHO | termios.ISIG), 'raw mode, no signals')
    # Ctrl-A twice is the key itself: to the start of the line.
    os.write(master, b'fo status\x01\x01in\r')
    data = read_until(read, b'(prelaunch)')
    check(b'VM status: paused (prelaunch)' in data, f'Ctrl-A Ctrl-A: {data!r}')
    os.write(master, b'\x01h')
    data = read_until(read, b'the key itself')
    check(b'C-a' in data, f'help: {data!r}')
    os.write(master, b'\x01cinfo status\r')
    data = read_until(read, b'prelaunch')
    check(b'VM status: paused (prelaunch)' in data, f'the second monitor has the terminal: {data!r}')
    os.write(master, b'\x01x')
    check_equal(process.wait(10), 0, 'status after Ctrl-A x')
    check_equal(termios.tcgetattr(slave), before, 'the terminal is as before')
    os.close(master)
    os.close(slave)
    for how in [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]:
        master, slave, before, process = start_on_pty('-M', 'none', '-nodefaults', '-display', 'none', '-monitor',
                                                      'stdio')
        read_until(pty_reader(master), b'(qemu) ')
        check(termios.tcgetattr(slave) != before, 'the terminal is raw')
        process.send_signal(how)
        check_equal(process.wait(10), 0, f'status after {how.name}')
        check_equal(termios.tcgetattr(slave), before, f'the terminal after {how.name}')
        os.close(master)
        os.close(slave)


def test_stdio_eof():
    """The end of standard input is not the end of the program, and answers still come."""
    status, out, err = run('-M', 'none', '-nodefaults', '-display', 'none', '-qmp', 'stdio',
                           stdin=b'{"execute":"qmp_capabilities"}{"execute":"quit"}')
    check_equal((status, err), (0, ''), 'quit on a pipe')
    check(out.count('"return"') == 2 and '"SHUTDOWN"' in out, f'answers on a pipe: {out!r}')


def test_getfd(vm):
    q = vm.qmp
    r, w = os.pipe()
    socket.send_fds(q.sock, [b'{"execute": "getfd", "arguments": {"fdname": "f"}}'], [w])
    check_equal(q.answer(), {'return': {}}, 'getfd')
    q.ok('closefd', fdname='f')
    q.error('closefd', 'not found', fdname='f')
    q.error('getfd', 'No file descriptor', fdname='g')
    socket.send_fds(q.sock, [b'{"execute": "add-fd", "arguments": {"fdset-id": 3, "opaque": "o"}}'], [r])
    answer = q.answer()['return']
    check_equal(answer['fdset-id'], 3, 'add-fd')
    check_equal(q.ok('query-fdsets'), [{'fds': [{'fd': answer['fd'], 'opaque': 'o'}], 'fdset-id': 3}], 'query-fdsets')
    q.ok('remove-fd', fdset_id=3)
    check_equal(q.ok('query-fdsets'), [], 'no sets left')
    os.close(r)
    os.close(w)


def main():
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup's would be inherited, and is respected
    with Emulator() as vm:
        test_add_remove(vm)
        test_ringbuf(vm)
        test_pty(vm)
        test_getfd(vm)
        vm.qmp.ok('quit')
        check_equal(vm.wait(), 0, 'quit')
        check(not os.path.exists(vm.qmp_path), 'the socket file is removed at exit')
    test_sockets()
    test_telnet()
    test_mux()
    test_stdio_eof()
    finish()


main()
