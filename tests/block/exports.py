#!/usr/bin/env python3
"""Exports of the storage daemon that are not NBD: vhost-user-blk with a front end of our own, and FUSE. What a job does to a node that is exported,
and what a node leaves behind that could not be opened.

Usage: exports.py FOLDER_OF_TOOLS
FUSE is left out where it cannot be mounted.
"""
import ctypes
import json
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

TOOLS = os.path.abspath(sys.argv[1])
MIB = 1024 * 1024
checks = failures = 0


def check(ok, what):
    global checks, failures
    checks += 1
    if not ok:
        failures += 1
        print('FAILED: ' + what, file=sys.stderr)


def tool(name, *args, status=0):
    p = subprocess.run([f'{TOOLS}/{name}', *args], capture_output=True, text=True, timeout=60)
    check(p.returncode == status, f'{name} {args}: status {p.returncode}: {p.stdout} {p.stderr}')
    return p.stdout + p.stderr


class Daemon:
    def __init__(self, *args):
        pid_file = os.path.abspath('daemon.pid')
        tool('qemu-storage-daemon', *args, '--daemonize', '--pidfile', pid_file)
        self.pid = int(open(pid_file).read())

    def runs(self):
        try:
            return open(f'/proc/{self.pid}/stat').read().rsplit(')', 1)[1].split()[0] != 'Z'
        except (FileNotFoundError, ProcessLookupError):
            return False

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        check(self.runs(), 'the daemon is still there')
        if self.runs():
            os.kill(self.pid, signal.SIGTERM)
        end = time.time() + 20
        while self.runs() and time.time() < end:
            time.sleep(0.01)
        check(not self.runs(), 'the daemon ends')


# -- vhost-user ---------------------------------------------------------------------------------------------------------

(GET_FEATURES, SET_FEATURES, SET_OWNER, _, SET_MEM_TABLE, _, _, SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE, SET_VRING_KICK, SET_VRING_CALL,
 _, GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, SET_VRING_ENABLE) = range(1, 19)
GET_CONFIG, SET_CONFIG = 24, 25
NEXT, WRITE, INDIRECT = 1, 2, 4
IN, OUT, FLUSH, GET_ID, DISCARD, ZEROES = 0, 1, 4, 8, 11, 13
USER = 0x7f0000000000    # the guest's memory in our addresses, as the device is told
GUEST = 0x40000000
MEMORY = 4 * MIB
RING, SIZE = 0x1000, 16
DATA = 0x100000


