#!/usr/bin/env python3
"""Every kind of call an image makes fails once, or always: it is reported, and the image stays whole.

Usage: errors.py FOLDER_OF_TOOLS

For each event of the image's driver, error and sequence of commands: what was flushed before reads as it did, `check` finds leaks at most.
"""
import os
import subprocess
import sys
import tempfile

TOOLS = os.path.abspath(sys.argv[1])
EVENTS = ['none', 'l1_update', 'l2_load', 'l2_update', 'read_aio', 'write_aio', 'cow_read', 'read_compressed', 'write_compressed', 'refblock_load',
          'refblock_update_part', 'refblock_alloc', 'reftable_update', 'cluster_alloc', 'flush_to_os', 'flush_to_disk', 'pwritev', 'pwritev_zero']
SEQUENCES = {
    'write': ['write -P 2 100k 300k', 'flush', 'write -P 3 1M 10k', 'write -P 4 5000000 200', 'flush'],
    'zero': ['write -z 64k 128k', 'write -P 5 200k 1k', 'discard 256k 64k', 'flush', 'write -P 6 0 4k', 'flush'],
    'compressed': ['write -c -P 7 2M 64k', 'read -P 1 0 16k', 'write -P 8 2100k 4k', 'flush'],
    'resize': ['truncate 12M', 'write -P 9 11M 64k', 'flush'],
}
checks = failures = 0


def run(*args):
    return subprocess.run([f'{TOOLS}/{args[0]}', *args[1:]], capture_output=True, text=True, timeout=60)


def fail(what, detail):
    global failures
    failures += 1
    print(f'FAILED: {what}\n{detail}', file=sys.stderr)


def main():
    global checks
    os.chdir(tempfile.mkdtemp(prefix='errors-'))
    assert run('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4k', 'base.qcow2', '8M').returncode == 0
    assert run('qemu-io', '-c', 'write -P 1 0 600k', '-c', 'write -P 1 7M 64k', 'base.qcow2').returncode == 0
    with open('base.qcow2', 'rb') as f, open('bitmap.qcow2', 'wb') as t:
        t.write(f.read())
    assert run('qemu-img', 'bitmap', '--add', 'bitmap.qcow2', 'b').returncode == 0
    seen = 0
    for name, commands in SEQUENCES.items():
        for event in EVENTS:
            for rule in ('errno=5', 'errno=28,inject-error.0.once=on', 'errno=5,inject-error.0.iotype=flush'):
                rule = rule.replace('inject-error', 'file.inject-error')
                what = f'{name}: {event} {rule}'
                with open('bitmap.qcow2' if name == 'resize' else 'base.qcow2', 'rb') as f, open('t.qcow2', 'wb') as t:
                    t.write(f.read())
                args = [x for c in commands for x in ('-c', c)]
                p = run('qemu-io', *args, '--image-opts', 'driver=qcow2,file.driver=blkdebug,file.image.filename=t.qcow2,'
                        f'file.inject-error.0.event={event},file.inject-error.0.{rule}')
                checks += 1
                text = p.stdout + p.stderr
                failed = 'failed' in text or 'Lost' in text or "can't open" in text or 'rror' in text
                seen += failed
                if p.returncode < 0 or (p.returncode == 0) == ('failed' in text or "can't open" in text):
                    fail(what, f'status {p.returncode}: {text}')
                # Without the rule: whole, but for clusters nobody uses.
                c = run('qemu-img', 'check', 't.qcow2')
                if c.returncode not in (0, 3):
                    fail(what, f'check {c.returncode}: {c.stdout[-600:]}{c.stderr[-600:]}')
                r = run('qemu-io', '-c', 'read -P 1 450k 150k', '-c', 'read -P 1 7M 64k', '-r', 't.qcow2')
                if r.returncode or 'failed' in r.stdout:
                    fail(what, 'what nobody touched: ' + r.stdout + r.stderr)
                if not failed: # all of it was done
                    c = run('qemu-img', 'check', 't.qcow2')
                    if c.returncode:
                        fail(what, 'nothing failed, yet ' + c.stdout)
    if seen < checks // 4:
        fail('rules', f'only {seen} of {checks} runs had an error')
    print(f'{checks} runs, {seen} with errors, {failures} failed')
    return 1 if failures or not checks else 0


sys.exit(main())
