"""terminal.py: a machine whose serial port is a person's terminal."""
import os
import re
import select
import subprocess
import time

from emulator import BINARY

TIMEOUT_S = 600


class Terminal:
    """A running machine; `qmp_path` is the socket of its monitor, `text` what came from its serial port and has not been waited for."""

    def __init__(self, folder, *options):
        self.qmp_path = os.path.join(folder, 'qmp')
        self.process = subprocess.Popen([BINARY, '-nodefaults', '-display', 'none', '-serial', 'stdio',
                                         '-qmp', f'unix:{self.qmp_path},server=on,wait=off', *map(str, options)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.text = ''
        self.end = time.time() + TIMEOUT_S

    def wait_for(self, pattern):
        """The text up to and with the pattern, without escape sequences; '' if it never comes."""
        while True:
            clean = re.sub(r'\x1b\[[0-9;?]*[A-Za-z]', '', self.text)
            match = re.search(pattern, clean)
            if match:
                self.text = clean[match.end():]
                return clean[:match.end()]
            if not select.select([self.process.stdout], [], [], max(0, self.end - time.time()))[0]:
                return ''
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return ''
            self.text += data.decode(errors='replace')

    def send(self, text):
        """As a person types: the port's FIFO has 16 bytes and firmware looks at it now and then."""
        for c in text:
            self.process.stdin.write(c.encode())
            self.process.stdin.flush()
            time.sleep(0.02)

    def command(self, text, prompt):
        self.send(text + '\r')
        return self.wait_for(prompt)

    def stop(self):
        self.process.kill()
        self.process.wait()


class UefiTerminal(Terminal):
    """UEFI's shell on the serial port."""
    PROMPT = 'Shell> '

    def shell(self):
        """Interrupts the start-up script; whether the prompt comes."""
        if not self.wait_for('Press ESC'):
            return False
        self.send('\x1b')
        return bool(self.wait_for(self.PROMPT))

    def shell_command(self, text):
        return self.command(text, self.PROMPT)
