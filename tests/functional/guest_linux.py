"""guest_linux.py: what tests that boot Debian's kernel share: an initrd with today's test script, the guest's console, input events."""
import gzip
import lzma
import pathlib
import re
import time
from emulator import check

WAIT_S = 500


def initrd_with(guest, script, to, modules=()):
    """The guest's initrd, a test script of today and modules that the script loads, of the guest's kernel ("newc" archives follow each other)."""
    def member(name, mode, data=b''):
        head = '070701' + ''.join('%08x' % n for n in (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0))
        body = head.encode() + name.encode() + b'\0'
        body += b'\0' * (-len(body) % 4) + data
        return body + b'\0' * (-len(body) % 4)

    text = (pathlib.Path(__file__).parent / 'guest' / f'{script}.sh').read_bytes()
    extra = member('tests', 0o40755) + member(f'tests/{script}', 0o100755, text)
    for module in modules:
        for path in (pathlib.Path(guest) / 'packages').rglob(f'{module}.ko*'):
            extra += member(f'tests/{module}.ko', 0o100644, lzma.decompress(path.read_bytes()) if path.suffix == '.xz' else path.read_bytes())
    extra += member('TRAILER!!!', 0)
    pathlib.Path(to).write_bytes((pathlib.Path(guest) / 'initrd.gz').read_bytes() + gzip.compress(extra))


def key(name, down):
    return {'type': 'key', 'data': {'down': down, 'key': {'type': 'qcode', 'data': name}}}


def button(name, down):
    return {'type': 'btn', 'data': {'down': down, 'button': name}}


class GuestConsole:
    """A serial console in a file. The guest's scripts print "input: eventN NAME", and each event as twelve 16-bit numbers."""

    def __init__(self, path, vm=None):
        self.path, self.vm = pathlib.Path(path), vm

    def text(self):
        return self.path.read_bytes().decode(errors='replace').replace('\r', '') if self.path.exists() else ''

    def wait_until(self, condition):
        end = time.time() + WAIT_S
        while time.time() < end and not (self.vm and self.vm.process.poll() is not None):
            if condition():
                return True
            time.sleep(0.1)
        return condition()

    def wait(self, text):
        came = self.wait_until(lambda: text in self.text())
        check(came, f'{text!r} does not come: {self.text()[-1500:]}')
        return came

    def events(self, device):
        """(type, code, value) of all events of the device of this name, without the marks between groups; value: its lower half."""
        number = re.search(rf'^input: (event\d+) .*{device}$', self.text(), re.M)
        check(number, f'{device} is no input device: {self.text()[-800:]}')
        found = re.findall(rf'^{number[1]}: (?:-?\d+ ){{8}}(-?\d+) (-?\d+) (-?\d+) (-?\d+)', self.text(), re.M) if number else []
        return [(int(t), int(c), int(v)) for t, c, v, _ in found if t not in '04']

    def expect(self, device, expected):
        self.wait_until(lambda: all(e in self.events(device) for e in expected))
        for e in expected:
            check(e in self.events(device), f'{device}: {e} of {self.events(device)}')
