#!/usr/bin/env python3
"""boot_vnc.py EMULATOR GUEST CARD: what Debian's arm64 kernel draws on a screen of `virt`, as a VNC client sees it: bars, and below them the console.

CARD is virtio-gpu-pci, or ramfb, which AAVMF sets up. With BOOT_REFERENCE=…/qemu-system-aarch64 the whole picture is compared with that emulator's. Skipped (77)
without the guest (scripts/guest-linux --arch arm64) or AAVMF."""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'hw'))
from rfb import Client  # noqa: E402

GUEST, CARD = sys.argv[2:4]
AAVMF = '/usr/share/AAVMF/AAVMF_CODE.fd'
WAIT_S = 300
RGB = (32, 24, False, (255, 255, 255), (16, 8, 0))


def bars(width):
    """display.sh: 4096 bytes of each of eight values, eight times; of four bytes a pixel."""
    return [[0x202020 * (at // 1024 % 8) for at in range(y * width, (y + 1) * width)] for y in range(64 * 1024 // width)]


def boot(emulator):
    with tempfile.TemporaryDirectory(prefix='boot-vnc-') as work:
        log = pathlib.Path(work, 'console')
        firmware = ['-bios', AAVMF] if CARD == 'ramfb' else []
        process = subprocess.Popen([emulator, '-M', 'virt', '-cpu', 'cortex-a57', '-m', '512', '-kernel', f'{GUEST}/kernel', '-initrd', f'{GUEST}/initrd.gz', '-append',
                                    'quiet console=tty0 console=ttyAMA0 vt.cur_default=1 run=display', '-serial', f'file:{log}', '-device', CARD, '-nic', 'none',
                                    '-monitor', 'none', '-vnc', f'unix:{work}/vnc', *firmware], stderr=subprocess.DEVNULL)
        try:
            end = time.time() + WAIT_S
            while (not log.exists() or b'display: ready' not in log.read_bytes()) and process.poll() is None:
                if time.time() > end:
                    sys.exit(f'the guest does not draw: {log.read_bytes()[-600:]!r}')
                time.sleep(0.3)
            client = Client(f'{work}/vnc')
            client.set_format(*RGB)
            client.set_encodings(0)
            expected, last, now = bars(client.width), None, []
            # The driver copies its shadow to the card now and then. The byte that no colour has may be anything.
            while (last != now or now[:len(expected)] != expected) and time.time() < end:
                client.whole()
                last, now = now, [[pixel & 0xffffff for pixel in row] for row in client.pixels]
                time.sleep(1)
            return now
        finally:
            process.kill()
            process.wait()


def main():
    if not os.path.exists(f'{GUEST}/kernel') or (CARD == 'ramfb' and not os.path.exists(AAVMF)):
        print('no guest or no AAVMF')
        sys.exit(77)
    picture = boot(sys.argv[1])
    width, expected = len(picture[0]), bars(len(picture[0]))
    print(f'{width}x{len(picture)}')
    if picture[:len(expected)] != expected:
        wrong = next(y for y, row in enumerate(expected) if picture[y] != row)
        sys.exit(f'line {wrong} of the bars: {picture[wrong][:8]} instead of {expected[wrong][:8]}')
    reference = os.environ.get('BOOT_REFERENCE')
    other = boot(reference) if reference else picture
    rows = [y for y, (a, b) in enumerate(zip(picture, other)) if a != b]
    if rows or len(picture) != len(other):
        sys.exit(f'{len(rows)} lines of {len(picture)} are not the reference\'s {len(other)}: {rows[:20]}')


main()
