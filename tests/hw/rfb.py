"""rfb.py: a VNC client for the tests: the handshake, raw, hextile, zlib and ZRLE rectangles, pseudo-rectangles. RFC 6143."""
import base64
import os
import socket
import struct
import zlib

TIMEOUT_S = 30


class WebSocket:
    """As much of RFC 6455 as carries RFB."""

    def __init__(self, sock):
        self.sock, self.data = sock, b''
        key = base64.b64encode(b'0123456789abcdef').decode()
        sock.sendall((f'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n'
                      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: binary\r\n\r\n').encode())
        head = b''
        while b'\r\n\r\n' not in head:
            head += sock.recv(1)
        self.head = head.decode()

    def exact(self, n):
        data = b''
        while len(data) < n:
            piece = self.sock.recv(n - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def recv(self, n):
        while not self.data:
            op, length = self.exact(2)
            if length == 126:
                length, = struct.unpack('>H', self.exact(2))
            elif length == 127:
                length, = struct.unpack('>Q', self.exact(8))
            self.data = self.exact(length)
            if op & 15 == 10:
                self.pong, self.data = self.data, b''
        piece, self.data = self.data[:n], self.data[n:]
        return piece

    def frame(self, op, data, final=True):
        mask = b'\x12\x34\x56\x78'
        head = bytes([op | (128 if final else 0)]) + (bytes([128 | len(data)]) if len(data) < 126 else b'\xfe' + struct.pack('>H', len(data)))
        self.sock.sendall(head + mask + bytes(b ^ mask[i & 3] for i, b in enumerate(data)))

    def sendall(self, data):
        half = len(data) // 2
        self.frame(2, data[:half], False)
        self.frame(9, b'hello')
        self.frame(0, data[half:])


class Client:
    def __init__(self, address, version=b'RFB 003.008\n', shared=True, websocket=False, response=None):
        self.sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(address)
        if websocket:
            self.sock = WebSocket(self.sock)
        self.inflate = zlib.decompressobj()
        self.cursor = self.alpha_cursor = self.leds = self.absolute = self.desktop = None
        self.extended_keys, self.encodings_seen = False, set()
        self.failure = None
        assert self.read(12) == b'RFB 003.008\n'
        self.send(version)
        if version[8:11] == b'003':
            self.security, = struct.unpack('>I', self.read(4))
        else:
            types = self.read(self.read(1)[0])
            self.security = types[0]
            self.send(types[:1])
        if self.security == 2:
            self.challenge = self.read(16)
            self.send(response or bytes(16))
        if self.security == 2 or version[10:11] == b'8':
            if struct.unpack('>I', self.read(4))[0]:
                self.failure = self.read(struct.unpack('>I', self.read(4))[0]) if version[10:11] == b'8' else b''
                return
        self.send(bytes([shared]))
        self.width, self.height = struct.unpack('>HH', self.read(4))
        self.format = self.read(16)
        self.name = self.read(struct.unpack('>I', self.read(4))[0]).decode()
        self.set_format(32, 24, False, (255, 255, 255), (16, 8, 0))

    def read(self, n):
        data = b''
        while len(data) < n:
            piece = self.sock.recv(n - len(data))
            if not piece:
                raise EOFError('connection closed')
            data += piece
        return data

    def send(self, data):
        self.sock.sendall(data)

    def set_format(self, bits, depth, big, maxima, shifts, true_color=True):
        self.bytes, self.big, self.maxima, self.shifts, self.true_color = bits // 8, big, maxima, shifts, true_color
        self.compact = 3 if bits == 32 and depth <= 24 and true_color else self.bytes
        self.send(struct.pack('>B3xBBBBHHHBBB3x', 0, bits, depth, big, true_color, *maxima, *shifts))
        if not true_color:
            kind, first, n = struct.unpack('>BxHH', self.read(6))
            assert (kind, first, n) == (1, 0, 256)
            self.map = [tuple(v >> 8 for v in struct.unpack('>HHH', self.read(6))) for _ in range(n)]
        self.pixels = [[None] * self.width for _ in range(self.height)]

    def set_encodings(self, *encodings):
        self.send(struct.pack(f'>BxH{len(encodings)}i', 2, len(encodings), *encodings))

    def request(self, incremental, x=0, y=0, width=None, height=None):
        self.send(struct.pack('>BBHHHH', 3, incremental, x, y, self.width if width is None else width, self.height if height is None else height))

    def key(self, down, keysym):
        self.send(struct.pack('>BBxxI', 4, down, keysym))

    def extended_key(self, down, keysym, code):
        self.send(struct.pack('>BBHII', 255, 0, down, keysym, code))

    def pointer(self, buttons, x, y):
        self.send(struct.pack('>BBHH', 5, buttons, x, y))

    # -- pixels --

    def value(self, data, at, n):
        return self.values(data[at:at + n], n)[0]

    def fill(self, x, y, w, h, v):
        for row in range(y, y + h):
            self.pixels[row][x:x + w] = [v] * w

    def values(self, data, n):
        if n != 3:
            return struct.unpack(('>' if self.big else '<') + str(len(data) // n) + ' BH I'[n], data)
        first, last = (16, 0) if self.big else (0, 16)
        low = 8 if max(self.shifts) == 24 else 0
        return [(a << first | b << 8 | c << last) << low for a, b, c in zip(data[::3], data[1::3], data[2::3])]

    def raw(self, x, y, w, h, data, n=None):
        values = self.values(data[:w * h * (n or self.bytes)], n or self.bytes)
        for row in range(h):
            self.pixels[y + row][x:x + w] = values[row * w:row * w + w]

    def hextile(self, x, y, w, h):
        bg = fg = 0
        for ty in range(y, y + h, 16):
            for tx in range(x, x + w, 16):
                tw, th = min(16, x + w - tx), min(16, y + h - ty)
                flags = self.read(1)[0]
                if flags & 1:
                    self.raw(tx, ty, tw, th, self.read(tw * th * self.bytes))
                    continue
                if flags & 2:
                    bg = self.value(self.read(self.bytes), 0, self.bytes)
                if flags & 4:
                    fg = self.value(self.read(self.bytes), 0, self.bytes)
                self.fill(tx, ty, tw, th, bg)
                for _ in range(self.read(1)[0] if flags & 8 else 0):
                    color = self.value(self.read(self.bytes), 0, self.bytes) if flags & 16 else fg
                    xy, wh = self.read(2)
                    self.fill(tx + (xy >> 4), ty + (xy & 15), (wh >> 4) + 1, (wh & 15) + 1, color)

    def zrle(self, x, y, w, h, data):
        at, n = 0, self.compact

        def run():
            nonlocal at
            length = 1
            while data[at] == 255:
                length, at = length + 255, at + 1
            length, at = length + data[at], at + 1
            return length

        for ty in range(y, y + h, 64):
            for tx in range(x, x + w, 64):
                tw, th = min(64, x + w - tx), min(64, y + h - ty)
                kind, at = data[at], at + 1
                size = kind & 127 if kind >= 130 else kind if 1 <= kind <= 16 else 0
                palette = [self.value(data, at + i * n, n) for i in range(size)]
                at += size * n
                self.encodings_seen.add(('zrle', 'raw' if kind == 0 else 'solid' if kind == 1 else 'packed' if kind <= 16 else 'rle' if kind == 128 else 'prle'))
                if kind == 0:
                    self.raw(tx, ty, tw, th, data[at:at + tw * th * n], n)
                    at += tw * th * n
                elif kind == 1:
                    self.fill(tx, ty, tw, th, palette[0])
                elif kind <= 16:
                    bits = 1 if kind == 2 else 2 if kind <= 4 else 4
                    for row in range(th):
                        for i in range(tw):
                            b = data[at + i * bits // 8]
                            self.pixels[ty + row][tx + i] = palette[b >> (8 - bits - i * bits % 8) & ((1 << bits) - 1)]
                        at += (tw * bits + 7) // 8
                else:
                    out = []
                    while len(out) < tw * th:
                        if kind == 128:
                            v, at = self.value(data, at, n), at + n
                            out += [v] * run()
                        else:
                            index, at = data[at], at + 1
                            out += [palette[index & 127]] * (run() if index & 128 else 1)
                    assert len(out) == tw * th
                    for i, v in enumerate(out):
                        self.pixels[ty + i // tw][tx + i % tw] = v
        assert at == len(data), (at, len(data))

    def update(self):
        """One FramebufferUpdate; the list of its rectangles."""
        kind, n = struct.unpack('>BxH', self.read(4))
        assert kind == 0, kind
        rects = []
        for _ in range(n):
            x, y, w, h, encoding = struct.unpack('>HHHHi', self.read(12))
            rects.append((x, y, w, h, encoding))
            if encoding == 0:
                self.raw(x, y, w, h, self.read(w * h * self.bytes))
            elif encoding == 5:
                self.hextile(x, y, w, h)
            elif encoding in (6, 16):
                data = self.inflate.decompress(self.read(struct.unpack('>I', self.read(4))[0]))
                self.raw(x, y, w, h, data) if encoding == 6 else self.zrle(x, y, w, h, data)
            elif encoding in (-223, -308, 0x574d5669):
                if encoding == -308:
                    self.desktop = (x, y, self.read(4 + 16 * self.read(1)[0] - 1))
                elif encoding > 0:
                    self.read(16)
                if encoding != -308 or x == 0:
                    self.width, self.height = w, h
                    self.pixels = [[None] * w for _ in range(h)]
            elif encoding == -239:
                self.cursor = (x, y, w, h, self.read(w * h * self.bytes), self.read((w + 7) // 8 * h))
            elif encoding == -314:
                assert self.read(4) == bytes(4)
                self.alpha_cursor = (x, y, w, h, self.read(w * h * 4))
            elif encoding == -257:
                self.absolute = x
            elif encoding == -258:
                self.extended_keys = True
            elif encoding == -261:
                self.leds = self.read(1)[0]
            else:
                raise AssertionError(f'encoding {encoding}')
        return rects

    def whole(self):
        """Asks for everything until every pixel is there."""
        self.pixels = [[None] * self.width for _ in range(self.height)]
        self.request(0)
        self.update()
        while any(None in row for row in self.pixels):
            self.request(1)
            self.update()