class FrontEnd:
    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(20)
        self.s.connect(path)
        self.memfd = os.memfd_create('guest')
        os.ftruncate(self.memfd, MEMORY)
        self.mem = mmap.mmap(self.memfd, MEMORY)
        self.avail = self.used = 0

    def send(self, request, payload=b'', fds=(), flags=1):
        socket.send_fds(self.s, [struct.pack('<III', request, flags, len(payload)) + payload], list(fds))

    def receive(self, request):
        head = self.get(12)
        got, flags, n = struct.unpack('<III', head)
        check(got == request and flags & 4, f'reply to {request}: {got} {flags:x}')
        return self.get(n)

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

    def ask(self, request, payload=b''):
        self.send(request, payload)
        return self.receive(request)

    def u64(self, request):
        return struct.unpack('<Q', self.ask(request))[0]

    def ok(self, request, payload=b'', fds=()):
        """With an answer that says how it went (REPLY_ACK)."""
        self.send(request, payload, fds, flags=9)
        return struct.unpack('<Q', self.receive(request))[0] == 0

    def region(self, gpa=GUEST, size=MEMORY, user=USER, offset=0):
        return struct.pack('<IIQQQQ', 1, 0, gpa, size, user, offset)

    def start(self, enable=True, event_index=False):
        features = self.u64(GET_FEATURES)
        check(features >> 30 & 1 and features >> 32 & 1 and features >> 9 & 1, f'features {features:x}')
        self.features = features
        self.send(SET_OWNER)
        protocol = self.u64(GET_PROTOCOL_FEATURES)
        check(protocol & 0x209 == 0x209, f'protocol features {protocol:x}')
        self.send(SET_PROTOCOL_FEATURES, struct.pack('<Q', protocol & 0x209))
        check(features >> 29 & 1, 'event index')
        self.event_index = event_index
        check(self.ok(SET_FEATURES, struct.pack('<Q', features if event_index else features & ~(1 << 29))), 'features')
        check(self.ok(SET_MEM_TABLE, self.region(), [self.memfd]), 'memory')
        self.kick, self.call = os.eventfd(0, os.EFD_NONBLOCK), os.eventfd(0, os.EFD_NONBLOCK)
        check(self.ok(SET_VRING_NUM, struct.pack('<II', 0, SIZE)), 'size')
        check(self.ok(SET_VRING_BASE, struct.pack('<II', 0, 0)), 'base')
        check(self.ok(SET_VRING_ADDR, struct.pack('<IIQQQQ', 0, 0, USER + RING, USER + RING + 0x800, USER + RING + 0x400, 0)), 'addresses')
        check(self.ok(SET_VRING_CALL, struct.pack('<Q', 0), [self.call]), 'call')
        check(self.ok(SET_VRING_KICK, struct.pack('<Q', 0), [self.kick]), 'kick')
        if enable:
            check(self.ok(SET_VRING_ENABLE, struct.pack('<II', 0, 1)), 'enable')

    def put_desc(self, at, i, addr, n, flags, following):
        struct.pack_into('<QIHH', self.mem, at + 16 * i, addr, n, flags, following)

    def events(self):
        """used_event, avail_event"""
        return struct.unpack_from('<H', self.mem, RING + 0x404 + 2 * SIZE)[0], struct.unpack_from('<H', self.mem, RING + 0x804 + 8 * SIZE)[0]

    def offer(self, head):
        struct.pack_into('<H', self.mem, RING + 0x404 + 2 * (self.avail % SIZE), head)
        self.avail += 1
        struct.pack_into('<H', self.mem, RING + 0x402, self.avail & 0xffff)
        os.eventfd_write(self.kick, 1)

    def wait_used(self, n=1, timeout=10):
        """[(head, length)]"""
        end = time.time() + timeout
        while (struct.unpack_from('<H', self.mem, RING + 0x802)[0] - self.used) & 0xffff < n:
            if not select.select([self.call], [], [], max(0, end - time.time()))[0]:
                return None
            os.eventfd_read(self.call)
        out = []
        for _ in range(n):
            out.append(struct.unpack_from('<II', self.mem, RING + 0x804 + 8 * (self.used % SIZE)))
            self.used += 1
        return out

    def request(self, kind, sector=0, out=b'', n_in=0, indirect=False, split=None):
        """(status, data)"""
        base = DATA
        self.mem[base:base + 16] = struct.pack('<IIQ', kind, 0, sector)
        self.mem[base + 0x1000:base + 0x1000 + len(out)] = out
        status_at = base + 0x200000
        self.mem[status_at] = 0xff
        parts = [(base, 16, 0)]
        data, flag = (out, 0) if out else (b'\0' * n_in, WRITE)
        step = split or max(len(data), 1)
        parts += [(base + 0x1000 + at, min(step, len(data) - at), flag) for at in range(0, len(data), step)]
        parts.append((status_at, 1, WRITE))
        table = RING if not indirect else base + 0x280000
        for i, (at, n, flags) in enumerate(parts):
            self.put_desc(table, i, GUEST + at, n, flags | (NEXT if i + 1 < len(parts) else 0), i + 1)
        if indirect:
            self.put_desc(RING, 0, GUEST + table, 16 * len(parts), INDIRECT, 0)
        self.offer(0)
        used = self.wait_used()
        check(used is not None and used[0][0] == 0, f'request {kind}: {used}')
        return self.mem[status_at], bytes(self.mem[base + 0x1000:base + 0x1000 + n_in])


