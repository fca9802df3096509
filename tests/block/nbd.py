#!/usr/bin/env python3
"""NBD: our server against our client, libnbd's tools and a client that breaks the rules; our client against nbdkit.

Usage: nbd.py FOLDER_OF_TOOLS
What other programs are not installed is left out.
"""
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

TOOLS = os.path.abspath(sys.argv[1])
os.environ['PATH'] = '/usr/bin:/usr/sbin:/bin:' + os.environ['PATH']
MIB = 1024 * 1024
checks = failures = 0


def check(ok, what):
    global checks, failures
    checks += 1
    if not ok:
        failures += 1
        print('FAILED: ' + what, file=sys.stderr)


def run(*args, status=0, **kwargs):
    p = subprocess.run(args, capture_output=True, text=True, timeout=60, **kwargs)
    check(p.returncode == status, f'{args}: status {p.returncode}, not {status}: {p.stdout} {p.stderr}')
    return p.stdout + p.stderr


def tool(name, *args, status=0, **kwargs):
    return run(f'{TOOLS}/{name}', *args, status=status, **kwargs)


class Server:
    """A qemu-nbd on the socket SOCKET, which is there once it has forked."""

    def __init__(self, *args, name='s'):
        self.socket = os.path.abspath(name)
        self.pid_file = self.socket + '.pid'
        self.uri = f'nbd+unix:///?socket={self.socket}'
        out = tool('qemu-nbd', '-k', self.socket, '--fork', f'--pid-file={self.pid_file}', *args)
        check(out == '', f'qemu-nbd {args}: {out}')
        self.pid = int(open(self.pid_file).read())

    def __enter__(self):
        return self

    def stop(self, how=signal.SIGTERM):
        os.kill(self.pid, how)
        for _ in range(500):
            if not self.runs():
                return
            time.sleep(0.01)
        check(False, 'the server ends when it is told to')

    def runs(self):
        try:
            return open(f'/proc/{self.pid}/stat').read().rsplit(')', 1)[1].split()[0] != 'Z'
        except (FileNotFoundError, ProcessLookupError):
            return False

    def __exit__(self, *exc):
        if self.runs():
            self.stop()
            check(not os.path.exists(self.socket) and not os.path.exists(self.pid_file), 'socket and pid file are removed')


# -- a client of our own, for what no proper one does ------------------------------------------------------------------

OPT_EXPORT_NAME, OPT_ABORT, OPT_LIST, _, OPT_STARTTLS, OPT_INFO, OPT_GO, OPT_STRUCTURED, OPT_LIST_META, OPT_SET_META, OPT_EXTENDED = range(1, 12)
ACK, SERVER, INFO, META = 1, 2, 3, 4
UNSUP, POLICY, INVALID, _, TLS_REQD, UNKNOWN, _, _, TOO_BIG, EXT_REQD = (0x80000000 + n for n in range(1, 11))
READ, WRITE, DISC, FLUSH, TRIM, CACHE, ZEROES, STATUS = range(8)


class Raw:
    def __init__(self, path, flags=3):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(20)
        self.s.connect(path)
        check(self.get(16) == b'NBDMAGICIHAVEOPT', 'greeting')
        check(struct.unpack('>H', self.get(2))[0] == 3, 'fixed newstyle, no zeroes')
        self.s.sendall(struct.pack('>I', flags))

    def get(self, n):
        data = b''
        while len(data) < n:
            more = self.s.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def ended(self):
        try:
            return self.s.recv(1) == b''
        except ConnectionError:
            return True

    def option(self, option, data=b'', length=None):
        self.s.sendall(b'IHAVEOPT' + struct.pack('>II', option, len(data) if length is None else length) + data)

    def replies(self, option):
        """Until one that ends them: [(type, data)]."""
        out = []
        while True:
            magic, opt, kind, n = struct.unpack('>QIII', self.get(20))
            check(magic == 0x3e889045565a9 and opt == option, f'reply to option {option}: {magic:x} {opt}')
            out.append((kind, self.get(n)))
            if kind == ACK or kind >> 31:
                return out

    def ask(self, option, data=b''):
        self.option(option, data)
        return self.replies(option)

    def go(self, name=b'', infos=()):
        return self.ask(OPT_GO, struct.pack('>I', len(name)) + name + struct.pack(f'>H{len(infos)}H', len(infos), *infos))

    def request(self, command, offset=0, length=0, flags=0, cookie=1, data=b''):
        self.s.sendall(struct.pack('>IHHQQI', 0x25609513, flags, command, cookie, offset, length) + data)

    def simple(self, n=0):
        """(error, cookie, data)"""
        magic, error, cookie = struct.unpack('>IIQ', self.get(16))
        check(magic == 0x67446698, f'magic of a simple reply: {magic:x}')
        return error, cookie, self.get(0 if error else n)

    def chunks(self):
        out = []
        while True:
            magic, flags, kind, cookie, n = struct.unpack('>IHHQI', self.get(20))
            check(magic == 0x668e33ef, f'magic of a structured reply: {magic:x}')
            out.append((kind, self.get(n)))
            if flags & 1:
                return out


