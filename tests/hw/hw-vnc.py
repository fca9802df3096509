#!/usr/bin/env python3
"""The VNC server: every encoding in several pixel formats shows the pixels of the screen; versions, passwords, sharing, websocket; keys,
pointer, sizes, LEDs, cursors; what is wrong ends the connection and nothing else."""
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
from rfb import Client, TIMEOUT_S

failures = []


def check(condition, what):
    if not condition:
        failures.append(what)
        print('FAILED:', what, file=sys.stderr)


class Server:
    def __init__(self, *options):
        self.process = subprocess.Popen([sys.argv[1], *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.frame, self.width, self.height = 0, 333, 70
        self.drawn = {}
        self.servers = json.loads(self.process.stdout.readline())
        self.ports = {(s['websocket']): int(s['service']) for s in self.servers[0]['server'] if s['family'] == 'ipv4'}

    def command(self, text):
        self.process.stdin.write(text + '\n')
        self.process.stdin.flush()
        events = []
        while (line := self.process.stdout.readline().rstrip()) != 'ok':
            if not line and self.process.poll() is not None:
                raise EOFError('the server has ended')
            events.append(line)
        return events

    def end(self):
        self.command('quit')
        check(self.process.wait(TIMEOUT_S) == 0, 'the server ends well')

    def pixel(self, x, y):
        frame = self.frame
        block = (x // 64 + y // 64 * 3 + frame) % 6
        if block == 0:
            return 0x204060 + frame
        if block == 1:
            return 0xffffff if (x ^ y) & 1 else 0x800000
        if block == 2:
            return (x // 3 & 3) * 0x404040
        if block == 3:
            return (x & 63) << 18 | (y & 63) << 10 | 0x3f
        if block == 4:
            h = (x * 73856093 & 0xffffffff) ^ (y * 19349663 & 0xffffffff) ^ (frame * 83492791 & 0xffffffff)
            return (h ^ h >> 13) & 0xffffff
        return 0x00ff00 if y % 7 < 3 else (x + y) % 50 * 0x050301

    def expected(self, client):
        """The screen in the client's format."""
        def convert(rgb):
            parts = rgb >> 16, rgb >> 8 & 255, rgb & 255
            if not client.true_color:
                return sum((p * m + 127) // 255 << s for p, m, s in zip(parts, (7, 7, 3), (0, 3, 6)))
            return sum((p * m + 127) // 255 << s for p, m, s in zip(parts, client.maxima, client.shifts))
        key = self.frame, self.width, self.height
        if self.drawn.get('key') != key:
            self.drawn = {'key': key, 'rows': [[self.pixel(x, y) for x in range(self.width)] for y in range(self.height)]}
        known = {rgb: convert(rgb) for rgb in set().union(*self.drawn['rows'])}
        return [[known[rgb] for rgb in row] for row in self.drawn['rows']]


def events_of(server, client):
    """Events so far: a client's messages are handled before its next update is."""
    client.request(0, 0, 0, 1, 1)
    client.update()
    return server.command('nothing')


FORMATS = [(32, 24, False, (255, 255, 255), (16, 8, 0)), (32, 24, True, (255, 255, 255), (0, 8, 16)), (32, 24, False, (255, 255, 255), (8, 16, 24)),
           (32, 24, True, (255, 255, 255), (24, 16, 8)), (16, 16, False, (31, 63, 31), (11, 5, 0)), (16, 15, True, (31, 31, 31), (10, 5, 0)),
           (8, 8, False, (7, 7, 3), (0, 3, 6)), (32, 30, False, (1023, 1023, 1023), (20, 10, 0))]


def test_encodings(path):
    server = Server(f'unix:{path}')
    seen = set()
    for encoding in (0, 5, 6, 16):
        client = Client(path)
        for number, fmt in enumerate(FORMATS):
            client.set_format(*fmt)
            client.set_encodings(encoding, -256 + number, 1)
            client.whole()
            check(client.pixels == server.expected(client), f'pixels, encoding {encoding}, format {fmt}')
        seen |= client.encodings_seen
        client.set_format(8, 8, False, (0, 0, 0), (0, 0, 0), true_color=False)
        client.whole()
        check(client.pixels == server.expected(client), f'pixels, encoding {encoding}, colour map')
        check(client.map[7] == (255, 0, 0) and client.map[0xc0] == (0, 0, 255), 'colours of the map')
        # Only what changes comes, and only when it does.
        client.set_format(*FORMATS[0])
        client.whole()
        client.request(1)
        server.frame = (server.frame + 1) % 3
        server.command(f'frame {server.frame}')
        client.update()
        while client.pixels != server.expected(client):
            client.request(1)
            client.update()
        client.sock.close()
    server.width, server.height = 140, 90
    server.command('later 140 90')  # the device draws only when it is asked
    client = Client(path)
    check((client.width, client.height) == (140, 90), f'a new client is told the size of now: {client.width}x{client.height}')
    client.whole()
    check(client.pixels == server.expected(client), 'and sees it')
    check({kind for _, kind in seen} == {'raw', 'solid', 'packed', 'rle', 'prle'}, f'all forms of ZRLE tiles were used: {seen}')
    server.end()


def test_versions(path):
    server = Server(f'unix:{path}')
    for version in (b'003', b'005', b'007', b'008', b'009', b'889'):
        client = Client(path, b'RFB 003.' + version + b'\n') if version in (b'003', b'007', b'008') else None
        if client:
            check((client.width, client.height, client.name) == (333, 70, 'QEMU'), f'ServerInit of 3.{version.decode()}')
            client.whole()
            check(client.pixels == server.expected(client), f'pixels with 3.{version.decode()}')
    for bad in (b'HTTP/1.1 GET', b'RFB 002.000\n', b'RFB 003.008\n\x07', b'RFB 003.008\n\x01\x01' + struct.pack('>B3xBBBBHHHBBB3x', 0, 24, 24, 0, 1, 255, 255, 255, 0, 0, 0),
                b'RFB 003.008\n\x01\x01\xfe', b'RFB 003.008\n\x01\x01' + struct.pack('>B3xBBBBHHHBBB3x', 0, 32, 24, 0, 1, 65535, 255, 255, 200, 0, 0),
                b'RFB 003.008\n\x01\x01\xff\x01'):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(TIMEOUT_S)
        s.connect(path)
        s.sendall(bad)
        while s.recv(4096):
            pass
    client = Client(path)
    client.send(struct.pack('>B3xi', 6, 5) + b'hello' + struct.pack('>B3xi', 6, -7) + b'1234567' + struct.pack('>BxH', 2, 0))
    client.whole()
    check(client.pixels == server.expected(client), 'cut text is skipped')
    server.end()


def test_password(path):
    server = Server(f'unix:{path},password=on')
    check(Client(path).failure == b'Authentication failed', 'nobody gets in before a password is set')
    server.command('password geheim')
    client = Client(path)
    check(client.security == 2 and client.failure == b'Authentication failed', 'a wrong answer is refused')
    check(Client(path, b'RFB 003.007\n').failure == b'', 'without a reason before 3.8')
    first, second = client.challenge, Client(path).challenge
    check(first != second, 'challenges differ')
    server.end()


def test_sharing(path):
    server = Server(f'unix:{path}')
    first = Client(path)
    second = Client(path)
    second.whole()
    first.whole()
    alone = Client(path, shared=False)
    alone.whole()
    for other in first, second:
        try:
            other.whole()
            check(False, 'an exclusive client ends the others')
        except (EOFError, ConnectionError):
            pass
    server.end()
    server = Server(f'unix:{path},share=force-shared')
    try:
        Client(path, shared=False)
        check(False, 'force-shared refuses an exclusive client')
    except (EOFError, ConnectionError):
        pass
    Client(path).whole()
    server.end()


def test_slow(path):
    """A client that asks and does not read costs no memory and holds up nobody."""
    server = Server(f'unix:{path}')
    server.width, server.height = 1920, 540
    server.command('size 1920 540')
    slow = Client(path)
    slow.sock.setblocking(False)
    sent = 0
    try:
        for _ in range(3000):
            sent += slow.sock.send(struct.pack('>BBHHHH', 3, 0, 0, 0, 1920, 540))
    except BlockingIOError:
        pass
    client = Client(path)
    client.set_encodings(16)
    client.whole()
    check(client.pixels == server.expected(client), 'others are served')
    with open(f'/proc/{server.process.pid}/status') as f:
        peak = int(next(line for line in f if line.startswith('VmHWM')).split()[1])
    check(peak < 400 * 1024, f'memory stays bounded: {peak} KiB')
    server.end()


def test_input(path):
    server = Server(f'unix:{path}')
    client = Client(path)
    for keysym, name in [(ord('a'), 'a'), (ord('!'), '1'), (0xff0d, 'ret'), (0xffe3, 'ctrl'), (0xff51, 'left'), (0xffff, 'delete'), (0xffb4, 'kp_4'), (0xffeb, 'meta_l')]:
        client.key(1, keysym)
        client.key(0, keysym)
        check(events_of(server, client) == [f'key {name} 1', f'key {name} 0'], f'keysym {keysym:#x}')
    client.key(1, ord('A'))  # without Shift: the sender has Caps Lock on
    client.key(0, ord('A'))
    check(events_of(server, client) == ['key caps_lock 1', 'key caps_lock 0', 'key a 1', 'key a 0'], 'Caps Lock follows')
    client.extended_key(1, 0x61, 0x10)
    client.extended_key(0, 0x61, 0x10)
    client.extended_key(1, 0, 0xcb)
    client.extended_key(0, 0, 0xcb)
    client.extended_key(1, 0, 0xfff)
    check(events_of(server, client) == ['key q 1', 'key q 0', 'key left 1', 'key left 0'], 'extended keys')
    client.pointer(0, 100, 100)
    client.pointer(1, 110, 95)
    client.pointer(8, 110, 95)
    check(events_of(server, client)[:3] == ['button 0 1 0', 'rel 0 0 10', 'rel 1 0 -5'], 'relative pointer from positions')
    client.set_encodings(0, -257, -258, -261)
    client.whole()
    check((client.absolute, client.extended_keys, client.leds) == (0, True, None if client.leds is None else client.leds), 'states are told')
    server.command('leds 5')
    server.command('absolute 1')
    client.request(0, 0, 0, 1, 1)
    client.update()
    check((client.absolute, client.leds) == (1, 5), f'changes of states are told: {client.absolute} {client.leds}')
    client.pointer(0, 332, 35)
    check(events_of(server, client)[-2:] == ['abs 0 0 32767', f'abs 1 0 {35 * 32767 // 69}'], 'absolute pointer')
    server.command('absolute 0')
    events_of(server, client)
    client.pointer(0, 0x7fff + 3, 0x7fff - 4)
    check(events_of(server, client)[-2:] == ['rel 0 0 3', 'rel 1 0 -4'], 'relative pointer by agreement')
    client.key(1, ord('z'))
    events_of(server, client)
    client.sock.close()
    other = Client(path)
    for _ in range(20):  # the server notices the end in a round of its own
        events = events_of(server, other)
        if events:
            break
    check(events == ['key z 0'], f'keys of a client that goes away come up: {events}')
    server.end()


def test_sizes(path):
    server = Server(f'unix:{path}')
    clients = {name: Client(path) for name in ('none', 'size', 'extended', 'wmvi')}
    for name, encoding in [('none', 16), ('size', -223), ('extended', -308), ('wmvi', 0x574d5669)]:
        clients[name].set_encodings(0, encoding)
        clients[name].whole()
    client = clients['extended']
    client.send(struct.pack('>BxHHBx', 251, 800, 600, 1) + struct.pack('>IHHHHI', 0, 0, 0, 800, 600, 0))
    client.request(1)
    client.update()
    check(client.desktop[:2] == (1, 4), f'SetDesktopSize is passed on: {client.desktop}')
    check(server.command('nothing') == ['resize 800 600'], 'the device hears of the size')
    server.width, server.height = 700, 260
    server.command('size 700 260')
    for name in ('size', 'extended', 'wmvi'):
        client = clients[name]
        client.request(1)
        client.update()
        check((client.width, client.height) == (700, 260), f'new size, client {name}')
        client.whole()
        check(client.pixels == server.expected(client), f'pixels after a new size, client {name}')
    clients['none'].request(0, 0, 0, 333, 70)  # knows nothing of it: what fits
    server.command('off')
    clients['size'].whole()
    check(set(sum(clients['size'].pixels, [])) == {0}, 'a screen that is off is dark')
    server.end()


def test_cursor(path):
    server = Server(f'unix:{path}')
    client, alpha = Client(path), Client(path)
    client.set_encodings(0, -239)
    alpha.set_encodings(0, -314)
    server.command('cursor')
    client.whole()
    alpha.whole()
    check(client.cursor and client.cursor[:4] == (1, 0, 2, 2) and client.cursor[5] == b'\x80\xc0', f'cursor and its mask {client.cursor}')
    check(alpha.alpha_cursor == (1, 0, 2, 2, b'\x11\x22\x33\xff' + bytes(4) + bytes([0x44 * 128 // 255, 0x55 * 128 // 255, 0x66 * 128 // 255, 128]) + b'\xff\xff\xff\xff'),
          f'cursor with alpha {alpha.alpha_cursor}')
    server.end()


def test_tcp():
    server = Server('127.0.0.1:200,to=999,websocket=on')
    client = Client(('127.0.0.1', server.ports[False]))
    client.set_encodings(16)
    client.whole()
    check(client.pixels == server.expected(client), 'pixels over TCP')
    check(server.ports[True] == server.ports[False] - 200, 'the websocket is 200 ports below')
    client = Client(('127.0.0.1', server.ports[True]), websocket=True)
    check('Sec-WebSocket-Accept: BACScCJPNqyz+UBoqMH89VmURoA=' in client.sock.head, f'accepted key {client.sock.head}')
    client.set_encodings(16)
    client.whole()
    check(client.pixels == server.expected(client), 'pixels over a websocket')
    check(client.sock.pong == b'hello', 'a ping is answered')
    for bad in (b'GET / HTTP/1.1\r\n\r\n', b'\x16\x03\x01\r\n\r\n'):
        s = socket.create_connection(('127.0.0.1', server.ports[True]), TIMEOUT_S)
        s.sendall(bad)
        answer = b''
        while piece := s.recv(4096):
            answer += piece
        check(answer.startswith(b'HTTP/1.1 400'), 'no websocket, no service')
    server.end()


def test_errors():
    for option, text in [(':x', "can't convert"), ('bogus', 'no vnc port'), (':0,share=x', 'share='), (':0,sasl=on', 'SASL'), (':0,tls-creds=t', 'TLS'),
                         (':99999', 'display number'), ('unix:', 'unix socket'), (':5,foo=1', 'foo'), ('unix:/no/such/dir/s', 'No such file'),
                         (':1,display=nothere', 'nothere'), (':3,to=2', 'to=2')]:
        done = subprocess.run([sys.argv[1], option], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S)
        check(done.returncode == 1 and text in done.stderr and done.stderr.count('\n') == 1, f'{option}: {done.stderr!r}')


with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, 'vnc')
    for test in (test_encodings, test_versions, test_password, test_sharing, test_slow, test_input, test_sizes, test_cursor):
        test(path)
    test_tcp()
    test_errors()
sys.exit(1 if failures else 0)
