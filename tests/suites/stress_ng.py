#!/usr/bin/env python3
"""stress_ng.py: Debian's stress-ng under the user-mode runner, one stressor after the other, a few operations each, verified.

usage: stress_ng.py --run RUNNER --root DIR [--ref RUNNER] [--native stress-ng] [--work DIR] [--ops N] [--jobs N] [STRESSOR]...

Statuses are stress-ng's: 0 passed, 2 and others failed, 3 or 4 there is nothing to test (privileges, devices, another
architecture). What does not pass under --run is tried once more, then under --ref and --native: a stressor counts as ours to
answer for when one of these passes. The script ends with status 1 when there is one.

DIR as for programs.py.
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys

import guest_root

# What would disturb the machine that runs the test, or is there to run into its limits.
LEFT_OUT = {'bigheap', 'oom-pipe', 'reboot', 'softlockup', 'cpu-online', 'memhotplug', 'module', 'watchdog', 'smi', 'klog', 'swap',
            'pageswap', 'rtc', 'clock', 'time-warp', 'forkheavy', 'loop', 'tun', 'rawdev', 'physmmap', 'netdev', 'cpu-sched',
            'hrtimers', 'cyclic', 'dev', 'sysfs', 'bad-ioctl'}
AMOUNTS = ['--brk-bytes', '32M', '--vm-bytes', '16M', '--mmap-bytes', '8M', '--shm-bytes', '1M', '--shm-sysv-bytes', '1M', '--hdd-bytes', '4M',
           '--memfd-bytes', '8M', '--malloc-bytes', '1M', '--mremap-bytes', '8M', '--vm-rw-bytes', '4M', '--fallocate-bytes', '4M',
           '--zombie-max', '50', '--mmapfork-bytes', '16M', '--remap-pages', '64']


def stressors(o):
    out = subprocess.run([o.run, '-L', o.root, os.path.join(o.root, 'usr/bin/stress-ng'), '--stressors'], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    return [s for s in out.split() if s not in LEFT_OUT]


def once(o, side, runner, name):
    base = os.path.join(o.work, side, name)
    g = guest_root.Side(o.root, base, runner)
    command = [o.native if runner is None else '/usr/bin/stress-ng', '--temp-path', '/tmp', '--timeout', str(o.seconds), '--verify',
               '--' + name, '2', '--' + name + '-ops', str(o.ops), *AMOUNTS]
    with open(os.path.join(base, 'log'), 'wb') as log:
        status = g.run(['nice', *command], o.seconds + o.grace, log, subprocess.STDOUT)
    with open(os.path.join(base, 'log'), errors='replace') as f:
        text = f.read()
    if re.search(r'(unrecognized|invalid) option|unknown option', text):
        status = 'unknown'
    if 'internal error' in text and status == 0:
        status = 'internal error'
    return status, text


def fine(status):
    return status in (0, 3, 4)


def one(o, name):
    status, text = once(o, 'ours', o.run, name)
    if not fine(status):
        status, text = once(o, 'ours', o.run, name)
    others = {}
    if not fine(status):
        for side, runner in (('ref', o.ref), ('native', None)):
            if (runner if side == 'ref' else o.native):
                others[side] = once(o, side, runner, name)[0]
                if others[side] == 'unknown':
                    del others[side]
    return name, status, others, text


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--run', required=True, help='our qemu-riscv64')
    p.add_argument('--ref', help='the reference')
    p.add_argument('--native', help="the host's stress-ng")
    p.add_argument('--root', required=True, help='a riscv64 root')
    p.add_argument('--work', default='build/stress-ng', help='folder for temporary files and logs')
    p.add_argument('--ops', type=int, default=8, help='operations of each stressor')
    p.add_argument('--seconds', type=int, default=20, help="stress-ng's own limit")
    p.add_argument('--grace', type=int, default=120, help='more seconds until a stressor counts as hanging')
    p.add_argument('--jobs', type=int, default=1)
    p.add_argument('stressor', nargs='*', help='default: all but those that disturb the machine')
    o = p.parse_args()
    o.root, o.work = os.path.abspath(o.root), os.path.abspath(o.work)
    guest_root.complete(o.root)
    count = {'passed': 0, 'nothing to test': 0, 'fails elsewhere too': 0, 'FAILED': 0}
    with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
        for name, status, others, text in pool.map(lambda n: one(o, n), o.stressor or stressors(o)):
            kind = ('passed' if status == 0 else 'nothing to test' if fine(status) else
                    'FAILED' if not others or any(s == 0 for s in others.values()) else 'fails elsewhere too')
            count[kind] += 1
            if not fine(status):
                print('%-14s %s: status %s%s' % (name, kind, status, ''.join(', %s %s' % x for x in others.items())))
                for line in [x for x in text.splitlines() if re.search('fail|error|qemu|terminated', x)][:4]:
                    print('    ' + line[:200])
                sys.stdout.flush()
    print(', '.join('%d %s' % (n, kind) for kind, n in count.items()))
    return 1 if count['FAILED'] else 0


sys.exit(main())