def string(text):
    return struct.pack('>I', len(text)) + text


def test_options(server):
    c = Raw(server.socket)
    check(c.ask(99, b'x' * 1000)[-1][0] == UNSUP, 'an unknown option, and what follows it is understood')
    check(c.ask(OPT_LIST, b'x')[-1][0] == INVALID, 'a list with data')
    check(c.ask(OPT_LIST) == [(SERVER, string(b'disk') + b'A disk'), (ACK, b'')], 'list')
    check(c.ask(OPT_STARTTLS)[-1][0] == POLICY, 'TLS without credentials')
    check(c.go(b'nobody')[-1][0] == UNKNOWN, 'unknown export')
    check(c.ask(OPT_GO, struct.pack('>I', 9999) + b'x')[-1][0] == INVALID, 'a name longer than the option')
    check(c.ask(OPT_GO, string(b'disk') + struct.pack('>H', 9))[-1][0] == INVALID, 'fewer information requests than said')
    check(c.ask(OPT_GO, string(b'di\0k') + struct.pack('>H', 0))[-1][0] == INVALID, 'a zero in a name')
    check(c.ask(OPT_SET_META, string(b'disk') + struct.pack('>I', 0))[-1][0] == INVALID, 'contexts without structured replies')
    check(c.ask(OPT_STRUCTURED, b'x')[-1][0] == INVALID and c.ask(OPT_STRUCTURED)[-1][0] == ACK, 'structured replies')
    check(c.ask(OPT_STRUCTURED)[-1][0] == INVALID, 'twice')
    check(c.ask(OPT_LIST_META, string(b'disk') + struct.pack('>I', 0)) == [(META, b'\0\0\0\0base:allocation'), (META, b'\0\0\0\0qemu:allocation-depth'), (ACK, b'')], 'all contexts')
    check(c.ask(OPT_LIST_META, string(b'disk') + struct.pack('>I', 1) + string(b'qemu:'))[0] == (META, b'\0\0\0\0qemu:allocation-depth'), 'qemu: contexts')
    check(c.ask(OPT_SET_META, string(b'disk') + struct.pack('>I', 2) + string(b'nosuch:thing') + string(b'base:'))[-1] == (ACK, b''), 'none of them')
    check(c.ask(OPT_SET_META, string(b'disk') + struct.pack('>I', 4000000000))[-1][0] in (INVALID, TOO_BIG), 'more queries than there can be')
    got = c.ask(OPT_INFO, string(b'disk') + struct.pack('>HHHH', 3, 1, 2, 3))
    kinds = [struct.unpack('>H', d[:2])[0] for k, d in got if k == INFO]
    check(sorted(kinds) == [0, 1, 2, 3] and (INFO, b'\0\2A disk') in got, f'information: {got}')
    got = c.go(b'disk')
    check(got[-1][0] == ACK and (INFO, struct.pack('>HQH', 0, 4 * MIB, 0xded)) in got, f'go: {got}')
    c.request(STATUS, 0, 1 * MIB)
    check(c.chunks()[0][0] == 0x8001, 'status without a context')
    c.request(DISC)
    check(c.ended(), 'goodbye')

    c = Raw(server.socket)
    check(c.ask(OPT_EXTENDED)[-1][0] == ACK and c.ask(OPT_STRUCTURED)[-1][0] == EXT_REQD, 'extended headers are the last word')
    c.option(OPT_EXPORT_NAME, b'disk')
    check(c.ended(), 'the oldest way in is not for them')
    c = Raw(server.socket, flags=0)
    c.option(OPT_EXPORT_NAME, b'disk')
    check(c.get(8 + 2 + 124) == struct.pack('>QH', 4 * MIB, 0xd6d) + bytes(124), 'export name, with zeroes')
    c.request(READ, 0, 512, cookie=7)
    check(c.simple(512)[:2] == (0, 7), 'and a read')
    for name in (b'nobody', b'x' * 5000):
        c = Raw(server.socket)
        c.option(OPT_EXPORT_NAME, name)
        check(c.ended(), f'unknown export: {name[:8]}')
    c = Raw(server.socket, flags=4)
    check(c.ended(), 'unknown flags of the client')
    c = Raw(server.socket)
    c.s.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    check(c.ended(), 'another protocol')
    c = Raw(server.socket)
    c.option(OPT_GO, b'', length=1 << 31)
    check(c.ended(), 'an option of 2 GiB')


