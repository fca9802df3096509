#!/usr/bin/env python3
"""boot_pc.py EMULATOR GUEST MACHINE TEST: Debian's kernel on a PC board.

TEST: acpi (tables, SMBIOS, fw_cfg, power button, suspend to RAM and waking up, power off). GUEST is made by `scripts/guest-linux --arch amd64`; without it the test is skipped (77).
"""
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading

TIMEOUT_S = 600
UUID = '11223344-5566-7788-99aa-bbccddeeff00'


class Failed(Exception):
    pass


class Monitor:
    """QMP, started when the guest first asks for something."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile('rw')
        self.events = []
        json.loads(self.file.readline())
        self.command('qmp_capabilities')

    def command(self, name):
        self.file.write(json.dumps({'execute': name}) + '\n')
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if 'event' in answer:
                self.events.append(answer['event'])
            elif 'error' in answer:
                raise Failed(f'{name}: {answer["error"]["desc"]}')
            else:
                return answer['return']

    def wait_for(self, event):
        while event not in self.events:
            answer = json.loads(self.file.readline())
            self.events.append(answer.get('event'))


def run(emulator, guest, machine, test):
    with tempfile.TemporaryDirectory() as work:
        qmp = os.path.join(work, 'qmp')
        command = [emulator, '-M', machine, '-m', '512M', '-nodefaults', '-display', 'none', '-no-reboot', '-serial', 'stdio', '-qmp', f'unix:{qmp},server=on,wait=off',
                   '-kernel', guest / 'kernel', '-initrd', guest / 'initrd.gz', '-append', f'console=ttyS0 quiet run={test}', '-uuid', UUID,
                   '-smbios', 'type=1,serial=S123', '-fw_cfg', 'name=opt/greeting,string=hello']
        process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        timer = threading.Timer(TIMEOUT_S, process.kill)
        timer.start()
        text, monitor = [], None
        try:
            for line in process.stdout:
                line = line.decode(errors='replace').strip()
                text.append(line)
                if line.startswith('host:'):
                    monitor = monitor or Monitor(qmp)
                if line == 'host: press':
                    monitor.command('system_powerdown')
                elif line == 'host: wake':
                    monitor.wait_for('SUSPEND')
                    if monitor.command('query-status')['status'] != 'suspended':
                        raise Failed('the machine is not suspended')
                    monitor.command('system_wakeup')
            process.wait()
        finally:
            timer.cancel()
            process.kill()
            process.wait()
    return text, process.returncode


def main():
    emulator, guest, machine, test = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    if not (guest / 'kernel').exists():
        print('no guest: scripts/guest-linux --arch amd64 makes one')
        sys.exit(77)
    try:
        text, status = run(emulator, guest, machine, test)
        expected = [f'guest-test {test}: exit 0', 'pressed', 'awake', 'dmi sys_vendor=QEMU', 'dmi product_serial=S123', f'dmi product_uuid={UUID}',
                    'fw_cfg greeting=hello']
        for line in expected:
            if line not in text:
                raise Failed(f"no line '{line}'")
        if status:
            raise Failed(f'the emulator ended with status {status}, not by the power off')
    except Failed as error:
        print('\n'.join(text[-40:]) if 'text' in locals() else '')
        print(f'{machine} {test}: {error}')
        sys.exit(1)


main()
