#!/usr/bin/env python3
"""Files, numbers and names that are wrong: one line with the program's name and the cause, status 1, in both programs.

usage: bad_input.py QEMU-SYSTEM-RISCV64 [QEMU-RISCV64]
A guest that is refused has not been started: it leaves no pid file and no socket behind, and nothing on standard output.
(Options that need no file are in qmp_cmdline.py.)
"""
import gzip
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
from emulator import BINARY, TIMEOUT_S, check, finish

USER = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else ''
VIRT = ['-M', 'virt', '-nodefaults', '-display', 'none', '-S', '-monitor', 'none', '-bios', 'none']
RISCV, X86_64, PT_LOAD, PT_INTERP = 243, 62, 1, 3
HUGE = 1 << 62
RAM = 0x80000000


def elf(segments=(), machine=RISCV, entry=RAM, bits=64, kind=2, phoff=None, phnum=None, phentsize=None, order=1, tail=b'\0' * 4096):
    """An ELF file; segments: dictionaries with what is not usual."""
    if bits == 64:
        header, entsize, size = '<HHIQQQIHHHHHH', 56, 64
    else:
        header, entsize, size = '<HHIIIIIHHHHHH', 32, 52
    out = b'\x7fELF' + bytes([2 if bits == 64 else 1, order, 1]) + bytes(9)
    out += struct.pack(header, kind, machine, 1, entry, size if phoff is None else phoff, 0, 0, size,
                       entsize if phentsize is None else phentsize, len(segments) if phnum is None else phnum, 0, 0, 0)
    for s in segments:
        s = {'type': PT_LOAD, 'flags': 7, 'offset': 0, 'vaddr': RAM, 'filesz': 64, 'memsz': 64, 'align': 4096, **s}
        s.setdefault('paddr', s['vaddr'])
        order_of = ('<IIQQQQQQ', 'type flags offset vaddr paddr filesz memsz align') if bits == 64 else \
                   ('<IIIIIIII', 'type offset vaddr paddr filesz memsz flags align')
        out += struct.pack(order_of[0], *(s[name] for name in order_of[1].split()))
    return out + tail


def image_header(image_bytes):
    return struct.pack('<IIQQQIIQQII', 0x6f, 0, 0x200000, image_bytes, 0, 2, 0, 0, 0, 0x05435352, 0) + bytes(4096)


# Name, content. `None` is no file at all.
FILES = {
    'empty': b'', 'byte': b'\x7f', 'magic': b'\x7fELF', 'text': b'hello\n', 'small': bytes(4096), 'four-mib': bytes(4 << 20),
    'garbage-elf': b'\x7fELF' + bytes(range(7, 256)) * 8,
    'cut-header': elf([{}])[:40], 'cut-phdrs': elf([{}])[:80], 'cut-segment': elf([{'filesz': 1 << 20, 'memsz': 1 << 20}]),
    'no-segments': elf(), 'only-note': elf([{'type': 4}]), 'zero-memory': elf([{'memsz': 0, 'filesz': 0}]),
    'x86': elf([{}], machine=X86_64), 'big-endian': elf([{}], order=2), 'class-0': elf([{}])[:4] + b'\0' + elf([{}])[5:],
    'phoff-huge': elf([{}], phoff=HUGE), 'phoff-minus': elf([{}], phoff=(1 << 64) - 8), 'phentsize-0': elf([{}], phentsize=0),
    'phnum-many': elf([{}], phnum=0xffff), 'offset-huge': elf([{'offset': HUGE}]), 'offset-minus': elf([{'offset': (1 << 64) - 64}]),
    'filesz-huge': elf([{'filesz': HUGE, 'memsz': HUGE}]), 'memsz-huge': elf([{'memsz': HUGE}]),
    'memsz-minus': elf([{'memsz': (1 << 64) - 1}]), 'memsz-less': elf([{'memsz': 8}]),
    'at-end': elf([{'vaddr': (1 << 64) - 4096, 'memsz': 8192}]), 'at-hole': elf([{'vaddr': 0x60000000}]),
    'at-device': elf([{'vaddr': 0x10000000}]), 'wraps': elf([{'vaddr': (1 << 64) - 32, 'memsz': 64}]),
    'overlap': elf([{'memsz': 8192}, {'vaddr': RAM + 4096, 'offset': 64, 'memsz': 8192}]),
    'unaligned': elf([{'vaddr': RAM + 8}]), 'kind-0': elf([{}], kind=0), 'relocatable': elf([{}], kind=1),
    'loader-missing': elf([{'vaddr': 0x10000}, {'type': PT_INTERP, 'offset': 64 + 112, 'filesz': 16, 'memsz': 16}],
                          entry=0x10000, tail=b'/nonexistent/ld\0' + bytes(4096)),
    'loader-name': elf([{'vaddr': 0x10000}, {'type': PT_INTERP, 'offset': 64, 'filesz': HUGE, 'memsz': 16}], entry=0x10000),
    'loader-open': elf([{'vaddr': 0x10000}, {'type': PT_INTERP, 'offset': 64 + 112, 'filesz': 4, 'memsz': 4}],
                       entry=0x10000, tail=b'\xff' * 4096),
    'elf32': elf([{}], bits=32), 'wide-image': image_header(1 << 40), 'image-minus': image_header((1 << 64) - 1),
    'gzip-cut': gzip.compress(os.urandom(20000))[:9000], 'gzip-bad': b'\x1f\x8b\x08' + bytes(200),
    'gzip-crc': gzip.compress(bytes(5000))[:-8] + bytes(8), 'gzip-bomb': gzip.compress(bytes(96 << 20)),
    'dtb-magic': b'\xd0\x0d\xfe\xed' + b'\xff' * 200, 'dtb-short': b'\xd0\x0d\xfe\xed',
    'dtb-strings': b'\xd0\x0d\xfe\xed' + struct.pack('>IIIIIIIII', 200, 56, 1 << 31, 40, 17, 16, 0, 1 << 31, 100) + bytes(160),
}

