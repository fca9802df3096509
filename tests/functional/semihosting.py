#!/usr/bin/env python3
"""Semihosting: a bare-metal program uses its console, files and command line of the host, and ends with a status; on a machine it cannot when that
is off, a user program always can.

    semihosting.py EMULATOR [INSTRUCTION]

EMULATOR is a system emulator or a user-mode runner; INSTRUCTION one of those the architecture calls with (default: the first)."""
import os
import shutil
import subprocess
import sys
import tempfile
from emulator import BINARY, check, check_equal, finish

RISCV = '''__asm__(".section .text.start\\n.globl _start\\n_start: la sp, stack_top\\n call main\\n1: j 1b\\n"
        ".bss\\n.balign 16\\n.space 8192\\nstack_top: .space 16\\n.text\\n"
        ".option push\\n.option norvc\\n.balign 16\\n.globl semi\\nsemi: slli x0, x0, 31\\nebreak\\nsrai x0, x0, 7\\nret\\n.option pop\\n");'''
AARCH64 = '''__asm__(".section .text.start\\n.globl _start\\n_start: adrp x0, stack_top\\n add x0, x0, :lo12:stack_top\\n mov sp, x0\\n bl main\\n1: b 1b\\n"
        ".bss\\n.balign 16\\n.space 8192\\nstack_top: .space 16\\n.text\\n.globl semi\\nsemi: @INSN@\\nret\\n");'''
ARM = '''__asm__(".section .text.start\\n.globl _start\\n.arm\\n.type _start, %function\\n_start: ldr sp, =stack_top\\n blx main\\n1: b 1b\\n.ltorg\\n"
        ".bss\\n.balign 16\\n.space 8192\\nstack_top: .space 16\\n.text\\n.globl semi\\n.type semi, %function\\n@STATE@\\nsemi: @INSN@\\nbx lr\\n.arm\\n");
int raise(int number) { return number; } /* of the library's division by zero */'''
# By emulator: compiler, its options, where a machine's memory begins, code, instructions.
HOW = {
    'riscv64': ('riscv64-linux-gnu-gcc', '-march=rv64gc -mabi=lp64 -mcmodel=medany', 0x80000000, RISCV, {'ebreak': ''}),
    'riscv32': ('riscv64-linux-gnu-gcc', '-march=rv32gc -mabi=ilp32 -mcmodel=medany', 0x80000000, RISCV, {'ebreak': ''}),
    'aarch64': ('aarch64-linux-gnu-gcc', '-mgeneral-regs-only -mstrict-align', 0x40200000, AARCH64, {'hlt': 'hlt #0xf000'}),
    'arm': ('arm-linux-gnueabihf-gcc', '-march=armv7-a+fp', 0x40200000, ARM,
            {'svc': 'svc #0x123456', 'hlt': '.inst 0xe10f0070', 'thumb-svc': 'svc #0xab', 'thumb-hlt': '.inst.n 0xbabc'}),
}
SOURCE = r'''
typedef unsigned long word;
@START@
word semi(word operation, const void *parameter);
static word length(const char *s) { word n = 0; while (s[n]) n++; return n; }
static word failed;
static void print(const char *s) { semi(4, s); }
static void check(int line, long got, long want)
{
    if (got != want) {
        print("line "); for (int d = 100; d; d /= 10) { char c = '0' + line / d % 10; semi(3, &c); } print(" failed\n");
        failed++;
    }
}
#define CHECK(got, want) check(__LINE__, (long)(got), (long)(want))
#define CALL(operation, ...) semi(operation, (word[]){ __VA_ARGS__ })
static word open(const char *name, word mode) { return CALL(1, (word)name, mode, length(name)); }
static char buf[64], line[64];
int main(void)
{
    const char *name = "semihosting-file", text[] = "0123456789";
    word f = open(name, 4);
    CHECK((long)f > 0, 1);
    CHECK(CALL(5, f, (word)text, 10), 0);
    CHECK(CALL(2, f), 0);
    CHECK(CALL(2, f), -1);                      /* closed already */
    CHECK(semi(0x13, 0), 9);                    /* EBADF */
    f = open(name, 0);
    CHECK(CALL(0xc, f), 10);
    CHECK(CALL(0xa, f, 4), 0);
    CHECK(CALL(6, f, (word)buf, 20), 14);       /* six came */
    CHECK(buf[0] == '4' && buf[5] == '9' && !buf[6], 1);
    CHECK(CALL(6, f, (word)buf, 20), 20);       /* the end */
    CHECK(CALL(5, f, (word)text, 10), 10);      /* opened for reading */
    CHECK(CALL(0xa, f, 0), 0);
    CHECK(CALL(6, f, (word)-4096, 4), -1);                /* no memory there */
    CHECK(CALL(9, f), 0);
    CHECK(CALL(2, f), 0);
    CHECK(CALL(0xf, (word)name, length(name), (word)"other", 5), 0);
    CHECK((long)open(name, 0), -1);
    CHECK(CALL(0xe, (word)"other", 5), 0);
    CHECK(CALL(0xe, (word)"other", 5), -1);
    f = open(":semihosting-features", 0);
    CHECK(CALL(6, f, (word)buf, 5), 0);
    CHECK(buf[0] == 'S' && buf[1] == 'H' && buf[2] == 'F' && buf[3] == 'B' && buf[4] == 3, 1);
    word cmdline[2] = { (word)line, sizeof(line) };
    CHECK(semi(0x15, cmdline), 0);
    CHECK(cmdline[1], length(line));
    CHECK(CALL(0x15, (word)line, 2), -1);       /* too small for it */
    CHECK(CALL(0x12, (word)"exit 3", 6), 3);    /* a command of the host */
    CHECK(semi(0x77, 0), -1);
    CHECK((long)semi(0x11, 0) > 1700000000, 1);
    CHECK(semi(0x31, 0), 1000000000);
    word heap[4], heap_block[1] = { (word)heap };
    CHECK(semi(0x16, heap_block), 0);
    CHECK(heap[0] >= (word)line && heap[1] - heap[0] >= 1 << 20, 1);
    if (line[0] == 'r') {                       /* "read" */
        char c = semi(7, 0);
        semi(3, &c);
        CALL(0x20, 0x20026, c);
    }
    print(line);
    f = open(":tt", 4);
    CALL(5, f, (word)"to standard output\n", 19);
    CALL(0x20, 0x20026, failed ? 1 : 42);
    print("still here\n");
    return 0;
}
'''



