#!/usr/bin/env python3
"""boot_disks.py EMULATOR TEST: firmware and a boot loader read a PC's disks.

SeaBIOS starts GRUB from a CD-ROM, a disk or a floppy on the controller that TEST names; GRUB prints where it is and, of a floppy, the checksum of
all of it, then halts the machine. Skipped (77) without grub-mkrescue, grub-mkimage, xorriso and SeaBIOS.
"""
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

TIMEOUT_S = 180
GRUB = pathlib.Path('/usr/lib/grub/i386-pc')
OVMF = pathlib.Path('/usr/share/OVMF')
FIRMWARE = pathlib.Path('/usr/share/seabios')
HEAD = 'serial --unit=0 --speed=115200\nterminal_output serial\n'

ASK = 'terminal_input console\necho "type:"\nread answer\necho "answer: $answer."\n'

# Image, what GRUB calls it, options.
DISK = 'file={image},format=raw,snapshot=on'
TESTS = {
    'pc-floppy': ('floppy', 'fd0', '-M pc -fda {image} -boot a'),
    'pc-cd': ('cd', '', '-M pc -cdrom {image}'),
    'pc-disk': ('cd', 'hd0', f'-M pc -drive if=ide,{DISK}'),
    'pc-slave': ('cd', 'hd0', f'-M pc -drive if=ide,index=3,{DISK}'),
    'q35-cd': ('cd', '', '-M q35 -cdrom {image}'),
    'q35-disk': ('cd', 'hd0', f'-M q35 -drive if=ide,index=4,{DISK}'),
    'q35-piix': ('cd', 'hd0', f'-M q35 -nodefaults -device piix3-ide,id=old -drive if=none,id=d,{DISK} -device ide-hd,bus=old.1,drive=d'),
    'nvme': ('cd', 'hd0', f'-M q35 -nodefaults -drive if=none,id=d,{DISK} -device nvme,serial=s,drive=d'),
    'virtio-scsi-disk': ('cd', 'hd0', f'-M q35 -nodefaults -drive if=none,id=d,{DISK} -device virtio-scsi-pci -device scsi-hd,drive=d'),
    'virtio-scsi-cd': ('cd', '', '-M pc -nodefaults -drive if=none,id=d,media=cdrom,file={image},format=raw -device virtio-scsi-pci -device scsi-cd,drive=d'),
    'virtio-blk': ('cd', 'hd0', f'-M pc -nodefaults -drive if=virtio,{DISK}'),
    'usb-disk': ('cd', 'hd0', f'-M q35 -nodefaults -drive if=none,id=d,{DISK} -device qemu-xhci -device usb-storage,drive=d'),
    'usb-efi': ('efi', 'the stick', '-M q35 -nodefaults -drive if=pflash,unit=0,readonly=on,format=raw,file={code} -drive if=pflash,unit=1,format=raw,file={vars} '
                f'-drive if=none,id=d,{DISK} -device qemu-xhci -device usb-storage,drive=d -device usb-kbd'),
    'usb-hub': ('cd', 'hd0', f'-M pc -nodefaults -drive if=none,id=e,format=raw,file={{empty}} -device nvme,serial=s,drive=e -device nec-usb-xhci '
                f'-device usb-hub,port=2 -drive if=none,id=d,{DISK} -device usb-storage,port=2.3,drive=d,bootindex=1'),
    'usb-keyboard': ('keys', 'hd0', f'-M pc -nodefaults -drive if=none,id=d,{DISK} -device qemu-xhci -device usb-storage,drive=d -device usb-kbd'),
    # Its firmware has the disk from ACPI's tables; GRUB knows no way to switch such a machine off.
    'microvm': ('reboot', 'hd0', f'-M microvm -bios {FIRMWARE}/bios-microvm.bin -drive if=none,id=d,{DISK} -device virtio-blk-device,drive=d'),
    'bootindex': ('cd', 'hd0', f'-M q35 -nodefaults -drive if=none,id=e,format=raw,file={{empty}} -device ide-hd,drive=e,bus=ide.0'
                  f' -drive if=none,id=d,{DISK} -device nvme,serial=s,drive=d,bootindex=1'),
}


