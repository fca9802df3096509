"""pc.py: the PC boards from outside: their names and properties, trees, what they refuse, and SeaBIOS to its end of a row of boot devices."""
import os
import subprocess
import sys
import tempfile
import time

from emulator import BINARY, Emulator, check, check_equal, finish, run

BOARDS = ('pc', 'q35', 'microvm')


def firmware(folder):
    path = os.path.join(folder, 'bios.bin')
    with open(path, 'wb') as f:
        f.write(bytes(65536))
    return path


def hmp(board, *commands, options=()):
    with tempfile.TemporaryDirectory() as folder:
        text = ''.join(c + '\n' for c in commands + ('quit',)).encode()
        return run('-M', board, '-bios', firmware(folder), '-S', '-nodefaults', '-display', 'none', '-monitor', 'stdio', *options, stdin=text,
                   timeout=120)


def test_names():
    status, out, _ = run('-M', 'help')
    lines = out.splitlines()
    check_equal(status, 0, '-M help')
    for line in ('pc                   Standard PC (i440FX + PIIX, 1996) (alias of pc-i440fx-11.1)',
                 'pc-i440fx-11.1       Standard PC (i440FX + PIIX, 1996) (default)',
                 'pc-i440fx-7.2        Standard PC (i440FX + PIIX, 1996)',
                 'q35                  Standard PC (Q35 + ICH9, 2009) (alias of pc-q35-11.1)',
                 'pc-q35-2.4           Standard PC (Q35 + ICH9, 2009)', 'microvm              microvm (i386)'):
        check(line in lines, f'-M help has {line!r}')
    _, out, _ = run('-M', 'pc,help')
    for name in ('acpi=<OnOffAuto>', 'hpet=<bool>', 'max-ram-below-4g=<size>', 'smm=<OnOffAuto>', 'pflash0='):
        check(name in out, f'-M pc,help has {name}')


def test_trees():
    _, out, err = hmp('pc', 'info mtree', 'info pci', 'info qtree', 'info pic', 'info lapic')
    for text in ('alias ram-below-4g @pc.ram', '(prio 1, rom): alias isa-bios', 'piix3-reset-control', '(prio 4096, i/o): apic-msi',
                 'Host bridge: PCI device 8086:1237', 'ISA bridge: PCI device 8086:7000', 'dev: isa-i8259, id ""', 'dev: mc146818rtc',
                 'class Host bridge, addr 00:00.0, pci id 8086:1237 (sub 1af4:1100)', 'pic0: irr=', 'ioapic0: ver=0x20',
                 'dumping local APIC state for CPU 0'):
        check(text in out, f'pc: {text!r} in the monitor: {err}')
    check('[disabled]' not in out, 'info mtree shows what is there')
    _, out, err = hmp('q35', 'info pci', options=('-device', 'pcie-root-port,id=p1', '-device', 'virtio-rng-pci,bus=p1'))
    for text in ('Host bridge: PCI device 8086:29c0', 'ISA bridge: PCI device 8086:2918', 'PCI bridge: PCI device 1b36:000c', 'id "p1"'):
        check(text in out, f'q35: {text!r} in the monitor: {err}')
    # Reset reaches the ISA bus: the PIT's output is high until it is set up.
    _, out, err = hmp('microvm,acpi=off', 'info qtree', 'info pic')
    for text in ('dev: isabus-bridge', 'pic0: irr=01'):
        check(text in out, f'microvm: {text!r} in the monitor: {err}')
    _, out, err = hmp('microvm', 'info mtree')
    check('00000000feb02e00-00000000feb02fff (prio 0, i/o): virtio-mmio' in out, f'microvm: 24 transports: {err}')


def test_memory():
    for board, size, below in (('pc', '3G', 'bfffffff'), ('pc', '4G', 'bfffffff'), ('q35', '2G', '7fffffff'), ('q35', '4G', '7fffffff'),
                               ('q35,max-ram-below-4g=1G', '2G', '3fffffff')):
        _, out, err = hmp(board, 'info mtree', options=('-m', size))
        check(f'0000000000000000-00000000{below} (prio 0, ram): alias ram-below-4g' in out, f'{board} -m {size}: split: {err}')


