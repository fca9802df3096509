#!/usr/bin/env python3
"""tbcache.py EMULATOR WORK: translations kept from one run to the next (-tb-cache): used, correct, and harmless when damaged,
stale or not ours."""
import os
import pathlib
import random
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
#include <sys/wait.h>
#include <unistd.h>
int twice(int x) { return x * FACTOR; }
int main(int argc, char **argv)
{
    unsigned long h = 5381;
    for (int i = 1; i < argc; i++) {
        for (char *p = argv[i]; *p; p++) {
            h = h * 33 + (unsigned char)*p;
        }
    }
    pid_t pid = fork();
    if (!pid) {
        printf("child %d %.3f\n", twice(21), atof("2.5"));
        return 3;
    }
    int status;
    waitpid(pid, &status, 0);
    printf("parent %lx %d\n", h, WEXITSTATUS(status));
    return 7;
}
'''


def build(name, factor):
    source = work / f'{name}.c'
    source.write_text(SOURCE)
    subprocess.run(['riscv64-linux-gnu-gcc', '-O1', f'-DFACTOR={factor}', '-static', '-o', work / name, source], check=True)
    return work / name


def run(program, where, expect, counters=False):
    log = work / 'jit.log'
    options = ['-d', 'jit', '-D', log] if counters else []
    got = subprocess.run([emulator, *options, *(['-tb-cache', where] if where else []), program, 'some', 'words'],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert (got.returncode, got.stdout.decode()) == expect, (where, got, expect)
    if not counters:
        return None
    text = log.read_text()
    number = lambda what: int((re.search(r'(\d+)\s+' + what, text) or [0, '0'])[1])
    return number('units translated'), number('units restored')


def files(where):
    return sorted(p for p in pathlib.Path(where).iterdir())


cache = work / 'cache'
cache.mkdir(mode=0o700)
one, two = build('one', 2), build('two', 3)
expect = {one: (7, 'child 42 2.500\nparent 7c9e6db2deadbf41 3\n'), two: (7, 'child 63 2.500\nparent 7c9e6db2deadbf41 3\n')}
hash_text = subprocess.run([emulator, '-tb-cache', 'off', one, 'some', 'words'], stdout=subprocess.PIPE).stdout.decode()
words = re.search(r'parent (\w+) 3', hash_text)[1]
h = 5381
for c in 'some' + 'words':
    h = (h * 33 + ord(c)) % 2 ** 64
assert words == f'{h:x}', (words, h)
expect = {p: (s, t.replace('7c9e6db2deadbf41', words)) for p, (s, t) in expect.items()}

# Off keeps nothing; the first run fills, the second uses.
run(one, 'off', expect[one])
assert not files(cache)
translated, restored = run(one, str(cache), expect[one], True)
assert translated > 50 and not restored, (translated, restored)
assert len(files(cache)) == 1 and not files(cache)[0].stat().st_mode & 0o077
translated, restored = run(one, str(cache), expect[one], True)
assert restored > 50 and translated < restored / 2, (translated, restored)

# Another program that differs in one constant has its own.
run(two, str(cache), expect[two])
run(two, str(cache), expect[two])
assert len(files(cache)) == 2

# The other program's translations under this one's name (same addresses, other bytes): the bytes decide, not the name.
# The header's key is this program's.
mine, other = None, None
for path in files(cache):
    before = path.read_bytes()
    path.write_bytes(b'')
    translated, restored = run(one, str(cache), expect[one], True)
    if not restored:
        mine, my_bytes = path, before
    else:
        other, other_bytes = path, before
    path.unlink()
    path.write_bytes(before)
    path.chmod(0o600)
assert mine and other
mine.write_bytes(my_bytes[:24] + other_bytes[24:])
mine.chmod(0o600)
run(one, str(cache), expect[one])

# Damage anywhere: the same output. Truncation too.
rng = random.Random(1)
for attempt in range(60):
    data = bytearray(my_bytes)
    for _ in range(rng.choice((1, 8, 200))):
        data[rng.randrange(len(data) if attempt % 3 else 4096)] ^= 1 << rng.randrange(8)
    if attempt % 10 == 9:
        data = data[:rng.randrange(len(data))]
    mine.unlink()
    mine.write_bytes(data)
    mine.chmod(0o600)
    run(one, str(cache), expect[one])

# Not private, or no place at all.
mine.unlink()
mine.write_bytes(my_bytes)
mine.chmod(0o666)
assert run(one, str(cache), expect[one], True)[1] == 0
cache.chmod(0o777)
for bad, why in ((str(cache), 'writable by nobody else'), ('relative', 'absolute path'), (str(work / 'missing'), 'No such file')):
    got = subprocess.run([emulator, '-tb-cache', bad, one], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    text = got.stderr.decode()
    assert got.returncode == 1 and why in text and text.count('\n') == 1, (bad, got)

# Eight processes at once that all fill the same file.
cache.chmod(0o700)
for path in files(cache):
    path.unlink()
crowd = [subprocess.Popen([emulator, '-tb-cache', str(cache), one, 'some', 'words'], stdout=subprocess.PIPE) for _ in range(8)]
for p in crowd:
    assert (p.wait(), p.stdout.read().decode()) == expect[one]
assert len(files(cache)) == 1, files(cache)
run(one, str(cache), expect[one])
print('translations kept, checked and damaged: fine')
