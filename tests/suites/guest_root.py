"""Runs programs of a root of another architecture under a user-mode runner, in a chroot and in namespaces that take everything with them.

The runner is registered with the binfmt_misc of a user namespace of its own: every program that a program starts is found,
also under runners that do not follow execve themselves, and nothing of this machine changes. Needs Linux 6.7
(binfmt_misc of a user namespace) and unshare of util-linux.
"""
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = '/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/jvm/default-java/bin'

# $1 root (empty: the host's), $2 the side's folder, $3 the registration, then the command.
INSIDE = r'''
set -e
root=$1 base=$2 line=$3
shift 3
if [ -n "$root" ]; then
  mount -t binfmt_misc binfmt_misc "$base/binfmt"
  printf '%s' "$line" > "$base/binfmt/register"
  # Devices of its own: whoever is root here could take the machine's away.
  dev=$root/dev
  mount -t tmpfs -o mode=755 dev "$dev"
  for name in null zero full random urandom tty; do
    : > "$dev/$name"
    mount --bind "/dev/$name" "$dev/$name"
  done
  mkdir "$dev/pts" "$dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$dev/pts"
  mount -t tmpfs -o mode=1777 shm "$dev/shm"
  ln -s pts/ptmx "$dev/ptmx"
  ln -s /proc/self/fd "$dev/fd"
  for name in stdin:0 stdout:1 stderr:2; do ln -s "/proc/self/fd/${name#*:}" "$dev/${name%:*}"; done
  mount --rbind /sys "$root/sys"
  [ ! -e "$base/etc" ] || mount --bind "$base/etc" "$root/etc"
fi
mount -t proc proc "$root/proc"
mount --bind "$base/tmp" "$root/tmp"
mount --bind "$base/work" "$root/mnt"
: > "$base/started"
cd "$root/mnt"
exec chroot "${root:-/}" /usr/bin/env -i -C /mnt HOME=/mnt PATH="$GUEST_PATH" LC_ALL=C.UTF-8 TERM=dumb TZ=UTC $GUEST_ENV "$@"
'''


def arch_of(root):
    """By the machine that the shell is for."""
    with open(os.path.join(root, 'usr/bin/bash'), 'rb') as f:
        return {243: 'riscv64', 183: 'aarch64', 40: 'arm'}[int.from_bytes(f.read(20)[18:], 'little')]


def registration(arch, runner, folder, flags=()):
    """The line for binfmt_misc, made by the script that installs it for users."""
    os.makedirs(folder)
    os.symlink(os.path.realpath(runner), os.path.join(folder, 'qemu-' + arch))
    script = os.path.join(HERE, '..', '..', 'scripts', 'binfmt-install')
    return subprocess.run([sys.executable, script, '--list', '--qemu-path', folder, *flags, arch], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


def copy_etc(root, to):
    """The root's /etc with what the unpacked packages' scripts would have written."""
    shutil.copytree(os.path.join(root, 'etc'), to, symlinks=True)
    for name, text in (('passwd', 'root:x:0:0:root:/mnt:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n'),
                       ('group', 'root:x:0:\nnogroup:x:65534:\n'), ('hosts', '127.0.0.1 localhost\n')):
        with open(os.path.join(to, name), 'w') as f:
            f.write(text)


def complete(root):
    """Folders and alternatives that the packages' scripts would have made."""
    for name in ('proc', 'sys', 'dev', 'tmp', 'etc', 'mnt'):
        os.makedirs(os.path.join(root, name), exist_ok=True)
    for name, target in (('awk', 'mawk'), ('awk', 'gawk'), ('sh', 'dash'), ('sh', 'bash'), ('cc', 'gcc'), ('c++', 'g++')):
        link = os.path.join(root, 'usr/bin', name)
        if not os.path.lexists(link) and os.path.exists(os.path.join(root, 'usr/bin', target)):
            os.symlink(target, link)


def start_in_namespaces(command, all_ids=False, **popen):
    """Popen of a command that is root of a new user, mount and process namespace; the kernel ends what it leaves behind.

    With all_ids (needs root) every user and group is there under its own number, else root alone.
    """
    inner = ['unshare', '--mount', '--pid', '--fork', '--kill-child', *command]
    if not all_ids:
        return subprocess.Popen(['unshare', '--user', '--map-root-user', *inner], stdin=subprocess.DEVNULL, **popen)
    # Execution as an unknown user gives the capabilities up, so what needs them is executed after the maps were written.
    p = subprocess.Popen(['unshare', '--user', 'sh', '-c', 'read mapped && exec "$@" </dev/null', 'sh', *inner],
                         stdin=subprocess.PIPE, **popen)
    ours = os.readlink('/proc/self/ns/user')
    while os.readlink('/proc/%d/ns/user' % p.pid) == ours:
        time.sleep(0.01)
    for name in ('uid_map', 'gid_map'):
        with open('/proc/%d/%s' % (p.pid, name), 'w') as f:
            f.write('0 0 65536\n')
    p.stdin.write(b'\n')
    p.stdin.close()
    p.stdin = None
    return p


class Side:
    """A folder with its own /tmp, /etc and working folder; runner None: the host's own programs, without chroot."""

    def __init__(self, root, base, runner, own_etc=True, flags=()):
        self.root, self.base = root if runner else '', base
        self.work = os.path.join(base, 'work')
        shutil.rmtree(base, ignore_errors=True)
        for name in ('binfmt', 'tmp', 'work'):
            os.makedirs(os.path.join(base, name))
        os.chmod(os.path.join(base, 'tmp'), 0o1777)
        self.line = ''
        if runner:
            if own_etc:
                copy_etc(root, os.path.join(base, 'etc'))
            self.line = registration(arch_of(root), runner, os.path.join(base, 'runner'), flags)

    def run(self, command, timeout, stdout, stderr, all_ids=False, variables=()):
        """The exit status, or a text when time was over. Variables (NAME=VALUE, without blanks) are for the runner: QEMU_CPU and the like."""
        started = os.path.join(self.base, 'started')
        if os.path.exists(started):
            os.unlink(started)
        p = start_in_namespaces(['sh', '-c', INSIDE, 'sh', self.root, self.base, self.line, *command], all_ids,
                                stdout=stdout, stderr=stderr, env={**os.environ, 'GUEST_PATH': PATH, 'GUEST_ENV': ' '.join(variables)})
        try:
            status = p.wait(timeout)
        except subprocess.TimeoutExpired:
            p.kill() # the kernel ends what is left in the pid namespace
            p.wait()
            status = 'no end within %d s' % timeout
        if not os.path.exists(started):
            sys.exit('%s: the namespaces could not be set up in %s' % (os.path.basename(sys.argv[0]), self.base))
        return status
