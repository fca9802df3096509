#!/usr/bin/env python3
"""What libvirt does with PCs: its probe of the types, and a domain's command line as virt-install and it write it."""
import collections
import os
import socket
import subprocess
import tempfile
from emulator import BINARY, Emulator, Qmp, check, check_equal, finish


def test_probe():
    with Emulator(machine='none') as vm:
        q = vm.qmp
        types = {t['name'] for t in q.ok('qom-list-types')}
        listed = 0
        for name in sorted(types):
            for command in ['device-list-properties', 'qom-list-properties']:
                answer = q.call(command, typename=name)
                count = collections.Counter(p['name'] for p in answer.get('return', []))
                listed += len(count)
                check(not count or max(count.values()) == 1, f'{command} {name}: one of {count} twice: libvirt refuses the program')
        check(listed > 500, f'{listed} properties of {len(types)} types')
        for name, prop in [('ICH9-LPC', 'disable_s3'), ('ICH9-LPC', 'disable_s4'), ('PIIX4_PM', 'disable_s3'), ('mch', 'extended-tseg-mbytes'),
                           ('VGA', 'vgamem_mb'), ('usb-storage', 'removable'), ('kvm-pit', 'lost_tick_policy'), ('virtio-net-pci', 'host_mtu')]:
            check(prop in {p['name'] for p in q.ok('device-list-properties', typename=name)}, f'{name}.{prop}')
        machines = {m['name']: m for m in q.ok('query-machines')}
        check(machines['q35' if 'q35' in machines else 'pc-q35-7.2']['cpu-max'] >= 255, 'vCPUs of q35')
        check({'pc', 'q35'} <= {m.get('alias', name) for name, m in machines.items()}, 'aliases')


def domain(machine, buses, tmp):
    """The command line, with the monitor's socket; buses: where the devices are."""
    disk, key = os.path.join(tmp, 'disk'), os.path.join(tmp, 'key')
    with open(disk, 'wb') as f:
        f.truncate(1 << 20)
    with open(key, 'wb') as f:
        f.write(os.urandom(32))
    command = [
        BINARY, '-name', 'guest=test,debug-threads=on', '-S', '-object', f'secret,id=masterKey0,format=raw,file={key}',
        '-machine', f'{machine},usb=off,dump-guest-core=off,memory-backend=pc.ram', '-accel', 'tcg', '-cpu', 'qemu64', '-m', '256',
        '-object', 'memory-backend-ram,id=pc.ram,size=268435456', '-overcommit', 'mem-lock=off', '-smp', '2,sockets=2,cores=1,threads=1',
        '-uuid', '3ed8fe1f-a646-4a08-a44b-33e9fc6d251c', '-no-user-config', '-nodefaults', '-rtc', 'base=utc,driftfix=slew',
        '-global', 'kvm-pit.lost_tick_policy=delay', '-no-hpet', '-no-shutdown', '-global', 'ICH9-LPC.disable_s3=1', '-global',
        'ICH9-LPC.disable_s4=1', '-global', 'PIIX4_PM.disable_s3=1', '-global', 'PIIX4_PM.disable_s4=1', '-boot', 'strict=on']
    for n in range(1, 6):
        if machine == 'q35':
            command += ['-device', f'pcie-root-port,port={15 + n},chassis={n},id=pci.{n},bus=pcie.0,addr=0x2.{n - 1:#x}'
                        + (',multifunction=on' if n == 1 else '')]
    if machine == 'q35':
        command += ['-device', 'pcie-root-port,port=21,chassis=6,id=pci.6,bus=pcie.0,addr=0x2.0x5', '-device', 'pcie-pci-bridge,id=pci.16,bus=pci.6,addr=0x0',
                    '-device', 'i6300esb,id=watchdog0,bus=pci.16,addr=0x1', '-watchdog-action', 'reset']
    command += [
        '-device', f'qemu-xhci,p2=15,p3=15,id=usb,{buses[0]}', '-device', f'virtio-serial-pci,id=virtio-serial0,{buses[1]}', '-blockdev',
        '{"driver":"file","filename":"%s","node-name":"libvirt-1-storage","auto-read-only":true,"discard":"unmap"}' % disk, '-blockdev',
        '{"node-name":"libvirt-1-format","read-only":false,"discard":"unmap","driver":"raw","file":"libvirt-1-storage"}', '-device',
        f'virtio-blk-pci,{buses[2]},drive=libvirt-1-format,id=virtio-disk0,bootindex=1', '-netdev', 'user,id=hostnet0', '-device',
        f'virtio-net-pci,netdev=hostnet0,id=net0,mac=52:54:00:6c:61:a4,{buses[3]}', '-chardev', 'pty,id=charserial0', '-device',
        'isa-serial,chardev=charserial0,id=serial0,index=0', '-chardev', f'socket,id=charchannel0,path={tmp}/agent,server=on,wait=off',
        '-device', 'virtserialport,bus=virtio-serial0.0,nr=1,chardev=charchannel0,id=channel0,name=org.qemu.guest_agent.0', '-device',
        'usb-tablet,id=input0,bus=usb.0,port=1', '-audiodev', '{"id":"audio1","driver":"none"}', '-vnc',
        f'unix:{tmp}/vnc,audiodev=audio1', '-device', f'virtio-vga,id=video0,max_outputs=1,{buses[4]}', '-device',
        f'virtio-balloon-pci,id=balloon0,{buses[5]}', '-object', 'rng-random,id=objrng0,filename=/dev/urandom', '-device',
        f'virtio-rng-pci,rng=objrng0,id=rng0,{buses[6]}', '-msg', 'timestamp=on']
    return command