def refuse(what, *args, text=''):
    status, _, err = run(*args, '-display', 'none', '-monitor', 'none')
    check(text in err, f'{what}: {text!r} in {err!r}')
    check_equal(status, 1, f'{what}: status')
    check_equal(len(err.strip().splitlines()), 1, f'{what}: one line: {err!r}')


def test_refusals():
    refuse('firmware that is not there', '-M', 'pc', '-bios', 'no-such-firmware.bin')
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'odd.bin')
        with open(path, 'wb') as f:
            f.write(bytes(1000))
        refuse('firmware of an odd size', '-M', 'pc', '-bios', path)
        refuse('second flash alone', '-M', 'q35', '-drive', f'if=pflash,unit=1,format=raw,file={path}')
    refuse('firmware of a package', '-M', 'pc', '-bios', 'OVMF_CODE_5G.fd', text="install the package 'ovmf'")
    refuse('flash of a package', '-M', 'q35', '-drive', 'if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_5G.fd',
           text="install the package 'ovmf'")
    refuse('unknown card', '-M', 'pc', '-vga', 'hercules')
    refuse('pic=off', '-M', 'pc,pic=off')
    refuse('too much below 4 GiB', '-M', 'pc,max-ram-below-4g=5G')
    refuse('too many processors', '-M', 'pc', '-smp', '300')


# guest/init.asm
INIT_ROM = bytes.fromhex(
    '31c08ed8c606010501f4ebfd66b91b0000000f32f6c401745c2e0f011681000f20c00c010f22c0bb08008edb24fe0f22c06667c705f000e0feff0100006667c7'
    '050003e0fe00450c0066b9400d0300e48067e2fb678a1d000500006667c7050003e0fef0460c0067803d010500000175f688d8e6f431c08ed8c606000501f4eb'
    'fd0f0087000f000000000000000000ffff00000093cf')


def test_init():
    """INIT makes an application processor wait for its SIPI; nothing runs from the reset vector."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'init.rom')
        with open(path, 'wb') as f:
            f.write(INIT_ROM.ljust(0xfff0, b'\0') + bytes.fromhex('ea0c0000f0').ljust(16, b'\0'))
        for threads in ('multi', 'single'):
            status, _, err = run('-M', 'q35', '-accel', f'tcg,thread={threads}', '-smp', '3', '-bios', path, '-nodefaults', '-display', 'none',
                                 '-device', 'isa-debug-exit,iobase=0xf4', timeout=120)
            check_equal(status, 1, f'INIT, then SIPI, thread={threads}: {err!r}')


def test_seabios():
    """SeaBIOS finds the machine, its memory and processors, and nothing to boot from."""
    if not any(os.path.exists(os.path.join(d, 'bios-256k.bin')) for d in ('/usr/share/seabios', '/usr/share/qemu')):
        print('seabios is not installed: not run')
        return
    for board, smp in (('pc', 1), ('q35', 3)):
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, 'log')
            process = subprocess.Popen([BINARY, '-M', board, '-smp', str(smp), '-m', '64M', '-nodefaults', '-display', 'none',
                                        '-chardev', f'file,id=log,path={log}', '-device', 'isa-debugcon,iobase=0x402,chardev=log'])
            end, text = time.time() + 300, ''
            while time.time() < end and 'No bootable device.' not in text and process.poll() is None:
                time.sleep(0.2)
                if os.path.exists(log):
                    with open(log, errors='replace') as f:
                        text = f.read()
            process.kill()
            process.wait()
            for line in (f'Running on QEMU ({"i440fx" if board == "pc" else "q35"})', f'Found {smp} cpu(s) max supported {smp} cpu(s)',
                         'addr 0x0000000000000000 len 0x0000000004000000 [RAM]', 'No bootable device.'):
                check(line in text, f'SeaBIOS on {board}: {line!r} in its log; it ends with {text[-300:]!r}')


def test_habits():
    """What command lines of other programs have."""
    with tempfile.TemporaryDirectory() as folder:
        status, out, err = run('-M', 'pc', '-bios', firmware(folder), '-S', '-display', 'none', '-monitor', 'stdio', '-nic', 'none', '-no-hpet', '-no-acpi',
                               '-debugcon', 'null', '-device', 'virtio-serial', '-device', 'virtio-balloon', '-device', 'virtio-rng', '-object', 'iothread,id=t',
                               '-blockdev', 'null-co,node-name=d,size=1M', '-device', 'virtio-blk,drive=d,iothread=t', stdin=b'info qtree\nquit\n')
        check_equal((status, err), (0, ''), 'status')
        for name in ('isa-serial', 'isa-parallel', 'isa-debugcon', 'virtio-serial-pci', 'virtio-balloon-pci', 'virtio-rng-pci', 'virtio-blk-pci'):
            check(f'dev: {name}, id' in out, f'{name} is there')
        check('dev: hpet' not in out, '-no-hpet')
    _, out, _ = hmp('pc', 'info qtree')
    check('isa-serial' not in out and 'isa-parallel' not in out, '-nodefaults leaves ports out')


def test_timer_storm():
    """A guest's timer that is due all the time does not keep the monitor from answering."""
    with tempfile.TemporaryDirectory() as folder:
        # At the reset vector: jmp ff80. There: the 8254's channel 0 in mode 2 with a count of 2, "!" to port 0xe9, jmp to itself.
        code = bytes([0xb0, 0x34, 0xe6, 0x43, 0xb0, 0x02, 0xe6, 0x40, 0x30, 0xc0, 0xe6, 0x40, 0xb0, 0x21, 0xe6, 0xe9, 0xeb, 0xfe])
        path, log = os.path.join(folder, 'bios.bin'), os.path.join(folder, 'log')
        with open(path, 'wb') as f:
            f.write(bytes(0xff80) + code + bytes(0x70 - len(code)) + b'\xeb\x8e' + bytes(14))
        with Emulator('-bios', path, '-debugcon', f'file:{log}', machine='pc') as vm:
            vm.qmp.ok('cont')
            while not os.path.exists(log) or not os.path.getsize(log):
                time.sleep(0.05)
            for _ in range(5):
                time.sleep(0.2)
                check_equal(vm.qmp.ok('query-status')['status'], 'running', 'query-status while the timer fires')
            vm.qmp.ok('quit')
            vm.wait()


