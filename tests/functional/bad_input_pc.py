#!/usr/bin/env python3
"""bad_input_pc.py QEMU-SYSTEM-X86_64: the command lines of bad_input_pc.tsv: each gives one line with the cause, status 1, and starts nothing."""
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
from emulator import BINARY, TIMEOUT_S, check, finish

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'bad_input_pc.tsv')


def bzimage(protocol=0x20f, setup=4, loaded_high=1, tail=65536):
    header = bytearray(0x200 * (setup + 1))
    header[0x1f1] = setup
    struct.pack_into('<HH', header, 0x1fe, 0xaa55, 0x66eb)
    header[0x202:0x206] = b'HdrS'
    struct.pack_into('<H', header, 0x206, protocol)
    header[0x211] = loaded_high
    struct.pack_into('<I', header, 0x22c, 0x7fffffff)
    struct.pack_into('<I', header, 0x238, 2047)
    return bytes(header) + bytes(tail)


def elf(machine, size=4096):
    head = b'\x7fELF\x02\x01\x01' + bytes(9) + struct.pack('<HHIQQQIHHHHHH', 2, machine, 1, 0x100000, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return head + struct.pack('<IIQQQQQQ', 1, 7, 0, 0x100000, 0x100000, 64, size, 4096) + bytes(64)


FILES = {
    'empty': b'', 'text': b'hello\n', 'small': bytes(4096), 'flash': bytes(1 << 20), 'huge': bytes(17 << 20), 'rom17m': bytes(17 << 20),
    'bzimage': bzimage(), 'bzimage-cut': bzimage()[:700], 'zimage': bzimage(loaded_high=0, tail=1 << 10), 'elf-riscv': elf(243), 'elf-cut': elf(62)[:80],
    'multiboot-bad': struct.pack('<III', 0x1badb002, 0x10000, 0xffffffff - 0x1badb002 - 0x10000 + 1) + struct.pack('<IIIII', 0x100000, 0x200000, 0x100000, 0, 0) + bytes(4096),
}


def main():
    with tempfile.TemporaryDirectory(prefix='bad-input-') as tmp, socket.socket() as taken, open(TABLE) as table:
        taken.bind(('127.0.0.1', 0))
        taken.listen(1)
        words = {'dir': os.path.join(tmp, 'dir'), 'missing': os.path.join(tmp, 'missing'), 'nowhere': os.path.join(tmp, 'nowhere'),
                 'port': str(taken.getsockname()[1]), 'long': 'x' * 200, 'bad-json': '{"driver":'}
        os.mkdir(words['dir'])
        for name, content in FILES.items():
            words[name] = os.path.join(tmp, name)
            with open(words[name], 'wb') as f:
                f.write(content)
        for line in table:
            if line.startswith('#') or not line.strip():
                continue
            text, part = line.rstrip('\n').split('\t')
            args = [re.sub(r'\{([^}]+)\}', lambda m: words[m.group(1)], word) for word in text.split()]
            if '-display' not in args and '-vnc' not in args:
                args += ['-display', 'none']
            try:
                done = subprocess.run([BINARY, '-monitor', 'none', *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S)
            except subprocess.TimeoutExpired:
                check(False, f'{text}: did not end')
                continue
            err = done.stderr.decode(errors='replace')
            check(done.returncode == 1, f'{text}: status {done.returncode}, {err!r}')
            check(err.count('\n') == 1 and err.endswith('\n') and err.startswith(os.path.basename(BINARY) + ': '), f'{text}: not one line: {err!r}')
            check(part.lower() in err.lower() and '(null)' not in err, f'{text}: no {part!r} in {err!r}')
            check(done.stdout == b'', f'{text}: {done.stdout!r}')
            if '-v' in sys.argv:
                print(text, '->', err, end='')
    finish()


main()
