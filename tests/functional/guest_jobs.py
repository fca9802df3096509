#!/usr/bin/env python3
"""Block jobs under a guest that writes without pause: mirror to another image, snapshots, commit of the image in use, backup.

The guest writes sectors 1 to 1999 in order, over and over, each with its number and the round. So an image is a point in time if the rounds in it
go down once at most, by one.

Usage: guest_jobs.py SYSTEM_EMULATOR FOLDER_OF_TOOLS
"""
import json
import os
import subprocess
import sys
import tempfile
import time

EMULATOR, TOOLS = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
SECTORS = 2000
checks = failures = 0

# Real mode: for round 0, 1, …: for sector 1 … 1999: fill the buffer with sector + round * 65536, int 13h function 43h. On an error: the exit port.
GUEST = bytes.fromhex('31c08ed88ec08ed0bc007cfc6631ed66bb010000006689d86601e8bf0080b9800066f3abbe007a66c7041000010066c744040080000066895c0866c7440c00000000'
                      'b80043b280cd13721a66436681fbd007000072bf66bb010000006681c500000100ebb0baf400b001eef4ebf7')


def check(ok, what):
    global checks, failures
    checks += 1
    if not ok:
        failures += 1
        print('FAILED: ' + what, file=sys.stderr)


def tool(*args):
    p = subprocess.run([f'{TOOLS}/{args[0]}', *args[1:]], capture_output=True, text=True, timeout=60)
    check(p.returncode == 0, f'{args}: status {p.returncode} {p.stdout} {p.stderr}')
    return p.stdout


