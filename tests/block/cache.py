#!/usr/bin/env python3
"""cache.py QEMU-IO SYNC-LOG: each cache mode makes the data of a write stable when it should: the writethrough modes at once, the others by a flush or when
the image is closed, unsafe never. By -t and by the command open -t."""
import os
import subprocess
import sys
import tempfile

QEMU_IO, SYNC_LOG = sys.argv[1:]
failed = 0


def syncs(image, mode, opened_by_command, *commands):
    opening = ['-c', f'open -t {mode} {image}'] if opened_by_command else ['-t', mode]
    line = [QEMU_IO, '-f', 'raw', *opening, '-c', 'write 0 4k', *(part for c in commands for part in ('-c', c)), *([] if opened_by_command else [image])]
    done = subprocess.run(line, env={**os.environ, 'LD_PRELOAD': SYNC_LOG}, capture_output=True, text=True, timeout=60)
    with open(image, 'r+b') as f: # what it says is lost by an abort
        if f.read(4096) != b'\xcd' * 4096:
            print(f'{line}: {done}')
            sys.exit(1)
        f.seek(0)
        f.write(bytes(4096))
    return done.stderr.splitlines().count('sync')


with tempfile.TemporaryDirectory() as work:
    image = os.path.join(work, 'image')
    with open(image, 'wb') as f:
        f.truncate(1 << 20)
    for mode, after_write, after_flush in (('writeback', 0, 1), ('writethrough', 1, 1), ('none', 0, 1), ('directsync', 1, 1), ('unsafe', 0, 0)):
        for by_command in (False, True):
            for expected, commands in ((after_write, ['abort']), (after_flush, ['flush', 'abort']), (after_flush, [])):
                got = syncs(image, mode, by_command, *commands)
                if got != expected:
                    failed += 1
                    print(f"{mode}, by {'open -t' if by_command else '-t'}, {commands or ['close']}: {got} syncs, not {expected}")
sys.exit(1 if failed else 0)
