#!/usr/bin/env python3
"""readonly.py TOOLS [--reference FOLDER]...: images of formats nobody here can create (bochs, cloop, dmg), built here, read, and damaged ones refused.

Each image has the same content in its format's kinds of blocks. With a reference's tools both must read it alike.
"""
import argparse
import base64
import bz2
import os
import random
import struct
import subprocess
import sys
import tempfile
import zlib

failed = 0
SIZE = 640 << 10


def content():
    data = bytearray(SIZE)
    data[0:4096] = b'\x11' * 4096
    data[70000:200000] = random.Random(1).randbytes(130000)
    data[300 << 10:310 << 10] = bytes(range(256)) * 40
    data[-512:] = b'end.' * 128
    return bytes(data)


DATA = content()


def cloop(block=64 << 10):
    script = b'#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n'.ljust(128, b'\0')
    blocks = [zlib.compress(DATA[i:i + block]) for i in range(0, SIZE, block)]
    table, at = b'', 136 + 8 * (len(blocks) + 1)
    for b in blocks:
        table += struct.pack('>Q', at)
        at += len(b)
    return script + struct.pack('>II', block, len(blocks)) + table + struct.pack('>Q', at) + b''.join(blocks)


def bochs(extent=16 << 10, version=2):
    n = SIZE // extent
    catalog, data, used = b'', b'', 0
    for i in range(n):
        part = DATA[i * extent:(i + 1) * extent]
        if not any(part):
            catalog += b'\xff' * 4
            continue
        bitmap = bytearray(512)
        for s in range(extent // 512):
            if any(part[s * 512:(s + 1) * 512]):
                bitmap[s // 8] |= 1 << s % 8
            else: # what the bitmap does not have is not read
                part = part[:s * 512] + b'\xee' * 512 + part[(s + 1) * 512:]
        catalog += struct.pack('<I', used)
        used += 1
        data += bytes(bitmap) + part
    head = b'Bochs Virtual HD Image'.ljust(32, b'\0') + b'Redolog'.ljust(16, b'\0') + b'Growing'.ljust(16, b'\0')
    head += struct.pack('<IIIII', version << 16, 512, n, 512, extent) + (b'' if version == 1 else struct.pack('<I', 0)) + struct.pack('<Q', SIZE)
    return head.ljust(512, b'\0') + catalog + data


def dmg(kinds=('zlib', 'raw', 'bzip2', 'zlib'), by_fork=False, part=64 << 10):
    data, chunks, tables = b'', b'', []
    codes = {'zlib': 0x80000005, 'bzip2': 0x80000006, 'raw': 1, 'lzma': 0x80000008}
    for number, i in enumerate(range(0, SIZE, part)):
        piece, kind = DATA[i:i + part], kinds[number % len(kinds)]
        stored = zlib.compress(piece) if kind == 'zlib' else bz2.compress(piece) if kind == 'bzip2' else piece
        first = i // 512 if i < SIZE // 2 else (i - SIZE // 2) // 512
        if not any(piece):
            chunks += struct.pack('>IIQQQQ', number & 1 and 2, 0, first, part // 512, 0, 0)
        else:
            chunks += struct.pack('>IIQQQQ', codes[kind], 0, first, part // 512, len(data), len(stored))
            data += stored
        if i + part == SIZE // 2 or i + part == SIZE: # two tables
            start = 0 if i < SIZE // 2 else SIZE // 2 // 512
            chunks += struct.pack('>IIQQQQ', 0xffffffff, 0, 0, 0, 0, 0)
            head = struct.pack('>4sIQQQII', b'mish', 1, start, SIZE // 2 // 512, 0, 0, 0).ljust(200, b'\0')
            tables.append(head + struct.pack('>I', len(chunks) // 40) + chunks)
            chunks = b''
    koly = bytearray(512)
    struct.pack_into('>4sIII', koly, 0, b'koly', 4, 512, 1)
    struct.pack_into('>QQ', koly, 24, 0, len(data))
    if by_fork:
        body = b''.join(struct.pack('>I', len(t)) + t for t in tables)
        rsrc = struct.pack('>IIII', 256, 256 + len(body), len(body), 50).ljust(256, b'\0') + body + bytes(50)
        struct.pack_into('>QQ', koly, 40, len(data), len(rsrc))
        data += rsrc
    else:
        text = ''.join(f'<dict><key>Data</key><data>\n{base64.encodebytes(t).decode()}</data></dict>' for t in tables)
        xml = f'<?xml version="1.0"?><plist><dict><key>resource-fork</key><dict><key>blkx</key><array>{text}</array></dict></dict></plist>'.encode()
        struct.pack_into('>QQ', koly, 216, len(data), len(xml))
        data += xml
    struct.pack_into('>Q', koly, 492, SIZE // 512)
    return data + bytes(koly)


def run(folder, *args):
    p = subprocess.run([os.path.join(folder, args[0]), *args[1:]], capture_output=True, text=True, timeout=60)
    return p.returncode, p.stdout + p.stderr


def expect(args, work, fmt, image, want, suffix='img', name=''):
    """want: None for the content, or a part of the error; of ours alone, as the reference words some in another way."""
    global failed
    path, raw = os.path.join(work, 'image.' + suffix), os.path.join(work, 'raw')
    with open(path, 'wb') as f:
        f.write(image)
    for folder in [args.tools] + (args.reference if want is None else []):
        status, text = run(folder, 'qemu-img', 'convert', '-f', fmt, '-O', 'raw', path, raw)
        if want is None:
            with open(raw, 'rb') as f:
                good = status == 0 and f.read() == DATA
            if suffix != 'img' or fmt != 'dmg':
                good &= f'file format: {fmt}' in run(folder, 'qemu-img', 'info', path)[1]
        else:
            good = status == 1 and want in text
        if not good:
            failed += 1
            print(f'{folder}: {fmt} {name}: {status} {text}')


def put(image, at, data):
    return image[:at] + data + image[at + len(data):]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('tools')
    parser.add_argument('--reference', action='append', default=[])
    parser.add_argument('--no-bzip2', action='store_true')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        expect(args, work, 'cloop', cloop(), None)
        expect(args, work, 'cloop', cloop(10 << 10), None)
        expect(args, work, 'cloop', put(cloop(), 128, bytes(4)), 'cannot be zero')
        expect(args, work, 'cloop', put(cloop(), 128, struct.pack('>I', 513)), 'multiple of 512')
        expect(args, work, 'cloop', put(cloop(), 132, b'\xff' * 4), 'too many offsets')
        expect(args, work, 'cloop', put(cloop(), 144, b'\xff' * 8), 'Input/output error')
        expect(args, work, 'cloop', put(cloop(), 400, b'\0' * 64), 'Input/output error')
        expect(args, work, 'bochs', bochs(), None)
        expect(args, work, 'bochs', bochs(4096, 1), None)
        expect(args, work, 'bochs', put(bochs(), 64, struct.pack('<I', 3 << 16)), 'not in Bochs format')
        expect(args, work, 'bochs', put(bochs(), 72, b'\xff' * 4), 'Catalog size is too large')
        expect(args, work, 'bochs', put(bochs(), 80, struct.pack('<I', 3 << 12)), 'not a power of two')
        expect(args, work, 'bochs', put(bochs(), 88, struct.pack('<Q', 1 << 40)), 'too small for this disk size')
        kinds = ('zlib', 'raw') if args.no_bzip2 else ('zlib', 'raw', 'bzip2', 'zlib')
        expect(args, work, 'dmg', dmg(kinds), None, 'dmg')
        expect(args, work, 'dmg', dmg(kinds, True), None, 'dmg')
        expect(args, work, 'dmg', dmg(kinds, part=32 << 10) + bytes(300), None, 'dmg')
        expect(args, work, 'dmg', dmg(('lzma',)), 'cannot read', 'dmg')
        expect(args, work, 'dmg', dmg()[:-600], 'trailer', 'dmg')
        expect(args, work, 'dmg', put(dmg(), len(dmg()) - 512 + 224, b'\x7f'), 'no tables', 'dmg')
        expect(args, work, 'dmg', put(dmg(('zlib',)), 40, bytes(64)), 'Input/output error', 'dmg')
        status, text = run(args.tools, 'qemu-io', '-f', 'dmg', '-c', 'write 0 512', os.path.join(work, 'image.dmg'))
        if status == 0 or 'read-only' not in text:
            print(f'written: {text}')
            return 1
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
