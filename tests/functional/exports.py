#!/usr/bin/env python3
"""Exports by QMP: NBD from the emulator (drives, named nodes, nodes that are NBD themselves) and from the storage daemon.

Usage: exports.py SYSTEM_EMULATOR FOLDER_OF_TOOLS
"""
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

from emulator import Emulator, Qmp, check, check_equal, finish

TOOLS = os.path.abspath(sys.argv[2])
DAEMON = f'{TOOLS}/qemu-storage-daemon'
MIB = 1024 * 1024


def tool(name, *args, status=0):
    p = subprocess.run([f'{TOOLS}/{name}', *args], capture_output=True, text=True, timeout=60)
    check_equal(p.returncode, status, f'{name} {args}: {p.stdout} {p.stderr}')
    return p.stdout + p.stderr


def io(uri, *commands, status=0, readonly=False):
    return tool('qemu-io', *(['-r'] if readonly else []), '-f', 'raw', *[x for c in commands for x in ('-c', c)], uri, status=status)


class Daemon:
    def __init__(self, *args):
        self.dir = tempfile.TemporaryDirectory(prefix='storage-daemon-')
        self.qmp_path = os.path.join(self.dir.name, 'qmp')
        self.process = subprocess.Popen([DAEMON, '--chardev', f'socket,id=m,path={self.qmp_path},server=on,wait=off', '--monitor', 'm', *args], stderr=subprocess.PIPE)
        end = time.time() + 20
        while True:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(self.qmp_path)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                sock.close()
                if time.time() > end or self.process.poll() is not None:
                    raise RuntimeError('the daemon does not listen: ' + self.process.stderr.read().decode())
                time.sleep(0.005)
        self.qmp = Qmp(sock)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        self.qmp.sock.close()
        self.dir.cleanup()


def address(path):
    return {'type': 'unix', 'data': {'path': path}}


