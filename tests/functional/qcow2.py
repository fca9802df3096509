#!/usr/bin/env python3
"""qcow2 and other images as drives: a boot sector on one writes a sector; -snapshot keeps it away; chains of -blockdev as libvirt makes them.

Usage: qcow2.py SYSTEM_EMULATOR FOLDER_OF_TOOLS
"""
import json
import os
import subprocess
import sys
import tempfile

EMULATOR, TOOLS = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
checks = failures = 0

# BIOS int 13h, function 3: one sector from 7c00h to cylinder 0, sector 2; then the exit port says how it went.
BOOT = bytes([0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0xbb, 0x00, 0x7c, 0xb8, 0x01, 0x03, 0xb9, 0x02, 0x00, 0xb6, 0x00, 0xcd, 0x13,
              0xb0, 0x10, 0x73, 0x02, 0xb0, 0x11, 0xba, 0xf4, 0x00, 0xee, 0xf4, 0xeb, 0xfd])
WRITTEN, NOT_WRITTEN = 33, 35


def check(ok, what):
    global checks, failures
    checks += 1
    if not ok:
        failures += 1
        print('FAILED: ' + what, file=sys.stderr)


def tool(*args, ok=True):
    p = subprocess.run([f'{TOOLS}/{args[0]}', *args[1:]], capture_output=True, text=True, timeout=60)
    check((p.returncode == 0) == ok, f'{args}: status {p.returncode} {p.stdout} {p.stderr}')
    return p.stdout


