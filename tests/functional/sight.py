"""What -d, -D and -dfilter show of a small program; -seed, -mem-path, -fw_cfg and options that are only there as none."""
import glob
import os
import re
import tempfile

from emulator import Emulator, check, check_equal, finish, run

# 80000000: addi a0, zero, 1; addi a0, zero, 2; lui t0, 0x100; lui t1, 5; addi t1, t1, 0x555; sw t1, 0(t0); j .
PROGRAM = b''.join(word.to_bytes(4, 'little') for word in
                   (0x00100513, 0x00200513, 0x001002b7, 0x00005337, 0x55530313, 0x0062a023, 0x0000006f))
ITEMS = ('in_asm op op_opt out_asm int exec cpu fpu mmu page unimp guest_errors strace nochain').split()


def log_of(folder, program, *options):
    path = os.path.join(folder, 'log')
    status, _, err = run('-M', 'virt', '-m', '64M', '-display', 'none', '-bios', program, '-D', path, *options)
    check_equal((status, err), (0, ''), f'run with {options}')
    with open(path) as file:
        text = file.read()
    os.unlink(path)
    return text


def logs(folder, program):
    status, out, _ = run('-d', 'help', '-M', 'none')
    check_equal(status, 0, '-d help')
    for item in ITEMS:
        check(re.search(rf'^{item} ', out, re.M), f'-d help lists {item}')
        log_of(folder, program, '-d', item)
    asm = log_of(folder, program, '-d', 'in_asm')
    check(re.search(r'0x80000008:  001002b7\s+lui\s+t0', asm), f'in_asm shows instructions: {asm}')
    check(re.search(r'0x80000014:  0062a023\s+sw\s+t1', asm), f'in_asm shows instructions: {asm}')
    text = log_of(folder, program, '-d', 'op,op_opt', '-dfilter', '0x80000000+0x100')
    op, opt = text.split('OP after optimization and liveness analysis: ')
    check('put.i64 a0, 1' in op and 'put.i64 a0, 2' in op, f'op shows everything: {op}')
    check('put.i64 a0, 1' not in opt and 'put.i64 a0, 2' in opt, f'op_opt shows what is left: {opt}')
    check('unit pc=0x1000 ' not in text, 'the filter leaves out the reset code')
    text = log_of(folder, program, '-d', 'exec,nochain', '-dfilter', '0x1000..0x1fff')
    check('0000000000001000' in text and '0000000080000000' not in text, f'exec is filtered: {text}')
    run('-M', 'virt', '-m', '64M', '-display', 'none', '-bios', program, '-d', 'in_asm', '-D', os.path.join(folder, 'by-%d.log'))
    files = glob.glob(os.path.join(folder, 'by-*.log'))
    check(len(files) == 1 and re.search(r'by-\d+\.log$', files[0]), f'-D with %d: {files}')


def tree(folder, seed):
    path = os.path.join(folder, 'dtb')
    status, _, _ = run('-M', f'virt,dumpdtb={path}', '-display', 'none', '-seed', seed)
    check_equal(status, 0, f'dumpdtb with -seed {seed}')
    with open(path, 'rb') as file:
        return file.read()


def seeds(folder):
    check(tree(folder, '1') == tree(folder, '1'), 'the same seed, the same device tree')
    check(tree(folder, '1') != tree(folder, '2'), 'another seed, another one')
    status, _, err = run('-M', 'virt', '-display', 'none', '-seed', 'x')
    check(status == 1 and 'Invalid seed number: x' in err, f'-seed x: {err}')


def memory_path(folder):
    path = os.path.join(folder, 'ram')
    with Emulator('-m', '64M', '-mem-path', path, machine='virt') as emulator:
        check_equal(emulator.qmp.ok('qom-get', path='/machine', property='memory-backend'), 'riscv_virt_board.ram', 'the backend')
        check_equal(os.path.getsize(path), 64 << 20, 'the file')
        check_equal([(m['id'], m['size']) for m in emulator.qmp.ok('query-memdev')], [('riscv_virt_board.ram', 64 << 20)], 'query-memdev')
    status, _, err = run('-M', 'virt', '-display', 'none', '-mem-path', '/proc/nothing/here')
    check(status == 1 and err.count('\n') == 1, f'-mem-path: {status} {err}')


def fw_cfg(folder, program):
    good = ('-fw_cfg', 'name=opt/a,string=b', '-fw_cfg', f'opt/c,file={program}')
    check_equal(run('-M', 'virt', '-m', '64M', '-display', 'none', '-bios', program, *good)[::2], (0, ''), '-fw_cfg')
    for bad in ('opt/a', 'name=opt/a,string=b,file=c', 'string=b', 'opt/a,file=/nothing/here'):
        status, _, err = run('-M', 'virt', '-display', 'none', '-fw_cfg', bad)
        check(status == 1 and err.count('\n') == 1, f'-fw_cfg {bad}: {status} {err}')


def only_none(program):
    for option in (('-audiodev', 'none,id=a'), ('-audiodev', '{"id":"a","driver":"none"}'), ('-audio', 'none'), ('-vnc', 'none'),
                   ('-k', 'en-us')):
        check_equal(run('-M', 'virt', '-m', '64M', '-display', 'none', '-bios', program, *option)[::2], (0, ''), str(option))
    for option in (('-audiodev', 'alsa,id=a'),):
        status, _, err = run('-M', 'virt', '-display', 'none', *option)
        check(status == 1 and 'only none' in err, f'{option}: {status} {err}')


def main():
    with tempfile.TemporaryDirectory(prefix='sight-') as folder:
        program = os.path.join(folder, 'program')
        with open(program, 'wb') as file:
            file.write(PROGRAM)
        logs(folder, program)
        seeds(folder)
        memory_path(folder)
        fw_cfg(folder, program)
        only_none(program)
    finish()


main()