def counters_of(code, *options):
    """What the translator counted when a BIOS of `code` (at f000:0000) has written to port 0xe9: a function of a counter's name, and all of it."""
    with tempfile.TemporaryDirectory() as folder:
        path, log = os.path.join(folder, 'bios.bin'), os.path.join(folder, 'log')
        with open(path, 'wb') as f:
            f.write(code.ljust(0xfff0, b'\0') + bytes.fromhex('ea000000f0').ljust(16, b'\0'))
        with Emulator('-bios', path, '-debugcon', f'file:{log}', *options, machine='pc') as vm:
            vm.qmp.ok('cont')
            while not os.path.exists(log) or not os.path.getsize(log):
                time.sleep(0.05)
            counters = vm.qmp.hmp('info jit')
            vm.qmp.ok('quit')
            vm.wait()
    return (lambda what: max([int(line.split()[0]) for line in counters.splitlines() if line.endswith(f'  {what}')], default=0)), counters


def test_waiting():
    """A lone vCPU that spins with PAUSE rests; one of several, one that counts instructions, and a loop without PAUSE do not."""
    for code, options, rests in (('f390', (), True), ('f390', ('-smp', '2'), False), ('f390', ('-icount', 'shift=0'), False), ('9090', (), False)):
        # mov ecx,50000; L: pause; loop L; "!" to port 0xe9; jmp to itself
        count, counters = counters_of(bytes.fromhex(f'66b950c30000 {code} 67e2fb b021 e6e9 ebfe'), *options)
        check_equal(count('rests of waiting loops') > 0, rests, f'{code} {options} rests: {counters}')


def test_mode_switches():
    """Loaders for BIOSes toggle CR0.PE and jump from segment to segment all the time: neither throws away what the translator knows."""
    # mov cx,1000; L: mov eax,cr0; xor al,1; mov cr0,eax; loop L; mov cx,100; jmp f000:0100
    code = bytes.fromhex('b9e803 0f20c0 3401 0f22c0 e2f6 b96400 ea000100f0').ljust(0x100, b'\0')
    for segment in range(0xf001, 0xf011):
        code += (bytes.fromhex('ea0001') + segment.to_bytes(2, 'little')).ljust(16, b'\0')  # jmp segment:0100, where the next one is
    code += bytes.fromhex('49 7405 ea000100f0 b021 e6e9 ebfe')  # dec cx; jz M; jmp f000:0100; M: "!" to port 0xe9; jmp to itself
    count, counters = counters_of(code)
    check(count('units translated') > 16, f'the translator ran: {counters}')
    check(count('TLB flushes, whole') < 100, f'CR0.PE does not flush the TLB: {counters}')
    check(count('jump cache entries emptied') < 100000, f'segments do not cost whole jump caches: {counters}')