def test_vhost_user():
    path = os.path.abspath('vu')
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', 'disk.qcow2', '8M')
    with Daemon('--blockdev', 'driver=file,filename=' + os.path.abspath('disk.qcow2') + ',node-name=f', '--blockdev', 'driver=qcow2,node-name=d,file=f,discard=unmap',
                '--export', f'vhost-user-blk,id=e,node-name=d,writable=on,addr.type=unix,addr.path={path},num-queues=2'):
        f = FrontEnd(path)
        f.start()
        check(f.u64(GET_QUEUE_NUM) == 2, 'queues')
        config = f.ask(GET_CONFIG, struct.pack('<III', 0, 60, 0) + bytes(60))[12:]
        check(struct.unpack_from('<Q', config)[0] == 16384 and struct.unpack_from('<I', config, 20)[0] == 512 and config[34] == 2, f'config {config.hex()}')
        check(f.request(OUT, 8, out=b'\x11' * 4096) == (0, b''), 'write')
        check(f.request(IN, 8, n_in=4096) == (0, b'\x11' * 4096), 'read')
        check(f.request(OUT, 100, out=os.urandom(512) + b'\x22' * 7680, split=1000, indirect=True)[0] == 0, 'write, indirect, in pieces')
        check(f.request(IN, 101, n_in=7680, split=333, indirect=True) == (0, b'\x22' * 7680), 'read, indirect, in pieces')
        check(f.request(FLUSH)[0] == 0 and f.request(GET_ID, n_in=20) == (0, b'e'.ljust(20, b'\0')), 'flush, id')
        check(f.request(ZEROES, out=struct.pack('<QII', 8, 4, 1))[0] == 0 and f.request(IN, 8, n_in=4096) == (0, bytes(2048) + b'\x11' * 2048), 'zeroes')
        check(f.request(DISCARD, out=struct.pack('<QII', 8192, 128, 0))[0] == 0, 'discard')
        for what, status, args in (('behind the end', 1, dict(kind=IN, sector=16384, n_in=512)), ('an odd length', 1, dict(kind=IN, n_in=100)), ('overflow', 1, dict(kind=OUT, sector=2**63, out=b'x' * 512)),
                                   ('unknown', 2, dict(kind=77)), ('bad segment', 1, dict(kind=DISCARD, out=b'x' * 15)), ('flags of discard', 2, dict(kind=DISCARD, out=struct.pack('<QII', 0, 8, 1))),
                                   ('zeroes behind the end', 1, dict(kind=ZEROES, out=struct.pack('<QII', 16383, 2, 0)))):
            check(f.request(**args)[0] == status, what)
        base = struct.unpack('<II', f.ask(GET_VRING_BASE, struct.pack('<II', 0, 0)))
        check(base == (0, f.avail), f'the ring stops at {base}')
        f.s.close()

        f = FrontEnd(path)
        f.start(event_index=True)
        interrupts = 0
        for i in range(40):
            if i % 4 == 0:  # told of every fourth alone
                struct.pack_into('<H', f.mem, RING + 0x404 + 2 * SIZE, i + 3)
            f.put_desc(RING, 0, GUEST + DATA, 16, NEXT, 1)
            f.put_desc(RING, 1, GUEST + DATA + 0x1000, 1, WRITE, 0)
            f.mem[DATA:DATA + 16] = struct.pack('<IIQ', FLUSH, 0, 0)
            f.offer(0)
            end = time.time() + 10
            while struct.unpack_from('<H', f.mem, RING + 0x802)[0] != i + 1 and time.time() < end:
                time.sleep(0.0005)
            f.u64(GET_FEATURES)  # what comes behind the used index has been done by then
            interrupts += 1 if select.select([f.call], [], [], 0)[0] and os.eventfd_read(f.call) == 1 else 0
        check(interrupts == 10 and f.events()[1] == 40, f'{interrupts} interrupts, {f.events()}')
        f.s.close()

        # Rings and messages that are wrong: the ring stops, or the connection; the next one works.
        damages = (('a loop', lambda f: f.put_desc(RING, 0, GUEST + DATA, 16, NEXT, 0)), ('outside of memory', lambda f: f.put_desc(RING, 0, GUEST + MEMORY - 8, 16, 0, 0)),
                   ('an overflow', lambda f: f.put_desc(RING, 0, 2**64 - 8, 16, 0, 0)), ('no such descriptor', lambda f: f.put_desc(RING, 0, GUEST + DATA, 16, NEXT, 4000)),
                   ('an indirect table of 7 bytes', lambda f: f.put_desc(RING, 0, GUEST + DATA, 7, INDIRECT, 0)), ('read after write', lambda f: (f.put_desc(RING, 0, GUEST + DATA, 16, WRITE | NEXT, 1), f.put_desc(RING, 1, GUEST, 16, 0, 0))))
        for what, damage in damages:
            f = FrontEnd(path)
            f.start()
            damage(f)
            f.offer(0)
            check(f.wait_used(timeout=0.1) is None and f.u64(GET_FEATURES) == f.features, what)
            f.s.close()
        f = FrontEnd(path)
        f.start()
        f.offer(500)
        check(f.wait_used(timeout=0.1) is None, 'a head that is none')
        f.s.close()
        f = FrontEnd(path)
        f.start(enable=False)
        f.put_desc(RING, 0, GUEST + DATA, 16, NEXT, 1)
        f.put_desc(RING, 1, GUEST + DATA + 0x1000, 1, WRITE, 0)
        f.mem[DATA:DATA + 16] = struct.pack('<IIQ', FLUSH, 0, 0)
        f.offer(0)
        check(f.wait_used(timeout=0.1) is None, 'a ring that is not enabled')
        check(f.ok(SET_VRING_ENABLE, struct.pack('<II', 0, 1)) and f.wait_used() == [(0, 1)], 'and then is')
        for what, request, payload, fds in (('a kick that cannot be waited for', SET_VRING_KICK, struct.pack('<Q', 0), [os.open('disk.qcow2', os.O_RDONLY)]), ('memory that is not in the file', SET_MEM_TABLE, f.region(size=MEMORY * 2), [f.memfd]), ('9 regions', SET_MEM_TABLE, struct.pack('<II', 9, 0) + bytes(288), []),
                                            ('a queue that is not there', SET_VRING_NUM, struct.pack('<II', 2, 16), []), ('a ring of 3', SET_VRING_NUM, struct.pack('<II', 1, 3), []),
                                            ('features nobody offered', SET_FEATURES, struct.pack('<Q', 1 << 60), []),
                                            ('configuration nobody may write', SET_CONFIG, struct.pack('<III', 0, 8, 0) + bytes(8), []), ('an unknown message', 99, b'', [])):
            check(not f.ok(request, payload, fds), what)
        f.s.close()
        for what, data in (('another version', struct.pack('<III', 1, 2, 0)), ('a message of 2 GiB', struct.pack('<III', 1, 1, 1 << 31)), ('a message that is no answer', struct.pack('<III', 5, 1, 4) + b'1234')):
            f = FrontEnd(path)
            f.s.sendall(data)
            check(f.ended(), what)
        f = FrontEnd(path)
        f.start()
        check(f.request(IN, 12, n_in=512) == (0, b'\x11' * 512), 'it still works')
    check(not os.path.exists(path), 'the socket is removed')
    check('No errors' in tool('qemu-img', 'check', 'disk.qcow2'), 'the image')
    tool('qemu-io', '-c', 'read -P 0x22 51712 7680', 'disk.qcow2')

    with Daemon('--blockdev', 'driver=file,filename=' + os.path.abspath('disk.qcow2') + ',node-name=f,read-only=on', '--blockdev', 'driver=qcow2,node-name=d,file=f,read-only=on',
                '--export', f'vhost-user-blk,id=e,node-name=d,addr.type=unix,addr.path={path}'):
        f = FrontEnd(path)
        f.start()
        check(f.features >> 5 & 1 and f.request(OUT, 8, out=b'\x11' * 512)[0] == 1 and f.request(IN, 101, n_in=512) == (0, b'\x22' * 512), 'read-only')
    for args, message in (('num-queues=0', 'num-queues must be between'), ('num-queues=999', 'num-queues must be between'), ('logical-block-size=100', 'logical-block-size'), ('bogus=1', "Parameter 'bogus' is unexpected")):
        out = tool('qemu-storage-daemon', '--blockdev', 'driver=null-co,node-name=n', '--export', f'vhost-user-blk,id=e,node-name=n,addr.type=unix,addr.path={path},{args}', status=1)
        check(message in out, f'{args}: {out}')


