#!/usr/bin/env python3
"""loop_rules.py: loops that begin with a reader of flags know, from their second round on, the rule by which flags are to be had.

usage: loop_rules.py RUNNER WORKDIR

Looked at is the intermediate code: no helper for flags is called in any cycle of blocks.
"""
import os
import re
import shutil
import subprocess
import sys

runner, work = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
LOOPS = {
    'addition with carry': 'adc %rdx, %rbx; lea 8(%rsi), %rsi; dec %rdi; jnz 1b',
    'with a borrow, in two blocks': 'sbb %rdx, %rbx; test $1, %bl; jz 3f; inc %rdx; 3: sub $1, %rdi; jnz 1b',
    'a shift that may keep the carry': 'shl %cl, %rbx; jnc 3f; inc %rbx; 3: sub $1, %rdi; jnz 1b',
    'two carries': 'adcx %rbx, %rbx; adox %rdx, %rbx; sub $1, %rdi; jnz 1b',
    'carry set and complemented': 'stc; cmc; adc $0, %rbx; clc; sub $1, %rdi; jnz 1b',
    'rotation through the carry': 'rcl $1, %rbx; rcr $1, %rdx; dec %rdi; jnz 1b',
    'rotation before an access': 'rol $1, %rbx; mov (%rsp), %rdx; cmp %rbx, %rdi; dec %rdi; jnz 1b',
    'a condition first': 'cmovs %rdx, %rbx; add $3, %rdx; sub $1, %rdi; jnz 1b',
}


def blocks(unit):
    """Name: (text, names of successors)."""
    found, name = {}, None
    for line in unit.splitlines():
        head = re.match(r'(b\d+) ', line)
        if head:
            name = head[1]
            found[name] = [[], []]
        elif name:
            found[name][0].append(line)
            end = re.match(r'\s+(?:br|brcond\S*|brnz\S*) ', line)
            if end:
                found[name][1] = re.findall(r'\bb\d+\b', line[end.end():])
    return found


def in_cycles(found):
    for name in found:
        seen, todo = set(), list(found[name][1])
        while todo:
            at = todo.pop()
            if at not in seen:
                seen.add(at)
                todo += found[at][1]
        if name in seen:
            yield name


compiler = shutil.which('x86_64-linux-gnu-gcc') or (shutil.which('gcc') if os.uname().machine == 'x86_64' else None)
if not compiler:
    print('no compiler for x86-64')
    sys.exit(77)
os.makedirs(work, exist_ok=True)
failed = False
for number, (what, body) in enumerate(LOOPS.items()):
    program, log = os.path.join(work, f'loop{number}'), os.path.join(work, f'loop{number}.log')
    with open(program + '.s', 'w') as f:
        f.write(f'.globl _start\n_start: mov $5, %edi; mov $3, %ebx; mov $2, %ecx; xor %edx, %edx\n.p2align 6\n1: {body}\n'
                'mov $60, %eax; xor %edi, %edi; syscall\n')
    subprocess.run([compiler, '-nostdlib', '-static', '-o', program, program + '.s'], check=True)
    subprocess.run([runner, '-tb-cache', 'off', '-d', 'op_opt', '-D', log, program], check=True)
    with open(log) as f:
        units = [u for u in f.read().split('OP after ')[1:] if 'loop' in u]
    looked_at = 0
    for unit in units:
        found = blocks(unit)
        for name in in_cycles(found):
            looked_at += 1
            bad = [line for line in found[name][0] if re.search(r'= call\S* cc_', line)]
            if bad:
                failed = True
                print(f'FAILED: {what}: {name} has {bad}\n{unit}')
    if not looked_at:
        failed = True
        print(f'FAILED: {what}: no loop was found')
sys.exit(failed)