def test_requests(server):
    c = Raw(server.socket)
    c.go(b'disk')
    c.request(WRITE, MIB, 512, data=b'\x11' * 512)
    check(c.simple()[0] == 0, 'write')
    c.request(READ, MIB, 512)
    check(c.simple(512)[2] == b'\x11' * 512, 'read')
    for what, error, *args in (('read behind the end', 22, READ, 4 * MIB - 1, 2), ('write behind the end', 28, WRITE, 4 * MIB, 1, 0, 1, b'x'), ('offset overflow', 22, READ, 2**64 - 1, 2),
                               ('unknown command', 22, 42), ('unknown flag', 22, READ, 0, 512, 0x80), ('read of 4 GiB', 22, READ, 0, 2**32 - 1), ('DF without structured replies', 22, READ, 0, 512, 4),
                               ('zeroes behind the end', 28, ZEROES, 4 * MIB, 512), ('status', 22, STATUS, 0, 512)):
        c.request(*args)
        check(c.simple()[0] == error, what)
    # Many at a time, and none of the answers read: the server waits, and answers all in the end.
    for i in range(100):
        c.request(READ, 0, MIB, cookie=1000 + i)
    time.sleep(0.1)
    cookies = {c.simple(MIB)[1] for _ in range(100)}
    check(cookies == set(range(1000, 1100)), '100 reads at a time')
    c.request(WRITE, 0, 2**31)
    check(c.ended(), 'a write of 2 GiB')
    c = Raw(server.socket)
    c.go(b'disk')
    c.s.sendall(b'\0' * 28)
    check(c.ended(), 'a request without its magic')
    c = Raw(server.socket)
    c.go(b'disk')
    c.request(WRITE, 0, MIB, data=b'x' * 1000)
    c.s.close()

    c = Raw(server.socket)
    c.ask(OPT_STRUCTURED)
    check(c.ask(OPT_SET_META, string(b'disk') + struct.pack('>I', 2) + string(b'qemu:allocation-depth') + string(b'base:allocation')) ==
          [(META, b'\0\0\0\0base:allocation'), (META, b'\0\0\0\1qemu:allocation-depth'), (ACK, b'')], 'two contexts')
    c.go(b'disk')
    c.request(STATUS, 0, 2 * MIB)
    check(c.chunks() == [(5, struct.pack('>5I', 0, MIB, 3, 65536, 0) + struct.pack('>II', MIB - 65536, 3)),
                         (5, struct.pack('>7I', 1, MIB, 0, 65536, 1, MIB - 65536, 0))], 'status of two contexts')
    c.request(STATUS, 0, 2 * MIB, flags=8)
    check(c.chunks()[0] == (5, struct.pack('>3I', 0, MIB, 3)), 'one extent')
    c.request(READ, MIB - 65536, 256 * 1024)
    got = c.chunks()
    check([k for k, _ in got] == [2, 1, 2] and got[0][1] == struct.pack('>QI', MIB - 65536, 65536) and got[1][1][:520] == struct.pack('>Q', MIB) + b'\x11' * 512, 'a read with holes')
    c.request(READ, MIB - 65536, 256 * 1024, flags=4)
    got = c.chunks()
    check([k for k, _ in got] == [1] and len(got[0][1]) == 8 + 256 * 1024, 'the same in one piece')
    c.request(READ, 4 * MIB, 512)
    got = c.chunks()
    check(got[0][0] == 0x8001 and got[0][1][:4] == b'\0\0\0\x16', 'an error')

    c = Raw(server.socket)
    c.ask(OPT_EXTENDED)
    c.ask(OPT_SET_META, string(b'disk') + struct.pack('>I', 2) + string(b'qemu:allocation-depth') + string(b'base:allocation'))
    c.go(b'disk')

    def extended(command, offset, length, flags=0, data=b''):
        c.s.sendall(struct.pack('>IHHQQQ', 0x21e41c71, flags, command, 5, offset, length) + data)
        out = []
        while True:
            magic, fl, kind, cookie, off, n = struct.unpack('>IHHQQQ', c.get(32))
            check(magic == 0x6e8a278c and cookie == 5 and off == offset, 'extended reply')
            out.append((kind, c.get(n)))
            if fl & 1:
                return out
    check(extended(STATUS, 0, 12, 0x20, struct.pack('>QI', 2 * MIB, 1)) == [(6, struct.pack('>II6Q', 1, 3, MIB, 0, 65536, 1, MIB - 65536, 0))], 'a status of one of the contexts')
    check(extended(STATUS, 0, 16, 0x20, struct.pack('>QII', 2 * MIB, 1, 1))[0][0] == 0x8001, 'the same context twice')
    check(extended(WRITE, 0, 512, 0x20, b'\x22' * 512) == [(0, b'')] and extended(READ, 0, 512) == [(1, bytes(8) + b'\x22' * 512)], 'write and read')
    check(extended(TRIM, 0, 4, 0x20, b'1234')[0][0] == 0x8001 and extended(ZEROES, 0, 2 * MIB) == [(0, b'')], 'a payload where there is none')
    check(extended(READ, 0, 2**40)[0][0] == 0x8001, 'a huge read')