class Qmp:
    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(20)
        self.s.connect(path)
        self.lines = self.s.makefile('r')
        self.events = []
        json.loads(self.lines.readline())
        self('qmp_capabilities')

    def __call__(self, command, **arguments):
        self.s.sendall(json.dumps({'execute': command, 'arguments': arguments}).encode())
        while True:
            answer = json.loads(self.lines.readline())
            if 'event' not in answer:
                return answer
            self.events.append(answer)


def test_mirror():
    """The export follows the disk to the job's target, and no write is lost on the way."""
    path = os.path.abspath('vu-mirror')
    tool('qemu-img', 'create', '-q', '-f', 'raw', 'from.raw', '8M')
    tool('qemu-img', 'create', '-q', '-f', 'raw', 'to.raw', '8M')
    nodes = [f'driver=raw,node-name={n},file.driver=file,file.filename={os.path.abspath(n)}.raw' for n in ('from', 'to')]
    with Daemon('--chardev', 'socket,id=c,path=qmp,server=on,wait=off', '--monitor', 'c', '--blockdev', nodes[0], '--blockdev', nodes[1],
                '--export', f'vhost-user-blk,id=e,node-name=from,writable=on,addr.type=unix,addr.path={path}'):
        qmp = Qmp('qmp')
        f = FrontEnd(path)
        f.start()
        disk = [0] * 2048  # what its sectors are full of
        writes = 0

        def write():
            nonlocal writes
            at = writes % len(disk)
            disk[at] = writes % 255 + 1
            check(f.request(OUT, at, out=bytes([disk[at]]) * 512)[0] == 0, f'write {writes}')
            writes += 1
        write()
        check(qmp('blockdev-mirror', **{'job-id': 'j', 'device': 'from', 'target': 'to', 'sync': 'full'}) == {'return': {}}, 'mirror')
        end = time.time() + 20
        while 'BLOCK_JOB_READY' not in [e['event'] for e in qmp.events] and time.time() < end:
            write()
            qmp('query-jobs')
        check(qmp('block-job-complete', device='j') == {'return': {}}, 'complete')
        while 'BLOCK_JOB_COMPLETED' not in [e['event'] for e in qmp.events] and time.time() < end:
            write()
            qmp('query-jobs')
        for _ in range(20):
            write()
        check('BLOCK_JOB_COMPLETED' in [e['event'] for e in qmp.events], 'the job ends')
        check(f.request(FLUSH)[0] == 0 and f.request(IN, 0, n_in=512 * len(disk))[1] == b''.join(bytes([n]) * 512 for n in disk), 'flush and read')
        f.s.close()
    to = open('to.raw', 'rb').read()
    lost = [i for i, n in enumerate(disk) if to[512 * i:512 * i + 512] != bytes([n]) * 512]
    check(not lost, f'{len(lost)} sectors of {writes} writes are not in the target: {lost[:8]}')


