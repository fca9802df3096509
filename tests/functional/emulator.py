"""emulator.py: what the functional tests share: starting the emulator, a QMP client, checks."""
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time

# What is in use when the process ends is left to the system.
os.environ.setdefault('ASAN_OPTIONS', 'detect_leaks=0')
BINARY = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ''
TIMEOUT_S = 20
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)
        print('FAILED:', what, file=sys.stderr)


def check_equal(got, expected, what):
    check(got == expected, f'{what}: got {got!r}, expected {expected!r}')


def finish(checks_made=True):
    sys.exit(1 if failures or not checks_made else 0)


def run(*args, stdin=b'', timeout=TIMEOUT_S, **kwargs):
    """Runs to the end; returns (status, stdout, stderr)."""
    done = subprocess.run([BINARY, *args], input=stdin, capture_output=True, timeout=timeout, **kwargs)
    return done.returncode, done.stdout.decode(errors='replace'), done.stderr.decode(errors='replace')


class Qmp:
    """A QMP client on a connected socket."""

    def __init__(self, sock, negotiate=True, patience_s=TIMEOUT_S):
        self.sock = sock
        self.patience_s = patience_s
        self.buffer = b''
        self.events = []
        self.greeting = self.receive()
        if negotiate:
            self.ok('qmp_capabilities')

    def receive(self, timeout=None):
        end = time.time() + (self.patience_s if timeout is None else timeout)
        while b'\n' not in self.buffer:
            if not select.select([self.sock], [], [], max(0, end - time.time()))[0]:
                raise TimeoutError('no answer')
            data = self.sock.recv(65536)
            if not data:
                raise EOFError('connection closed')
            self.buffer += data
        line, self.buffer = self.buffer.split(b'\n', 1)
        return json.loads(line)

    def send(self, text):
        self.sock.sendall(text if isinstance(text, bytes) else text.encode())

    def answer(self):
        while True:
            message = self.receive()
            if 'event' not in message:
                return message
            self.events.append(message)

    def call(self, command, **arguments):
        request = {'execute': command}
        if arguments:
            request['arguments'] = {k.rstrip('_').replace('_', '-') if not k.startswith('=') else k[1:]: v
                                    for k, v in arguments.items()}
        self.send(json.dumps(request))
        return self.answer()

    def ok(self, command, **arguments):
        reply = self.call(command, **arguments)
        check('return' in reply, f'{command} {arguments}: {reply}')
        return reply.get('return')

    def error(self, command, text, cls='GenericError', **arguments):
        reply = self.call(command, **arguments)
        error = reply.get('error', {})
        check(text in error.get('desc', '') and error.get('class') == cls,
              f'{command} {arguments}: {reply}, expected {cls} with {text!r}')

    def hmp(self, line):
        return self.ok('human-monitor-command', command_line=line)

    def wait_event(self, name, timeout=TIMEOUT_S):
        end = time.time() + timeout
        while True:
            for event in self.events:
                if event['event'] == name:
                    self.events.remove(event)
                    return event
            message = self.receive(max(0.01, end - time.time()))
            if 'event' in message:
                self.events.append(message)


class Emulator:
    """A running emulator with a QMP monitor on a unix socket."""

    def __init__(self, *args, machine='none', qmp=True, patience_s=TIMEOUT_S, **kwargs):
        self.patience_s = patience_s
        self.dir = tempfile.TemporaryDirectory(prefix='emulator-test-')
        self.qmp_path = os.path.join(self.dir.name, 'qmp')
        command = [BINARY, '-M', machine, '-nodefaults', '-display', 'none', '-S']
        if qmp:
            command += ['-qmp', f'unix:{self.qmp_path},server=on,wait=off']
        self.process = subprocess.Popen([*command, *args], stderr=subprocess.PIPE, **kwargs)
        self.qmp = self.connect() if qmp else None

    def connect(self, path=None, negotiate=True):
        end = time.time() + self.patience_s
        while True:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(path or self.qmp_path)
                return Qmp(sock, negotiate, self.patience_s)
            except (FileNotFoundError, ConnectionRefusedError):
                sock.close()
                if time.time() > end or self.process.poll() is not None:
                    raise RuntimeError('the emulator does not listen: ' +
                                       self.process.stderr.read().decode(errors='replace'))
                time.sleep(0.005)

    def path(self, name):
        return os.path.join(self.dir.name, name)

    def wait(self, timeout=TIMEOUT_S):
        return self.process.wait(timeout)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        if self.qmp:
            self.qmp.sock.close()
        self.dir.cleanup()