def test_monitor():
    """What the human monitor shows of a guest that pages, of images, of user-mode networking; what it lacks and gets wrong in one line each."""
    with tempfile.TemporaryDirectory() as folder:
        # A page directory at 0x10000: 4 MiB at 0 by a large page; at 4 MiB a table with two read-only pages, one of them global. Then "!", and a loop.
        code = bytes.fromhex('b80010 8ed8 66c706000087000000 66c706040023100100 66c706001001510000 66c706041001600000'
                             '66b800000100 0f22d8 66b810000000 0f22e0 66b811000080 0f22c0 b021 e6e9 ebfe')
        path, log = os.path.join(folder, 'bios.bin'), os.path.join(folder, 'log')
        with open(path, 'wb') as f:
            f.write(code.ljust(0xfff0, b'\0') + bytes.fromhex('ea000000f0').ljust(16, b'\0'))
        with Emulator('-bios', path, '-option-rom', path, '-debugcon', f'file:{log}', '-netdev', 'socket,id=s,udp=127.0.0.1:9,localaddr=127.0.0.1:0', machine='pc') as vm:
            h = vm.qmp.hmp
            check_equal(h('info tlb'), 'PG disabled\n', 'info tlb before paging')
            saved = os.path.join(folder, 'saved')
            check_equal(h(f'memsave 0xfffff000 4096 "{saved}"'), '', 'memsave to the end of 32 bits')
            check('Invalid addr' in h(f'memsave 0xfffff000 8192 "{saved}"'), 'memsave past the end of 32 bits')
            check_equal(h('hostfwd_add tcp:127.0.0.1:0-:22'), 'Error: user mode network stack not in use\n', 'hostfwd_add without a user network')
            vm.qmp.ok('netdev_add', type='user', id='u')
            vm.qmp.ok('netdev_add', type='user', id='v')
            check_equal(h('hostfwd_add udp:127.0.0.1:0-:53') + h('hostfwd_add v udp:127.0.0.1:0-:54'), '', 'hostfwd_add')
            check_equal(h('hostfwd_add s tcp::0-:22'), "Error: 's' is not a user-mode netdev\n", 'hostfwd_add of another kind')
            lines = h('info usernet').splitlines()
            check_equal([lines[0], lines[3]], ['Hub -1 (u):', 'Hub -1 (v):'], 'info usernet names the networks')
            check(lines[2].split()[0] == lines[5].split()[0] == 'UDP[HOST_FORWARD]' and ' 53 ' in lines[2] and ' 54 ' in lines[5], f'info usernet: {lines}')
            port = lines[2].split()[3]
            check('removed' in h(f'hostfwd_remove udp:127.0.0.1:{port}') and 'not found' in h(f'hostfwd_remove udp:127.0.0.1:{port}'), 'hostfwd_remove')
            check_equal(h('x/2i 0xf0000'), '0x000f0000:  b8 00 10                 mov\tax, 0x1000\n0x000f0003:  8e d8                    mov\tds, ax\n', 'x/i')
            check_equal(h('x/i 0xf0005').splitlines()[1:], ['0x000f000d:  00 '], 'the ninth byte of an instruction')
            check_equal(h('info roms').splitlines(), [f'addr=00000000ffff0000 size=0x010000 mem=rom name="{path}"',
                                                      'fw=genroms/bios.bin size=0x010000 name="bios.bin"'], 'info roms')
            vm.qmp.ok('cont')
            while not os.path.exists(log) or not os.path.getsize(log):
                time.sleep(0.05)
            check_equal(h('info mem'), '0000000000000000-0000000000400000 0000000000400000 urw\n0000000000400000-0000000000402000 0000000000002000 -r-\n', 'info mem')
            check_equal(h('info tlb'), '0000000000000000: 0000000000000000 --P-A--UW\n0000000000400000: 0000000000005000 -G-------\n'
                                       '0000000000401000: 0000000000006000 ---------\n', 'info tlb')
            vm.qmp.ok('quit')
            vm.wait()
    for option in (('-nic', 'user,model=help'), ('-nic', 'model=help'), ('-net', 'nic,model=?')):
        status, out, err = run('-M', 'pc', *option)
        check(status == 0 and {'e1000', 'rtl8139', 'virtio-net-pci'} <= set(out.splitlines()), f'{option}: {out!r} {err!r}')
    check("dev: e1000" in hmp('pc', 'info qtree', options=('-nic', 'mac=52:54:00:00:00:01'))[1], '-nic without a kind is a user network')
    for option, value in (((), 0), (('-no-fd-bootchk',), 1)):
        out = hmp('pc', 'o /b 0x70 0x38', 'i /b 0x71', options=option)[1]
        check_equal(int(out.split('portb[0x0071] = ')[1].split()[0], 16) & 1, value, f'{option}: bit 0 of CMOS byte 38h')
    check('raw' in run('-drive', 'format=help')[1].split() and 'qcow2' in run('-drive', 'file=x,format=?')[1].split(), '-drive format=help')
    for option, text in (('-boot', 'menu=<bool (on/off)>'), ('-rtc', 'base=<str>'), ('-smp', 'cpus=<num>'), ('-audiodev', 'none')):
        for word in ('help', '?'):
            status, out, err = run(option, word, timeout=60)
            check(status == 0 and text in out, f'{option} {word}: {status} {out!r} {err!r}')
    check('addr=<str>             - Slot and optional function number, example: 06.0 or 06 (default: -1)' in run('-device', 'e1000,help')[1], 'default of addr=')
    for text in ('2.5G', '100M', '12345'):
        check_equal(run('-M', 'pc', '-S', '-display', 'none', '-cpu', f'qemu64,tsc-freq={text}', '-monitor', 'stdio', stdin=b'quit\n')[0], 0, f'tsc-freq={text}')
    refuse('one place for two', '-M', 'pc', '-netdev', 'user,id=n', '-device', 'virtio-net-pci,netdev=n,bootindex=1', '-device', 'e1000,bootindex=1',
           text='The bootindex 1 has already been used')
    refuse('a place for what cannot boot', '-M', 'pc', '-device', 'VGA,bootindex=1', text="Property 'VGA.bootindex' not found")
    refuse('two balloons', '-M', 'pc', '-device', 'virtio-balloon', '-device', 'virtio-balloon', text='Only one balloon device is supported')
    _, _, err = hmp('pc', options=('-netdev', 'user,id=n', '-netdev', 'user,id=m', '-device', 'e1000,netdev=m'))
    check_equal(err, 'qemu-system-x86_64: warning: netdev n has no peer\n', 'a netdev that nobody uses')
    refuse('a frequency', '-M', 'pc', '-cpu', 'qemu64,tsc-freq=1x', text="Parameter 'tsc-freq' expects a frequency")


