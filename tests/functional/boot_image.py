#!/usr/bin/env python3
"""boot_image.py EMULATOR FOLDER TEST [--log FILE]: a Debian disk image of scripts/debian-image in daily use on a PC or an Arm machine.

FOLDER has debian-amd64.img, debian-amd64-efi.img and debian-arm64.img. A copy of one (skipped with 77 if there is none) starts from the disk that TEST names: GRUB's menu, the kernel, systemd and a login on the serial
port; a package is installed from the image's own archive, used and removed; the guest reboots, a second login finds what the first one wrote, and
powers off. The root file system must be clean then. TEST boots-... starts it ten times to the login instead. Times are printed, not judged.
"""
import argparse
import os
import pathlib
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

TIMEOUT_S = 3 * 3600
PASSWORD = 'debian'
PROMPT = r'root@debian:[^\n]*# '
DISK = 'file={image},format=raw'
OVMF = pathlib.Path('/usr/share/OVMF')
AAVMF = pathlib.Path('/usr/share/AAVMF')
FLASH = '-drive if=pflash,unit=0,format=raw,readonly=on,file={code} -drive if=pflash,unit=1,format=raw,file={vars} '
VIRT = FLASH + f'-M virt -cpu cortex-a72 -drive if=none,id=d,{DISK} '
DISKS = {
    'pc-ide': f'-M pc -drive {DISK}',
    'pc-virtio-blk': f'-M pc -drive if=virtio,{DISK}',
    'q35-ahci': f'-M q35 -drive {DISK}',
    'q35-virtio-blk': f'-M q35 -drive if=none,id=d,{DISK} -device virtio-blk-pci,drive=d',
    'q35-virtio-scsi': f'-M q35 -drive if=none,id=d,{DISK} -device virtio-scsi-pci -device scsi-hd,drive=d',
    'q35-nvme': f'-M q35 -drive if=none,id=d,{DISK} -device nvme,serial=s,drive=d',
}
ARM_DISKS = {
    'virt-virtio-blk': VIRT + '-device virtio-blk-pci,drive=d',
    'virt-virtio-blk-mmio': VIRT + '-device virtio-blk-device,drive=d',
    'virt-virtio-scsi': VIRT + '-device virtio-scsi-pci -device scsi-hd,drive=d',
    'virt-nvme': VIRT + '-device nvme,serial=s,drive=d',
    'virt-usb': VIRT + '-device qemu-xhci -device usb-storage,drive=d',
    'virt-smp8': VIRT + '-smp 8 -device virtio-blk-pci,drive=d',
}
TESTS = {**DISKS, **ARM_DISKS, **{f'efi-{name}': FLASH + options for name, options in DISKS.items()}, 'boots-q35-smp2': f'-M q35 -smp 2 -snapshot -drive {DISK}'}
BOOTS = 10
COMMON = '-m 512M -nodefaults -display none -serial stdio'
LOCAL_ONLY = '-o Dir::Etc::sourcelist=sources.list.d/local.list -o Dir::Etc::sourceparts=-'


class Failed(Exception):
    pass


class Guest:
    """The emulator with the guest's serial port on its standard input and output."""

    def __init__(self, command, log):
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.log, self.text, self.start = log, '', time.monotonic()

    def end(self):
        self.process.kill()
        self.process.wait()

    def cpu_s(self):
        fields = pathlib.Path(f'/proc/{self.process.pid}/stat').read_text().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def read(self):
        """More of the guest's output; false at its end."""
        left = self.start + TIMEOUT_S - time.monotonic()
        if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
            raise Failed(f'{self.text[-1500:]}\nstill running after {TIMEOUT_S} s')
        data = os.read(self.process.stdout.fileno(), 65536)
        self.log.write(data)
        self.log.flush()
        # A control sequence may come in two pieces.
        self.text = re.sub(r'\x1b\[[0-9;?]*[A-Za-z]|\r', '', self.text + data.decode(errors='replace'))
        return bool(data)

    def wait(self, pattern, what):
        """The text up to the pattern, which is taken away."""
        while not (match := re.search(pattern, self.text)):
            if not self.read():
                raise Failed(f'{self.text[-1500:]}\nthe emulator ended before {what}, status {self.process.wait()}')
        before, self.text = self.text[:match.start()], self.text[match.end():]
        return before

    def report(self, what):
        print(f'{time.monotonic() - self.start:7.1f} s, {self.cpu_s():7.1f} s of processor: {what}', flush=True)

    def send(self, line):
        self.process.stdin.write(line.encode() + b'\n')
        self.process.stdin.flush()

    def shell(self, command, expected_line=None, status=0):
        """Runs a command, which must end with the status (and print the line)."""
        self.send(f'{command}; echo "status="$?')
        self.wait(r'status="', f'the echo of {command}')
        output = self.wait(r'status=(?=\d+\n)', f'the end of {command}')
        got = int(self.wait(r'\n', f'the status of {command}'))
        self.wait(PROMPT, 'the prompt')
        self.report(command)
        if got != status or expected_line and expected_line not in output.splitlines():
            raise Failed(f"'{command}': status {got}\n{output}")

    def login(self, what):
        self.wait(r'GNU GRUB', f"{what}: GRUB's menu")
        self.report(f"{what}: GRUB's menu")
        self.wait(r'debian login: ', f'{what}: login')
        self.report(f'{what}: login')
        self.send('root')
        self.wait(r'Password: ', f'{what}: password')
        self.send(PASSWORD)
        self.wait(PROMPT, f'{what}: shell')

    def running(self):
        """All units have started."""
        self.shell('systemctl is-system-running --wait; systemctl --failed --no-legend --plain; '
                   'systemctl show -p Result --value $(systemctl --failed --no-legend --plain | cut -d" " -f1)', 'running')


