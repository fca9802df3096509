#!/usr/bin/env python3
"""forkahead.py EMULATOR WORK: what a forked child has to translate, its parent translates before the next fork, so that later children
find it; code that only the child has mapped or changed leads to nothing."""
import pathlib
import re
import shutil
import subprocess
import sys

emulator, work = sys.argv[1], pathlib.Path(sys.argv[2])
shutil.rmtree(work, ignore_errors=True)
work.mkdir(parents=True)

SOURCE = r'''
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
__attribute__((noinline, noipa)) int child_part(int x) { return x * 3 + 1; }
static int mapped(void *where, int x) /* mov eax, x; ret in a page that is not writable when it runs */
{
    unsigned char code[] = { 0xb8, (unsigned char)x, 0, 0, 0, 0xc3 };
    unsigned char *p = mmap(where, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    memcpy(p, code, sizeof(code));
    mprotect(p, 4096, PROT_READ | PROT_EXEC);
    return ((int (*)(void))p)();
}
int main(void)
{
    char *space = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int sum = 0;
    for (int i = 0; i < 6; i++) {
        pid_t pid = fork();
        if (!pid) _exit(child_part(i) + mapped(space, i + 40));
        if (i == 3) sum += mapped(space, 99); /* now the parent has something else there */
        int status;
        waitpid(pid, &status, 0);
        sum += WEXITSTATUS(status);
    }
    printf("%d\n", sum);
    return 0;
}
'''
cc = shutil.which('x86_64-linux-gnu-gcc')
if not cc:
    print('no x86_64-linux-gnu-gcc')
    sys.exit(77)
program, log = work / 'forkahead', work / 'log'
program.with_suffix('.c').write_text(SOURCE)
subprocess.run([cc, '-O1', '-static', '-o', program, program.with_suffix('.c')], check=True)
expect = str(sum(i * 3 + 1 + i + 40 for i in range(6)) + 99)
for options in ([], ['-tb-cache', 'off'], ['-d', 'in_asm', '-D', log]):
    got = subprocess.run([emulator, *options, program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100)
    assert (got.returncode, got.stdout.decode().strip()) == (0, expect), (options, got, expect)
symbols = subprocess.run(['nm', program], stdout=subprocess.PIPE, check=True).stdout.decode()
at = int(re.search(r'(\w+) T child_part', symbols)[1], 16)
times = len(re.findall(rf'^IN: {at:016x}$', log.read_text(), re.M))
assert times == 2, f'translated {times} times by six children and their parent'
