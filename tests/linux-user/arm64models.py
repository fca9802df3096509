#!/usr/bin/env python3
"""arm64models.py RUNNER WORKDIR: -cpu of aarch64: the list, errors, and for every model that what a program sees agrees: identification registers
as Linux shows them, AT_HWCAP, AT_HWCAP2, /proc/cpuinfo; an instruction that a model lacks is an illegal one.
"""
import os
import shutil
import subprocess
import sys

runner, work = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
COMPILER = 'aarch64-linux-gnu-gcc'
if not shutil.which(COMPILER):
    print('skipped: no', COMPILER)
    sys.exit(77)
SOURCE = r'''
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#define SHOW(reg) do { unsigned long v; __asm__ volatile("mrs %0, " #reg : "=r"(v)); printf(#reg " %016lx\n", v); } while (0)
int main(int argc, char **argv)
{
    if (argc > 1) { /* one instruction of an extension */
        unsigned long r = 1;
        if (!strcmp(argv[1], "lse")) __asm__ volatile(".arch armv8.1-a\nldadd %0, %0, [%1]" : "+r"(r) : "r"(&(unsigned long){ 0 }) : "memory");
        if (!strcmp(argv[1], "fp16")) __asm__ volatile(".arch armv8.2-a+fp16\nfadd h0, h0, h1" ::: "v0");
        if (!strcmp(argv[1], "dotprod")) __asm__ volatile(".arch armv8.2-a+dotprod\nsdot v0.2s, v1.8b, v2.8b" ::: "v0");
        if (!strcmp(argv[1], "aes")) __asm__ volatile(".arch armv8-a+crypto\naese v0.16b, v1.16b" ::: "v0");
        if (!strcmp(argv[1], "lrcpc")) __asm__ volatile(".arch armv8.3-a\nldapr %0, [%1]" : "=r"(r) : "r"(&(unsigned long){ 0 }) : "memory");
        puts("done");
        return 0;
    }
    SHOW(MIDR_EL1); SHOW(ID_AA64PFR0_EL1); SHOW(ID_AA64ISAR0_EL1); SHOW(ID_AA64ISAR1_EL1); SHOW(ID_AA64DFR0_EL1);
    SHOW(ID_AA64MMFR0_EL1); SHOW(CTR_EL0); SHOW(DCZID_EL0); SHOW(CNTFRQ_EL0); SHOW(PMUSERENR_EL0);
    printf("HWCAP %lx\nHWCAP2 %lx\nPLATFORM %s\n", getauxval(AT_HWCAP), getauxval(AT_HWCAP2), (char *)getauxval(AT_PLATFORM));
    char line[1024];
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (fgets(line, sizeof(line), f)) {
        fputs(line, stdout);
        if (line[0] == '\n') return 0;
    }
}
'''
# A bit of AT_HWCAP, its name in /proc/cpuinfo, and where the field says the same: register, lowest bit, least value.
BITS = [(3, 'aes', 'ISAR0', 4, 1), (4, 'pmull', 'ISAR0', 4, 2), (5, 'sha1', 'ISAR0', 8, 1), (6, 'sha2', 'ISAR0', 12, 1), (7, 'crc32', 'ISAR0', 16, 1),
        (8, 'atomics', 'ISAR0', 20, 2), (9, 'fphp', 'PFR0', 16, 1), (12, 'asimdrdm', 'ISAR0', 28, 1), (15, 'lrcpc', 'ISAR1', 20, 1),
        (20, 'asimddp', 'ISAR0', 44, 1), (23, 'asimdfhm', 'ISAR0', 48, 1), (27, 'flagm', 'ISAR0', 52, 1)]