def daily_use(guest):
    guest.login('start')
    guest.shell('stty columns 300')  # a line that readline wraps cannot be recognized
    guest.shell('echo "it was here" > /root/marker')
    guest.running()
    guest.shell(f'apt-get {LOCAL_ONLY} update && apt-get {LOCAL_ONLY} -y install jq')
    guest.shell("""echo '{"a": [1, 22]}' | jq -Mc '.a[1]'""", '22')
    guest.shell('apt-get -y autoremove --purge jq')
    guest.shell('dpkg --status libjq1', status=1)
    guest.send('reboot')
    guest.login('second start')
    guest.shell('stty columns 300')
    guest.shell('cat /root/marker', 'it was here')
    guest.running()
    guest.send('poweroff')
    while guest.read():
        pass
    if guest.process.wait():
        raise Failed(f'the emulator ended with status {guest.process.returncode}, not by the power off')
    print(f'{time.monotonic() - guest.start:7.1f} s: power off')


def many_boots(start):
    """Each start is a new emulator with the disk as it was."""
    for number in range(1, BOOTS + 1):
        guest = start()
        try:
            guest.wait(r'debian login: ', f'start {number}: login')
            guest.report(f'start {number}: login')
        finally:
            guest.end()


def one_day(start, image):
    guest = start()
    try:
        daily_use(guest)
    finally:
        guest.end()
    check = subprocess.run(['e2fsck', '-fn', f'{image}?offset={root_offset(image)}'], capture_output=True, text=True)
    if check.returncode:
        raise Failed(f'the file system is not clean\n{check.stdout}{check.stderr}')


def root_offset(image):
    """Where the root file system starts: the last partition of the MBR or the GPT."""
    with open(image, 'rb') as f:
        head = f.read(4096)
    start = int.from_bytes(head[454:458], 'little')
    if head[450] == 0xee:
        start = int.from_bytes(head[1024 + 128 + 32:1024 + 128 + 40], 'little')
    return start * 512


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('emulator')
    parser.add_argument('folder', type=pathlib.Path)
    parser.add_argument('test', choices=TESTS)
    parser.add_argument('--log', help="the guest's serial output goes there")
    args = parser.parse_args()
    arm, efi = args.test in ARM_DISKS, '{vars}' in TESTS[args.test]
    original = args.folder / ('debian-arm64.img' if arm else 'debian-amd64-efi.img' if efi else 'debian-amd64.img')
    code, blank = (AAVMF / 'AAVMF_CODE.fd', AAVMF / 'AAVMF_VARS.fd') if arm else (OVMF / 'OVMF_CODE_4M.fd', OVMF / 'OVMF_VARS_4M.fd')
    if not original.exists():
        print(f'no {original}: scripts/debian-image makes it')
        sys.exit(77)
    os.environ['PATH'] += ':/usr/sbin:/sbin'
    with tempfile.TemporaryDirectory(prefix='boot-image-', dir=args.folder) as work, open(args.log or os.devnull, 'wb') as log:
        image, variables = pathlib.Path(work, 'disk.img'), pathlib.Path(work, 'vars.fd')
        subprocess.run(['cp', '--sparse=always', original, image], check=True)
        if efi:
            shutil.copyfile(blank, variables)
        command = [args.emulator, *COMMON.split(), *TESTS[args.test].format(image=image, code=code, vars=variables).split()]
        try:
            if args.test.startswith('boots-'):
                many_boots(lambda: Guest(command, log))
            else:
                one_day(lambda: Guest(command, log), image)
        except Failed as error:
            sys.exit(f'{args.test}: {error}')
    print(f'{args.test}: passed')


main()
