#!/usr/bin/env python3
"""vhdx-log.py TOOLS: images whose log another writer left are replayed, or refused with a reason. The logs are built here ([MS-VHDX] 2.3)."""
import os
import struct
import subprocess
import sys
import tempfile

TOOLS = sys.argv[1]
M = 1 << 20
LOG, BAT, SECTOR = M, 2 * M, 4096
GUID = bytes(range(1, 17))
failed = 0


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xff]
    return ~crc & 0xffffffff


def table_entry(n):
    for _ in range(8):
        n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
    return n


TABLE = [table_entry(n) for n in range(256)]


def entry(sequence, tail, changes, flushed, last, guid=GUID):
    """changes: (offset, sector) for contents, (offset, length) for zeros."""
    descriptors, data = b'', b''
    for offset, what in changes:
        if isinstance(what, int):
            descriptors += struct.pack('<4sIQQQ', b'zero', 0, what, offset, sequence)
        else:
            descriptors += struct.pack('<4s4s8sQQ', b'desc', what[-4:], what[:8], offset, sequence)
            data += struct.pack('<4sI', b'data', sequence >> 32) + what[8:-4] + struct.pack('<I', sequence & 0xffffffff)
    head = -(-(64 + len(descriptors)) // SECTOR) * SECTOR
    whole = struct.pack('<4sIIIQI4x16sQQ', b'loge', 0, head + len(data), tail, sequence, len(changes), guid, flushed, last) + descriptors
    whole = whole.ljust(head, b'\0') + data
    return whole[:4] + struct.pack('<I', crc32c(whole)) + whole[8:]


def image(path, log, at=0):
    """An image of which the first block is in the file, but not in the table: that is in the log, put there from `at` on."""
    subprocess.run([os.path.join(TOOLS, 'qemu-img'), 'create', '-q', '-f', 'vhdx', '-o', 'block_size=1M', path, '8M'], check=True)
    with open(path, 'r+b') as f:
        f.truncate(6 * M)
        f.seek(4 * M)
        f.write(b'\x11' * M + b'\x22' * M)
        for i in range(0, len(log), SECTOR):
            f.seek(LOG + (at + i) % M)
            f.write(log[i:i + SECTOR])
        for place in (64 << 10, 128 << 10):
            f.seek(place)
            header = bytearray(f.read(SECTOR))
            header[48:64] = GUID
            header[4:8] = bytes(4)
            header[4:8] = struct.pack('<I', crc32c(header))
            f.seek(place)
            f.write(header)


def bat(*blocks):
    return b''.join(struct.pack('<Q', b << 20 | 6 if b else 2) for b in blocks).ljust(SECTOR, b'\0')


def run(*args):
    p = subprocess.run([os.path.join(TOOLS, args[0]), *args[1:]], capture_output=True, text=True, timeout=60)
    return p.returncode, p.stdout + p.stderr


def expect(name, log, want, at=0, size=None):
    """want: what the first three MiB read as after the replay, or a part of the error."""
    global failed
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, 'image')
        image(path, log, at)
        if size:
            os.truncate(path, size)
        status, text = run('qemu-img', 'info', '-f', 'vhdx', path)
        problems = [] if status == 1 and 'needs to be replayed' in text else [f'read-only: {status} {text}']
        status, text = run('qemu-img', 'check', '-r', 'all', '-f', 'vhdx', path)
        if isinstance(want, str):
            if status != 1 or want not in text:
                problems.append(f'check: {status} {text}')
        else:
            if status != 0:
                problems.append(f'check: {status} {text}')
            for i, pattern in enumerate(want):
                _, text = run('qemu-io', '-r', '-f', 'vhdx', '-c', f'read -P {pattern} {i}M 1M', path)
                if 'failed' in text or 'bytes' not in text:
                    problems.append(f'block {i}: {text}')
        for problem in problems:
            failed += 1
            print(f'{name}: {problem}')


first = entry(5, 0, [(BAT, bat(4, 0, 5))], 6 * M, 6 * M)
second = entry(6, 0, [(BAT, bat(4, 5, 0))], 6 * M, 6 * M)
alone = entry(6, len(first), [(BAT, bat(4, 5, 0))], 6 * M, 6 * M)
expect('one entry', first, (0x11, 0, 0x22))
expect('two entries', first + second, (0x11, 0x22, 0))
expect('the second alone counts', entry(5, 0, [(BAT, bat(5, 4, 4))], 6 * M, 6 * M) + alone, (0x11, 0x22, 0))
expect('around the end', entry(5, M - SECTOR, [(BAT, bat(4, 0, 5))], 6 * M, 6 * M), (0x11, 0, 0x22), at=M - SECTOR)
expect('zeros', first + entry(6, 0, [(4 * M, 64 << 10), (4 * M + (64 << 10), M - (64 << 10))], 6 * M, 6 * M), (0, 0, 0x22))
expect('a number is missing', first + entry(7, 0, [(BAT, bat(5, 5, 5))], 6 * M, 6 * M), (0x11, 0, 0x22))
expect('of another log', first + entry(6, 0, [(BAT, bat(5, 5, 5))], 6 * M, 6 * M, guid=bytes(16)), (0x11, 0, 0x22))
expect('the second is torn', first + second[:-SECTOR] + bytes(SECTOR), (0x11, 0, 0x22))
expect('the file grows', entry(5, 0, [(BAT, bat(4, 0, 6))], 6 * M, 7 * M), (0x11, 0, 0))
expect('bad checksum', first[:100] + b'\1' + first[101:], 'no whole entry')
expect('no entry', bytes(SECTOR), 'no whole entry')
expect('its tail is elsewhere', entry(5, 64 << 10, [(BAT, bat(4))], 6 * M, 6 * M), 'no whole entry')
expect('shorter file', first, 'shorter than its log says', size=5 * M)
expect('outside of the file', entry(5, 0, [(64 * M, bat(4))], 6 * M, 6 * M), 'Invalid argument')
expect('over the headers', entry(5, 0, [(64 << 10, bat(4))], 6 * M, 6 * M), 'Invalid argument')
expect('over the log', entry(5, 0, [(LOG + 8192, 4096)], 6 * M, 6 * M), 'Invalid argument')
expect('length of zero', first[:8] + bytes(4) + first[12:], 'no whole entry')
expect('more descriptors than it has room for', first[:24] + b'\xff\xff\xff\xff' + first[28:], 'no whole entry')
sys.exit(1 if failed else 0)
