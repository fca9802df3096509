#!/usr/bin/env python3
"""firmware_arm.py EMULATOR GUEST [TEST...]: firmware and power of the Arm board.

uboot: U-Boot to its prompt, what it finds, restart and power off. uefi: the shell of AAVMF by -bios, on GICv2 and v3. pflash: two flash chips, a
variable that is there in the next run. acpi: Debian's kernel started by UEFI with ACPI tables, power button. power: the same with the
device tree's key. restart: four processors twice. Skipped (77) without the packages u-boot-qemu and qemu-efi-aarch64, or without
GUEST (scripts/guest-linux --arch arm64).
"""
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

from emulator import Qmp, check, finish
from terminal import UefiTerminal

GUEST = pathlib.Path(sys.argv[2])
UBOOT = pathlib.Path('/usr/lib/u-boot/qemu_arm64/u-boot.bin')
AAVMF = pathlib.Path('/usr/share/AAVMF')


class Machine(UefiTerminal):
    def __init__(self, folder, *options):
        super().__init__(folder, '-m', '512', '-cpu', 'cortex-a57', *options)

    def press_power(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.qmp_path)
            Qmp(s).ok('system_powerdown')

    def ends(self, what):
        """It powers off by itself."""
        try:
            check(self.process.wait(max(1, self.end - time.time())) == 0, f'{what}: status')
        except subprocess.TimeoutExpired:
            check(False, f'{what}: it does not end')
            self.stop()


def test_uboot(folder):
    image = pathlib.Path(folder, 'disk')
    image.write_bytes(bytes(1 << 20))
    machine = Machine(folder, '-M', 'virt,gic-version=3', '-smp', 2, '-bios', UBOOT, '-drive', f'if=none,id=d,format=raw,file={image}',
                      '-device', 'virtio-blk-pci,drive=d', '-device', 'virtio-net-device,netdev=n', '-netdev', 'user,id=n')
    for run in range(2):
        check(machine.wait_for('U-Boot [0-9.]+'), f'U-Boot begins, run {run}')
        check('virtio-net' in machine.wait_for('Hit any key'), 'U-Boot finds the network, and waits')
        machine.send(' ')
        check(machine.wait_for('=> '), f'the prompt: {machine.text[-300:]!r}')
        if run:
            break
        text = machine.command('pci', '=> ')
        check('0x1af4' in text and '0x1b36' in text, f'host bridge and disk on PCI: {text!r}')
        text = machine.command('virtio info', '=> ')
        check('VirtIO Block Device' in text, f'the disk: {text!r}')
        machine.send('reset\r')
    machine.send('poweroff\r')
    machine.ends('U-Boot powers off')


def shell(machine, what):
    check(machine.shell(), f'{what}: the shell and its prompt; {machine.text[-300:]!r}')


def test_uefi(folder):
    for version in (2, 3):
        machine = Machine(folder, '-M', f'virt,gic-version={version}', '-bios', AAVMF / 'AAVMF_CODE.fd')
        shell(machine, f'-bios, GICv{version}')
        text = machine.shell_command('smbiosview -t 1')
        check('QEMU Virtual Machine' in text, f'SMBIOS: {text[-500:]!r}')
        machine.send('reset -s\r')
        machine.ends('the shell powers off')


def test_pflash(folder):
    variables = pathlib.Path(folder, 'variables')
    variables.write_bytes((AAVMF / 'AAVMF_VARS.fd').read_bytes())
    for run in range(2):
        machine = Machine(folder, '-M', 'virt,gic-version=3', '-drive', f'if=pflash,unit=0,format=raw,readonly=on,file={AAVMF}/AAVMF_CODE.fd',
                          '-drive', f'if=pflash,unit=1,format=raw,file={variables}')
        shell(machine, f'pflash, run {run}')
        if run == 0:
            text = machine.shell_command('setvar Test -guid 11223344-5566-7788-99AA-BBCCDDEEFF00 -bs -rt -nv =c0ffee42')
            check('Unable' not in text and 'rror' not in text, f'setvar: {text!r}')
        else:
            text = machine.shell_command('setvar Test -guid 11223344-5566-7788-99AA-BBCCDDEEFF00')
            check('C0 FF EE 42' in text.upper(), f'the variable in the next run: {text!r}')
        machine.send('reset -s\r')
        machine.ends('the shell powers off')
    check(bytes.fromhex('c0ffee42') in variables.read_bytes(), 'the variable is in its file')


def linux(folder, run, *options):
    if not (GUEST / 'kernel').exists():
        print('the guest is not there: scripts/guest-linux --arch arm64 makes it')
        sys.exit(77)
    return Machine(folder, '-kernel', GUEST / 'kernel', '-initrd', GUEST / 'initrd.gz', '-append', f'console=ttyAMA0 quiet run={run}', *options)


def pressed(machine, what):
    check(machine.wait_for('host: press'), f'{what}: the guest waits for the button; {machine.text[-600:]!r}')
    machine.press_power()
    check(machine.wait_for('guest-test power: exit 0'), f'{what}: the button; {machine.text[-600:]!r}')
    machine.ends(what)


def test_acpi(folder):
    for version in (2, 3):
        machine = linux(folder, 'power', '-M', f'virt,gic-version={version}', '-smp', 4, '-bios', AAVMF / 'AAVMF_CODE.fd')
        check(machine.wait_for(r', 4 cpus'), f'GICv{version}: four processors; {machine.text[-600:]!r}')
        check(machine.wait_for('tables .*' + ('IORT' if version == 3 else 'GTDT')), f'GICv{version}: tables; {machine.text[-600:]!r}')
        check(machine.wait_for('dmi QEMU Virtual Machine'), f'GICv{version}: SMBIOS; {machine.text[-600:]!r}')
        pressed(machine, f'ACPI, GICv{version}')


def test_power(folder):
    pressed(linux(folder, 'power', '-M', 'virt'), 'device tree')


def test_restart(folder):
    machine = linux(folder, 'restart', '-M', 'virt,gic-version=3', '-smp', 4)
    for run in range(2):
        check(machine.wait_for(', 4 cpus'), f'four processors, run {run}; {machine.text[-600:]!r}')
        check(machine.wait_for('restarting'), f'restart, run {run}')
    machine.stop()


TESTS = {'uboot': test_uboot, 'uefi': test_uefi, 'pflash': test_pflash, 'acpi': test_acpi, 'power': test_power, 'restart': test_restart}
NEEDS = {'uboot': UBOOT, 'uefi': AAVMF, 'pflash': AAVMF, 'acpi': AAVMF}
for name in sys.argv[3:] or TESTS:
    if name in NEEDS and not NEEDS[name].exists():
        print(f'{NEEDS[name]} is not installed')
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix='firmware-arm-') as directory:
        TESTS[name](directory)
finish()
