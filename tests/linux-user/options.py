#!/usr/bin/env python3
"""options.py: command line, bad program files, -strace, -E/-U/-0, -L, -p, -R, -B, core files.

usage: options.py RUNNER WORKDIR
"""
import os
import random
import re
import resource
import shutil
import struct
import subprocess
import sys

runner, work = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
failures = 0


def run(*args, env=None, **kw):
    e = {k: v for k, v in os.environ.items() if not k.startswith('QEMU_')}
    e.update(env or {})
    return subprocess.run([runner, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          timeout=60, env=e, cwd=work, **kw)


def check(what, ok, p=None):
    global failures
    if not ok:
        failures += 1
        print('FAILED:', what)
        if p:
            print('  status', p.returncode, 'out', p.stdout[:400], 'err', p.stderr[:400])


def one_line(what, p, word):
    """A refusal: status 1, one line on stderr that names the thing."""
    lines = p.stderr.decode(errors='replace').splitlines()
    check(what, p.returncode == 1 and len(lines) == 1 and word in lines[0] and not p.stdout, p)


cross = shutil.which('riscv64-linux-gnu-gcc')
if not cross:
    print('no riscv64-linux-gnu-gcc')
    sys.exit(77)
os.makedirs(work, exist_ok=True)
source = os.path.join(work, 'args.c')
with open(source, 'w') as f:
    f.write('''
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/utsname.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    struct utsname u;
    if (argc > 1 && !strcmp(argv[1], "abort")) abort();
    if (argc > 1 && !strcmp(argv[1], "segv")) *(volatile int *)16 = 1;
    if (argc > 1 && !strcmp(argv[1], "bad")) write(1, (void *)0xdeadbeef0000, 5);
    if (argc > 1 && !strcmp(argv[1], "exec")) execl("/bin/echo", "echo", "host program", NULL);
    if (argc > 1 && !strcmp(argv[1], "self")) execl("/proc/self/exe", "again", "x", NULL);
    uname(&u);
    for (int i = 0; i < argc; i++) printf("[%s]", argv[i]);
    printf(" A=%s B=%s %s %s page %lu random %02x\\n", getenv("A") ? getenv("A") : "-", getenv("B") ? getenv("B") : "-",
           u.release, u.machine, getauxval(AT_PAGESZ), *(unsigned char *)getauxval(AT_RANDOM));
    return 3;
}
''')
prog = os.path.join(work, 'args')
subprocess.run([cross, '-static', '-O1', '-w', '-o', prog, source], check=True)

# -- options
p = run('-0', 'zero', '-E', 'A=1,B=x', '-U', 'B', '-r', '9.9.9', prog, 'one', '-x')
check('options', p.returncode == 3 and p.stdout.startswith(b'[zero][one][-x] A=1 B=- 9.9.9 riscv64 page 4096'), p)
p = run(prog, env={'QEMU_ARGV0': 'env0', 'QEMU_SET_ENV': 'A=5', 'QEMU_UNAME': '8.8'})
check('environment', b'[env0] A=5 B=- 8.8' in p.stdout, p)
a, b = run('-seed', '7', prog).stdout, run('-seed', '7', prog).stdout
check('-seed repeats', a == b)
p = run('-s', '1M', prog)
check('-s', p.returncode == 3, p)
pie = os.path.join(work, 'args-pie') # its loader is mapped before the stack, next below it
subprocess.run([cross, '-O1', '-w', '-o', pie, source], check=True)
pie = ['-L', '/usr/riscv64-linux-gnu', '-E', 'LD_LIBRARY_PATH=/usr/riscv64-linux-gnu/lib', pie]
p = run('-s', '2G', *pie)
check('-s larger than what lies below the stack', p.returncode == 3, p)
if resource.getrlimit(resource.RLIMIT_STACK)[1] == resource.RLIM_INFINITY:
    p = run(*pie, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)))
    check('a stack without limit', p.returncode == 3, p)
p = run('-R', '4G', prog)
check('-R', p.returncode == 3, p)
p = run('-tb-cache', 'off', prog, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20)))
check('little address space', p.returncode == 3, p)
p = run('-B', '0x10000000000', prog)
check('-B', p.returncode == 3, p)
big = os.path.join(work, 'args64k')
subprocess.run([cross, '-static', '-O1', '-w', '-Wl,-z,max-page-size=65536', '-o', big, source], check=True)
p = run('-p', '16384', big)
check('-p', b'page 16384' in p.stdout, p)
p = run('-one-insn-per-tb', prog)
check('-one-insn-per-tb', p.returncode == 3, p)
p = run('-interpreter', prog)
check('-interpreter', p.returncode == 3, p)
p = run('-cpu', 'help')
check('-cpu help', p.returncode == 0 and b'rv64' in p.stdout, p)
p = run('-version')
check('-version', p.returncode == 0 and b'version' in p.stdout, p)
p = run('-help')
check('-help', p.returncode == 0 and b'-strace' in p.stdout and b'QEMU_LD_PREFIX' in p.stdout, p)
p = run('--', prog, 'x')
check('--', p.returncode == 3, p)
one_line('no program', run(), 'no program')
one_line('unknown option', run('-nonsense', prog), '-nonsense')
one_line('missing argument', run('-cpu'), '-cpu')
one_line('unknown CPU', run('-cpu', 'pentium', prog), 'pentium')
one_line('unknown property', run('-cpu', 'rv64,zzz=on', prog), 'zzz')
one_line('bad stack', run('-s', '12', prog), '12')
one_line('bad page size', run('-p', '1000', prog), '1000')
one_line('alignment', run('-p', '65536', prog), 'aligned')
one_line('bad base', run('-B', '5', prog), '5')
one_line('bad -E', run('-E', 'novalue', prog), 'novalue')
one_line('bad log item', run('-d', 'nothing', prog), 'nothing')
one_line('signal map', run('-t', '1 2 3', prog), '-t')
one_line('missing file', run('/nonexistent/file'), '/nonexistent/file')
one_line('directory', run(work), work)
one_line('host program', run('/bin/true'), 'x86-64')
os.chmod(source, 0o755)
one_line('text file', run(source), 'no ELF file')
shutil.copy(prog, prog + '-no-x')
os.chmod(prog + '-no-x', 0o644)
one_line('a file without an x bit', run(prog + '-no-x'), 'Permission denied')