def test_tools(server):
    """Data through our client and server is what it was."""
    tool('qemu-io', '-f', 'raw', '-c', 'write -P 7 3M 1M', '-c', 'read -P 7 3M 1M', '-c', 'write -z 3M 64k', '-c', 'read -P 0 3M 64k', '-c', 'read -P 7 3136k 900k', '-c', 'flush',
         '-c', 'discard 3M 512k', '-c', 'write -f -P 3 100 100', '-c', 'read -P 3 100 100', '-c', 'read -P 0 0 100', f'nbd+unix:///disk?socket={server.socket}')
    with open('in.raw', 'wb') as f:
        f.write(os.urandom(MIB) + bytes(MIB) + os.urandom(2 * MIB))
    uri = f'nbd:unix:{server.socket}:exportname=disk'
    tool('qemu-img', 'convert', '-n', '-O', 'raw', 'in.raw', uri)
    tool('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', 'in.raw', uri)
    tool('qemu-img', 'convert', '-O', 'qcow2', '--image-opts', f'driver=raw,file.driver=nbd,file.server.type=unix,file.server.path={server.socket},file.export=disk', 'out.qcow2')
    tool('qemu-img', 'compare', 'in.raw', 'out.qcow2')
    out = tool('qemu-nbd', '-L', '-k', server.socket)
    check("export: 'disk'" in out and 'description: A disk' in out and 'size:  4194304' in out and 'qemu:allocation-depth' in out, f'list: {out}')
    for name, message in ((f'nbd:unix:{server.socket}:exportname=x', 'Requested export not available'), ('nbd:unix:/nonexistent/s', 'Failed to connect to'), ('nbd:foo', "error parsing address 'foo'"),
                          ('nbd+unix:///x', 'No valid URL specified'), ('nbd://[::1', 'No valid URL specified'), ('nbd://localhost/?socket=x', 'No valid URL specified')):
        check(message in tool('qemu-img', 'info', name, status=1), name)
    check('Cannot' in tool('qemu-img', 'resize', '-f', 'raw', uri, '8M', status=1), 'resize')


