#!/usr/bin/env python3
"""Drives and media: names and places of -drive, trays and media through QMP and HMP, snapshots, wrong options.

The tables were checked against the reference: EMULATOR may be its binary."""
import os
import tempfile
from emulator import Emulator, check, check_equal, finish, run

BAD = [
    (['-drive', 'if=none,format=raw'], 'A block device must be specified for "file"'),
    (['-drive', 'if=scsi,index=3,unit=2'], 'index cannot be used with bus and unit'),
    (['-drive', 'if=ide,bus=0,unit=2'], 'unit 2 too big (max is 1)'),
    (['-drive', 'if=ide,index=1', '-drive', 'if=ide,bus=0,unit=1'], 'drive with bus=0, unit=1 (index='),
    (['-drive', 'if=tape'], "unsupported bus type 'tape'"),
    (['-drive', 'if=none,media=paper'], "'paper' invalid media"),
    (['-device', 'scsi-hd'], None),
    (['-device', 'nvme', '-drive', 'if=none,id=d'], 'serial property not set'),
    (['-drive', 'if=none,id=d', '-device', 'virtio-blk-device,drive=d'], 'Device needs media, but drive is empty'),
    (['-drive', 'if=none,id=d', '-device', 'ich9-ahci,id=s', '-device', 'ide-hd,bus=s.0,drive=d'], 'Device needs media, but drive is empty'),
    (['-device', 'ich9-ahci,id=s', '-device', 'ide-cd,bus=s.0', '-device', 'ide-cd,bus=s.0'], None),
    (['-device', 'ich9-ahci,id=s', '-device', 'ide-cd,bus=s.0,unit=1'], "Can't create IDE unit 1, bus supports only 1 unit"),
    (['-device', 'virtio-scsi-pci', '-device', 'scsi-cd,scsi-id=300'], 'bad scsi device id: 300'),
    (['-device', 'virtio-scsi-pci', '-device', 'scsi-cd,scsi-id=1,lun=2', '-device', 'scsi-cd,scsi-id=1,lun=2'], 'lun already used by'),
    (['-device', 'virtio-scsi-pci,num_queues=0'], 'Invalid number of queues'),
    (['-drive', 'if=none,werror=perhaps'], "'perhaps' invalid write error action"),
    (['-drive', 'if=none,rerror=enospc'], "'enospc' invalid read error action"),
    (['-drive', 'if=floppy'], None),
]


def image(folder, name, size):
    path = os.path.join(folder, name)
    with open(path, 'wb') as f:
        f.truncate(size)
    return path


def test_bad():
    for args, text in BAD:
        status, out, err = run('-M', 'virt', '-nodefaults', '-display', 'none', '-S', '-bios', 'none', *args)
        lines = err.strip().split('\n')
        check_equal(status, 1, f'status of {args}')
        check_equal(len(lines), 1, f'lines of {args}: {err}')
        check(text is None or text in err, f'{args}: {err!r}, expected {text!r}')


def test_names(tmp):
    with Emulator('-drive', 'if=none', '-drive', 'if=none,media=cdrom', '-drive', 'if=none,id=mine', '-drive', 'if=none,index=7',
                  machine='none') as vm:
        check_equal([b['device'] for b in vm.qmp.ok('query-block')], ['none0', 'none1', 'mine', 'none7'], 'names')
        check(all('inserted' not in b for b in vm.qmp.ok('query-block')), 'nothing is inserted')


def by_qdev(q, name):
    return next(b for b in q.ok('query-block') if b.get('qdev') == name)


