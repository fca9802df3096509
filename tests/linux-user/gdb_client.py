#!/usr/bin/env python3
"""gdb_client.py RUNNER WORKDIR: a stock gdb-multiarch debugs a threaded program: breakpoint, watchpoint, threads, step, signal, registers,
auxiliary vector; a dynamic one whose libraries it reads through the stub; one that reads what is watched, traps by itself and forks."""
import os
import re
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


EVENTS_SOURCE = r'''
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
volatile long read_only = 77, both = 1;
unsigned char bytes[64] = { 5 };
static volatile long sum;
__attribute__((noinline)) void reader(void) { sum += read_only; }
__attribute__((noinline)) void writer(void) { both = both + 2; both = both; }
__attribute__((noinline)) void strided(void)
{
    __asm__ volatile("vsetivli zero, 4, e8, m1, ta, ma; li a1, 16; vlse8.v v8, (%0), a1" : : "r"(bytes) : "a1", "memory");
}
__attribute__((noinline)) void child_only(void) { sum = 1234; }
int main(void)
{
    union sigval value = { .sival_int = 4711 };
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_DFL);
    reader(); writer(); strided();
    sigqueue(getpid(), SIGUSR2, value);
    __asm__ volatile(".option push; .option norvc; ebreak; .option pop");
    pid_t pid = fork();
    if (!pid) { child_only(); _exit(3); }
    int status;
    waitpid(pid, &status, 0);
    printf("child %d\n", WEXITSTATUS(status));
    fflush(stdout);
    return 6;
}
'''
EVENTS = '''
set pagination off
set confirm off
set width 0
target remote {path}
info proc mappings
info proc
break reader
continue
p $_siginfo.si_signo + 1000
rwatch read_only
awatch both
continue
p $_siginfo.si_signo + 2000
continue
continue
continue
continue
delete
rwatch bytes[32]
watch bytes[0]
continue
delete
continue
p $_siginfo.si_code
p $_siginfo._sifields._rt.si_sigval.sival_int
signal 0
p $_siginfo.si_signo
p $pc == $_siginfo._sifields._sigfault.si_addr
x/i $pc
set var $pc = $pc + 4
set follow-fork-mode {follow}
catch fork
continue
break child_only
continue
info symbol $pc
continue
'''


def events(follow):
    path = os.path.join(work, f'events-{follow}.sock')
    script = os.path.join(work, f'events-{follow}.gdb')
    program = os.path.join(work, 'events')
    with open(script, 'w') as f:
        f.write(EVENTS.format(path=path, follow=follow))
    process = subprocess.Popen([runner, '-cpu', 'max', '-g', path, program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    end = time.time() + 20
    while not os.path.exists(path) and time.time() < end:
        time.sleep(0.01)
    with open(script) as f:
        gdb = subprocess.run(['gdb-multiarch', '-q', '-nx', program], stdin=f, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    text = gdb.stdout.decode(errors='replace')
    out = process.communicate(timeout=60)[0].decode()
    check(f'follow {follow}: the program ends as it would', (process.returncode, out) == (6, 'child 3\n'), f'{process.returncode} {out}\n{text}')
    wanted = ['r-xp', "exe = '" + program, 'hit Breakpoint 1, reader', '$1 = 1005', 'Hardware read watchpoint 2: read_only', 'Value = 77',
              'Hardware access (read/write) watchpoint 3: both', 'Value = 1\n', 'Old value = 1\nNew value = 3', 'Hardware read watchpoint 4: bytes[32]',
              'received signal SIGUSR2', '$2 = 2005', '$3 = -1', '$4 = 4711', 'received signal SIGTRAP', '$5 = 5', '$6 = 1', 'ebreak', 'Catchpoint 6 (forked process']
    wanted += ['hit Breakpoint 7, child_only', 'exited with code 03'] if follow == 'child' else ['Detaching after fork from child', 'exited with code 06']
    for what in wanted:
        check(f'follow {follow}: {what}', re.sub('hit Breakpoint', 'Breakpoint', what) in re.sub('hit Breakpoint', 'Breakpoint', text), text)
    check(f'follow {follow}: maps are the program\'s alone', 'qemu-user' not in text and 'tcg-code' not in text, text)


source = os.path.join(work, 't.c')
with open(source, 'w') as f:
    f.write(SOURCE)
for name, flags in (('static', ['-static']), ('dynamic', [])):
    subprocess.run(['riscv64-linux-gnu-gcc', '-g', '-O0', *flags, '-o', os.path.join(work, name), source, '-lpthread'], check=True)
debug('static')
text = debug('dynamic', '-L', '/usr/riscv64-linux-gnu')
check('dynamic: the C library is found', 'libc.so.6' in text, text)
with open(source, 'w') as f:
    f.write(EVENTS_SOURCE)
if subprocess.run(['riscv64-linux-gnu-gcc', '-g', '-O1', '-static', '-march=rv64gcv', '-o', os.path.join(work, 'events'), source]).returncode:
    # Assemblers before binutils 2.38 know no vectors.
    check('the assembler knows vectors', False, '')
else:
    events('parent')
    events('child')
sys.exit(1 if failures else 0)
