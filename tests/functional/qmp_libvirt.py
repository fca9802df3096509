#!/usr/bin/env python3
"""What libvirt does: its questions to -M none, and a domain's command line as it writes it."""
import os
import socket
import subprocess
import tempfile
from emulator import BINARY, Emulator, Qmp, check, check_equal, finish


def test_probe():
    with Emulator(machine='none') as vm:
        q = vm.qmp
        version = q.ok('query-version')
        check(version['qemu']['major'] >= 7, 'version')
        commands = {c['name'] for c in q.ok('query-commands')}
        for name in ['qmp_capabilities', 'query-status', 'stop', 'cont', 'system_reset', 'system_powerdown', 'quit',
                     'query-chardev', 'query-cpus-fast', 'query-block', 'qom-list', 'qom-get', 'qom-set', 'device_add',
                     'device_del', 'object-add', 'object-del', 'netdev_add', 'netdev_del', 'getfd', 'closefd', 'add-fd',
                     'blockdev-add', 'blockdev-del', 'query-iothreads', 'set-action', 'query-hotpluggable-cpus',
                     'chardev-add', 'chardev-remove', 'human-monitor-command', 'inject-nmi', 'set_link']:
            check(name in commands, f'command {name}')
        check_equal(q.ok('query-target'), {'arch': 'riscv64'}, 'query-target')
        q.ok('query-qmp-schema')
        types = {t['name'] for t in q.ok('qom-list-types')}
        for name in ['virtio-blk-pci', 'virtio-net-pci', 'virtio-rng-pci', 'pcie-root-port', 'memory-backend-ram',
                     'rng-random', 'secret', 'iothread', 'virtconsole', 'virtio-balloon-pci']:
            check(name in types, f'type {name}')
        for name in ['virtio-blk-pci', 'virtio-net-pci', 'pcie-root-port', 'virtio-rng-pci']:
            props = {p['name'] for p in q.ok('device-list-properties', typename=name)}
            check(props, f'properties of {name}')
        q.error('device-list-properties', 'not found', cls='DeviceNotFound', typename='qxl')
        machines = {m['name']: m for m in q.ok('query-machines')}
        check('virt' in machines and machines['virt']['cpu-max'] >= 8, 'query-machines')
        q.ok('qom-list-properties', typename='virt-machine')
        q.ok('qom-list-properties', typename='memory-backend-file')
        check('max' in {c['name'] for c in q.ok('query-cpu-definitions')}, 'query-cpu-definitions')
        check_equal(q.ok('query-kvm'), {'enabled': False, 'present': False}, 'query-kvm')
        for name in ['query-tpm-models', 'query-tpm-types']:
            check_equal(q.ok(name), [], name)
        check_equal(q.ok('query-migrate-capabilities'), [{'capability': 'events', 'state': False}], 'capabilities')
        q.ok('migrate-set-capabilities', capabilities=[{'capability': 'events', 'state': True}])
        check_equal(q.ok('query-migrate-capabilities')[0]['state'], True, 'migrate-set-capabilities')
        q.error('migrate-set-capabilities', 'xbzrle', capabilities=[{'capability': 'xbzrle', 'state': True}])
        for name in ['virtio-blk-pci-non-transitional', 'virtio-net-pci-transitional', 'tcg-accel']:
            check(name in types, f'type {name}: libvirt looks for it')
        check_equal({t['name'] for t in q.ok('qom-list-types', implements='accel')}, {'tcg-accel', 'qtest-accel'}, 'accelerators')
        options = {o['option']: {p['name'] for p in o['parameters']} for o in q.ok('query-command-line-options')}
        check({'guest', 'debug-threads'} <= options['name'], '-name')
        check('timestamp' in options['msg'], '-msg')
        check('strict' in options['boot-opts'], '-boot')
        check('mem-lock' in options['overcommit'], '-overcommit')
        check('sandbox' not in options, 'no system call filter is offered')