def boot(*args):
    p = subprocess.run([EMULATOR, '-display', 'none', '-nic', 'none', '-m', '32', '-device', 'isa-debug-exit,iobase=0xf4,iosize=1', *args],
                       capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    return p.returncode, p.stderr


def sector(image, n):
    tool('qemu-img', 'convert', image, 'out.raw')
    with open('out.raw', 'rb') as f:
        return f.read()[n * 512:n * 512 + len(BOOT)]


def qmp(args, commands):
    text = '{"execute":"qmp_capabilities"}\n' + ''.join(json.dumps(c) + '\n' for c in commands) + '{"execute":"quit"}\n'
    p = subprocess.run([EMULATOR, '-display', 'none', '-S', '-nodefaults', '-qmp', 'stdio', *args], input=text, capture_output=True, text=True, timeout=60)
    return [json.loads(line) for line in p.stdout.splitlines() if '"QMP"' not in line and '"event"' not in line], p.stderr


def main():
    os.chdir(tempfile.mkdtemp(prefix='qcow2-'))
    with open('boot.raw', 'wb') as f:
        f.write(BOOT.ljust(510, b'\0') + b'\x55\xaa' + bytes(1024 * 1024 - 512))

    for options in ('', 'cluster_size=512', 'extended_l2=on', 'compat=0.10'):
        tool('qemu-img', 'convert', '-O', 'qcow2', *(['-o', options] if options else []), 'boot.raw', 'a.qcow2')
        status, err = boot('-drive', 'file=a.qcow2')
        check(status == WRITTEN, f'{options}: boots from a drive that is probed: {status} {err}')
        tool('qemu-img', 'check', 'a.qcow2')
        check(sector('a.qcow2', 1) == BOOT, f'{options}: the sector is written')

    tool('qemu-img', 'convert', '-c', '-O', 'qcow2', 'boot.raw', 'base.qcow2')
    before = open('base.qcow2', 'rb').read()
    for args in (['-snapshot', '-hda', 'base.qcow2'], ['-drive', 'file=base.qcow2,format=qcow2,snapshot=on']):
        status, err = boot(*args)
        check(status == WRITTEN, f'{args}: {status} {err}')
        check(open('base.qcow2', 'rb').read() == before, f'{args}: the image stays as it is')
    status, err = boot('-drive', 'if=none,id=d,file=base.qcow2,readonly=on', '-device', 'virtio-blk,drive=d')
    check(status == NOT_WRITTEN, f'a read-only image cannot be written: {status} {err}')

    tool('qemu-img', 'create', '-f', 'qcow2', '-b', 'base.qcow2', '-F', 'qcow2', 'top.qcow2')
    status, err = boot('-blockdev', '{"driver":"file","filename":"base.qcow2","node-name":"bf","read-only":true}',
                       '-blockdev', '{"driver":"qcow2","file":"bf","node-name":"b","read-only":true}',
                       '-blockdev', '{"driver":"file","filename":"top.qcow2","node-name":"tf","cache":{"direct":false,"no-flush":false}}',
                       '-blockdev', '{"driver":"qcow2","file":"tf","backing":"b","node-name":"t"}',
                       '-device', 'ide-hd,drive=t')
    check(status == WRITTEN, f'a chain of named nodes: {status} {err}')
    tool('qemu-img', 'check', 'top.qcow2')
    check(sector('top.qcow2', 1) == BOOT and sector('base.qcow2', 1) != BOOT, 'only the top is written')

    for fmt, options in (('parallels', ''), ('qcow', ''), ('qed', ''), ('vdi', ''), ('vhdx', ''), ('vmdk', ''), ('vmdk', 'subformat=monolithicFlat'),
                         ('vmdk', 'subformat=streamOptimized'), ('vpc', '')):
        tool('qemu-img', 'convert', '-O', fmt, *(['-o', options] if options else []), 'boot.raw', 'other')
        status, err = boot('-drive', 'file=other')
        check(status == WRITTEN, f'{fmt} {options}: boots from a drive that is probed: {status} {err}')
        check(sector('other', 1) == BOOT, f'{fmt} {options}: the sector is written')
    os.mkdir('files')
    answers, err = qmp(['-drive', 'file=fat:files,format=raw,id=x,if=none,readonly=on'], [{'execute': 'query-block'}])
    image = next(d for d in answers[1]['return'] if d['device'] == 'x')['inserted']['image']
    check(image['virtual-size'] == 516096 << 10, f'a folder: {image}')

    # Encrypted drives: the guest boots from what only the password reads.
    secret = ('--object', 'secret,id=s,data=password')
    for target, options, drive in (('luks', 'key-secret=s,iter-time=1', 'driver=luks,file.filename=c.luks,key-secret=s'),
                                   ('qcow2', 'encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=1',
                                    'driver=qcow2,file.filename=c.qcow2,encrypt.key-secret=s')):
        tool('qemu-img', 'convert', *secret, '-O', target, '-o', options, 'boot.raw', f'c.{target}')
        check(BOOT not in open(f'c.{target}', 'rb').read(), f'{target}: the file does not have what the disk has')
        status, err = boot('-object', 'secret,id=s,data=password', '-drive', drive)
        check(status == WRITTEN, f'{target}: {status} {err}')
        tool('qemu-img', 'convert', *secret, '--image-opts', '-O', 'raw', drive, 'out.raw')
        with open('out.raw', 'rb') as f:
            check(f.read()[512:512 + len(BOOT)] == BOOT, f'{target}: the sector is written')
        status, err = boot('-object', 'secret,id=s,data=wrong', '-drive', drive)
        check(status == 1 and 'Invalid password' in err, f'{target}: a wrong password: {status} {err}')

    answers, err = qmp(['-drive', 'file=top.qcow2,id=x,if=none,l2-cache-size=128k'], [{'execute': 'query-block'}])
    image = next(d for d in answers[1]['return'] if d['device'] == 'x')['inserted']['image']
    check(image['format'] == 'qcow2' and image['cluster-size'] == 65536 and image['backing-filename'] == 'base.qcow2' and
          image['virtual-size'] == 1024 * 1024 and image['format-specific']['data']['compat'] == '1.1', f'query-block: {image}')

    for args, message in ((['-drive', 'file=boot.raw,format=qcow2'], 'not in qcow2 format'), (['-drive', 'file=nofile.qcow2,format=qcow2'], 'No such file'),
                          (['-drive', 'file=top.qcow2,format=qcow2,bogus=1'], 'bogus'), (['-drive', 'file=top.qcow2,bogus=1'], 'bogus'),
                          (['-blockdev', '{"driver":"qcow2","node-name":"n","file":"nobody"}'], 'nobody'),
                          (['-drive', 'file=top.qcow2,format=vmdk'], 'vmdk')):
        status, err = boot(*args)
        check(status == 1 and message in err and len(err.strip().splitlines()) == 1, f'{args}: {status} {err!r}')
    print(f'{checks} checks, {failures} failed')
    return 1 if failures or not checks else 0


sys.exit(main())