# What the Technical Reference Manuals say: MIDR_EL1; which of the instructions above there are.
MODELS = {
    'cortex-a35': (0x411fd040, 'aes'), 'cortex-a53': (0x410fd034, 'aes'), 'cortex-a57': (0x411fd070, 'aes'), 'cortex-a72': (0x410fd083, 'aes'),
    'cortex-a55': (0x412fd050, 'aes lse fp16 dotprod lrcpc'), 'cortex-a76': (0x414fd0b1, 'aes lse fp16 dotprod lrcpc'),
    'neoverse-n1': (0x414fd0c1, 'aes lse fp16 dotprod lrcpc'), 'cortex-a710': (0x412fd471, 'aes lse fp16 dotprod lrcpc'),
    'neoverse-n2': (0x410fd493, 'aes lse fp16 dotprod lrcpc'), 'neoverse-v1': (0x411fd402, 'aes lse fp16 dotprod lrcpc'),
    'max': (0x000f0510, 'aes lse fp16 dotprod lrcpc'),
}


def run(*args):
    p = subprocess.run([runner, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, cwd=work)
    return p.returncode, p.stdout


def check(ok, *what):
    if not ok:
        print('FAILED:', *what)
        sys.exit(1)


os.makedirs(work, exist_ok=True)
with open(os.path.join(work, 'model.c'), 'w', encoding='utf-8') as out:
    out.write(SOURCE)
program = os.path.join(work, 'model')
subprocess.run([COMPILER, '-O1', '-static', '-o', program, os.path.join(work, 'model.c')], check=True)

status, text = run('-cpu', 'help')
names = text.split()[2:]
check(status == 0 and names == sorted(MODELS), 'the list', text)
for cpu, words in (('none', "unable to find CPU model 'none'"), ('max,nothing=on', "'max-arm-cpu.nothing' not found"),
                   ('max,sve=on', "'sve' is not supported"), ('cortex-a53,pauth=on', "'cortex-a53-arm-cpu.pauth' not found"),
                   ('max,aarch64=off', "'aarch64'")):
    status, text = run('-cpu', cpu, program)
    check(status == 1 and words in text and len(text.splitlines()) == 1, cpu, text)

for model, (midr, extensions) in MODELS.items():
    status, text = run('-cpu', model, program)
    check(status == 0, model, text)
    seen = {}
    for line in text.splitlines():
        key, _, value = line.partition('\t: ') if '\t' in line else line.partition(' ')
        seen.setdefault(key.strip('\t'), value)
    features = seen['Features'].split() if 'Features' in seen else text.split('Features')[1].splitlines()[0].lstrip('\t: ').split()
    reg = {name: int(seen[name + '_EL1'], 16) for name in ('MIDR', 'ID_AA64PFR0', 'ID_AA64ISAR0', 'ID_AA64ISAR1', 'ID_AA64MMFR0', 'ID_AA64DFR0')}
    check(reg['MIDR'] == midr, model, 'MIDR', hex(reg['MIDR']))
    check(reg['ID_AA64MMFR0'] & (1 << 60) - 1 == 0xff000000 and reg['ID_AA64DFR0'] == 6 and reg['ID_AA64PFR0'] & 0xffff == 0x11, model, 'what Linux hides', text)
    check(seen['PLATFORM'] == 'aarch64' and seen['CPU part'] == '0x%03x' % (midr >> 4 & 0xfff), model, text)
    check(not int(seen['CTR_EL0'], 16) >> 29 & 1 and int(seen['DCZID_EL0'], 16) == 4, model, 'caches', text)
    hwcap = int(seen['HWCAP'], 16)
    for bit, name, where, low, least in BITS:
        field = reg['ID_AA64' + where] >> low & 15
        there = (field if field < 8 else field - 16) >= least
        check(bool(hwcap >> bit & 1) == there == (name in features), model, name, text)
    for extension in ('aes', 'lse', 'fp16', 'dotprod', 'lrcpc'):
        status, text = run('-cpu', model, program, extension)
        check(status == (0 if extension in extensions.split() else -4), model, extension, status, text)
status, text = run('-cpu', 'max,pauth=off', program)
check('paca' in run('-cpu', 'max', program)[1] and status == 0 and 'paca' not in text, 'pauth=off', text)
status, text = run('-cpu', 'cortex-a72,cntfrq=25000000', program)
check(status == 0 and 'CNTFRQ_EL0 00000000017d7840' in text and 'PMUSERENR_EL0 0000000000000000' in text, 'registers for programs', text)
print(len(MODELS), 'models')
