"""Guest time from executed instructions: the same run gives the same numbers, whoever runs it; bad options."""
import os
import tempfile

from emulator import check, check_equal, finish, run

# guest/icount.S: riscv64-linux-gnu-gcc -march=rv64gc -nostdlib -static -Wl,-Ttext=0x80000000,--build-id=none,-N
# guest/icount.S -o icount; riscv64-linux-gnu-objcopy -O binary icount icount.bin; xxd -p icount.bin
PROGRAM = bytes.fromhex('''
f32240f16392020e170100000331011a9702000083b2021a73905230732510c0732420b0f32510c00d631b0393037d13e31f
03fef32420b033858440ef00e00c732500b0ef00600c37c90002613903350900ef00800b9549374a00028332090093829230
23305a00814a930200087390423073600430850a13f33a00630303009d03050ee3090bfe014b5685ef00e0075e85ef008007
732520b0ef000007fd19e39e09fa833209009382823e23305a0073700430930200087390423073005010732510c0ef006004
9702000083b2020f03b50200ef006003b702100015631b03535523a0620001a09702000083b2020d03b30200050323b06200
ddbff32b1034054b7310403073002030b70200109303c003335e7500137efe00130e0e03930ea0036344de01130e7e022380
c201f113e3d103fe294e2380c201828013000000000000000000000000000000000000000000000000000000000000000000
0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
ffffffffffffffff000000000000000000000000000000008801008000000000fc0000800000000040010080
''')


def guest(path, *options):
    status, out, err = run('-M', 'virt', '-m', '64M', '-nographic', '-bios', path, *options, timeout=60)
    check_equal((status, err), (0, ''), f'guest run with {options}')
    return [int(line, 16) for line in out.split()]


def same_everywhere(path):
    one = guest(path, '-icount', 'shift=2,sleep=off')
    # The measured loop has two instructions and runs 12345 times; four more are around it.
    check_equal(one[0], 2 * 12345 + 4, 'instret counts instructions')
    check(len(set(one[3:18:3])) == 1, f'each deadline stops the loop at the same place: {one}')
    check_equal(one[-1], 0, 'there is no hart 1')
    for options in ([], ['-accel', 'tcg,one-insn-per-tb=on'], ['-accel', 'tcg,interpreter=on'], ['-d', 'nochain'],
                    ['-accel', 'tcg,thread=single']):
        check_equal(guest(path, '-icount', 'shift=2,sleep=off', *options), one, f'another run, {options}')
    # Waiting for real does not change what the guest sees.
    check_equal(guest(path, '-icount', 'shift=2'), one, 'sleep=on')
    check_equal(guest(path, '-icount', 'shift=2,align=on'), one, 'align=on')
    slow = guest(path, '-icount', 'shift=7,sleep=off')
    check_equal(slow[0], one[0], 'instret does not depend on the shift')
    check(slow[3] * 16 < one[3], f'each instruction takes longer: {slow}')


def harts_take_turns(path):
    two = guest(path, '-smp', '2', '-icount', 'shift=2,sleep=off')
    check(two[-1] > 1000, f'hart 1 runs too: {two}')
    for options in ([], ['-accel', 'tcg,one-insn-per-tb=on'], ['-accel', 'tcg,interpreter=on']):
        check_equal(guest(path, '-smp', '2', '-icount', 'shift=2,sleep=off', *options), two, f'two harts, {options}')


def other_clocks(path):
    check_equal(len(guest(path, '-icount', 'shift=auto')), 20, 'shift=auto runs')
    check_equal(len(guest(path, '-icount', 'auto,sleep=off')), 20, 'auto,sleep=off runs')
    check(guest(path, '-smp', '2', '-accel', 'tcg,thread=single')[-1] > 0, 'thread=single without a counter runs both harts')


def bad_options():
    for options, text in (('shift=11', 'icount: Invalid shift value'), ('shift=-1', 'icount: Invalid shift value'),
                          ('shift=x', 'icount: Invalid shift value'), ('shift=1,sleep=maybe', "'sleep' expects 'on' or 'off'"),
                          ('shift=1,align=on,sleep=off', 'align=on and sleep=off are incompatible'),
                          ('shift=auto,align=on', 'shift=auto and align=on are incompatible'),
                          ('align=on', 'Please specify shift option when using align'),
                          ('shift=1,rr=record,rrfile=f', 'record and replay are not supported'),
                          ('shift=1,foo=2', "Invalid parameter 'foo'")):
        status, _, err = run('-M', 'virt', '-display', 'none', '-icount', options)
        check(status == 1 and text in err and err.count('\n') == 1, f'-icount {options}: {status} {err!r}')
    status, _, err = run('-M', 'virt', '-display', 'none', '-icount', '1', '-accel', 'tcg,thread=multi')
    check(status == 1 and 'thread=multi is not possible with -icount' in err, f'thread=multi: {status} {err!r}')


def main():
    with tempfile.TemporaryDirectory(prefix='icount-') as folder:
        path = os.path.join(folder, 'icount.bin')
        with open(path, 'wb') as file:
            file.write(PROGRAM)
        same_everywhere(path)
        harts_take_turns(path)
        other_clocks(path)
    bad_options()
    finish()


main()