def test_media(tmp):
    first, second, third = (image(tmp, n, s) for n, s in (('a.iso', 4096), ('b.iso', 8192), ('c.iso', 5000)))
    with Emulator('-bios', 'none', '-device', 'virtio-scsi-pci,id=s', '-drive', f'if=none,id=d,media=cdrom,format=raw,file={first}',
                  '-device', 'scsi-cd,drive=d,id=cd0', '-blockdev', f'driver=file,node-name=n0,filename={second},read-only=on',
                  '-device', 'scsi-cd,drive=n0,id=cd1', '-device', 'scsi-cd,id=cd2', '-blockdev', f'driver=null-co,node-name=hd,size=65536',
                  '-device', 'scsi-hd,drive=hd,id=hd', machine='virt') as vm:
        q = vm.qmp
        cd = by_qdev(q, 'cd0')
        check_equal((cd['device'], cd['removable'], cd['tray_open'], cd['locked']), ('d', True, False, False), 'cd0')
        check_equal(cd['inserted']['image']['virtual-size'], 4096, 'size')
        check(cd['inserted']['ro'], 'a CD is read only')
        check_equal(by_qdev(q, 'hd')['removable'], False, 'a disk stays')
        q.error('eject', 'is not removable', id='hd')
        q.error('eject', "Device 'nobody' not found", cls='DeviceNotFound', id='nobody')
        q.error('eject', "Need exactly one of 'device' and 'id'")
        q.error('blockdev-remove-medium', "is not open", id='cd0')
        # A node goes when its tray has opened and it has been taken out.
        q.error('blockdev-del', 'in use', node_name='n0')
        q.ok('blockdev-open-tray', id='cd1')
        event = q.wait_event('DEVICE_TRAY_MOVED')
        check_equal(event['data'], {'device': '', 'id': 'cd1', 'tray-open': True}, 'event')
        check(by_qdev(q, 'cd1')['tray_open'] and 'inserted' in by_qdev(q, 'cd1'), 'open, still there')
        q.ok('blockdev-remove-medium', id='cd1')
        check('inserted' not in by_qdev(q, 'cd1'), 'taken out')
        q.ok('blockdev-del', node_name='n0')
        q.ok('blockdev-add', driver='raw', node_name='n1', read_only=True, file={'driver': 'file', 'filename': third})
        q.error('blockdev-insert-medium', "Node 'zz' not found", id='cd1', node_name='zz')
        q.ok('blockdev-insert-medium', id='cd1', node_name='n1')
        q.error('blockdev-insert-medium', "Node 'n1' is already in use", id='cd1', node_name='n1')
        q.ok('blockdev-close-tray', id='cd1')
        check_equal(by_qdev(q, 'cd1')['inserted']['image']['virtual-size'], 5120, 'whole sectors')
        check_equal(by_qdev(q, 'cd1')['inserted']['node-name'], 'n1', 'node')
        q.ok('blockdev-change-medium', id='cd2', filename=second, format='raw')
        check_equal(by_qdev(q, 'cd2')['inserted']['file'], second, 'an empty drive gets a medium')
        q.error('blockdev-change-medium', 'Could not open', id='cd2', filename=os.path.join(tmp, 'absent'))
        check_equal(by_qdev(q, 'cd2')['inserted']['file'], second, 'and keeps it')
        q.ok('eject', device='d')
        check_equal(q.hmp('change d ' + second), '', 'HMP change')
        check(second in q.hmp('info block'), 'info block')
        check_equal(q.hmp('eject d'), '', 'HMP eject')
        check('[not inserted]' in q.hmp('info block') and 'tray open' in q.hmp('info block'), 'ejected')
        check('not found' in q.hmp('eject nobody'), 'HMP error')


def test_snapshot(tmp):
    path = image(tmp, 'disk', 1 << 20)
    for args in (['-snapshot', '-drive', f'if=none,id=d,format=raw,file={path}'],
                 ['-drive', f'if=none,id=d,format=raw,snapshot=on,file={path}']):
        with Emulator('-bios', 'none', *args, '-device', 'virtio-blk-device,drive=d', machine='virt') as vm:
            check_equal(vm.qmp.ok('query-block')[0]['inserted']['ro'], False, 'writable')
            # The file itself is only read: somebody else may have it too.
            with Emulator('-bios', 'none', '-drive', f'if=none,id=d,format=raw,readonly=on,file={path}', machine='virt') as other:
                check(other.qmp.ok('query-status'), 'two readers')


def main():
    test_bad()
    with tempfile.TemporaryDirectory() as tmp:
        test_names(tmp)
        test_media(tmp)
        test_snapshot(tmp)
    finish()


main()
