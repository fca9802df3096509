#!/usr/bin/env python3
"""boot_linux.py EMULATOR GUEST TEST: boots Debian's kernel and lets the guest test itself.

TEST: smoke, disk (written by the guest, compared and checked here), net (TCP both ways through user networking,
checksums compared), smp (four vCPUs), pci / mmio variants as in TESTS below. GUEST is made by scripts/guest-linux;
without it the test is skipped (77). --repeat N boots N times.
"""
import argparse
import hashlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

MIB = 1 << 20


class Failed(Exception):
    pass


def boot(args, run, options, append='', smp=1, timeout=150):
    machine = args.machine or ('pc' if 'x86_64' in args.emulator.name else 'virt')
    console = 'ttyAMA0' if args.emulator.name.endswith(('aarch64', '-arm')) else 'ttyS0'
    command = [args.emulator, '-M', machine, '-m', '512M', '-smp', str(smp), '-nographic', '-no-reboot', '-kernel', args.guest / 'kernel',
               '-initrd', args.guest / 'initrd.gz', '-append', f'console={console} quiet run={run} {append}'.strip(), *options]
    process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    timer = threading.Timer(timeout, process.kill)
    timer.start()
    try:
        for line in process.stdout:
            yield line.decode(errors='replace').rstrip()
        status = process.wait()
    finally:
        timer.cancel()
        process.kill()
    if status:
        raise Failed(f'the emulator ended with status {status}')


def collect(lines, run):
    text = list(lines)
    if f'guest-test {run}: exit 0' not in '\n'.join(text):
        raise Failed('the guest did not report success:\n' + '\n'.join(text[-25:]))
    return text


def value(lines, word):
    for line in lines:
        match = re.fullmatch(word + r' ([0-9a-f]{64})', line)
        if match:
            return match.group(1)
    raise Failed(f"no line '{word} …' from the guest")


def smoke(args, work, smp=1):
    text = collect(boot(args, 'smoke', [], smp=smp), 'smoke')
    if not any(f'{smp} cpus' in line for line in text):
        raise Failed(f'the guest does not see {smp} CPUs')


def with_drive(devices):
    """-device options; the last one has the drive."""
    return [word for n, device in enumerate(devices)
            for word in ('-device', device + (',drive=d0' if n == len(devices) - 1 else ''))]


def cdrom(args, work, *devices):
    image, data, tree = work / 'cd.iso', os.urandom(4 * MIB), work / 'tree'
    tree.mkdir()
    (tree / 'from-host').write_bytes(data)
    maker = shutil.which('xorriso') or sys.exit(77)
    subprocess.run([maker, '-as', 'mkisofs', '-quiet', '-o', image, tree], check=True)
    text = collect(boot(args, 'cdrom', ['-drive', f'if=none,id=d0,media=cdrom,file={image}', *with_drive(devices)]), 'cdrom')
    if value(text, 'from-host') != hashlib.sha256(data).hexdigest():
        raise Failed('the guest read something else than is on the CD')