def test_refused_node():
    """A node that is refused after it has connected leaves neither connection nor coroutine."""
    tool('qemu-img', 'create', '-q', '-f', 'raw', 'disk.raw', '1M')
    tool('qemu-nbd', '-r', '-t', '-e', '0', '-f', 'raw', '-k', os.path.abspath('nbd'), '--fork', '--pid-file=' + os.path.abspath('nbd.pid'), 'disk.raw')
    with Daemon('--chardev', 'socket,id=c,path=qmp,server=on,wait=off', '--monitor', 'c') as daemon:
        qmp = Qmp('qmp')
        before = len(os.listdir(f'/proc/{daemon.pid}/fd'))
        for i in range(4):
            answer = qmp('blockdev-add', **{'driver': 'nbd', 'node-name': f'n{i}', 'read-only': False, 'server': {'type': 'unix', 'path': os.path.abspath('nbd')}})
            check('error' in answer, f'a read-only export, to be written: {answer}')
        after = len(os.listdir(f'/proc/{daemon.pid}/fd'))
        check(after == before, f'{after - before} descriptors are left')
        os.kill(int(open('nbd.pid').read()), signal.SIGTERM)
        time.sleep(0.3)
        check(qmp('query-named-block-nodes') == {'return': []}, 'no node is left, and the daemon')