def test_keys_ahead():
    """Keys that nobody reads: what a driver finds when it starts is no more than a keyboard's 16 bytes, or Linux sees no controller."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'bios.bin')
        with open(path, 'wb') as f:
            f.write(bytes(0xfff0) + b'\xeb\xfe' + bytes(14))  # jmp to itself
        with Emulator('-bios', path, machine='pc') as vm:
            vm.qmp.ok('cont')
            for translate in ('0x44', '0x04'):
                vm.qmp.hmp('o /b 0x64 0x60')
                vm.qmp.hmp(f'o /b 0x60 {translate}')
                for i in range(80):
                    key = {'type': 'key', 'data': {'down': i % 2 == 0, 'key': {'type': 'qcode', 'data': 'a'}}}
                    vm.qmp.ok('input-send-event', events=[key])
                n = 0
                while int(vm.qmp.hmp('i /b 0x64').split('=')[1], 16) & 1 and n < 200:
                    vm.qmp.hmp('i /b 0x60')
                    n += 1
                check(8 <= n <= 16, f'{n} bytes of keys, command byte {translate}')
            vm.qmp.ok('quit')
            vm.wait()


test_names()
test_monitor()
test_keys_ahead()
test_habits()
test_waiting()
test_mode_switches()
test_timer_storm()
test_trees()
test_memory()
test_refusals()
test_init()
test_seabios()
finish()
