#!/usr/bin/env python3
"""Command lines of the disk tools with the output and status they must have.

A corpus file has cases, separated by empty lines. A case is a comment that names it, and commands ('$ qemu-img …') each followed by what it
prints (both streams, standard output first) and, if it is not 0, its status ('= 1'). Each case runs in a folder of its own. The outputs are those
of the reference's tools, but for commands with a line '~ why it differs'. --record writes what the tools at hand print into the file.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile


def parse(text):
    cases = []
    for block in re.split(r'\n\n+', text.strip()):
        lines = block.split('\n')
        head = [l for l in lines if l.startswith('#')]
        commands = []
        for line in lines:
            if line.startswith('$ '):
                commands.append([line[2:], [], 0])
            elif line.startswith('~ '):
                commands[-1].append(line[2:])
            elif line.startswith('= '):
                commands[-1][2] = int(line[2:])
            elif not line.startswith('#') and commands:
                commands[-1][1].append(line[1:] if line.startswith('|') else line)
        cases.append((head, commands))
    return cases


def normal(text, tools):
    text = text.replace(tools + '/', '').replace('\t', '    ')
    text = re.sub(r'[0-9.]+ sec \(.*\)', 'TIME', text)
    text = re.sub(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d', 'DATE               ', text)
    text = re.sub(r'("date-n?sec"): \d+', r'\1: DATE', text)
    text = re.sub(r'(disk size:) .*', r'\1 SIZE', text)
    text = re.sub(r'(cid"?:) \d+', r'\1 CID', text)
    text = re.sub(r'("actual-size"): \d+', r'\1: SIZE', text)
    text = re.sub(r'(file length:) .*', r'\1 LENGTH', text)
    text = re.sub(r'(Run completed in) .*', r'\1 TIME', text)
    text = re.sub(r'("?uuid"?: "?)[0-9a-f-]{36}', r'\1UUID', text)
    text = re.sub(r'(iters"?:) \d+', r'\1 N', text) # as fast as the host is
    lines = [l.rstrip() for l in re.sub(r'.*\r', '', text).split('\n')]
    while lines and not lines[-1]:
        lines.pop()
    # The length of the file is where its last table was put, which is each tool's own business.
    joined = '\n'.join(lines)
    return re.sub(r'("virtual-size"): \d+,(\s+"filename": "[^"]*",\s+"format": "file")', r'\1: LENGTH,\2', joined).split('\n') if lines else []


def run_case(commands, tools):
    results = []
    with tempfile.TemporaryDirectory(prefix='corpus-') as folder:
        env = dict(os.environ, PATH=tools + ':' + os.environ['PATH'], LC_ALL='C', TZ='UTC')
        for command, *_ in commands:
            p = subprocess.run(['sh', '-c', command], cwd=folder, env=env, capture_output=True, timeout=120)
            text = (p.stdout + p.stderr).decode('utf-8', 'replace').replace(folder, 'FOLDER')
            results.append((normal(text, tools), p.returncode))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('corpus')
    parser.add_argument('tools', help='the folder of qemu-img and qemu-io')
    parser.add_argument('--record', action='store_true')
    args = parser.parse_args()
    tools = os.path.abspath(args.tools)
    with open(args.corpus, encoding='utf-8') as f:
        cases = parse(f.read())
    if args.record:
        with open(args.corpus, 'w', encoding='utf-8') as f:
            for head, commands in cases:
                f.write('\n'.join(head) + '\n')
                for (command, *_), (lines, status) in zip(commands, run_case(commands, tools)):
                    f.write('$ ' + command + '\n' + ''.join(('|' + l if not l or l[0] in '$=#|~' else l) + '\n' for l in lines))
                    if status:
                        f.write(f'= {status}\n')
                f.write('\n')
        return 0
    failed = n = 0
    for head, commands in cases:
        for (command, want, status, *_), (lines, got) in zip(commands, run_case(commands, tools)):
            n += 1
            if lines != want or got != status:
                failed += 1
                print(f'{head[0] if head else ""}\n$ {command}\n  status {got}, expected {status}')
                for line in want:
                    if line not in lines:
                        print('  - ' + line)
                for line in lines:
                    if line not in want:
                        print('  + ' + line)
    print(f'{n} commands, {failed} differ')
    return 1 if failed or not n else 0


if __name__ == '__main__':
    sys.exit(main())