# Arguments; a part of the message. {name} is a file of the above or a path made by main().
SYSTEM = [
    # kernels
    ('-kernel {missing}', 'No such file or directory'), ('-kernel {dir}', 'not a regular file'), ('-kernel {empty}', 'empty'),
    ('-kernel {garbage-elf}', "garbage-elf' is"), ('-kernel {cut-header}', 'its ELF header is incomplete'),
    ('-kernel {cut-phdrs}', 'program header'), ('-kernel {cut-segment}', 'cut short or damaged (ELF segment 0)'),
    ('-kernel {no-segments}', 'nothing to load'), ('-kernel {only-note}', 'nothing to load'),
    ('-kernel {zero-memory}', 'nothing to load'), ('-kernel {x86}', 'another architecture (ELF machine 62, expected 243)'),
    ('-kernel {big-endian}', 'not a little-endian ELF'), ('-kernel {class-0}', 'not a little-endian ELF'),
    ('-kernel {phoff-huge}', 'program header'), ('-kernel {phoff-minus}', 'program header'),
    ('-kernel {phentsize-0}', 'program header'), ('-kernel {phnum-many}', 'program header'),
    ('-kernel {offset-huge}', 'ELF segment 0'), ('-kernel {offset-minus}', 'ELF segment 0'),
    ('-kernel {filesz-huge}', 'ELF segment 0'), ('-kernel {memsz-huge}', 'does not fit into memory'),
    ('-kernel {memsz-minus}', 'does not fit into memory'), ('-kernel {memsz-less}', 'ELF segment 0'),
    ('-kernel {at-end}', 'does not fit into memory'), ('-kernel {at-hole}', 'does not fit into memory at 0x60000000'),
    ('-kernel {at-device}', 'does not fit into memory at 0x10000000'), ('-kernel {wraps}', 'does not fit into memory'),
    ('-kernel {overlap}', 'overlap'), ('-kernel {relocatable}', 'not an executable'), ('-kernel {kind-0}', 'not an executable'),
    ('-kernel {four-mib} -m 2M', 'needs 4194304 bytes, but there are only 2097152 bytes of memory after 0x80000000'),
    ('-kernel {wide-image}', 'bytes of memory after'), ('-kernel {image-minus}', 'bytes of memory after'),
    ('-kernel {gzip-cut}', 'damaged gzip'), ('-kernel {gzip-bad}', 'damaged gzip'), ('-kernel {gzip-crc}', 'damaged gzip'),
    ('-kernel {gzip-bomb} -m 16M', 'larger than 16777216 bytes when unpacked'),
    # firmware
    ('-bios {missing}', 'missing'), ('-bios {empty}', 'empty'), ('-bios {x86}', 'another architecture'),
    ('-bios {four-mib} -m 1M', 'does not fit'), ('-bios {cut-segment}', 'cut short'),
    # initial RAM disks
    ('-kernel {small} -initrd {missing}', 'No such file'), ('-kernel {small} -initrd {dir}', 'not a regular file'),
    ('-kernel {small} -initrd {empty}', 'empty'), ('-kernel {small} -initrd {four-mib} -m 6M', 'does not fit into memory between'),
    # device trees
    ('-dtb {missing}', 'missing'), ('-dtb {dir}', ''), ('-dtb {empty}', ''), ('-dtb {text}', 'device tree'),
    ('-dtb {dtb-magic}', 'device tree'), ('-dtb {dtb-short}', 'device tree'), ('-dtb {dtb-strings}', 'device tree'),
    ('-M virt,dumpdtb={nowhere}/x', 'No such file'),
    # disks
    ('-drive file={missing},format=raw', 'No such file'), ('-drive file={dir},format=raw', 'directory'),
    ('-drive file={small},format=nope', "'nope'"), ('-drive file={small},format=raw,nope=1', 'nope'),
    ('-drive file={small},format=raw,if=nope', 'nope'), ('-drive if=none,file={small},format=raw,cache=nope', 'nope'),
    ('-hda {missing}', 'No such file'), ('-blockdev driver=raw,node-name=a,file.driver=file,file.filename={missing}', 'No such file'),
    ('-blockdev driver=nope,node-name=a', 'nope'), ('-blockdev driver=null-co', 'node-name'),
    ('-blockdev driver=null-co,node-name=a -blockdev driver=null-co,node-name=a', 'a'),
    ('-device virtio-blk-pci', 'drive property not set'), ('-device virtio-blk-pci,drive=nope', "'nope'"),
    ('-drive if=pflash,file={four-mib},format=raw', 'bytes'),
    # devices, buses, backends
    ('-device nope', "'nope' is not a valid device model name"), ('-device virtio-rng-pci,nope=1', 'nope'),
    ('-device virtio-rng-pci,bus=nope', "Bus 'nope' not found"), ('-device virtio-rng-pci,addr=99', 'addr'),
    ('-device virtio-rng-pci,id=a -device virtio-rng-pci,id=a', "'a'"), ('-device virtserialport', 'virtio-serial-bus'),
    ('-device virtio-rng-pci,addr=5 -device virtio-rng-pci,addr=5', 'slot 5'), ('-device virtio-net-pci,netdev=nope', 'nope'),
    ('-device virtio-net-pci,mac=zz', 'mac'), ('-device virtio-rng-pci,disable-modern=maybe', 'maybe'),
    ('-netdev nope,id=n', 'nope'), ('-netdev user', 'id'), ('-netdev user,id=n,nope=1', 'nope'),
    ('-netdev user,id=n,net=300.0.0.0/8', '300.0.0.0'), ('-netdev user,id=n,hostfwd=tcp::x-:y', 'tcp::x-:y'),
    ('-netdev user,id=n,hostfwd=tcp:127.0.0.1:{port}-:22', ''), ('-netdev user,id=n -netdev user,id=n', 'n'),
    ('-nic nope', 'nope'),
    ('-object rng-random,id=r,filename={missing} -device virtio-rng-pci,rng=r', 'missing'),
    ('-object memory-backend-file,id=m,size=1M,mem-path={nowhere}/x', 'nowhere'),
    # sockets and files
    ('-serial tcp:127.0.0.1:{port},server=on,wait=off', 'Address already in use'),
    ('-chardev socket,id=c,host=127.0.0.1,port={port},server=on,wait=off', 'Address already in use'),
    ('-qmp tcp:127.0.0.1:{port},server=on,wait=off', 'Address already in use'),
    ('-gdb tcp:127.0.0.1:{port}', 'Address already in use'), ('-gdb tcp::99999', "port '99999' is larger than 65535"), ('-gdb nope', ''),
    ('-qmp unix:{nowhere}/x,server=on,wait=off', 'No such file'), ('-serial file:{nowhere}/x', 'No such file'),
    ('-qmp unix:{long},server=on,wait=off', ''), ('-serial pipe:{missing}', 'No such file'),
    ('-pidfile {nowhere}/pid', 'No such file'), ('-pidfile {dir}', 'directory'), ('-D {nowhere}/log', 'No such file'),
    # the machine
    ('-M nope', 'nope'), ('-M virt,nope=1', 'nope'), ('-M virt,aia=nope', 'nope'), ('-cpu nope', 'nope'),
    ('-cpu max,nope=on', 'nope'), ('-cpu rv64,vlen=77', 'VLEN'), ('-cpu rv64,d=on,f=off', ''), ('-smp 0', 'greater than zero'),
    ('-smp 513', '513'), ('-smp -1', ''), ('-smp 4294967297', ''), ('-smp 2,cores=3', ''), ('-m 99999T', ''),
    ('-m -1', ''), ('-m nope', ''), ('-m 1x', ''), ('-accel nope', 'nope'), ('-icount shift=99', ''),
    ('-global virtio-rng-pci.nope=1 -device virtio-rng-pci', 'nope'),
]