def test_domain():
    with tempfile.TemporaryDirectory() as tmp:
        disk, console, key = (os.path.join(tmp, n) for n in ('disk', 'console', 'key'))
        with open(disk, 'wb') as f:
            f.truncate(1 << 20)
        with open(key, 'wb') as f:
            f.write(os.urandom(32))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.path.join(tmp, 'monitor'))
        listener.listen(1)
        command = [
            BINARY, '-name', 'guest=test,debug-threads=on', '-S', '-object',
            '{"qom-type":"secret","id":"masterKey0","format":"raw","file":"%s"}' % key,
            '-machine', 'virt,usb=off,dump-guest-core=off,memory-backend=riscv_virt_board.ram', '-accel', 'tcg',
            '-cpu', 'rv64', '-m', 'size=262144k', '-object',
            '{"qom-type":"memory-backend-ram","id":"riscv_virt_board.ram","size":268435456}',
            '-overcommit', 'mem-lock=off', '-smp', '2,sockets=2,cores=1,threads=1', '-uuid',
            '22222222-3333-4444-5555-666666666666', '-display', 'none', '-no-user-config', '-nodefaults', '-chardev',
            f'socket,id=charmonitor,fd={listener.fileno()},server=on,wait=off', '-mon',
            'chardev=charmonitor,id=monitor,mode=control', '-rtc', 'base=utc', '-no-shutdown', '-boot', 'strict=on',
            '-device', '{"driver":"pcie-root-port","port":8,"chassis":1,"id":"pci.1","bus":"pcie.0","addr":"0x1"}',
            '-blockdev', '{"driver":"file","filename":"%s","node-name":"libvirt-1-storage","auto-read-only":true,'
            '"discard":"unmap"}' % disk,
            '-blockdev', '{"node-name":"libvirt-1-format","read-only":false,"driver":"raw","file":"libvirt-1-storage"}',
            '-device', '{"driver":"virtio-blk-pci","bus":"pci.1","addr":"0x0","drive":"libvirt-1-format",'
            '"id":"virtio-disk0","bootindex":1}',
            '-chardev', f'file,id=charserial0,path={console}', '-serial', 'chardev:charserial0',
            '-object', '{"qom-type":"rng-random","id":"objrng0","filename":"/dev/urandom"}',
            '-device', '{"driver":"virtio-rng-pci","rng":"objrng0","id":"rng0","bus":"pcie.0","addr":"0x2"}',
            '-device', '{"driver":"virtio-balloon-pci","id":"balloon0","bus":"pcie.0","addr":"0x3"}',
            '-object', '{"qom-type":"iothread","id":"iothread1"}', '-msg', 'timestamp=on',
        ]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, pass_fds=[listener.fileno()])
        listener.close()
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(os.path.join(tmp, 'monitor'))
            q = Qmp(client)
        except (OSError, EOFError, TimeoutError):
            process.kill()
            check(False, 'the domain starts: ' + process.stderr.read().decode())
            return
        check_equal(len(q.ok('query-cpus-fast')), 2, 'vCPUs')
        check_equal(q.ok('query-name'), {'name': 'test'}, 'name')
        threads = q.ok('query-iothreads')
        check(len(threads) == 1 and threads[0]['id'] == 'iothread1' and
              os.path.exists(f'/proc/{process.pid}/task/{threads[0]["thread-id"]}'), f'query-iothreads {threads}')
        disks = q.ok('query-block')
        check(any('virtio-disk0' in d.get('qdev', '') for d in disks), f'query-block {disks}')
        stats = {d.get('qdev'): d['stats'] for d in q.ok('query-blockstats')}
        disk_path = '/machine/peripheral/virtio-disk0/virtio-backend'
        check(disk_path in stats and stats[disk_path]['rd_bytes'] >= 0, f'query-blockstats {stats}')
        nodes = {n['node-name'] for n in q.ok('query-named-block-nodes')}
        check('libvirt-1-format' in nodes, f'nodes {nodes}')
        check(any(c['label'] == 'charserial0' for c in q.ok('query-chardev')), 'query-chardev')
        check_equal(q.ok('query-balloon'), {'actual': 256 << 20}, 'query-balloon')
        q.ok('balloon', value=128 << 20)
        q.error('balloon', 'expects a size', value=0)
        pci = q.ok('query-pci')
        slots = {d['qdev_id']: d for d in pci[0]['devices']}
        check('pci_bridge' in slots['pci.1'] and slots['pci.1']['slot'] == 1, f'query-pci {pci}')
        check_equal([d['qdev_id'] for d in slots['pci.1']['pci_bridge']['devices']], ['virtio-disk0'], 'behind the port')
        check_equal(slots['rng0']['id']['vendor'], 0x1af4, 'vendor')
        q.ok('object-del', id='masterKey0')
        q.ok('object-del', id='iothread1')
        check_equal(q.ok('query-iothreads'), [], 'the I/O thread is gone')
        q.ok('cont')
        q.wait_event('RESUME')
        q.ok('quit')
        check_equal(process.wait(10), 0, 'status')
        with open(console, 'rb') as f:
            f.read()
        process.stderr.close()


def main():
    test_probe()
    test_domain()
    finish()


main()
