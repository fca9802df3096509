#!/usr/bin/env python3
"""Block jobs of a storage daemon whose node is written by an NBD client meanwhile: mirror, backup with bitmaps, stream, commit; transactions.

Usage: block_jobs.py FOLDER_OF_TOOLS
"""
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time

TOOLS = os.path.abspath(sys.argv[1])
MIB = 1 << 20
checks = failures = 0


def check(ok, what):
    global checks, failures
    checks += 1
    if not ok:
        failures += 1
        print('FAILED: ' + what, file=sys.stderr)
    return ok


def tool(*args, ok=True):
    p = subprocess.run([f'{TOOLS}/{args[0]}', *args[1:]], capture_output=True, text=True, timeout=60)
    check((p.returncode == 0) == ok, f'{args}: status {p.returncode} {p.stdout} {p.stderr}')
    return p.stdout


class Daemon:
    running = None

    def __init__(self, *args):
        self.process = subprocess.Popen([f'{TOOLS}/qemu-storage-daemon', '--chardev', 'socket,id=m,path=qmp.sock,server=on,wait=off', '--monitor', 'chardev=m', *args])
        Daemon.running = self.process
        for _ in range(200):
            try:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.connect('qmp.sock')
                break
            except OSError:
                time.sleep(0.05)
        self.socket.settimeout(30)
        self.file = self.socket.makefile('rw')
        self.events = []
        self.file.readline()
        self.qmp('qmp_capabilities')

    def receive(self):
        return json.loads(self.file.readline())

    def qmp(self, command, fails=False, **arguments):
        self.file.write(json.dumps({'execute': command, 'arguments': {k.replace('_', '-'): v for k, v in arguments.items()}}) + '\n')
        self.file.flush()
        while True:
            answer = self.receive()
            if 'event' in answer:
                self.events.append(answer)
                continue
            check(('error' in answer) == fails, f'{command} {arguments}: {answer}')
            return answer.get('return', answer.get('error'))

    def wait(self, event, timeout=60):
        until = time.time() + timeout
        while time.time() < until:
            for i, e in enumerate(self.events):
                if e['event'] == event:
                    del self.events[:i + 1]
                    return e['data']
            answer = self.receive()
            if 'event' in answer:
                self.events.append(answer)
        raise TimeoutError(event)

    def states(self, job):
        return [e['data']['status'] for e in self.events if e['event'] == 'JOB_STATUS_CHANGE' and e['data']['id'] == job]

    def finished(self, job):
        """Its states, and how it ended."""
        data = None
        while True:
            e = self.receive()
            self.events.append(e)
            if e.get('event') in ('BLOCK_JOB_COMPLETED', 'BLOCK_JOB_CANCELLED') and e['data']['device'] == job:
                data = e
            if e.get('event') == 'JOB_STATUS_CHANGE' and e['data'] == {'status': 'null', 'id': job}:
                return data

    def end(self):
        self.qmp('quit')
        self.process.wait(60)
        check(self.process.returncode == 0, f'the daemon ends with status {self.process.returncode}')


def file_node(name, filename, driver='qcow2', **more):
    return ['--blockdev', json.dumps({'driver': driver, 'node-name': name, 'file': {'driver': 'file', 'filename': filename}, **more})]