USER_CASES = [
    ('{missing}', 'No such file or directory'), ('{dir}', ''), ('{empty}', 'ELF'), ('{byte}', 'ELF'), ('{magic}', ''),
    ('{text}', 'ELF'), ('{garbage-elf}', ''), ('{cut-header}', ''), ('{cut-phdrs}', 'program header'),
    ('{cut-segment}', 'truncated'), ('{no-segments}', 'program header'), ('{only-note}', 'no loadable segments'),
    ('{zero-memory}', 'no loadable segments'), ('{x86}', ''), ('{big-endian}', ''), ('{class-0}', ''), ('{phoff-huge}', ''),
    ('{phoff-minus}', ''), ('{phentsize-0}', 'program header'), ('{phnum-many}', 'program header'),
    ('{offset-huge}', ''), ('{offset-minus}', ''), ('{filesz-huge}', ''), ('{memsz-huge}', ''), ('{memsz-minus}', ''),
    ('{memsz-less}', 'program header 0'), ('{at-end}', ''), ('{wraps}', ''), ('{unaligned}', 'aligned'),
    ('{kind-0}', ''), ('{relocatable}', ''), ('{elf32}', ''), ('{loader-missing}', '/nonexistent/ld'),
    ('{loader-name}', 'interpreter'), ('{loader-open}', 'interpreter'),
    ('', ''), ('-nope {small}', 'nope'), ('-cpu nope {x86}', 'nope'), ('-L', ''), ('-s nope {small}', 'nope'),
    ('-R nope {small}', 'nope'), ('-B nope {small}', 'nope'), ('-p 3 {small}', ''), ('-D {nowhere}/log -d strace {small}', 'nowhere'),
    ('-d nope {small}', 'nope'), ('-E nope= {missing}', 'missing'), ('-g 99999 {small}', ''),
]


