#!/usr/bin/env python3
"""Semihosting: a bare-metal program uses its console, files and command line of the host, and ends with a status; it cannot when that is off."""
import os
import shutil
import subprocess
import sys
import tempfile
from emulator import BINARY, check, check_equal, finish

GCC = 'riscv64-linux-gnu-gcc'
SOURCE = r'''
typedef unsigned long word;
__asm__(".section .text.start\n.globl _start\n_start: la sp, stack_top\n call main\n1: j 1b\n"
        ".bss\n.balign 16\n.space 8192\nstack_top:\n.text\n"
        ".option push\n.option norvc\n.balign 16\n.globl semi\nsemi: slli x0, x0, 31\nebreak\nsrai x0, x0, 7\nret\n.option pop\n");
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
    CHECK(CALL(6, f, 8, 4), -1);                /* no memory there */
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
    CHECK(CALL(0x12, (word)"true", 4), -1);     /* no commands of the host */
    CHECK(semi(0x77, 0), -1);
    CHECK((long)semi(0x11, 0) > 1700000000, 1);
    CHECK(semi(0x31, 0), 1000000000);
    print(line);
    f = open(":tt", 4);
    CALL(5, f, (word)"to standard output\n", 19);
    CALL(0x20, 0x20026, failed ? 1 : 42);
    print("still here\n");
    return 0;
}
'''


def run(exe, folder, *args, timeout=30):
    return subprocess.run([BINARY, '-M', 'virt', '-display', 'none', '-serial', 'none', '-monitor', 'none', '-bios', 'none', '-kernel', exe, *args],
                          cwd=folder, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)


def main():
    if not shutil.which(GCC):
        print('skipped: no ' + GCC)
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        source, exe = os.path.join(folder, 't.c'), os.path.join(folder, 't')
        with open(source, 'w') as f:
            f.write(SOURCE)
        isa = ['-march=rv32gc', '-mabi=ilp32'] if '32' in os.path.basename(BINARY) else ['-march=rv64gc', '-mabi=lp64']
        subprocess.run([GCC, *isa, '-O1', '-ffreestanding', '-fno-pic', '-fno-stack-protector', '-mcmodel=medany', '-nostdlib', '-static',
                        '-Wl,--build-id=none', '-Wl,-N', '-Wl,--no-warn-rwx-segments', '-Wl,-Ttext=0x80000000', '-o', exe, source], check=True)
        r = run(exe, folder, '-semihosting-config', 'enable=on,arg=one,arg=two,,three')
        check_equal((r.returncode, r.stdout, r.stderr), (42, 'to standard output\n', 'one two,three'), 'all calls')
        r = run(exe, folder, '-semihosting', '-append', 'x y')
        check_equal((r.returncode, r.stderr), (42, exe + ' x y'), 'the command line of -kernel and -append')
        check_equal(sorted(os.listdir(folder)), ['t', 't.c'], 'no file is left')
        for args, want in [(['target=gdb'], 'target=gdb is not supported'), (['chardev=c'], 'chardev'), (['x=1'], "Invalid parameter 'x'")]:
            r = run(exe, folder, '-semihosting-config', *args)
            check(r.returncode == 1 and want in r.stderr and r.stderr.count('\n') == 1, f'{args}: {r.returncode} {r.stderr!r}')
        # Off, it is an ebreak like any other; nothing is written, nothing ends.
        for args in [[], ['-semihosting-config', 'enable=off']]:
            try:
                r = run(exe, folder, *args, timeout=1)
                check(False, f'{args}: ended with {r.returncode}')
            except subprocess.TimeoutExpired as e:
                check(not e.stdout and not e.stderr, f'{args}: {e.stdout} {e.stderr}')
    finish()


main()
