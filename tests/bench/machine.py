"""machine.py: measurements of whole machines and of the emulator as a process, for run.py.

  guest      the kernel suite inside a booted guest, in processor time of the emulator between two marks on the serial
             line; beside it our own user mode with the same file (goal: at most 1.3 times)
  make       `make -j2` of a C project by Debian's gcc on two vCPUs, processor time between two marks
  vcpus      throughput of two vCPUs against one: the same kernel once alone, then twice at the same time: wall time, which wants a quiet machine,
             and processor time for twice the work, which is what the second vCPU costs in itself
  greeting   from start to the QMP greeting, wall time, and processor time of that
  memory     peak resident memory, of a static program's start and of a booted machine
"""
import json
import os
import pathlib
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
SUITES = ('guest', 'make', 'vcpus', 'greeting', 'memory')
DEBIAN = {'x86_64': 'amd64', 'aarch64': 'arm64'}  # its name of the architecture, where it differs
CONSOLE = {'aarch64': 'ttyAMA0'}  # of the kernel; elsewhere ttyS0
LOADER_DIR = {'x86_64': 'lib64', 'aarch64': 'lib'}

# The boards of each architecture, the first for everything but booting.
BOARDS = {
    'riscv64': {'virt': ['-M', 'virt']},
    'aarch64': {'virt': ['-M', 'virt', '-cpu', 'cortex-a72']},
    'x86_64': {'pc': ['-M', 'pc'], 'q35': ['-M', 'q35'], 'microvm': ['-M', 'microvm']},
}
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


def emulator_name(args):
    return 'qemu-system-' + args.arch


def need_guest(args):
    guest = pathlib.Path(args.guest)
    if not (guest / 'initrd.gz').exists():
        subprocess.run([SOURCE / 'scripts/guest-linux', '--arch', DEBIAN.get(args.arch, args.arch), '--out', guest], check=True)
    return guest


def quiet(emulator):
    return emulator + ['-accel', 'tcg', '-display', 'none', '-monitor', 'none', '-nic', 'none']


def tsc_khz(work):
    """The frequency of this machine's time-stamp counter, which the references' guests see."""
    source, program = work / 'tsc.c', work / 'tsc'
    if not program.exists():
        source.write_text("""
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec; }
int main(void)
{
    double begin = now();
    unsigned long long from = __rdtsc();
    while (now() - begin < 0.5) { }
    printf("%.0f\\n", (double)(__rdtsc() - from) / (now() - begin) / 1e3);
    return 0;
}
""")
        subprocess.run(['gcc', '-O2', '-o', program, source], check=True)
    return subprocess.run([program], check=True, capture_output=True, text=True).stdout.strip()


def extra(who, board, work):
    """What a kernel of a reference's microvm has to be told: that board has nothing to measure the time-stamp counter with (no PM timer, HPET or
    port 61h), and Linux, which then has no timer, waits for ever. Ours says it itself."""
    return f' tsc_early_khz={tsc_khz(work)}' if board == 'microvm' and who != 'ours' else ''


def machine(args, emulator, guest, initrd, run, smp, board=None, serial='stdio', append=''):
    boards = BOARDS[args.arch]
    return quiet(emulator) + boards[board or next(iter(boards))] + [
        '-m', '512M', '-smp', str(smp), '-serial', serial, '-no-reboot', '-kernel', str(guest / 'kernel'), '-initrd', str(initrd),
        '-append', f'console={CONSOLE.get(args.arch, "ttyS0")} quiet run={run}{append}']


RESET = bytes([0xb0, 0xfe, 0xe6, 0x64])  # mov al, 0xfe; out 0x64, al: the keyboard controller resets


