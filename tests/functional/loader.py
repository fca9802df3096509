#!/usr/bin/env python3
"""loader.py EMULATOR: -device loader on the RISC-V board: bytes, numbers, ELF files, where a hart starts, after a reset too, and what is refused."""
import re
import struct
import time
from emulator import Emulator, check, check_equal, finish, run

PROGRAM = struct.pack('<3I', 0x00100293, 0x00150513, 0x0000006f)  # li t0, 1; addi a0, a0, 1; j .
AT = 0x80200000


def elf(entry):
    header = b'\x7fELF\2\1\1' + bytes(9) + struct.pack('<HHIQQQIHHHHHH', 2, 243, 1, entry, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return header + struct.pack('<IIQQQQQQ', 1, 5, 120, entry, entry, len(PROGRAM), len(PROGRAM), 4) + PROGRAM


def hmp(vm, line):
    return vm.qmp.ok('human-monitor-command', command_line=line)


def register(vm, cpu, name):
    return int(re.search(rf'{name}\s+([0-9a-f]+)', vm.qmp.ok('human-monitor-command', command_line='info registers', cpu_index=cpu)).group(1), 16)


def runs(vm, cpu, at, what):
    """The processor has run PROGRAM and stays at its end."""
    end = time.time() + 20
    while time.time() < end and register(vm, cpu, 'x5/t0') != 1:
        time.sleep(0.01)
    check_equal((register(vm, cpu, 'x5/t0'), register(vm, cpu, ' pc')), (1, at + 8), what)


def test_use(folder):
    raw, program = f'{folder}/raw', f'{folder}/elf'
    with open(raw, 'wb') as f:
        f.write(PROGRAM)
    with open(program, 'wb') as f:
        f.write(elf(AT + 0x1000))
    with Emulator('-bios', 'none', '-smp', '2', '-device', f'loader,file={raw},addr={AT},cpu-num=1',
                  '-device', f'loader,file={program},addr=5,cpu-num=0', '-device', f'loader,addr={AT + 0x2000},data=0x11223344,data-len=8,data-be=on',
                  '-device', f'loader,addr={AT + 0x2008},data=0x11223344,data-len=2', machine='virt') as vm:
        for run_number in range(2):
            check_equal(hmp(vm, f'xp /3wx {AT + 0x2000}').split()[1:], ['0x00000000', '0x44332211', '0x00003344'], f'numbers, run {run_number}')
            vm.qmp.ok('cont')
            runs(vm, 1, AT, f'bytes at their address, run {run_number}')
            runs(vm, 0, AT + 0x1000, f'an ELF file at its entry, run {run_number}')
            vm.qmp.ok('stop')
            vm.qmp.ok('system_reset')
    with Emulator('-bios', 'none', '-device', f'loader,file={program}', '-device', f'loader,addr={AT + 0x1004},cpu-num=0', machine='virt') as vm:
        check_equal(register(vm, 0, ' pc'), AT + 0x1004, 'an address for a processor')
    for options, text in (('', 'please include valid arguments'), (f'addr={AT}', 'cpu_num must be specified'),
                          (f'addr={AT},data=5', 'Both data and data-len must be specified'), (f'addr={AT},data=5,data-len=9', 'data-len cannot be greater'),
                          (f'file={raw},addr={AT},cpu-num=2', 'Specified boot CPU#2 is nonexistent'), (f'file={raw},data=1,data-len=1', 'Specifying a file'),
                          (f'file={raw},addr=1', 'does not fit into memory'), (f'file={folder}/none,addr={AT}', 'No such file'),
                          (f'addr={AT},data=5,data-len=4,force-raw=on', 'Specifying force-raw'), ('file=/bin/sh', 'is for another architecture')):
        status, _, err = run('-M', 'virt', '-bios', 'none', '-display', 'none', '-device', 'loader,' + options)
        check(status == 1 and text in err and err.count('\n') == 1, f'{options}: {status}, {err}')


with Emulator() as place:
    test_use(place.dir.name)
finish()