def run_case(binary, args, part, name):
    try:
        done = subprocess.run([binary, *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        check(False, f'{name}: did not end')
        return
    err = done.stderr.decode(errors='replace')
    program = os.path.basename(binary)
    check(done.returncode == 1, f'{name}: status {done.returncode}, {err!r}')
    check(err.count('\n') == 1 and err.endswith('\n'), f'{name}: not one line: {err!r}')
    check(err.startswith(program + ': ') and len(err) > len(program) + 8, f'{name}: {err!r}')
    check(part in err, f'{name}: no {part!r} in {err!r}')
    check(not re.search(r'0x0+\b.*\(nil\)|\(null\)', err), f'{name}: {err!r}')
    check(done.stdout == b'', f'{name}: {done.stdout!r}')
    if '-v' in sys.argv:
        print(name, '->', err, end='')


def main():
    with tempfile.TemporaryDirectory(prefix='bad-input-') as tmp, socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen(1)
        paths = {'dir': os.path.join(tmp, 'dir'), 'missing': os.path.join(tmp, 'missing'), 'nowhere': os.path.join(tmp, 'nowhere'),
                 'port': str(taken.getsockname()[1]), 'long': os.path.join(tmp, 'x' * 200)}
        os.mkdir(paths['dir'])
        for name, content in FILES.items():
            paths[name] = os.path.join(tmp, name)
            with open(paths[name], 'wb') as f:
                f.write(content)
            os.chmod(paths[name], 0o755)

        def fill(text):
            return [re.sub(r'\{([^}]+)\}', lambda m: paths[m.group(1)], word) for word in text.split()]

        pidfile, sock = os.path.join(tmp, 'pid'), os.path.join(tmp, 'sock')
        for text, part in SYSTEM:
            extra = [] if '-pidfile' in text or '-qmp' in text else ['-pidfile', pidfile, '-qmp', f'unix:{sock},server=on,wait=off']
            run_case(BINARY, VIRT + fill(text) + extra, part, text)
            for left in (pidfile, sock):
                check(not os.path.exists(left), f'{text}: {os.path.basename(left)} is left behind')
                if os.path.exists(left):
                    os.unlink(left)
        for text, part in USER_CASES if USER else []:
            run_case(USER, fill(text), part, text)
    finish()


main()
