#!/usr/bin/env python3
"""programs.py: a distribution's own programs under the user-mode runner, compared with a reference runner.

usage: programs.py --run RUNNER --root DIR [--ref RUNNER] [--work DIR] [--timeout S] [--set NAME=VALUE] [--repeat N] [NAME]...

The workloads are the scripts in programs/ (NAME.sh with the sources beside it). Each side, ours and the reference's, runs
each of them with the guest's /bin/sh in a copy of that folder, chrooted into DIR. Compared are standard output, exit status and
every file under out/. The status has to be the one the workload names, with --ref or without.

DIR is a root of riscv64 or aarch64, its packages unpacked by scripts/debian-fetch (docs/devel/suites.md names them). guest_root.py says what
the host needs.
"""
import argparse
import hashlib
import os
import re
import shutil
import sys
import time

import guest_root

HERE = os.path.dirname(os.path.abspath(__file__))


def wishes(workload):
    """Lines of the script: "# status N" is its end (one that ends early on both sides compares nothing); "# set-user-id": it wants
    binfmt_misc's flag C and all users' numbers."""
    with open(os.path.join(HERE, 'programs', workload + '.sh')) as f:
        text = f.read()
    found = re.search(r'^# status (\d+)$', text, re.M)
    return int(found.group(1)) if found else 0, bool(re.search('^# set-user-id$', text, re.M))


def files_of(folder):
    result = {}
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            if os.path.islink(path):
                result[os.path.relpath(path, folder)] = 'link to ' + os.readlink(path)
            elif os.path.isfile(path):
                with open(path, 'rb') as f:
                    result[os.path.relpath(path, folder)] = hashlib.sha256(f.read()).hexdigest()
    return result


def run_side(o, side, runner, workload):
    base = os.path.join(o.work, side + '-' + workload)
    ids = wishes(workload)[1]
    g = guest_root.Side(o.root, base, runner, flags=['--credential', 'yes'] if ids else [])
    shutil.copytree(os.path.join(HERE, 'programs'), g.work, dirs_exist_ok=True)
    os.makedirs(os.path.join(g.work, 'out'))
    start = time.time()
    with open(os.path.join(base, 'stdout'), 'wb') as out, open(os.path.join(base, 'stderr'), 'wb') as err:
        status = g.run(['/bin/sh', workload + '.sh'], o.timeout, out, err, all_ids=ids, variables=o.set)
    with open(os.path.join(base, 'stdout'), 'rb') as f:
        return status, f.read(), files_of(os.path.join(g.work, 'out')), time.time() - start


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--run', required=True, help='our qemu-ARCH')
    p.add_argument('--ref', help='the reference')
    p.add_argument('--root', required=True, help='a root of that architecture')
    p.add_argument('--set', action='append', default=[], metavar='NAME=VALUE', help='a variable for both runners, as in QEMU_CPU=cortex-a53')
    p.add_argument('--repeat', type=int, default=1, metavar='N', help='ours N times, all outputs equal')
    p.add_argument('--work', default='build/programs', help='folder for copies and outputs')
    p.add_argument('--timeout', type=int, default=1800, help='seconds for one workload on one side')
    p.add_argument('name', nargs='*', help='workloads; default: all')
    o = p.parse_args()
    o.root, o.work = os.path.abspath(o.root), os.path.abspath(o.work)
    known = sorted(f[:-3] for f in os.listdir(os.path.join(HERE, 'programs')) if f.endswith('.sh'))
    unknown = [n for n in o.name if n not in known]
    if unknown:
        sys.exit('programs.py: no workload %s (known: %s)' % (', '.join(unknown), ', '.join(known)))
    guest_root.complete(o.root)
    failed = 0
    for name in o.name or known:
        status, text, files, seconds = run_side(o, 'ours', o.run, name)
        wanted = wishes(name)[0]
        verdict = ['status %s instead of %d' % (status, wanted)] if status != wanted else []
        for i in range(2, o.repeat + 1):
            if not verdict and run_side(o, 'ours', o.run, name)[:3] != (status, text, files):
                verdict = ['run %d differs from the first' % i]
        note = ''
        if o.ref:
            ref_status, ref_text, ref_files, ref_seconds = run_side(o, 'ref', o.ref, name)
            note = ', reference %.0f s' % ref_seconds
            if ref_status != wanted: # nothing to compare with: our status alone decides
                note += ' ended with status %s' % ref_status
            else:
                if text != ref_text:
                    verdict.append('output differs')
                verdict += ['out/%s differs' % f for f in sorted(files.keys() | ref_files.keys())
                            if files.get(f) != ref_files.get(f)]
        failed += bool(verdict)
        print('%-10s %s (%.0f s%s)' % (name, 'FAILED: ' + '; '.join(verdict) if verdict else
                                       'equal' if o.ref and ref_status == wanted else 'passed', seconds, note), flush=True)
        if verdict:
            print('           see %s' % os.path.join(o.work, 'ours-' + name), flush=True)
    print('%d failed' % failed)
    return 1 if failed else 0


sys.exit(main())