def test_commands(qmp, nbd):
    """The same in both programs."""
    qmp.error('nbd-server-stop', 'NBD server not running')
    qmp.ok('nbd-server-start', addr=address(nbd))
    check_equal(tool('qemu-nbd', '-L', '-k', nbd), 'exports available: 0\n', 'a server before there is a node')
    qmp.ok('nbd-server-stop')
    qmp.ok('blockdev-add', driver='null-co', node_name='n0', size=MIB, **{'=read-zeroes': True})
    qmp.error('block-export-add', 'NBD server not running', type='nbd', id='e0', node_name='n0')
    qmp.ok('nbd-server-start', addr=address(nbd))
    qmp.error('nbd-server-start', 'NBD server already running', addr=address(nbd))
    qmp.ok('block-export-add', type='nbd', id='e0', node_name='n0')
    qmp.error('block-export-add', "Block export id 'e0' is already in use", type='nbd', id='e0', node_name='n0')
    qmp.error('block-export-add', "NBD server already has export named 'n0'", type='nbd', id='e1', node_name='n0')
    qmp.error('block-export-add', "node-name='nx'", type='nbd', id='e1', node_name='nx')
    qmp.error('block-export-add', "Parameter 'bogus' is unexpected", type='nbd', id='e1', node_name='n0', bogus=1)
    qmp.error('block-export-add', "Bitmap 'b' is not found", type='nbd', id='e1', node_name='n0', name='x', bitmaps=['b'])
    qmp.error('nbd-server-add', "NBD server already has export named 'n0'", device='n0')
    qmp.ok('nbd-server-add', device='n0', name='foo', writable=True)
    check_equal(qmp.ok('query-block-exports'), [{'node-name': 'n0', 'shutting-down': False, 'type': 'nbd', 'id': 'foo'},
                                               {'node-name': 'n0', 'shutting-down': False, 'type': 'nbd', 'id': 'e0'}], 'exports')
    out = tool('qemu-nbd', '-L', '-k', nbd)
    check('exports available: 2' in out and "export: 'n0'" in out and "export: 'foo'" in out, f'list: {out}')
    io(f'nbd+unix:///foo?socket={nbd}', 'read -P 0 0 64k', 'write 0 64k')
    check('write access' in io(f'nbd+unix:///n0?socket={nbd}', 'write 0 64k', status=1), 'a read-only export')
    client = subprocess.Popen([f'{TOOLS}/qemu-io', '-r', '-f', 'raw', f'nbd+unix:///n0?socket={nbd}'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    client.stdin.write('read 0 64k\n')
    client.stdin.flush()
    client.stdout.readline()
    qmp.error('block-export-del', "export 'e0' still in use", id='e0')
    qmp.ok('block-export-del', id='e0', mode='hard')
    check_equal(qmp.wait_event('BLOCK_EXPORT_DELETED')['data'], {'id': 'e0'}, 'event')
    out, _ = client.communicate('read 0 64k\nquit\n', timeout=30)
    check('read failed: Input/output error' in out, f'its client loses it: {out}')
    qmp.error('block-export-del', "Export 'e0' is not found", id='e0')
    qmp.ok('nbd-server-remove', name='foo')
    qmp.error('nbd-server-remove', "Export 'foo' is not found", name='foo')
    qmp.ok('nbd-server-stop')
    check(not os.path.exists(nbd), 'the socket is removed')
    # With exports and a client that stays.
    qmp.ok('nbd-server-start', addr=address(nbd), max_connections=1)
    qmp.ok('block-export-add', type='nbd', id='e0', node_name='n0', writable=True)
    with socket.socket(socket.AF_UNIX) as c:
        c.connect(nbd)
        c.recv(18)
        qmp.ok('nbd-server-stop')
        check_equal(c.recv(1), b'', 'the client is ended')
    check_equal(qmp.ok('query-block-exports'), [], 'no exports')
    qmp.ok('blockdev-del', node_name='n0')


def test_emulator():
    with Emulator('-drive', 'file=x.raw,if=none,id=x0,format=raw', '-blockdev', 'driver=qcow2,node-name=q0,file.driver=file,file.filename=q.qcow2') as e:
        nbd = e.path('nbd')
        test_commands(e.qmp, nbd)
        e.qmp.ok('nbd-server-start', addr=address(nbd))
        e.qmp.ok('nbd-server-add', device='x0', writable=True)
        e.qmp.ok('block-export-add', type='nbd', id='q', node_name='q0', writable=True)
        io(f'nbd+unix:///x0?socket={nbd}', 'write -P 5 64k 64k')
        io(f'nbd+unix:///q0?socket={nbd}', 'write -P 6 1M 64k', 'read -P 6 1M 64k', 'flush')
        # Somebody else's drive and node by NBD.
        inner = json.dumps({'driver': 'raw', 'node-name': 'r', 'file': {'driver': 'nbd', 'export': 'q0', 'server': {'type': 'unix', 'path': nbd}}})
        with Emulator('-drive', f'file=nbd:unix:{nbd}:exportname=x0,if=none,id=d0,format=raw', '-blockdev', inner, '-device', 'virtio-blk-pci,drive=r,id=v', machine='pc') as other:
            node = next(n for n in other.qmp.ok('query-block') if n.get('inserted', {}).get('node-name') == 'r')
            check_equal(node['inserted']['file'], f'nbd+unix:///q0?socket={nbd}', 'its name')
            other.qmp.ok('nbd-server-start', addr=address(other.path('nbd')))
            other.qmp.error('block-export-add', 'Conflicts with use by', type='nbd', id='r', node_name='r', writable=True)
            other.qmp.ok('block-export-add', type='nbd', id='r', node_name='r')
            io(f'nbd+unix:///r?socket={other.path("nbd")}', 'read -P 6 1M 64k', 'read -P 0 0 1M', readonly=True)
            other.qmp.ok('block-export-add', type='nbd', id='d', node_name='d0', writable=True)
            io(f'nbd+unix:///d0?socket={other.path("nbd")}', 'read -P 5 64k 64k', 'write -P 7 0 64k')
        e.qmp.ok('quit')
        e.wait()
        check(not os.path.exists(nbd), 'the socket is removed at the end')
    tool('qemu-io', '-f', 'raw', '-c', 'read -P 7 0 64k', '-c', 'read -P 5 64k 64k', 'x.raw')
    tool('qemu-io', '-c', 'read -P 6 1M 64k', 'q.qcow2')
    tool('qemu-img', 'check', 'q.qcow2')


def test_mirror():
    """A job of one daemon copies to an export of another, as moving a guest's disks does."""
    nbd = os.path.abspath('mirror-nbd')
    tool('qemu-img', 'create', '-q', '-f', 'raw', 'from.raw', '16M')
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', 'to.qcow2', '16M')
    tool('qemu-io', '-f', 'raw', '-c', 'write -P 3 1M 2M', '-c', 'write -P 4 12M 64k', 'from.raw')
    with Daemon('--blockdev', 'driver=qcow2,node-name=t,discard=unmap,file.driver=file,file.filename=to.qcow2', '--nbd-server', f'addr.type=unix,addr.path={nbd}',
                '--export', 'nbd,id=e,node-name=t,writable=on,name=d') as to:
        with Daemon('--blockdev', 'driver=raw,node-name=s,file.driver=file,file.filename=from.raw') as source:
            source.qmp.ok('blockdev-add', driver='nbd', node_name='t', export='d', server={'type': 'unix', 'path': nbd})
            source.qmp.ok('blockdev-mirror', job_id='j', device='s', target='t', sync='full')
            source.qmp.wait_event('BLOCK_JOB_READY')
            source.qmp.ok('job-complete', id='j')
            done = source.qmp.wait_event('BLOCK_JOB_COMPLETED')['data']
            check('error' not in done, f'mirror: {done}')
            source.qmp.ok('quit')
            source.process.wait(20)
        to.qmp.ok('quit')
        to.process.wait(20)
    tool('qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2', 'from.raw', 'to.qcow2')
    rows = json.loads(tool('qemu-img', 'map', '--output=json', 'to.qcow2'))
    check_equal(sum(r['length'] for r in rows if r['data']), 2 * MIB + 65536, 'holes stay holes')


def test_hmp():
    with Emulator('-drive', 'file=x.raw,if=none,id=x0,format=raw') as e:
        nbd = e.path('nbd')
        for line, answer in (('nbd_server_stop', 'Error: NBD server not running'), ('nbd_server_start foo', "Error: error parsing address 'foo'"), (f'nbd_server_start -w unix:{nbd}', 'Error: -w only valid together with -a'),
                             (f'nbd_server_start -a -w unix:{nbd}', ''), (f'nbd_server_start unix:{nbd}', 'Error: NBD server already running'), ('nbd_server_add nobody', "node-name='nobody'"),
                             ('nbd_server_add x0 again', '')):
            check(answer in e.qmp.hmp(line), line)
        io(f'nbd+unix:///x0?socket={nbd}', 'write -P 8 0 64k')
        io(f'nbd+unix:///again?socket={nbd}', 'read -P 8 0 64k', readonly=True)
        check_equal([e.qmp.hmp(line) for line in ('nbd_server_remove again', 'nbd_server_remove -f x0', 'nbd_server_stop')], ['', '', ''], 'ends')


def test_tls():
    """Credentials and who may connect, as objects of the emulator."""
    if 'GNUTLS' in tool('qemu-nbd', '--object', 'tls-creds-anon,id=t', '/nonexistent', status=1):
        return
    with open('keys.psk', 'w') as f:
        f.write('alice:0123456789abcdef0123456789abcdef\nbob:00112233445566778899aabbccddeeff\n')
    here = os.getcwd()
    with Emulator('-object', f'tls-creds-psk,id=t,endpoint=server,dir={here}', '-object', 'authz-simple,id=z,identity=alice') as e:
        nbd = e.path('nbd')
        e.qmp.ok('blockdev-add', driver='null-co', node_name='n0', size=MIB, **{'=read-zeroes': True})
        e.qmp.error('nbd-server-start', "No TLS credentials with id 'x'", addr=address(nbd), tls_creds='x')
        e.qmp.ok('object-add', qom_type='tls-creds-anon', id='c', endpoint='client')
        e.qmp.error('nbd-server-start', 'Expecting TLS credentials with a server endpoint', addr=address(nbd), tls_creds='c')
        e.qmp.ok('object-del', id='c')
        e.qmp.ok('nbd-server-start', addr=address(nbd), tls_creds='t', tls_authz='z')
        e.qmp.ok('block-export-add', type='nbd', id='e0', node_name='n0')
        opts = f'driver=raw,file.driver=nbd,file.path={nbd},file.export=n0,file.tls-creds=t'
        for user, status in (('alice', 0), ('bob', 1)):
            tool('qemu-img', 'info', '--object', f'tls-creds-psk,id=t,endpoint=client,dir={here},username={user}', '--image-opts', opts, status=status)
        check('Server requires TLS' in tool('qemu-img', 'info', f'nbd:unix:{nbd}:exportname=n0', status=1), 'without TLS')
        # A drive that is somebody else's by TLS.
        with Emulator('-object', f'tls-creds-psk,id=t,endpoint=client,dir={here},username=alice',
                      '-blockdev', json.dumps({'driver': 'nbd', 'node-name': 'r', 'read-only': True, 'export': 'n0', 'tls-creds': 't', 'server': {'type': 'unix', 'path': nbd}})) as other:
            check_equal([n['inserted']['image']['virtual-size'] if 'inserted' in n else n['image']['virtual-size'] for n in other.qmp.ok('query-named-block-nodes')], [MIB], 'a drive by TLS')


def test_daemon():
    nbd = os.path.abspath('sd-nbd')
    with Daemon() as d:
        test_commands(d.qmp, nbd)
        d.qmp.ok('blockdev-add', driver='file', filename='q.qcow2', node_name='f')
        d.qmp.ok('blockdev-add', driver='qcow2', file='f', node_name='q')
        nodes = {n['node-name']: n for n in d.qmp.ok('query-named-block-nodes')}
        check_equal((nodes['q']['drv'], nodes['q']['children'], nodes['f']['image']['virtual-size'] > 0), ('qcow2', [{'child': 'file', 'node-name': 'f'}], True), 'nodes')
        d.qmp.error('blockdev-del', 'Node f is in use', node_name='f')
        d.qmp.ok('blockdev-del', node_name='q')
        d.qmp.ok('blockdev-del', node_name='f')
        d.qmp.error('blockdev-del', "Failed to find node with node-name='f'", node_name='f')
        d.qmp.ok('object-add', qom_type='secret', id='s', data='x')
        d.qmp.error('object-add', 'duplicate', qom_type='secret', id='s', data='x')
        d.qmp.ok('object-del', id='s')
        check('human-monitor-command' not in json.dumps(d.qmp.ok('query-commands')), 'no HMP')
        check(len(d.qmp.ok('query-qmp-schema')) > 50, 'schema')
        d.qmp.ok('quit')
        check_equal(d.process.wait(20), 0, 'status')

    args = ['--blockdev', 'driver=qcow2,node-name=q,file.driver=file,file.filename=' + os.path.abspath('q.qcow2'), '--nbd-server', f'addr.type=unix,addr.path={nbd}',
            '--export', 'nbd,id=e,node-name=q,writable=on,name=foo,allocation-depth=on', '--daemonize', '--pidfile', os.path.abspath('pid')]
    tool('qemu-storage-daemon', *args)
    pid = int(open('pid').read())
    io(f'nbd+unix:///foo?socket={nbd}', 'write -P 9 0 64k', 'read -P 9 0 64k', 'read -P 6 1M 64k')
    os.kill(pid, signal.SIGTERM)
    end = time.time() + 20
    while os.path.exists('pid') and time.time() < end:
        time.sleep(0.01)
    check(not os.path.exists('pid') and not os.path.exists(nbd), 'pid file and socket are removed')
    tool('qemu-img', 'check', 'q.qcow2')
    tool('qemu-io', '-c', 'read -P 9 0 64k', 'q.qcow2')

    # Daemons leave their folder: what was named relative to it is found all the same.
    tool('qemu-storage-daemon', '--blockdev', 'driver=null-co,node-name=n', '--nbd-server', 'addr.type=unix,addr.path=rel', '--export', 'vhost-user-blk,id=v,node-name=n,addr.type=unix,addr.path=relv',
         '--daemonize', '--pidfile', 'pid')
    os.kill(int(open('pid').read()), signal.SIGTERM)
    end = time.time() + 20
    while os.path.exists('pid') and time.time() < end:
        time.sleep(0.01)
    check(not os.path.exists('pid') and not os.path.exists('rel') and not os.path.exists('relv'), 'relative names')
    open('precious', 'w').write('x')
    check('Address already in use' in tool('qemu-storage-daemon', '--nbd-server', 'addr.type=unix,addr.path=precious', status=1) and open('precious').read() == 'x', 'a file is no socket')

    for args, message in ((['--foo'], 'unrecognized option'), (['x'], 'x: Unexpected argument'), (['--blockdev', 'foo'], "--blockdev foo: "), (['--monitor', 'x'], '--monitor x: chardev "x" not found'),
                          (['--export', 'nbd,id=a,node-name=x'], "--export nbd,id=a,node-name=x: Cannot find device='' nor node-name='x'"), (['--nbd-server', 'tls-creds=x'], "--nbd-server tls-creds=x: "),
                          (['--blockdev', 'driver=null-co,node-name=a', '--export', 'foo,id=e,node-name=a'], "Parameter 'type' does not accept value 'foo'"),
                          (['--blockdev', 'driver=file,filename=/nonexistent/x,node-name=a'], "Could not open '/nonexistent/x'"), (['--object', 'foo,id=a'], '--object foo,id=a: '),
                          (['--monitor', 'chardev=x,mode=readline'], 'Only QMP is supported'), (['--daemonize', '--blockdev', 'foo'], '--blockdev foo')):
        out = tool('qemu-storage-daemon', *args, status=1)
        check(message in out, f'{args}: {out}')


def main():
    os.chdir(tempfile.mkdtemp(prefix='exports-'))
    tool('qemu-img', 'create', '-q', '-f', 'raw', 'x.raw', '4M')
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', 'q.qcow2', '4M')
    test_emulator()
    test_mirror()
    test_hmp()
    test_tls()
    test_daemon()
    finish()


main()
