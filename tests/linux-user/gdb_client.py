#!/usr/bin/env python3
"""gdb_client.py RUNNER WORKDIR: a stock gdb-multiarch debugs a threaded program: breakpoint, watchpoint, threads, step, signal, registers,
auxiliary vector; and a dynamic one whose libraries it reads through the stub."""
import os
import shutil
import socket
import subprocess
import sys
import time

runner, work = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
if not shutil.which('gdb-multiarch') or not shutil.which('riscv64-linux-gnu-gcc'):
    print('skipped: no gdb-multiarch or no cross compiler')
    sys.exit(77)
shutil.rmtree(work, ignore_errors=True)
os.makedirs(work)
SOURCE = r'''
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
volatile double watched = 1.5;
static sem_t ready, go;
static volatile int seen;
static void *work(void *p) { sem_post(&ready); sem_wait(&go); return NULL; }
int leaf(int x) { watched *= 1.25; return x * 2; }
static void on_usr1(int s) { seen = s; }
int main(void)
{
    pthread_t t[3];
    signal(SIGUSR1, on_usr1);
    for (int i = 0; i < 3; i++) { pthread_create(&t[i], NULL, work, NULL); sem_wait(&ready); }
    int r = leaf(20);
    raise(SIGUSR1);
    for (int i = 0; i < 3; i++) sem_post(&go);
    for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
    printf("%d %d %g\n", r, seen, watched);
    return 5;
}
'''
COMMANDS = '''
set pagination off
set confirm off
handle SIGUSR1 nostop noprint pass
target remote {path}
info auxv
break leaf
continue
info threads
bt
p x
watch watched
continue
stepi
x/i $pc
p $fcsr
p/x $ra
break on_usr1
continue
delete
info sharedlibrary
continue
'''
failures = 0


def check(what, ok, text):
    global failures
    if not ok:
        failures += 1
        print(f'FAILED: {what}\n{text}' if failures == 1 else f'FAILED: {what}')


def debug(name, *options):
    path = os.path.join(work, name + '.sock')
    script = os.path.join(work, name + '.gdb')
    with open(script, 'w') as f:
        f.write(COMMANDS.format(path=path))
    program = os.path.join(work, name)
    process = subprocess.Popen([runner, *options, '-g', path, program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    end = time.time() + 20
    while not os.path.exists(path) and time.time() < end:
        time.sleep(0.01)
    gdb = subprocess.run(['gdb-multiarch', '-batch', '-nx', '-x', script, program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         timeout=120)
    text = gdb.stdout.decode(errors='replace')
    out = process.communicate(timeout=60)[0].decode()
    check(f'{name}: the program ends as it would', (process.returncode, out) == (5, '40 10 1.875\n'), f'{process.returncode} {out}\n{text}')
    for what in ('AT_PAGESZ', 'hit Breakpoint 1, leaf (x=20)', '#1  0x', 'in main', '$1 = 20', 'Old value = 1.5', 'New value = 1.875',
                 '=> 0x', '<leaf+', 'hit Breakpoint 3, on_usr1', 'exited with code 05'):
        check(f'{name}: {what}', what in text, text)
    check(f'{name}: four threads', sum(line.lstrip(' *')[:2].strip() in '1234' and 'Thread ' in line for line in text.splitlines()
                                       if 'Id' not in line and line.strip()[:1] in '*1234') >= 4, text)
    return text


source = os.path.join(work, 't.c')
with open(source, 'w') as f:
    f.write(SOURCE)
for name, flags in (('static', ['-static']), ('dynamic', [])):
    subprocess.run(['riscv64-linux-gnu-gcc', '-g', '-O0', *flags, '-o', os.path.join(work, name), source, '-lpthread'], check=True)
debug('static')
text = debug('dynamic', '-L', '/usr/riscv64-linux-gnu')
check('dynamic: the C library is found', 'libc.so.6' in text, text)
sys.exit(1 if failures else 0)