def test_libnbd(server):
    if not shutil.which('nbdcopy'):
        return
    uri = f'nbd+unix:///disk?socket={server.socket}'
    with open('in2.raw', 'wb') as f:
        f.write(bytes(MIB) + os.urandom(3 * MIB))
    run('nbdcopy', '--requests=64', 'in2.raw', uri)
    run('nbdcopy', '--connections=4', uri, 'out2.raw')
    check(open('in2.raw', 'rb').read() == open('out2.raw', 'rb').read(), 'nbdcopy there and back')
    out = run('nbdinfo', '--map', uri)
    check(out.split()[-3:] == ['4194304', '0', 'data'] or '0  data' in out, f'nbdinfo --map: {out}')
    check('"can_multi_conn": true' in run('nbdinfo', '--json', uri), 'nbdinfo')


def test_options_of_qemu_nbd():
    for args, message in ((['a', 'b'], 'Invalid number of arguments'), (['-k', 'rel', 'x'], 'socket path must be absolute'), (['-e', '-1', 'x'], "Invalid shared device number '-1'"),
                          (['-n', '--cache=none', 'x'], '-n and --cache can only be specified once'), (['--discard=foo', 'x'], "Invalid discard mode `foo'"),
                          (['-L', 'a'], 'List mode is incompatible with a file name'), (['--image-opts', '-f', 'raw', 'x'], '--image-opts and -f are mutually exclusive'),
                          (['--tls-creds=a', 'x'], "Failed to get TLS creds: No TLS credentials with id 'a'"), (['-k', os.path.abspath('q'), '/nonexistent'], 'No such file or directory'),
                          (['--fork', '-k', os.path.abspath('q'), '/nonexistent'], 'No such file or directory'), (['-o', '99999999', 'in.raw'], 'has to be smaller than the image size'),
                          (['-B', 'b', 'a.qcow2'], "Bitmap 'b' is not found"), (['-d', '/dev/nosuch'], 'Cannot open /dev/nosuch')):
        check(message in tool('qemu-nbd', *args, status=1), f'{args}')
    with Server('-r', '-f', 'raw', '-o', '65536', '-t', 'in.raw', name='r') as s:
        out = tool('qemu-io', '-r', '-f', 'raw', '-c', 'length', s.uri)
        check('3.938 MiB' in out or '4128768' in out, f'offset: {out}')
        check('request on denied for write access' in tool('qemu-io', '-f', 'raw', '-c', 'length', s.uri, status=1), 'read-only')
    before = open('in.raw', 'rb').read()
    with Server('-s', '-f', 'raw', 'in.raw', name='t') as s:
        tool('qemu-io', '-f', 'raw', '-c', 'write -P 9 0 64k', '-c', 'read -P 9 0 64k', s.uri)
        for _ in range(500):
            if not os.path.exists(s.socket):
                break
            time.sleep(0.01)
        check(not os.path.exists(s.socket), 'it ends with its last client')
    check(open('in.raw', 'rb').read() == before, '-s keeps the image as it is')