# -- FUSE ---------------------------------------------------------------------------------------------------------------

def fallocate(fd, mode, offset, size):
    libc = ctypes.CDLL(None, use_errno=True)
    return 0 if libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(size)) == 0 else ctypes.get_errno()


def test_fuse():
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', 'fuse.qcow2', '4M')
    path = os.path.abspath('shown.raw')
    open(path, 'w').close()
    node = ['--blockdev', 'driver=qcow2,node-name=d,discard=unmap,file.driver=file,file.discard=unmap,file.filename=' + os.path.abspath('fuse.qcow2')]
    p = subprocess.run([f'{TOOLS}/qemu-storage-daemon', *node, '--export', f'fuse,id=e,node-name=d,mountpoint={path},writable=on,growable=on', '--daemonize', '--pidfile', os.path.abspath('daemon.pid')],
                       capture_output=True, text=True, timeout=60)
    if p.returncode:
        check('FUSE' in p.stderr, f'why not: {p.stderr}')
        print('FUSE exports are not tried: ' + p.stderr.strip())
        return
    os.kill(int(open('daemon.pid').read()), signal.SIGTERM)
    time.sleep(0.5)
    with Daemon(*node, '--export', f'fuse,id=e,node-name=d,mountpoint={path},writable=on,growable=on'):
        check(os.stat(path).st_size == 4 * MIB, 'size')
        fd = os.open(path, os.O_RDWR)
        data = os.urandom(3 * MIB)
        check(os.pwrite(fd, data, 4096) == len(data) and os.pread(fd, len(data), 4096) == data and os.pread(fd, 4096, 0) == bytes(4096), 'data')
        os.fsync(fd)
        check(os.lseek(fd, 0, os.SEEK_DATA) <= 4096 and os.lseek(fd, 0, os.SEEK_HOLE) <= 4096 + 3 * MIB + 65536, 'data and holes')
        check(fallocate(fd, 3, 1 * MIB, 65536) == 0 and os.pread(fd, 65536, 1 * MIB) == bytes(65536), 'punch a hole')
        check(os.lseek(fd, 1 * MIB, os.SEEK_DATA) == 1 * MIB + 65536, 'which is one')
        check(fallocate(fd, 0x11, 2 * MIB, 4096) == 0 and os.pread(fd, 4096, 2 * MIB) == bytes(4096), 'zero a range')
        os.ftruncate(fd, 5 * MIB)
        check(os.fstat(fd).st_size == 5 * MIB and os.pread(fd, 512, 5 * MIB - 512) == bytes(512), 'resize')
        check(os.pwrite(fd, b'x' * 512, 6 * MIB) == 512 and os.fstat(fd).st_size == 6 * MIB + 512, 'grow by writing')
        os.close(fd)
        run = subprocess.run(['cp', path, 'copy.raw'], capture_output=True, text=True)
        check(run.returncode == 0 and os.path.getsize('copy.raw') == 6 * MIB + 512, f'cp: {run.stderr}')
    check(os.path.getsize(path) == 0, 'unmounted')
    check('No errors' in tool('qemu-img', 'check', 'fuse.qcow2'), 'check')
    check('identical' in tool('qemu-img', 'compare', '-F', 'raw', 'fuse.qcow2', 'copy.raw'), 'what the file was is in the image')
    with Daemon(*node, '--export', f'fuse,id=e,node-name=d,mountpoint={path}'):
        try:
            os.open(path, os.O_RDWR)
            check(os.geteuid() == 0 and False, 'a read-only export is opened for writing')
        except PermissionError:
            check(True, '')
        check(open(path, 'rb').read(8192)[4096:] == data[:4096], 'read-only')


def main():
    os.chdir(tempfile.mkdtemp(prefix='exports-'))
    test_vhost_user()
    test_mirror()
    test_refused_node()
    test_fuse()
    print(f'{checks} checks, {failures} failed')
    return 1 if failures or not checks else 0


sys.exit(main())
