#!/usr/bin/env python3
"""setids.py: set-user-id programs under a binfmt_misc registration, with its flag C and without.

usage: setids.py RUNNER ARCH COMPILER WORKDIR

A guest program without privileges starts one that belongs to root and has the set-user-id bit, as a shell starts sudo.
With C it runs as root, with AT_SECURE, and takes no QEMU_* variable from its caller; without C it stays what it was. Everything
happens in a user namespace with a binfmt_misc of its own (Linux 6.7) and with the numbers of all users: needs root.
"""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'suites'))
import guest_root

CALLER = r'''
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    if (setgid(1000) || setuid(1000)) return 1;
    setenv("QEMU_SET_ENV", "A=from the caller", 1);
    for (int i = 1; i < argc; i++) {
        if (fork() == 0) {
            execl(argv[i], argv[i], "x", (char *)0);
            return 2;
        }
        int status;
        wait(&status);
        if (status) return 3;
    }
}
'''
SHOW = r'''
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    const char *a = getenv("A");
    printf("%s %s uid %d %d gid %d %d secure %lu %lu %lu A=%s\n", argv[0], argv[1], getuid(), geteuid(), getgid(), getegid(),
           getauxval(AT_SECURE), getauxval(AT_EUID), getauxval(AT_EGID), a ? a : "-");
}
'''
INSIDE = r'''
set -e
mount -t tmpfs -o mode=755 tmpfs "$1"
cp "$2"/caller "$2"/show "$1"
cd "$1"
mkdir binfmt
cp show setuid; chmod 4755 setuid
cp show setgid; chmod 2755 setgid
mount -t binfmt_misc binfmt_misc binfmt
printf '%s' "$3" > binfmt/register
exec ./caller ./show ./setuid ./setgid
'''


def main():
    runner, arch, compiler, work = sys.argv[1:]
    if os.getuid() or not shutil.which(compiler):
        print('not root, or no', compiler)
        return 77
    work = os.path.abspath(work)
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(os.path.join(work, 'mnt'))
    for name, text in (('caller', CALLER), ('show', SHOW)):
        with open(os.path.join(work, name + '.c'), 'w') as f:
            f.write(text)
        subprocess.run([compiler, '-static', '-O1', '-Wall', '-o', os.path.join(work, name), os.path.join(work, name + '.c')], check=True)
    failed = 0
    for flag in ('yes', 'no'):
        line = guest_root.registration(arch, runner, os.path.join(work, 'runner-' + flag), ['--credential', flag])
        p = guest_root.start_in_namespaces(['sh', '-c', INSIDE, 'sh', os.path.join(work, 'mnt'), work, line], all_ids=True,
                                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        got = p.communicate(timeout=120)[0].decode(errors='replace')
        if 'binfmt_misc' in got and 'mount' in got:
            print(got)
            return 77 # a kernel without binfmt_misc for user namespaces
        plain = '%s x uid 1000 1000 gid 1000 1000 secure 0 1000 1000 A=from the caller\n'
        want = plain % './show'
        if flag == 'yes':
            want += ('./setuid x uid 1000 0 gid 1000 1000 secure 1 0 1000 A=-\n'
                     './setgid x uid 1000 1000 gid 1000 0 secure 1 1000 0 A=-\n')
        else:
            want += plain % './setuid' + plain % './setgid'
        if p.returncode or got != want:
            print('flag C: %s, status %d\ngot:\n%swanted:\n%s' % (flag, p.returncode, got, want))
            failed += 1
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