def test_bitmaps():
    tool('qemu-img', 'create', '-f', 'qcow2', 'b.qcow2', '4M')
    tool('qemu-img', 'bitmap', '--add', '-g', '64k', 'b.qcow2', 'b0')
    tool('qemu-io', '-c', 'write 1M 100k', 'b.qcow2')
    with Server('-f', 'qcow2', '-t', '-e', '0', '-B', 'b0', 'b.qcow2', name='b') as s:
        opts = f'driver=raw,file.driver=nbd,file.path={s.socket},file.x-dirty-bitmap=qemu:dirty-bitmap:b0'
        # What is dirty is shown as no data.
        out = tool('qemu-img', 'map', '--output=json', '--image-opts', opts)
        rows = [(r['start'], r['length'], r['data']) for r in json.loads(out)]
        check(rows == [(0, MIB, True), (MIB, 131072, False), (MIB + 131072, 3 * MIB - 131072, True)], f'bitmap: {out}')
        if shutil.which('nbdinfo'):
            out = run('nbdinfo', '--map=qemu:dirty-bitmap:b0', s.uri).split()
            check([int(x) for x in out if x.isdigit()] == [0, MIB, 0, MIB, 131072, 1, MIB + 131072, 3 * MIB - 131072, 0], f'nbdinfo: {out}')
        check('not found' in tool('qemu-img', 'map', '--image-opts', opts + 'x', status=1), 'another bitmap')
    check("incompatible with readonly export" in tool('qemu-nbd', '-k', os.path.abspath('q'), '-r', '-B', 'b0', 'b.qcow2', status=1), 'an enabled bitmap, read-only')


def test_limits():
    """One client at a time; who does not shake hands is ended."""
    with Server('-f', 'raw', '-t', '--handshake-limit=1', 'in.raw', name='l') as s:
        silent = Raw(s.socket)
        out = tool('qemu-img', 'info', '-f', 'raw', s.uri)
        check('4 MiB' in out and silent.ended(), 'the next one comes when the silent one is ended')