NAME = os.path.basename(BINARY)
SYSTEM = 'system' in NAME


def command(exe, args):
    if SYSTEM:
        firmware = ['-bios', 'none'] if 'riscv' in NAME else []
        return [BINARY, '-M', 'virt', '-display', 'none', '-nic', 'none', '-serial', 'none', '-monitor', 'none', *firmware, '-kernel', exe, *args]
    return [BINARY, exe, *args]


def run(exe, folder, *args, timeout=30, text=None):
    given = {'input': text} if text is not None else {'stdin': subprocess.DEVNULL}
    return subprocess.run(command(exe, args), cwd=folder, capture_output=True, text=True, timeout=timeout, **given)


def waits_and_ends(exe, folder, *args):
    """A call that waits for input does not keep the machine from ending."""
    p = subprocess.Popen(command(exe, args), cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        p.wait(1)
        check(False, f'{args}: ended with {p.returncode} before there was input')
    except subprocess.TimeoutExpired:
        p.terminate()
        p.communicate(timeout=20)
    check(p.returncode is not None, f'{args}: ends on SIGTERM')


def check_system(exe, folder):
    r = run(exe, folder, '-semihosting-config', 'enable=on,arg=one,arg=two,,three')
    check_equal((r.returncode, r.stdout, r.stderr), (42, 'to standard output\n', 'one two,three'), 'all calls')
    r = run(exe, folder, '-semihosting', '-append', 'x y')
    check_equal((r.returncode, r.stderr), (42, exe + ' x y'), 'the command line of -kernel and -append')
    console = ['-chardev', 'stdio,id=c,signal=off', '-semihosting-config']
    r = run(exe, folder, *console, 'chardev=c,arg=one')
    check_equal((r.returncode, r.stdout, r.stderr), (42, 'oneto standard output\n', ''), 'a chardev as console')
    for args in [[*console, 'chardev=c,arg=read'], ['-semihosting-config', 'arg=read']]:
        r = run(exe, folder, *args, text='A')
        check_equal((r.returncode, r.stdout + r.stderr), (65, 'A'), f'input: {args}')
        waits_and_ends(exe, folder, *args)
    check_equal(sorted(os.listdir(folder)), ['t', 't.c'], 'no file is left')
    for args, want in [(['target=gdb'], 'target=gdb is not supported'), (['chardev=c'], "chardev 'c' not found"), (['x=1'], "Invalid parameter 'x'")]:
        r = run(exe, folder, '-semihosting-config', *args)
        check(r.returncode == 1 and want in r.stderr and r.stderr.count('\n') == 1, f'{args}: {r.returncode} {r.stderr!r}')
    # Off, it is an instruction like any other; nothing is written, nothing ends.
    for args in [[], ['-semihosting-config', 'enable=off']]:
        try:
            r = run(exe, folder, *args, timeout=1)
            check(False, f'{args}: ended with {r.returncode}')
        except subprocess.TimeoutExpired as e:
            check(not e.stdout and not e.stderr, f'{args}: {e.stdout} {e.stderr}')


def check_user(exe, folder):
    r = run(exe, folder, 'one', 'two')
    check_equal((r.returncode, r.stdout, r.stderr), (42, 'to standard output\n', exe + ' one two'), 'all calls')
    reader = os.path.join(folder, 'reader')
    os.rename(exe, reader)
    r = run('reader', folder, text='A')
    check_equal((r.returncode, r.stdout, r.stderr), (65, '', 'A'), 'input')
    waits_and_ends('reader', folder)


def main():
    gcc, options, base, start, instructions = HOW[NAME.split('-')[-1]]
    if not shutil.which(gcc):
        print('skipped: no ' + gcc)
        sys.exit(77)
    how = sys.argv[2] if len(sys.argv) > 2 else next(iter(instructions))
    options = options.split() + (['-mthumb' if 'thumb' in how else '-marm'] if base and 'arm' in NAME else [])
    if SYSTEM:
        options += ['-Wl,-N', '-Wl,--no-warn-rwx-segments', f'-Wl,-Ttext={base:#x}']
    with tempfile.TemporaryDirectory() as folder:
        source, exe = os.path.join(folder, 't.c'), os.path.join(folder, 't')
        with open(source, 'w') as f:
            f.write(SOURCE.replace('@START@', start.replace('@INSN@', instructions[how]).replace('@STATE@', '.thumb' if 'thumb' in how else '.arm')))
        subprocess.run([gcc, *options, '-O1', '-ffreestanding', '-fno-pic', '-fno-stack-protector', '-nostdlib', '-static',
                        '-Wl,--build-id=none', '-o', exe, source, '-lgcc'], check=True)
        check_system(exe, folder) if SYSTEM else check_user(exe, folder)
    finish()


main()