# -- bad files: every truncation and many mutations end in one line, or in the guest's own death
with open(prog, 'rb') as f:
    good = f.read()
bad = os.path.join(work, 'bad')


def try_bytes(data):
    with open(bad, 'wb') as f:
        f.write(data)
    os.chmod(bad, 0o755)
    p = run('-s', '256K', bad)
    text = p.stderr.decode(errors='replace')
    if 'internal error' in text or 'ssertion' in text or p.returncode in (-6, 134):
        return p
    if p.returncode == 1 and text.count('\n') != 1:
        return p
    return None


for n in (0, 1, 4, 10, 20, 40, 63, 64, 100, 120, 400, 4096, len(good) // 2):
    p = try_bytes(good[:n])
    check('truncated to %d' % n, p is None, p)
rng = random.Random(1)
phnum = struct.unpack_from('<H', good, 56)[0]
for i in range(120):
    data = bytearray(good)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(4, 64 + 56 * phnum)
        data[at] = rng.choice((0, 1, 0x7f, 0x80, 0xff, rng.randrange(256)))
    p = try_bytes(bytes(data))
    check('mutation %d' % i, p is None, p)
huge = bytearray(good)
struct.pack_into('<Q', huge, 64 + 56 + 40, 1 << 62)
check('enormous segment', try_bytes(bytes(huge)) is None)

# -- strace
p = run('-strace', prog, 'bad')
err = p.stderr.decode()
check('strace of a bad pointer', re.search(r'write\(1, 0xdeadbeef0000, 5\) = -1 EFAULT \(Bad address\)', err), p)
check('strace of exit', 'exit_group(3) = ?' in err, p)
log = os.path.join(work, 'log')
p = run('-d', 'strace', '-D', log, prog)
with open(log) as f:
    check('-D', 'exit_group' in f.read() and not p.stderr, p)

# -- exec, signals, core
p = run(prog, 'exec')
check('exec of a host program', p.stdout == b'host program\n', p)
p = run('-r', '1.2.3', prog, 'self')
check('exec of itself keeps options', p.stdout.startswith(b'[again][x]') and b'1.2.3' in p.stdout, p)
p = run(prog, 'abort')
check('abort', p.returncode == -6, p)
for f in os.listdir(work):
    if f.endswith('.core'):
        os.unlink(os.path.join(work, f))


def core_limit():
    resource.setrlimit(resource.RLIMIT_CORE, (64 << 20, 64 << 20))


p = run(prog, 'segv', preexec_fn=core_limit)
check('segv', p.returncode == -11, p)
cores = [f for f in os.listdir(work) if f.startswith('qemu_args_') and f.endswith('.core')]
check('a core file', len(cores) == 1)
if cores:
    with open(os.path.join(work, cores[0]), 'rb') as f:
        head = f.read(64)
    check('core header', head[:4] == b'\x7fELF' and struct.unpack_from('<HH', head, 16) == (4, 243))
    if shutil.which('gdb-multiarch'):
        g = subprocess.run(['gdb-multiarch', '-batch', '-nx', '-ex', 'bt', '-ex', 'info registers pc', prog,
                            os.path.join(work, cores[0])], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        check('gdb reads the core', b'main' in g.stdout and b'SIGSEGV' in g.stdout)
        if failures:
            print(g.stdout.decode()[-600:])

def jitdump():
    """-jitdump: every record whole, as perf's specification has it"""
    p = run('-tb-cache', 'off', '-jitdump', prog)
    dumps = [f for f in os.listdir(work) if f.startswith('jit-') and f.endswith('.dump')]
    check('one jit-PID.dump', len(dumps) == 1, p)
    data = open(os.path.join(work, dumps[0]), 'rb').read()
    magic, version, header, machine = struct.unpack_from('<4I', data)
    check('header', (magic, version, header, machine) == (0x4a695444, 1, 40, 62))
    at, n = header, 0
    while at < len(data):
        kind, size, _, _, _, _, address, code, index = struct.unpack_from('<IIQIIQQQQ', data, at)
        name = data[at + 56:data.index(b'\0', at + 56)]
        check('record', kind == 0 and index == n and size == 56 + len(name) + 1 + code and name.startswith(b'guest_') and address)
        at, n = at + size, n + 1
    check('records', at == len(data) and n > 50)
    os.unlink(os.path.join(work, dumps[0]))


jitdump()
sys.exit(1 if failures else 0)