def test_reconnect():
    server = Server('-f', 'raw', '-t', 'in.raw', name='c')
    uri = 'driver=raw,file.driver=nbd,file.reconnect-delay=20,file.path=' + server.socket
    io = subprocess.Popen([f'{TOOLS}/qemu-io', '--image-opts', uri], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    io.stdin.write('write -P 5 0 64k\n')
    io.stdin.flush()
    time.sleep(0.2)
    server.stop(signal.SIGKILL)
    io.stdin.write('read -P 5 0 64k\nwrite -P 6 64k 64k\n')
    io.stdin.flush()
    time.sleep(0.3)
    server = Server('-f', 'raw', '-t', 'in.raw', name='c')
    out, _ = io.communicate('read -P 6 64k 64k\nquit\n', timeout=30)
    check(io.returncode == 0 and 'failed' not in out and out.count('65536/65536 bytes') == 4, f'a server that comes back: {out}')
    server.stop()
    out = tool('qemu-io', '--image-opts', '-c', 'length', uri, status=1)
    check('Failed to connect' in out, 'without open-timeout one attempt is made')


def test_nbdkit():
    if not shutil.which('nbdkit'):
        return
    for args in ([], ['--mask-handshake=0'], ['--no-sr'], ['--oldstyle', '-r']):
        path = os.path.abspath('k')
        if os.path.exists(path):
            os.unlink(path)
        run('nbdkit', '-P', 'k.pid', '-U', path, *args, 'memory', '4M')
        uri = f'nbd+unix:///?socket={path}'
        if '-r' in args:
            tool('qemu-io', '-r', '-f', 'raw', '-c', 'read -P 0 1M 64k', uri)
        else:
            tool('qemu-img', 'convert', '-n', '-O', 'raw', 'in.raw', uri)
            tool('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', 'in.raw', uri)
        os.kill(int(open('k.pid').read()), signal.SIGTERM)


def test_tls():
    if not shutil.which('certtool') or 'GNUTLS' in tool('qemu-nbd', '--object', 'tls-creds-anon,id=t', '/nonexistent', status=1):
        return
    with open('keys.psk', 'w') as f:
        f.write('alice:0123456789abcdef0123456789abcdef\n')
    os.makedirs('pki', exist_ok=True)
    for who in ('ca', 'server', 'client'):
        run('certtool', '--generate-privkey', '--key-type=ecdsa', '--outfile', f'pki/{who}-key.pem')
        with open('template', 'w') as f:
            f.write(f'cn = {who}\n' + ('ca\ncert_signing_key\n' if who == 'ca' else f'tls_www_{who}\nsigning_key\ndns_name = localhost\n'))
        run('certtool', '--template', 'template', '--load-privkey', f'pki/{who}-key.pem', '--outfile', f'pki/{who}-cert.pem',
            *(['--generate-self-signed'] if who == 'ca' else ['--generate-certificate', '--load-ca-certificate', 'pki/ca-cert.pem', '--load-ca-privkey', 'pki/ca-key.pem']))
    here = os.getcwd()
    shutil.copy('in.raw', 'copy.raw')
    for kind, server_object, client_object in (('psk', f'tls-creds-psk,id=t,endpoint=server,dir={here}', f'tls-creds-psk,id=t,endpoint=client,dir={here},username=alice'),
                                               ('x509', f'tls-creds-x509,id=t,endpoint=server,dir={here}/pki', f'tls-creds-x509,id=t,endpoint=client,dir={here}/pki'),
                                               ('anon', 'tls-creds-anon,id=t,endpoint=server', 'tls-creds-anon,id=t,endpoint=client')):
        with Server('-f', 'raw', '-t', '-e', '5', '--object', server_object, '--tls-creds=t', 'in.raw', name='tls') as s:
            check('Server requires TLS' in tool('qemu-img', 'info', s.uri, status=1), f'{kind}: without TLS')
            opts = f'driver=raw,file.driver=nbd,file.path={s.socket},file.tls-creds=t' + (',file.tls-hostname=localhost' if kind == 'x509' else '')
            out = tool('qemu-img', 'info', '--object', client_object, '--image-opts', opts)
            check('4 MiB' in out, f'{kind}: {out}')
            out = tool('qemu-img', 'compare', '--object', client_object, '--image-opts', opts, 'driver=raw,file.filename=copy.raw')
            check('identical' in out, f'{kind}: {out}')
            if kind == 'x509':
                out = tool('qemu-img', 'info', '--object', client_object, '--image-opts', opts.replace('localhost', 'elsewhere'), status=1)
                check('certificate is not accepted' in out, f'another host: {out}')
            if kind == 'psk' and shutil.which('nbdinfo'):
                out = run('nbdinfo', '--size', f'nbds+unix://alice@/?socket={s.socket}&tls-psk-file=keys.psk')
                check(out.strip() == str(4 * MIB), f'nbdinfo with TLS: {out}')
            with socket.socket(socket.AF_UNIX) as c:  # what is sent before TLS does not pass for the client's
                c.connect(s.socket)
                c.recv(18)
                c.sendall(struct.pack('>I', 3) + b'IHAVEOPT' + struct.pack('>II', OPT_STARTTLS, 0) + b'IHAVEOPT' + struct.pack('>II', OPT_LIST, 0))
                c.settimeout(10)
                check(b'disk' not in c.recv(4096), f'{kind}: data before TLS')
    with Server('-f', 'raw', '-t', '--object', f'tls-creds-x509,id=t,endpoint=server,dir={here}/pki', '--object', 'authz-simple,id=z,identity=CN=somebody', '--tls-authz=z', '--tls-creds=t',
                'in.raw', name='az') as s:
        tool('qemu-img', 'info', '--object', client_object.replace('anon', 'x509') + f',dir={here}/pki', '--image-opts',
             f'driver=raw,file.driver=nbd,file.path={s.socket},file.tls-creds=t,file.tls-hostname=localhost', status=1)


def main():
    os.chdir(tempfile.mkdtemp(prefix='nbd-'))
    tool('qemu-img', 'create', '-f', 'qcow2', 'a.qcow2', '4M')
    with Server('-f', 'qcow2', '-x', 'disk', '-D', 'A disk', '-t', '-A', '-e', '0', 'a.qcow2') as s:
        test_options(s)
        test_requests(s)
        test_tools(s)
        test_libnbd(s)
    tool('qemu-img', 'check', 'a.qcow2')
    test_options_of_qemu_nbd()
    test_bitmaps()
    test_limits()
    test_reconnect()
    test_nbdkit()
    test_tls()
    print(f'{checks} checks, {failures} failed')
    return 1 if failures or not checks else 0


sys.exit(main())