def boot_sector(work):
    """A disk whose boot sector asks for a reset, which ends the emulator under -no-reboot; without a keyboard controller (microvm) by a triple fault."""
    path = work / 'boot-sector'
    code = RESET + bytes([0x0e, 0x1f, 0x0f, 0x01, 0x1e, 0xe0, 0x7d, 0xcc])  # push cs; pop ds; lidt [7de0h] (zeros); int3
    path.write_bytes((code + bytes(510 - len(code)) + b'\x55\xaa').ljust(1 << 20, b'\0'))
    return path


def efi_disk(work):
    """A FAT file system whose \\EFI\\BOOT\\BOOTX64.EFI asks for a reset, too: a PE32+ image of one section (PE format specification, 2.4 to 4)."""
    image, program = work / 'efi-disk', work / 'bootx64.efi'
    code = RESET + bytes([0xeb, 0xfe])  # jmp to itself
    section = struct.pack('<8sIIIIIIHHI', b'.text', len(code), 0x1000, 0x200, 0x200, 0, 0, 0, 0, 0x60000020)
    optional = struct.pack('<HBBIIIIIQIIHHHHHHIIIIHHQQQQII', 0x20b, 0, 0, 0x200, 0, 0, 0x1000, 0x1000, 0, 0x1000, 0x200, 0, 0, 0, 0, 0, 0, 0,
                           0x2000, 0x200, 0, 10, 0, 0x10000, 0x1000, 0, 0, 0, 0)
    header = b'MZ'.ljust(60, b'\0') + struct.pack('<I', 64) + b'PE\0\0' + struct.pack('<HHIIIHH', 0x8664, 1, 0, 0, 0, len(optional), 0x22)
    program.write_bytes((header + optional + section).ljust(0x200, b'\0') + code.ljust(0x200, b'\0'))
    image.unlink(missing_ok=True)
    for command in (['mformat', '-C', '-f', '1440'], ['mmd', '::EFI'], ['mmd', '::EFI/BOOT'], ['mcopy', program, '::EFI/BOOT/BOOTX64.EFI']):
        subprocess.run([command[0], '-i', image, *command[1:], *(['::'] if command[0] == 'mformat' else [])], check=True)
    return image


def firmware(emulator, board, disk):
    drive = ['-drive', f'file={disk},format=raw,snapshot=on' + (',if=none,id=disk' if board == 'microvm' else '')]
    return quiet(emulator) + BOARDS['x86_64'][board] + ['-serial', 'null', '-no-reboot', *drive,
                                                        *(['-bios', '/usr/share/seabios/bios-microvm.bin', '-device', 'virtio-blk-device,drive=disk']
                                                          if board == 'microvm' else [])]


def uefi(emulator, disk):
    flash = [f'-drive if=pflash,unit={unit},format=raw,snapshot=on,file=/usr/share/OVMF/OVMF_{part}_4M.fd'.split()
             for unit, part in enumerate(('CODE', 'VARS'))]
    return quiet(emulator) + BOARDS['x86_64']['q35'] + ['-m', '256M', '-serial', 'null', '-no-reboot', *flash[0], *flash[1],
                                                        '-drive', f'file={disk},format=raw,snapshot=on']


def processor_seconds(pid):
    return time.clock_gettime((~pid) << 3 | 2)  # clock_getcpuclockid(3)