class Writer:
    """Random writes over NBD while something else goes on; what the disk has in the end is known."""

    def __init__(self, size):
        self.content = bytearray(size)
        self.seed = random.Random(7)

    def write(self, n, limit=None):
        args = []
        for _ in range(n):
            bytes_ = self.seed.choice([512, 4096, 65536, 100000 // 512 * 512])
            at = self.seed.randrange((len(self.content) - bytes_) // 512) * 512
            value = self.seed.randrange(1, 256)
            self.content[at:at + bytes_] = bytes([value]) * bytes_
            args += ['-c', f'write -q -P {value} {at} {bytes_}']
        p = subprocess.run([f'{TOOLS}/qemu-io', '-f', 'raw', *args, 'nbd+unix:///src?socket=nbd.sock'], capture_output=True, text=True, timeout=60)
        check(p.returncode == 0 and 'failed' not in p.stdout, f'writes: {p.stdout} {p.stderr}')


def same(image, content, what, *options):
    tool('qemu-img', 'convert', '-O', 'raw', image, 'out.raw')
    with open('out.raw', 'rb') as f:
        data = f.read()
    where = next((i for i in range(0, len(content), 512) if data[i:i + 512] != content[i:i + 512]), None)
    check(len(data) == len(content) and where is None, f'{what}: {image} differs at {where}')


def export():
    return ['--nbd-server', 'addr.type=unix,addr.path=nbd.sock', '--export', 'type=nbd,id=e,node-name=src,name=src,writable=on']


def mirror(copy_mode):
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', 'src.qcow2', '16M')
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', 'dst.qcow2', '16M')
    d = Daemon(*file_node('src', 'src.qcow2'), *file_node('dst', 'dst.qcow2'), *export())
    w = Writer(16 * MIB)
    w.write(40)
    d.qmp('blockdev-mirror', job_id='j', device='src', target='dst', sync='full', speed=8 * MIB, copy_mode=copy_mode)
    w.write(40)
    job = d.qmp('query-block-jobs')[0]
    check(job['type'] == 'mirror' and job['device'] == 'j' and job['speed'] == 8 * MIB and not job['ready'], f'query-block-jobs: {job}')
    d.qmp('job-complete', id='j', fails=True)
    d.qmp('block-job-set-speed', device='j', speed=0)
    d.qmp('block-job-pause', device='j')
    d.qmp('job-pause', id='j', fails=True)
    w.write(20)
    d.qmp('job-resume', id='j')
    d.wait('BLOCK_JOB_READY')
    w.write(40)
    d.qmp('block-job-complete', device='j')
    end = d.finished('j')
    check(end['event'] == 'BLOCK_JOB_COMPLETED' and 'error' not in end['data'], f'{copy_mode}: {end}')
    states = d.states('j')
    check(states[-4:] == ['waiting', 'pending', 'concluded', 'null'], f'states {states}')
    before = bytes(w.content)
    w.write(20)  # to the target now
    d.end()
    same('dst.qcow2', w.content, f'mirror {copy_mode}')
    same('src.qcow2', before, f'mirror {copy_mode}: the source is as it was then')
    for image in ('src.qcow2', 'dst.qcow2'):
        tool('qemu-img', 'check', image)


def backup():
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', 'src.qcow2', '16M')
    for name in ('full', 'inc', 'none'):
        tool('qemu-img', 'create', '-q', '-f', 'qcow2', *(['-b', 'full.qcow2', '-F', 'qcow2'] if name == 'inc' else []), f'{name}.qcow2', '16M')
    d = Daemon(*file_node('src', 'src.qcow2'), *file_node('full', 'full.qcow2'), *file_node('inc', 'inc.qcow2', backing=None), *file_node('none', 'none.qcow2'), *export())
    w = Writer(16 * MIB)
    w.write(40)
    d.qmp('transaction', actions=[{'type': 'block-dirty-bitmap-add', 'data': {'node': 'src', 'name': 'b', 'granularity': 65536}},
                                  {'type': 'blockdev-backup', 'data': {'job-id': 'j', 'device': 'src', 'target': 'full', 'sync': 'full', 'speed': 4 * MIB}}])
    before = bytes(w.content)
    w.write(60)
    d.qmp('block-job-set-speed', device='j', speed=0)
    end = d.finished('j')
    check(end['event'] == 'BLOCK_JOB_COMPLETED' and 'error' not in end['data'], f'backup: {end}')
    d.qmp('block-dirty-bitmap-clear', node='src', name='no', fails=True)
    d.qmp('blockdev-backup', job_id='j', device='src', target='inc', sync='incremental', fails=True)
    middle = bytes(w.content)
    d.qmp('blockdev-backup', job_id='j', device='src', target='inc', sync='incremental', bitmap='b', speed=8 * MIB)
    d.qmp('block-dirty-bitmap-remove', node='src', name='b', fails=True)  # it is busy
    w.write(40)
    d.qmp('block-job-set-speed', device='j', speed=0)
    end = d.finished('j')
    check(end['event'] == 'BLOCK_JOB_COMPLETED' and 'error' not in end['data'], f'incremental backup: {end}')
    # A job that is cancelled gives the bitmap back what it had.
    node = next(n for n in d.qmp('query-named-block-nodes') if n['node-name'] == 'src')
    count = node['dirty-bitmaps'][0]['count']
    check(0 < count < 16 * MIB, f'dirty: {count}')
    d.qmp('blockdev-backup', job_id='j', device='src', target='none', sync='incremental', bitmap='b', speed=1)
    d.qmp('block-job-cancel', device='j')
    end = d.finished('j')
    check(end['event'] == 'BLOCK_JOB_CANCELLED', f'cancelled: {end}')
    node = next(n for n in d.qmp('query-named-block-nodes') if n['node-name'] == 'src')
    check(node['dirty-bitmaps'][0]['count'] == count, f'dirty after cancelling: {node["dirty-bitmaps"]}, before {count}')
    # Nothing of a transaction that fails stays.
    d.qmp('transaction', fails=True, actions=[{'type': 'block-dirty-bitmap-add', 'data': {'node': 'src', 'name': 'c'}},
                                              {'type': 'block-dirty-bitmap-clear', 'data': {'node': 'src', 'name': 'b'}}, {'type': 'abort', 'data': {}}])
    node = next(n for n in d.qmp('query-named-block-nodes') if n['node-name'] == 'src')
    check([b['name'] for b in node['dirty-bitmaps']] == ['b'] and node['dirty-bitmaps'][0]['count'] == count, f'after an abort: {node["dirty-bitmaps"]}')
    # A bitmap that does not record does not begin to.
    d.qmp('block-dirty-bitmap-disable', node='src', name='b')
    d.qmp('blockdev-backup', job_id='j', device='src', target='none', sync='bitmap', bitmap='b', bitmap_mode='never')
    check('error' not in d.finished('j')['data'], 'backup with a bitmap that is disabled')
    node = next(n for n in d.qmp('query-named-block-nodes') if n['node-name'] == 'src')
    check(not node['dirty-bitmaps'][0]['recording'] and node['dirty-bitmaps'][0]['count'] == count, f'disabled: {node["dirty-bitmaps"]}')
    d.end()
    same('full.qcow2', before, 'backup')
    same('inc.qcow2', middle, 'incremental backup')
    same('src.qcow2', w.content, 'the source')


def chain():
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', 'base.qcow2', '16M')
    tool('qemu-io', '-c', 'write -P 1 0 4M', 'base.qcow2')
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', 'base.qcow2', '-F', 'qcow2', 'mid.qcow2')
    tool('qemu-io', '-c', 'write -P 2 2M 4M', 'mid.qcow2')
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', 'mid.qcow2', '-F', 'qcow2', 'top.qcow2')
    start = bytearray(16 * MIB)
    start[:4 * MIB] = b'\1' * (4 * MIB)
    start[2 * MIB:6 * MIB] = b'\2' * (4 * MIB)
    return start


def info(image):
    return json.loads(tool('qemu-img', 'info', '--output=json', image))


def stream():
    w = Writer(16 * MIB)
    w.content = chain()
    d = Daemon(*file_node('src', 'top.qcow2'), *export())
    w.write(20)
    d.qmp('block-stream', job_id='j', device='src', base='base.qcow2', speed=4 * MIB)
    w.write(40)
    d.qmp('block-job-set-speed', device='j', speed=0)
    end = d.finished('j')
    check('error' not in end['data'], f'stream: {end}')
    w.write(10)
    d.end()
    check(info('top.qcow2').get('backing-filename') == 'base.qcow2', 'stream: the backing file is the base')
    os.rename('mid.qcow2', 'gone.qcow2')
    same('top.qcow2', w.content, 'stream')
    tool('qemu-img', 'check', 'top.qcow2')


def commit(active):
    w = Writer(16 * MIB)
    w.content = chain()
    d = Daemon(*file_node('src', 'top.qcow2'), *export())
    w.write(20)
    d.qmp('block-commit', job_id='j', device='src', speed=4 * MIB, **({} if active else {'top': 'mid.qcow2'}))
    w.write(40)
    d.qmp('block-job-set-speed', device='j', speed=0)
    if active:
        d.wait('BLOCK_JOB_READY')
        w.write(20)
        d.qmp('job-complete', id='j')
    end = d.finished('j')
    check(end['data']['type'] == 'commit' and 'error' not in end['data'], f'commit: {end}')
    w.write(20)
    d.end()
    os.rename('mid.qcow2', 'gone.qcow2')
    if active:
        os.rename('top.qcow2', 'gone2.qcow2')
        same('base.qcow2', w.content, 'active commit')
    else:
        check(info('top.qcow2').get('backing-filename') == 'base.qcow2', 'commit: the backing file is the base')
        same('top.qcow2', w.content, 'commit')
    tool('qemu-img', 'check', 'base.qcow2')


def snapshots():
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', 'src.qcow2', '16M')
    d = Daemon(*file_node('src', 'src.qcow2'), *export())
    w = Writer(16 * MIB)
    w.write(20)
    before = bytes(w.content)
    d.qmp('blockdev-snapshot-internal-sync', device='src', name='s')
    d.qmp('blockdev-snapshot-internal-sync', device='src', name='s', fails=True)
    d.qmp('blockdev-snapshot-sync', node_name='src', snapshot_file='over.qcow2', snapshot_node_name='over')
    w.write(20)
    d.end()
    same('src.qcow2', before, 'the image under a snapshot')
    same('over.qcow2', w.content, 'the image over it')
    check('s' in tool('qemu-img', 'snapshot', '-l', 'src.qcow2'), 'the internal snapshot')


def snapshot_access():
    """The disk of a moment ago is read while it is written."""
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', 'src.qcow2', '16M')
    tool('qemu-io', '-c', 'write -P 1 0 3M', '-c', 'write -P 2 8M 1M', 'src.qcow2')
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', 'old.qcow2', '16M')
    before = b'\1' * (3 * MIB) + bytes(5 * MIB) + b'\2' * MIB + bytes(7 * MIB)
    d = Daemon(*file_node('disk', 'src.qcow2'), *file_node('old', 'old.qcow2'),
               '--blockdev', 'driver=copy-before-write,node-name=src,file=disk,target=old', '--blockdev', 'driver=snapshot-access,node-name=then,file=src',
               *export(), '--export', 'type=nbd,id=t,node-name=then,name=then')
    w = Writer(16 * MIB)
    w.content[:] = before
    for _ in range(4):
        w.write(20)
        same('nbd+unix:///then?socket=nbd.sock', before, 'snapshot-access')
    tool('qemu-io', '-f', 'raw', '-c', 'write 0 512', 'nbd+unix:///then?socket=nbd.sock', ok=False)
    d.end()
    same('src.qcow2', w.content, 'copy-before-write')


def errors():
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', 'src.qcow2', '4M')
    tool('qemu-io', '-c', 'write -P 1 0 4M', 'src.qcow2')
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', 'dst.qcow2', '4M')
    fails = ['--blockdev', json.dumps({'driver': 'qcow2', 'node-name': 'dst', 'file': {
        'driver': 'blkdebug', 'image': {'driver': 'file', 'filename': 'dst.qcow2'}, 'inject-error': [{'event': 'write_aio', 'errno': 28, 'once': True}]}})]
    d = Daemon(*file_node('src', 'src.qcow2'), *fails, *export())
    d.qmp('blockdev-mirror', job_id='j', device='src', target='dst', sync='full')
    end = d.finished('j')
    check(end['data'].get('error') == 'No space left on device', f'a target without space: {end}')
    d.end()
    d = Daemon(*file_node('src', 'src.qcow2'), *fails)
    d.qmp('blockdev-backup', job_id='j', device='src', target='dst', sync='full', on_target_error='stop')
    error = d.wait('BLOCK_JOB_ERROR')
    check(error == {'device': 'j', 'operation': 'write', 'action': 'stop'}, f'stop: {error}')
    check(d.qmp('query-block-jobs')[0]['io-status'] == 'nospace', 'io-status')
    d.qmp('block-job-resume', device='j')
    end = d.finished('j')
    check('error' not in end['data'], f'it goes on: {end}')
    d.end()
    with open('out.raw', 'wb') as f:
        f.write(b'\1' * (4 * MIB))
    same('dst.qcow2', b'\1' * (4 * MIB), 'a backup that was stopped')
    d = Daemon(*file_node('src', 'src.qcow2'), *file_node('dst', 'dst.qcow2'))
    for command, arguments in (('blockdev-mirror', {'device': 'src', 'target': 'src', 'sync': 'full', 'job_id': 'j'}),
                               ('blockdev-mirror', {'device': 'src', 'target': 'no', 'sync': 'full', 'job_id': 'j'}),
                               ('blockdev-mirror', {'device': 'src', 'target': 'dst', 'sync': 'incremental', 'job_id': 'j'}),
                               ('block-stream', {'device': 'src', 'base': 'no', 'job_id': 'j'}), ('block-commit', {'device': 'src', 'job_id': 'j'}),
                               ('job-cancel', {'id': 'j'}), ('block-job-cancel', {'device': 'j'}), ('block-job-pause', {'device': 'j'})):
        d.qmp(command, fails=True, **arguments)
    d.qmp('blockdev-backup', job_id='j', device='src', target='dst', sync='full', auto_finalize=False, auto_dismiss=False)
    d.wait('BLOCK_JOB_PENDING')
    check(d.qmp('query-jobs')[0]['status'] == 'pending', 'pending')
    d.qmp('job-finalize', id='j')
    d.wait('BLOCK_JOB_COMPLETED')
    check(d.qmp('query-jobs')[0]['status'] == 'concluded', 'concluded')
    d.qmp('job-dismiss', id='j')
    check(d.qmp('query-jobs') == [], 'dismissed')
    d.end()


def main():
    os.chdir(tempfile.mkdtemp(prefix='jobs-'))
    for test, *args in ((mirror, 'background'), (mirror, 'write-blocking'), (backup,), (stream,), (commit, False), (commit, True), (snapshots,), (snapshot_access,), (errors,)):
        try:
            test(*args)
        except (OSError, TimeoutError, ValueError, KeyError, StopIteration) as e:
            check(False, f'{test.__name__} {args}: {type(e).__name__} {e}')
            Daemon.running.kill()
            Daemon.running.wait()
        for f in os.listdir('.'):
            os.unlink(f)
    print(f'{checks} checks, {failures} failed')
    return 1 if failures or not checks else 0


sys.exit(main())
