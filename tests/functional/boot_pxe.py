#!/usr/bin/env python3
"""boot_pxe.py EMULATOR MODEL: a PC starts from the network: the card's boot ROM, DHCP and TFTP of user networking, a program of ours. Skipped (77)
without SeaBIOS or iPXE's ROMs."""
import os
import subprocess
import sys
import tempfile

TIMEOUT_S = 300
# At 0:7c00: writes "PXE" to port 0xe9, then 0x21 to the port that ends the emulator: status 0x43.
PROGRAM = bytes([0xb0, 0x50, 0xe6, 0xe9, 0xb0, 0x58, 0xe6, 0xe9, 0xb0, 0x45, 0xe6, 0xe9, 0xba, 0x01, 0x05, 0xb0, 0x21, 0xee, 0xf4, 0xeb, 0xfd])


def main():
    emulator, model = sys.argv[1:3]
    roms = [os.path.join(d, f'efi-{ {"virtio-net-pci": "virtio"}.get(model, model)}.rom') for d in ('/usr/lib/ipxe/qemu', '/usr/share/qemu')]
    if not any(map(os.path.exists, roms)) or not os.path.exists('/usr/share/seabios/bios-256k.bin'):
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix='pxe-') as work:
        with open(os.path.join(work, 'program'), 'wb') as f:
            f.write(PROGRAM + bytes(2000))
        log = os.path.join(work, 'log')
        command = [emulator, '-M', 'pc', '-m', '128M', '-display', 'none', '-monitor', 'none', '-serial', 'none', '-no-reboot', '-boot', 'n',
                   '-nic', f'user,model={model},tftp={work},bootfile=program', '-chardev', f'file,id=log,path={log}', '-device', 'isa-debugcon,iobase=0xe9,chardev=log',
                   '-device', 'isa-debug-exit,iobase=0x501,iosize=1']
        status = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S).returncode
        with open(log) as f:
            text = f.read()
    if status != 0x43 or text != 'PXE':
        sys.exit(f'{model}: status {status}, {text!r}')


main()