def marks(command, clock):
    """{name: seconds} between "begin NAME" and "end NAME" lines, by clock(pid), which may be several; and the other lines."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    begin, spent, text = {}, {}, []
    for line in process.stdout:
        now = clock(process.pid)
        word = line.decode(errors='replace').split()
        if len(word) == 2 and word[0] == 'begin':
            begin[word[1]] = now
        elif len(word) == 2 and word[0] == 'end':
            before = begin[word[1]]
            spent[word[1]] = tuple(n - b for n, b in zip(now, before)) if isinstance(now, tuple) else now - before
        else:
            text.append(line.decode(errors='replace').rstrip())
    process.wait()
    return spent, text


def suite_guest(args, work, emulators, kernels, rounds):
    guest = need_guest(args)
    names = [n for n in rounds if n not in SKIP_IN_GUEST]
    script = ''.join(f'echo begin {n}; /kernels {n} {rounds[n]}; echo end {n}\n' for n in names)
    initrd = make_initrd(work, guest, kernels, 'guest-kernels', script)
    seconds = {}
    for _ in range(args.repeat):
        for who, emulator in emulators(emulator_name(args)).items():
            spent, _ = marks(machine(args, emulator, guest, initrd, 'guest-kernels', 1), processor_seconds)
            for name, value in spent.items():
                seconds.setdefault(name, {}).setdefault(who, []).append(value)
        for name in names:
            user = emulators('qemu-' + args.arch)['ours'] + [str(kernels), name, str(rounds[name])]
            before = os.times()
            subprocess.run(user, stdout=subprocess.DEVNULL, check=True)
            after = os.times()
            seconds.setdefault(name, {}).setdefault('user', []).append(
                after.children_user + after.children_system - before.children_user - before.children_system)
    for name in names:
        m = {who: statistics.median(v) for who, v in seconds[name].items()}
        yield name, m, m['ours'] / m['user']


def compiler_disk(work, arch):
    """A file system with Debian's gcc and make, and the project to build."""
    debian = DEBIAN.get(arch, arch)
    image, root = work / f'compiler-{debian}.img', work / f'compiler-root-{debian}'
    if not image.exists():
        subprocess.run([SOURCE / 'scripts/debian-fetch', '--arch', debian, '--into', root, '--deps', 'dash', 'make', 'gcc-14', 'libc6-dev'], check=True)
        subprocess.run([sys.executable, HERE / 'programs/make-project.py', root / 'project'], check=True)
        folder = LOADER_DIR.get(arch, 'lib')
        for link, to in {'usr/bin/sh': 'dash', folder: f'usr/{folder}'}.items():
            (root / link).unlink(missing_ok=True)
            (root / link).symlink_to(to)
        for name in ('proc', 'tmp', 'dev'):
            (root / name).mkdir(exist_ok=True)
        part = work / 'compiler.part'
        subprocess.run(['mke2fs', '-q', '-t', 'ext4', '-d', root, part, '600M'], check=True)
        part.rename(image)
    return image


def suite_make(args, work, emulators, kernels, rounds):
    """{who: seconds}; what the built program prints must be equal everywhere."""
    guest = need_guest(args)
    disk = compiler_disk(work, args.arch)
    script = ('mount -o ro /dev/vda /mnt; mount -t tmpfs tmp /mnt/tmp; mount --bind /dev /mnt/dev; mount -t proc proc /mnt/proc\n'
              'mkdir /mnt/tmp/out; export PATH=/usr/bin:/bin; mark() { /bin/busybox echo "$@"; }\n'
              'mark begin make; chroot /mnt make -s -j2 -f /project/Makefile -C /tmp/out || mark failed; mark end make\n'
              'echo result $(chroot /mnt /tmp/out/program)\n')
    initrd = make_initrd(work, guest, kernels, 'make', script)
    seconds, results = {}, {}
    for _ in range(args.repeat):
        for who, emulator in emulators(emulator_name(args)).items():
            spent, text = marks(machine(args, emulator, guest, initrd, 'make', 2) + ['-drive', f'file={disk},format=raw,if=virtio,snapshot=on'],
                                processor_seconds)
            seconds.setdefault(who, []).append(spent['make'])
            results.setdefault(who, set()).add(next((line for line in text if line.startswith('result ')), 'nothing built'))
    same = len(set().union(*results.values())) == 1 and 'nothing built' not in results['ours']
    return {who: statistics.median(v) for who, v in seconds.items()}, same


