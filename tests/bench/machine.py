"""machine.py: measurements of whole machines and of the emulator as a process, for run.py.

  guest      the kernel suite inside a booted guest, in processor time of the emulator between two marks on the serial
             line; beside it our own user mode with the same file (goal: at most 1.3 times)
  vcpus      throughput of two vCPUs against one: the same kernel once alone, then twice at the same time, wall time
  greeting   from start to the QMP greeting, wall time
  memory     peak resident memory, of a static program's start and of a booted machine
"""
import json
import os
import pathlib
import socket
import statistics
import subprocess
import tempfile
import time

SKIP_IN_GUEST = {'threads', 'fork', 'signals', 'syscalls'}  # mostly the guest's kernel: measured by 'system'


def cpio(files):
    """An initrd part in the "newc" format: {name: (mode, data)}."""
    out = b''
    for inode, (name, (mode, data)) in enumerate(list(files.items()) + [('TRAILER!!!', (0, b''))], 1000):
        raw = name.encode() + b'\0'
        head = '070701' + ''.join('%08x' % n for n in (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0))
        body = head.encode() + raw
        out += body + b'\0' * (-len(body) % 4) + data + b'\0' * (-len(data) % 4)
    return out


def make_initrd(work, guest, kernels, name, script):
    path = work / f'initrd-{name}'
    part = cpio({'kernels': (0o100755, pathlib.Path(kernels).read_bytes()),
                 f'tests/{name}': (0o100755, script.encode())})
    path.write_bytes((guest / 'initrd.gz').read_bytes() + b'\0' * (-(guest / 'initrd.gz').stat().st_size % 4) + part)
    return path


def machine(emulator, guest, initrd, run, smp):
    return emulator + ['-M', 'virt', '-m', '512M', '-smp', str(smp), '-display', 'none', '-serial', 'stdio', '-monitor', 'none',
                       '-no-reboot', '-kernel', str(guest / 'kernel'), '-initrd', str(initrd),
                       '-append', f'console=ttyS0 quiet run={run}']


def processor_seconds(pid):
    return time.clock_gettime((~pid) << 3 | 2)  # clock_getcpuclockid(3)


def marks(command, clock):
    """{name: seconds} between "begin NAME" and "end NAME" lines, by clock(pid); and the other lines."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    begin, spent, text = {}, {}, []
    for line in process.stdout:
        now = clock(process.pid)
        word = line.decode(errors='replace').split()
        if len(word) == 2 and word[0] == 'begin':
            begin[word[1]] = now
        elif len(word) == 2 and word[0] == 'end':
            spent[word[1]] = now - begin[word[1]]
        else:
            text.append(line.decode(errors='replace').rstrip())
    process.wait()
    return spent, text


def suite_guest(args, work, emulators, kernels, rounds):
    guest = pathlib.Path(args.guest)
    names = [n for n in rounds if n not in SKIP_IN_GUEST]
    script = ''.join(f'echo begin {n}; /kernels {n} {rounds[n]}; echo end {n}\n' for n in names)
    initrd = make_initrd(work, guest, kernels, 'guest-kernels', script)
    seconds = {}
    for _ in range(args.repeat):
        for who, emulator in emulators('qemu-system-riscv64').items():
            spent, _ = marks(machine(emulator, guest, initrd, 'guest-kernels', 1), processor_seconds)
            for name, value in spent.items():
                seconds.setdefault(name, {}).setdefault(who, []).append(value)
        for name in names:
            user = emulators('qemu-riscv64')['ours'] + [str(kernels), name, str(rounds[name])]
            before = os.times()
            subprocess.run(user, stdout=subprocess.DEVNULL, check=True)
            after = os.times()
            seconds.setdefault(name, {}).setdefault('user', []).append(
                after.children_user + after.children_system - before.children_user - before.children_system)
    for name in names:
        m = {who: statistics.median(v) for who, v in seconds[name].items()}
        yield name, m, m['ours'] / m['user']


def suite_vcpus(args, work, emulators, kernels, rounds):
    guest = pathlib.Path(args.guest)
    command = f'/kernels integer {4 * rounds["integer"]}'
    script = f'{command}; echo begin one; {command}; echo end one; echo begin two; {command} & {command}; wait; echo end two\n'
    initrd = make_initrd(work, guest, kernels, 'vcpus', script)
    for who, emulator in emulators('qemu-system-riscv64').items():
        speed = []
        for _ in range(args.repeat):
            spent, _ = marks(machine(emulator, guest, initrd, 'vcpus', 2), lambda pid: time.monotonic())
            speed.append(2 * spent['one'] / spent['two'])
        yield who, statistics.median(speed)


def greeting_seconds(emulator):
    with tempfile.TemporaryDirectory() as place:
        path = f'{place}/qmp'
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        begin = time.monotonic()
        process = subprocess.Popen(emulator + ['-M', 'virt', '-display', 'none', '-serial', 'null', '-monitor', 'none', '-S',
                                               '-qmp', f'unix:{path}'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        peer, _ = listener.accept()
        json.loads(peer.makefile().readline())
        spent = time.monotonic() - begin
        process.kill()
        process.wait()
        return spent


def suite_greeting(args, work, emulators, kernels, rounds):
    times = {}
    for _ in range(4 * args.repeat):
        for who, emulator in emulators('qemu-system-riscv64').items():
            times.setdefault(who, []).append(greeting_seconds(emulator))
    for who, values in times.items():
        yield who, 1000 * statistics.median(values)


def peak_mib(command):
    """By VmHWM, looked at until the end: ru_maxrss would count the process that started it."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    peak = 0
    while process.poll() is None:
        try:
            with open(f'/proc/{process.pid}/status') as status:
                peak = max([peak] + [int(line.split()[1]) for line in status if line.startswith('VmHWM')])
        except OSError:
            pass
        time.sleep(0.001)
    return peak / 1024