def disk(args, work, *devices):
    image, data = work / 'disk.img', os.urandom(4 * MIB)
    tree = work / 'tree'
    tree.mkdir()
    (tree / 'from-host').write_bytes(data)
    image.write_bytes(b'')
    os.truncate(image, 64 * MIB)
    subprocess.run(['mkfs.ext4', '-q', '-F', '-d', tree, image], check=True)
    text = collect(boot(args, 'disk', ['-blockdev', f'driver=raw,node-name=d0,file.driver=file,file.filename={image}',
                                       *with_drive(devices)]), 'disk')
    if value(text, 'from-host') != hashlib.sha256(data).hexdigest():
        raise Failed('the guest read something else than is on the disk')
    check = subprocess.run(['e2fsck', '-f', '-n', image], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if check.returncode:
        raise Failed('the file system is not clean:\n' + check.stdout.decode())
    subprocess.run(['debugfs', '-R', f'dump /from-guest {work}/from-guest', image], stderr=subprocess.DEVNULL, check=True)
    if hashlib.sha256((work / 'from-guest').read_bytes()).hexdigest() != value(text, 'from-guest'):
        raise Failed('the disk holds something else than the guest wrote')


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def net(args, work, device, *before):
    received, payload = hashlib.sha256(), os.urandom(4 * MIB)
    server = socket.create_server(('127.0.0.1', 0))
    forward = free_port()

    def serve():
        peer, _ = server.accept()
        with peer:
            while data := peer.recv(65536):
                received.update(data)

    def send():
        # The guest says so just before it listens: try until somebody has taken the data.
        while not done.wait(1):
            try:
                with socket.create_connection(('127.0.0.1', forward), timeout=60) as peer:
                    peer.sendall(payload)
                    peer.shutdown(socket.SHUT_WR)
                    peer.recv(1)
            except OSError:
                pass

    done = threading.Event()
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    lines = []
    options = [*before, '-netdev', f'user,id=n0,hostfwd=tcp:127.0.0.1:{forward}-:5555', '-device', device + ',netdev=n0']
    for line in boot(args, 'net', options, f'port={server.getsockname()[1]}'):
        lines.append(line)
        if line == 'listening':
            thread.join(60)
            threading.Thread(target=send, daemon=True).start()
        elif line.startswith('received'):
            done.set()
    text = collect(lines, 'net')
    if value(text, 'sent') != received.hexdigest():
        raise Failed('the host received something else than the guest sent')
    if value(text, 'received') != hashlib.sha256(payload).hexdigest():
        raise Failed('the guest received something else than the host sent')


def numa(args, work):
    """Two nodes of 192 and 320 MiB, three processors in the first and one in the second. The kernel keeps some memory for itself."""
    options = ['-object', 'memory-backend-ram,id=m0,size=192M', '-object', 'memory-backend-ram,id=m1,size=320M', '-numa', 'node,memdev=m0,cpus=0-1,cpus=3',
               '-numa', 'node,memdev=m1,cpus=2', '-numa', 'dist,src=0,dst=1,val=33']
    text = collect(boot(args, 'numa', options, smp=4), 'numa')
    for node, cpus, mib, distance in ((0, '0-1,3', 192, '10 33'), (1, '2', 320, '33 10')):
        found = [re.fullmatch(rf'node{node}: cpus {cpus} mib (\d+) distance {distance}', line) for line in text]
        sizes = [int(m[1]) for m in found if m]
        if len(sizes) != 1 or not mib - 120 < sizes[0] <= mib:
            raise Failed(f'node {node} is not as it was said:\n' + '\n'.join(text[-12:]))


TESTS = {
    'numa': lambda a, w: numa(a, w),
    'smoke': lambda a, w: smoke(a, w),
    'smp': lambda a, w: smoke(a, w, smp=4),
    'compat': lambda a, w: collect(boot(a, 'compat', []), 'compat'),
    'disk-pci': lambda a, w: disk(a, w, 'virtio-blk-pci'),
    'disk-pci-packed': lambda a, w: disk(a, w, 'virtio-blk-pci,packed=on,disable-legacy=on'),
    'disk-pci-legacy': lambda a, w: disk(a, w, 'virtio-blk-pci,disable-modern=on,event_idx=off,indirect_desc=off'),
    'disk-mmio': lambda a, w: disk(a, w, 'virtio-blk-device'),
    'disk-virtio-scsi': lambda a, w: disk(a, w, 'virtio-scsi-pci', 'scsi-hd'),
    'disk-virtio-scsi-mmio': lambda a, w: disk(a, w, 'virtio-scsi-device', 'scsi-hd'),
    'disk-ahci': lambda a, w: disk(a, w, 'ich9-ahci,id=ahci', 'ide-hd,bus=ahci.0'),
    'disk-pci-iommu': lambda a, w: disk(a, w, 'virtio-blk-pci,iommu_platform=on,disable-legacy=on'),
    'disk-nvme': lambda a, w: disk(a, w, 'nvme,serial=nvme-1'),
    'disk-usb': lambda a, w: disk(a, w, 'qemu-xhci', 'usb-storage'),
    'cdrom-virtio-scsi': lambda a, w: cdrom(a, w, 'virtio-scsi-pci', 'scsi-cd'),
    'cdrom-ahci': lambda a, w: cdrom(a, w, 'ich9-ahci,id=ahci', 'ide-cd,bus=ahci.1'),
    'net-pci': lambda a, w: net(a, w, 'virtio-net-pci'),
    'net-pci-iommu': lambda a, w: net(a, w, 'virtio-net-pci,iommu_platform=on,disable-legacy=on'),
    'net-e1000': lambda a, w: net(a, w, 'e1000'),
    'net-rtl8139': lambda a, w: net(a, w, 'rtl8139'),
    'net-bridge': lambda a, w: net(a, w, 'rtl8139,bus=b1,addr=3', '-M', 'q35', '-device', 'pcie-root-port,id=r1', '-device',
                                   'pcie-pci-bridge,id=b1,bus=r1'),
    'net-dmi-bridge': lambda a, w: net(a, w, 'rtl8139,bus=b2,addr=2', '-M', 'q35', '-device', 'i82801b11-bridge,id=b1,addr=1e.0', '-device',
                                       'pci-bridge,id=b2,bus=b1,addr=1,chassis_nr=2'),
    'net-mmio': lambda a, w: net(a, w, 'virtio-net-device,mrg_rxbuf=off'),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('emulator', type=pathlib.Path)
    parser.add_argument('guest', type=pathlib.Path)
    parser.add_argument('test', choices=TESTS)
    parser.add_argument('--machine', help='-M; virt, or pc')
    parser.add_argument('--repeat', type=int, default=1)
    args = parser.parse_args()
    if not (args.guest / 'initrd.gz').exists():
        print('the guest is not there: scripts/guest-linux makes it')
        sys.exit(77)
    for number in range(args.repeat):
        work = pathlib.Path(tempfile.mkdtemp(prefix='boot-linux-'))
        try:
            TESTS[args.test](args, work)
        except Failed as problem:
            sys.exit(f'{args.test}, boot {number + 1}: {problem}')
        finally:
            shutil.rmtree(work)
    print(f'{args.test}: {args.repeat} boots')


if __name__ == '__main__':
    main()
