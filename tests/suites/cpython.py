#!/usr/bin/env python3
"""cpython.py: modules of CPython's own test-suite under the user-mode runner, and under a reference.

usage: cpython.py --run RUNNER --root DIR [--ref RUNNER] [--work DIR] [--timeout S] [--jobs N] [MODULE]...

DIR is a root of riscv64 or aarch64 as for programs.py, with libpython3.13-testsuite. A module that does not succeed is run under --ref as well;
the tests that failed are named on both sides. The script ends with status 1 when a test fails under --run alone.
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import time

import guest_root

MODULES = '''abc asyncio.test_subprocess builtin cmd_line concurrent_futures.test_as_completed concurrent_futures.test_deadlock
concurrent_futures.test_future concurrent_futures.test_init concurrent_futures.test_interpreter_pool
concurrent_futures.test_process_pool concurrent_futures.test_shutdown concurrent_futures.test_thread_pool concurrent_futures.test_wait
ctypes epoll faulthandler fcntl fork1 glob io ioctl kqueue logging memoryio mmap multiprocessing_fork.test_manager
multiprocessing_fork.test_misc multiprocessing_fork.test_processes multiprocessing_fork.test_threads
multiprocessing_forkserver.test_processes multiprocessing_spawn.test_manager multiprocessing_spawn.test_misc
multiprocessing_spawn.test_processes multiprocessing_spawn.test_threads openpty os pathlib pipes poll popen posix pty pwd resource select
selectors shutil signal socket subprocess sys tempfile thread threadedtempfile threading threading_local threadsignals time timeout
wait3 wait4 zipfile'''.split()


def run(o, side, runner, module):
    base = os.path.join(o.work, side + '-' + module)
    g = guest_root.Side(o.root, base, runner)
    start = time.time()
    with open(os.path.join(base, 'log'), 'wb') as log:
        status = g.run(['/usr/bin/env', 'PYTHONDONTWRITEBYTECODE=1', 'python3', '-m', 'test', '-w', 'test_' + module], o.timeout, log,
                       subprocess.STDOUT, all_ids=os.getuid() == 0) # chown and setgroups want more users than one
    with open(os.path.join(base, 'log'), errors='replace') as f:
        text = f.read()
    failed = set(re.findall(r'^(?:FAIL|ERROR): (\S+ \(\S+\))', text, re.M))
    n = re.search(r'Total tests: run=([\d,]+)', text)
    return status, failed, n.group(1) if n else '?', time.time() - start


def one(o, module):
    status, failed, n, seconds = run(o, 'ours', o.run, module)
    line = '%-44s status %s, %s tests, %d failed (%.0f s)' % (module, status, n, len(failed), seconds)
    bad = status not in (0, 4) # 4: no test was run, as where a resource is missing
    if bad and o.ref:
        ref_status, ref_failed, ref_n, ref_seconds = run(o, 'ref', o.ref, module)
        line += '; reference: status %s, %s tests, %d failed (%.0f s)' % (ref_status, ref_n, len(ref_failed), ref_seconds)
        both, failed = failed & ref_failed, failed - ref_failed
        bad = bool(failed) or (ref_status in (0, 4)) or (isinstance(status, str) and not isinstance(ref_status, str))
        for name in sorted(both):
            line += '\n    fails on both sides: ' + name
    for name in sorted(failed):
        line += '\n    FAILED: ' + name
    return bad, line


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--run', required=True, help='our qemu-ARCH')
    p.add_argument('--ref', help='the reference')
    p.add_argument('--root', required=True, help='a root with the test-suite')
    p.add_argument('--work', default='build/cpython', help='folder for temporary files and logs')
    p.add_argument('--timeout', type=int, default=3600, help='seconds for one module')
    p.add_argument('--jobs', type=int, default=1)
    p.add_argument('module', nargs='*', help='without "test_"; default: those about the operating system')
    o = p.parse_args()
    o.root, o.work = os.path.abspath(o.root), os.path.abspath(o.work)
    guest_root.complete(o.root)
    n_bad = 0
    with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
        for bad, line in pool.map(lambda m: one(o, m), o.module or MODULES):
            n_bad += bad
            print(('FAILED ' if bad else '       ') + line, flush=True)
    print('%d modules failed' % n_bad)
    return 1 if n_bad else 0


sys.exit(main())