class Machine:
    def __init__(self, *args):
        self.process = subprocess.Popen([EMULATOR, '-display', 'none', '-nic', 'none', '-m', '32', '-device', 'isa-debug-exit,iobase=0xf4,iosize=1', '-qmp', 'stdio',
                                         *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.events = []
        self.process.stdout.readline()
        self.qmp('qmp_capabilities')

    def receive(self):
        line = self.process.stdout.readline()
        if not line:
            raise OSError('the emulator has ended')
        return json.loads(line)

    def qmp(self, command, **arguments):
        self.process.stdin.write(json.dumps({'execute': command, 'arguments': {k if 'ps_' in k else k.replace('_', '-'): v for k, v in arguments.items()}}) + '\n')
        self.process.stdin.flush()
        while True:
            answer = self.receive()
            if 'event' not in answer:
                check('return' in answer, f'{command} {arguments}: {answer}')
                return answer.get('return')
            self.events.append(answer)

    def wait(self, event):
        while True:
            for i, e in enumerate(self.events):
                if e['event'] == event:
                    del self.events[:i + 1]
                    return e['data']
            answer = self.receive()
            if 'event' in answer:
                self.events.append(answer)

    def written(self):
        return sum(s['stats']['wr_operations'] for s in self.qmp('query-blockstats'))

    def let_it_write(self, n):
        start, until = self.written(), time.time() + 60
        while self.written() < start + n and time.time() < until:
            time.sleep(0.05)
        check(self.written() >= start + n, 'the guest goes on writing')

    def end(self):
        self.qmp('stop')
        self.qmp('quit')
        self.process.wait(60)
        check(self.process.returncode == 0, f'status {self.process.returncode}')


def cut(image, fmt):
    """How many writes an image has, if it is a point in time."""
    tool('qemu-img', 'convert', '-f', fmt, '-O', 'raw', image, 'out.raw')
    with open('out.raw', 'rb') as f:
        data = f.read(SECTORS * 512)
    rounds, count = [], 0
    for i in range(1, SECTORS):
        sector = data[i * 512:(i + 1) * 512]
        value = int.from_bytes(sector[:4], 'little')
        if sector != sector[:4] * 128 or (value and value & 0xffff != i):
            check(False, f'{image}: sector {i} has {value:x}')
            return None
        rounds.append(-1 if not value else value >> 16)
        count += rounds[-1] + 1
    steps = [(a, b) for a, b in zip(rounds, rounds[1:]) if a != b]
    check(len(steps) <= 1 and all(a == b + 1 for a, b in steps), f'{image} is no point in time: rounds change {steps[:5]}')
    return count


def disk(fmt, name='src'):
    with open('boot.raw', 'wb') as f:
        f.write(GUEST.ljust(510, b'\0') + b'\x55\xaa' + bytes(4 * 1024 * 1024 - 512))
    tool('qemu-img', 'convert', '-f', 'raw', '-O', fmt, 'boot.raw', f'{name}.{fmt}')
    return f'{name}.{fmt}'


def mirror(fmt, by_node, copy_mode):
    src = disk(fmt)
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', 'dst.qcow2', '4M')
    if by_node:
        m = Machine('-blockdev', json.dumps({'driver': fmt, 'node-name': 'n', 'file': {'driver': 'file', 'filename': src}}), '-device', 'virtio-blk-pci,drive=n,id=v')
    else:
        m = Machine('-drive', f'file={src},format={fmt},if=virtio,id=n')
    m.let_it_write(50)
    m.qmp('blockdev-add', driver='qcow2', node_name='t', file={'driver': 'file', 'filename': 'dst.qcow2'})
    m.qmp('blockdev-mirror', job_id='j', device='n', target='t', sync='full', copy_mode=copy_mode)
    m.wait('BLOCK_JOB_READY')
    m.let_it_write(100)
    m.qmp('block-job-complete', device='j')
    end = m.wait('BLOCK_JOB_COMPLETED')
    check('error' not in end and end['type'] == 'mirror', f'mirror: {end}')
    inserted = [d['inserted'] for d in m.qmp('query-block') if 'inserted' in d]
    check(any(i['file'] == 'dst.qcow2' for i in inserted), f'the drive is on the target: {inserted}')
    m.let_it_write(100)
    m.end()
    old, new = cut(src, fmt), cut('dst.qcow2', 'qcow2')
    check(old is not None and new is not None and new > old, f'{fmt}: {old} writes on the source, {new} on the target')
    tool('qemu-img', 'check', 'dst.qcow2')


def snapshot_and_commit():
    src = disk('qcow2')
    m = Machine('-drive', f'file={src},format=qcow2,if=virtio,id=n')
    m.let_it_write(50)
    m.qmp('blockdev-snapshot-sync', device='n', snapshot_file='over.qcow2')
    m.let_it_write(100)
    m.qmp('block-commit', job_id='j', device='n')
    m.wait('BLOCK_JOB_READY')
    m.let_it_write(50)
    m.qmp('job-complete', id='j')
    end = m.wait('BLOCK_JOB_COMPLETED')
    check('error' not in end and end['type'] == 'commit', f'commit: {end}')
    done = m.written()
    m.let_it_write(100)
    m.end()
    os.unlink('over.qcow2')
    writes = cut(src, 'qcow2')
    check(writes is not None and writes >= done + 99, f'commit: {writes} writes on the image below, {done} when the job was over')
    tool('qemu-img', 'check', src)


def backup():
    src = disk('raw')
    m = Machine('-drive', f'file={src},format=raw,if=virtio,id=n')
    m.let_it_write(50)
    m.qmp('drive-backup', job_id='j', device='n', target='copy.qcow2', format='qcow2', sync='full', speed=1 << 20)
    m.let_it_write(50)
    m.qmp('block-job-set-speed', device='j', speed=0)
    end = m.wait('BLOCK_JOB_COMPLETED')
    check('error' not in end, f'backup: {end}')
    m.let_it_write(50)
    m.end()
    copy, now = cut('copy.qcow2', 'qcow2'), cut(src, 'raw')
    check(copy is not None and now is not None and now > copy, f'backup: {copy} writes in the copy, {now} on the disk')


def limits():
    """Limits are shown, shared and changed, and the guest goes on."""
    src = disk('raw')
    m = Machine('-drive', f'file={src},format=raw,if=virtio,id=n,throttling.iops-write=2000,throttling.bps-total=10000000,throttling.bps-total-max=20000000')
    shown = next(d['inserted'] for d in m.qmp('query-block') if d['device'] == 'n')
    check((shown['iops_wr'], shown['bps'], shown['bps_max'], shown['bps_rd'], shown['group']) == (2000, 10000000, 20000000, 0, 'n'), f'limits: {shown}')
    m.let_it_write(50)
    m.qmp('block_set_io_throttle', device='n', bps=0, bps_rd=0, bps_wr=0, iops=500, iops_rd=0, iops_wr=0, group='g')
    shown = next(d['inserted'] for d in m.qmp('query-block') if d['device'] == 'n')
    check((shown['iops'], shown['iops_wr'], shown['bps'], shown['group']) == (500, 0, 0, 'g'), f'limits: {shown}')
    m.let_it_write(50)
    m.qmp('block_set_io_throttle', device='n', bps=0, bps_rd=0, bps_wr=0, iops=0, iops_rd=0, iops_wr=0)
    shown = next(d['inserted'] for d in m.qmp('query-block') if d['device'] == 'n')
    check(shown['iops'] == 0 and 'group' not in shown, f'no limits: {shown}')
    m.let_it_write(50)
    # A request that would wait for minutes is let through when its limit goes.
    m.qmp('block_set_io_throttle', device='n', bps=0, bps_rd=0, bps_wr=1, iops=0, iops_rd=0, iops_wr=0)
    before = -1
    while before != m.written():
        before = m.written()
        time.sleep(0.3)
    m.qmp('block_set_io_throttle', device='n', bps=0, bps_rd=0, bps_wr=0, iops=0, iops_rd=0, iops_wr=0)
    m.let_it_write(50)
    m.end()
    check(cut(src, 'raw') is not None, 'what was written')
    for bad in ('throttling.bps-total=1,throttling.bps-read=1', 'throttling.iops-total-max=5', 'iops=x', 'throttling.bogus=1'):
        p = subprocess.run([EMULATOR, '-display', 'none', '-drive', f'file={src},format=raw,if=none,{bad}'], capture_output=True, text=True, timeout=60)
        check(p.returncode == 1 and len(p.stderr.strip().splitlines()) == 1, f'{bad}: {p.returncode} {p.stderr}')


def main():
    os.chdir(tempfile.mkdtemp(prefix='guest-jobs-'))
    os.environ['MALLOC_PERTURB_'] = '165'  # what is used after it was freed is told from what it was
    for test, *args in ((mirror, 'qcow2', False, 'background'), (mirror, 'raw', False, 'background'), (mirror, 'qcow2', True, 'write-blocking'),
                        (mirror, 'raw', True, 'background'), (snapshot_and_commit,), (backup,), (limits,)):
        try:
            test(*args)
        except (OSError, ValueError, KeyError) as e:
            check(False, f'{test.__name__} {args}: {type(e).__name__} {e}')
        for f in os.listdir('.'):
            os.unlink(f)
    print(f'{checks} checks, {failures} failed')
    return 1 if failures or not checks else 0


sys.exit(main())