def suite_memory(args, work, emulators, kernels, rounds):
    guest = pathlib.Path(args.guest)
    jobs = {}
    for name in ('integer', 'tree', 'threads'):
        jobs[f'kernel {name}'] = ('qemu-riscv64', [str(kernels), name, '2'])
    for name, (emulator, tail) in jobs.items():
        yield name, {who: statistics.median(peak_mib(e + tail) for _ in range(3)) for who, e in emulators(emulator).items()}
    for smp in (1, 4):
        yield f'boot smp {smp}', {who: peak_mib(machine(e, guest, guest / 'initrd.gz', 'nothing', smp))
                                  for who, e in emulators('qemu-system-riscv64').items()}


def run(suite, args, work, emulators, kernels, rounds):
    """Prints one suite; returns rows for the JSON file."""
    rows = []
    if suite == 'guest':
        print(f'{"guest":14} {"user mode":>9} {"ours":>8} {"7.2":>8} {"11":>8}  times user mode')
        for name, m, ratio in suite_guest(args, work, emulators, kernels, rounds):
            cell = lambda who: f'{m[who]:8.3f}' if who in m else f'{"-":>8}'
            print(f'{name:14} {m["user"]:9.3f} {cell("ours")} {cell("q72")} {cell("q11")}  {ratio:8.2f}', flush=True)
            rows.append({'suite': suite, 'name': name, 'seconds': m, 'ratio': ratio})
        logs = [r['ratio'] for r in rows]
        print(f'guest: geometric mean {statistics.geometric_mean(logs):.2f} times user mode, most {max(logs):.2f}\n')
    elif suite == 'vcpus':
        for who, speed in suite_vcpus(args, work, emulators, kernels, rounds):
            print(f'two vCPUs: {who:5} {speed:.2f} times the work of one', flush=True)
            rows.append({'suite': suite, 'name': who, 'ratio': speed})
    elif suite == 'greeting':
        for who, ms in suite_greeting(args, work, emulators, kernels, rounds):
            print(f'QMP greeting: {who:5} {ms:.1f} ms', flush=True)
            rows.append({'suite': suite, 'name': who, 'ms': ms})
    else:
        print(f'{"memory, MiB":14} {"ours":>8} {"7.2":>8} {"11":>8}')
        for name, m in suite_memory(args, work, emulators, kernels, rounds):
            cell = lambda who: f'{m[who]:8.1f}' if who in m else f'{"-":>8}'
            print(f'{name:14} {cell("ours")} {cell("q72")} {cell("q11")}', flush=True)
            rows.append({'suite': suite, 'name': name, 'mib': m})
    return rows