def suite_vcpus(args, work, emulators, kernels, rounds):
    guest = need_guest(args)
    command = f'/kernels integer {4 * rounds["integer"]}'
    script = f'{command}; echo begin one; {command}; echo end one; echo begin two; {command} & {command}; wait; echo end two\n'
    initrd = make_initrd(work, guest, kernels, 'vcpus', script)
    for who, emulator in emulators(emulator_name(args)).items():
        speed = {'wall': [], 'processor': []}
        for _ in range(args.repeat):
            spent, _ = marks(machine(args, emulator, guest, initrd, 'vcpus', 2), lambda pid: (time.monotonic(), processor_seconds(pid)))
            for i, values in enumerate(speed.values()):
                values.append(2 * spent['one'][i] / spent['two'][i])
        yield who, *(statistics.median(values) for values in speed.values())


def greeting_seconds(args, emulator):
    """(wall, processor) seconds until the QMP greeting of a machine that does not run."""
    with tempfile.TemporaryDirectory() as place:
        path = f'{place}/qmp'
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        begin = time.monotonic()
        process = subprocess.Popen(quiet(emulator) + next(iter(BOARDS[args.arch].values())) + ['-serial', 'null', '-S', '-qmp', f'unix:{path}'],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        peer, _ = listener.accept()
        json.loads(peer.makefile().readline())
        spent = time.monotonic() - begin, processor_seconds(process.pid)
        process.kill()
        process.wait()
        return spent


def suite_greeting(args, work, emulators, kernels, rounds):
    times = {}
    for _ in range(4 * args.repeat):
        for who, emulator in emulators(emulator_name(args)).items():
            times.setdefault(who, []).append(greeting_seconds(args, emulator))
    for who, values in times.items():
        yield who, *(1000 * statistics.median(column) for column in zip(*values))


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
    guest = need_guest(args)
    jobs = {}
    for name in ('integer', 'tree', 'threads'):
        jobs[f'kernel {name}'] = ('qemu-' + args.arch, [str(kernels), name, '2'])
    for name, (emulator, tail) in jobs.items():
        yield name, {who: statistics.median(peak_mib(e + tail) for _ in range(3)) for who, e in emulators(emulator).items()}
    for smp in (1, 4):
        yield f'boot smp {smp}', {who: peak_mib(machine(args, e, guest, guest / 'initrd.gz', 'nothing', smp))
                                  for who, e in emulators(emulator_name(args)).items()}


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
    elif suite == 'make':
        m, same = suite_make(args, work, emulators, kernels, rounds)
        ratio = min([m[who] for who in m if who != 'ours'], default=float('nan')) / m['ours']
        print('make -j2: ' + ', '.join(f'{who} {value:.2f} s' for who, value in m.items()) + f'; better reference / ours {ratio:.2f}'
              + ('' if same else '  WRONG: results differ'), flush=True)
        rows.append({'suite': suite, 'name': 'make -j2', 'seconds': m, 'ratio': ratio, 'bad': not same})
    elif suite == 'vcpus':
        for who, speed, share in suite_vcpus(args, work, emulators, kernels, rounds):
            print(f'two vCPUs: {who:5} {speed:.2f} times the work of one; twice the work in {2 / share:.2f} times the processor time', flush=True)
            rows.append({'suite': suite, 'name': who, 'ratio': speed, 'processor_ratio': share})
    elif suite == 'greeting':
        for who, ms, processor_ms in suite_greeting(args, work, emulators, kernels, rounds):
            print(f'QMP greeting: {who:5} {ms:.1f} ms, {processor_ms:.1f} ms of processor time', flush=True)
            rows.append({'suite': suite, 'name': who, 'ms': ms, 'processor_ms': processor_ms})
    else:
        print(f'{"memory, MiB":14} {"ours":>8} {"7.2":>8} {"11":>8}')
        for name, m in suite_memory(args, work, emulators, kernels, rounds):
            cell = lambda who: f'{m[who]:8.1f}' if who in m else f'{"-":>8}'
            print(f'{name:14} {cell("ours")} {cell("q72")} {cell("q11")}', flush=True)
            rows.append({'suite': suite, 'name': name, 'mib': m})
    return rows
