#!/usr/bin/env python3
"""arm64gdb.py RUNNER WORKDIR: a stock gdb-multiarch debugs an AArch64 program: breakpoint, back trace, registers of both features, watchpoints on
accesses of several kinds, steps, writes of a vector register.
"""
import os
import shutil
import socket
import subprocess
import sys

runner, work = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
COMPILER = 'aarch64-linux-gnu-gcc'
if not shutil.which('gdb-multiarch') or not shutil.which(COMPILER):
    print('skipped: no gdb-multiarch or no', COMPILER)
    sys.exit(77)
os.makedirs(work, exist_ok=True)
SOURCE = r'''
#include <stdio.h>
#include <string.h>
volatile double watched = 1.5;
volatile long pair[4];
volatile int atomic;
int leaf(int x) { watched *= 1.25; return x * 2; }
void touch(void)
{
    __asm__ volatile("stp %0, %0, [%1, #8]!" :: "r"(7L), "r"(pair) : "memory");
    __asm__ volatile(".arch armv8.1-a\nldadd %w0, %w0, [%1]" :: "r"(5), "r"(&atomic) : "memory");
}
int main(void)
{
    int r = leaf(20);
    touch();
    printf("%d %g %ld %d\n", r, watched, pair[2], atomic);
    return 5;
}
'''
COMMANDS = '''
break leaf
continue
backtrace
print $x0
print/x $cpsr & 0xf
print $v0.d.f[0] = 2.5
print $d0
print $fpcr
watch watched
continue
delete 2
watch pair[1]
continue
delete 3
watch atomic
continue
delete
info registers sp pc
stepi
x/i $pc
continue
'''
WANTED = ['Breakpoint 1, leaf (x=20)', '#1  0x', 'in main', '$1 = 20', '$2 = 0x0', '$3 = 2.5', '$4 = {f = 2.5', '$5 = 0', 'Old value = 1.5', 'New value = 1.875',
          'Hardware watchpoint 3: pair[1]', 'New value = 7', 'Hardware watchpoint 4: atomic', 'New value = 5', '=> 0x', 'exited with code 05']
source, program = os.path.join(work, 'program.c'), os.path.join(work, 'program')
with open(source, 'w', encoding='utf-8') as out:
    out.write(SOURCE)
subprocess.run([COMPILER, '-g', '-O0', '-static', '-o', program, source], check=True)
with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    port = s.getsockname()[1]
guest = subprocess.Popen([runner, '-g', str(port), program], stdout=subprocess.PIPE, text=True)
try:
    script = os.path.join(work, 'commands')
    with open(script, 'w', encoding='utf-8') as out:
        out.write('set pagination off\nset confirm off\nset tcp connect-timeout 30\ntarget remote :%d\n%s' % (port, COMMANDS))
    gdb = subprocess.run(['gdb-multiarch', '-q', '-nx', '-batch', '-x', script, program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         timeout=200)
    output = guest.communicate(timeout=60)[0]
finally:
    guest.kill()
at = 0
for words in WANTED:
    found = gdb.stdout.find(words, at)
    if found < 0:
        print(gdb.stdout, '\nMISSING:', words)
        sys.exit(1)
    at = found
if guest.returncode != 5 or output != '40 1.875 7 5\n':
    print('status', guest.returncode, output)
    sys.exit(1)
print('all there')