def test_domain(machine, buses):
    with tempfile.TemporaryDirectory() as tmp:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.path.join(tmp, 'monitor'))
        listener.listen(1)
        command = domain(machine, buses, tmp) + [
            '-chardev', f'socket,id=charmonitor,fd={listener.fileno()},server=on,wait=off', '-mon',
            'chardev=charmonitor,id=monitor,mode=control']
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=[listener.fileno()])
        listener.close()
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(os.path.join(tmp, 'monitor'))
            q = Qmp(client)
        except (OSError, EOFError, TimeoutError):
            process.kill()
            check(False, f'{machine}: the domain starts: ' + process.stderr.read().decode())
            return
        check_equal(q.ok('query-status')['status'], 'prelaunch', machine)
        check_equal(len(q.ok('query-cpus-fast')), 2, 'vCPUs')
        check_equal(q.ok('query-balloon'), {'actual': 256 << 20}, 'query-balloon')
        check(q.ok('query-vnc').get('enabled'), 'query-vnc')
        check_equal(q.ok('query-current-machine')['wakeup-suspend-support'], False, 'S3 is switched off')
        ttys = {c['label']: c['filename'] for c in q.ok('query-chardev')}
        check(ttys['charserial0'].startswith('pty:/dev/'), f'query-chardev {ttys}')
        q.ok('cont')
        q.wait_event('RESUME')
        q.ok('quit')
        check_equal(process.wait(20), 0, 'status')
        process.stderr.close()


def test_sound():
    for option, part in [(['-vnc', 'none,audiodev=x', '-display', 'none'], None), (['-vnc', ':77,audiodev=x'], "audiodev 'x' not found"),
                         (['-audiodev', 'none,id=a', '-audiodev', 'none,id=a'], "Duplicate ID 'a'"),
                         (['-audiodev', 'alsa,id=a'], "no sound back end 'alsa'"), (['-M', 'pc,pcspk-audiodev=y'], "audiodev 'y' not found"),
                         (['-audiodev', 'none,id=y', '-M', 'pc,pcspk-audiodev=y'], None)]:
        done = subprocess.run([BINARY, '-S', '-display', 'none', '-monitor', 'stdio', *option], input=b'quit\n', capture_output=True, timeout=20)
        text = done.stderr.decode()
        if part:
            check(done.returncode == 1 and part in text and text.count('\n') == 1, f'{option}: {done.returncode} {text}')
        else:
            check_equal((done.returncode, text), (0, ''), str(option))


def main():
    test_probe()
    test_sound()
    test_domain('q35', ['bus=pci.1,addr=0x0', 'bus=pci.2,addr=0x0', 'bus=pci.3,addr=0x0', 'bus=pci.4,addr=0x0', 'bus=pcie.0,addr=0x1',
                        'bus=pci.5,addr=0x0', 'bus=pcie.0,addr=0x3'])
    test_domain('pc', [f'bus=pci.0,addr={n:#x}' for n in range(2, 9)])
    finish()


main()