def make_cd(work, commands='', end='halt'):
    image, tree = work / 'cd.iso', work / 'tree'
    (tree / 'boot/grub').mkdir(parents=True)
    (tree / 'boot/grub/grub.cfg').write_text(HEAD + f'echo "started from $root"\n{commands}{end}\n')
    subprocess.run(['grub-mkrescue', '-o', image, tree], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return image


def make_efi(work):
    """A FAT file system with a script that OVMF's shell finds."""
    image, script = work / 'efi.img', work / 'startup.nsh'
    script.write_text('echo started from the stick\r\nreset -s\r\n')
    with open(image, 'wb') as file:
        file.truncate(34 << 20)
    subprocess.run(['mformat', '-i', image, '-F', '::'], check=True)
    subprocess.run(['mcopy', '-i', image, script, '::/startup.nsh'], check=True)
    shutil.copyfile(OVMF / 'OVMF_VARS_4M.fd', work / 'vars.fd')
    return image


def make_floppy(work):
    image, config, core = work / 'floppy.img', work / 'early.cfg', work / 'core.img'
    config.write_text(HEAD + 'echo "started from $root"\nsha256sum (fd0)0+2880\nhalt\n')
    subprocess.run(['grub-mkimage', '-O', 'i386-pc', '-o', core, '-c', config, '-p', '(fd0)', 'biosdisk', 'serial', 'terminal', 'echo', 'halt',
                    'hashsum', 'gcry_sha256'], check=True)
    data = (GRUB / 'boot.img').read_bytes() + core.read_bytes()
    image.write_bytes(data + bytes(n * 37 & 255 for n in range(1440 * 1024 - len(data))))
    return image


def type_keys(command, log):
    """GRUB asks for a line, which is typed."""
    machine = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    end, typed = time.time() + TIMEOUT_S, False
    while machine.poll() is None and time.time() < end:
        if not typed and log.exists() and 'type:' in log.read_text(errors='replace'):
            machine.stdin.write(''.join(f'sendkey {k}\n' for k in ('u', 's', 'shift-b', 'minus', '3', 'ret')))
            machine.stdin.flush()
            typed = True
        time.sleep(0.1)
    machine.kill()
    return machine.wait(), log.read_text(errors='replace'), machine.stderr.read()


def main():
    emulator, name = sys.argv[1:]
    kind, root, options = TESTS[name]
    if not (FIRMWARE / 'bios-256k.bin').exists() or not (GRUB / 'boot.img').exists() or not all(
            shutil.which(n) for n in ('grub-mkrescue', 'grub-mkimage', 'xorriso')):
        print('SeaBIOS, GRUB for PCs or xorriso is not installed')
        sys.exit(77)
    if kind == 'efi' and (not (OVMF / 'OVMF_CODE_4M.fd').exists() or not shutil.which('mformat')):
        print('OVMF or mtools is not installed')
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix='boot-disks-') as folder:
        work = pathlib.Path(folder)
        image = make_floppy(work) if kind == 'floppy' else make_efi(work) if kind == 'efi' else make_cd(work, ASK if kind == 'keys' else '', 'reboot' if kind == 'reboot' else 'halt')
        (work / 'empty').write_bytes(bytes(1 << 20))
        options = options.format(image=image, empty=work / 'empty', code=OVMF / 'OVMF_CODE_4M.fd', vars=work / 'vars.fd')
        command = [emulator, *options.split(), '-m', '256', '-display', 'none', '-no-reboot']
        if kind == 'keys':
            status, text, err = type_keys([*command, '-serial', f'file:{work}/log', '-monitor', 'stdio'], work / 'log')
        else:
            done = subprocess.run([*command, '-serial', 'stdio'], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S)
            status, text, err = done.returncode, done.stdout.decode(errors='replace'), done.stderr.decode(errors='replace')
        if status or f'started from {root}' not in text or (kind == 'keys' and 'answer: usB-3.' not in text):
            sys.exit(f'{name}: status {status}\n{text[-800:]}\n{err}')
        if kind == 'floppy' and hashlib.sha256(image.read_bytes()).hexdigest() not in text:
            sys.exit(f'{name}: GRUB read something else than is on the floppy\n{text[-800:]}')
    print(f'{name}: started')


main()
