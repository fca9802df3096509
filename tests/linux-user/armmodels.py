#!/usr/bin/env python3
"""armmodels.py RUNNER WORKDIR: -cpu of 32-bit Arm: the list, errors, and for every model which instructions there are, AT_HWCAP, AT_HWCAP2, AT_PLATFORM,
uname(2) and /proc/cpuinfo. Programs are made here, of words, so that no cross compiler is needed.
"""
import os
import struct
import subprocess
import sys

runner, work = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
BASE = 0x10000
# What follows may use: r1 points to 64 writable bytes, aligned to 8, r4 is 1, r0, r2, r6 are 0.
PROLOGUE = [0xe28f1c01, 0xe3a02000, 0xe3a04001, 0xe3a06000, 0xe3a00000] # add r1, pc, #0x100; mov …
EXIT = [0xe3a00000, 0xe3a07001, 0xef000000]
# Instructions by the level of the architecture that has them (Arm ARM DDI 0487 and DDI 0406, per instruction).
WORDS = {
    'v5te': {'clz': 0xe16f2f14, 'blx-less qadd': 0xe1042056, 'smulbb': 0xe1620684, 'ldrd': 0xe1c120d0, 'swp': 0xe1014092},
    'v6': {'umaal': 0xe0454494, 'sxtb': 0xe6af4074, 'rev': 0xe6bf4f34, 'ldrex': 0xe1914f9f, 'sadd8': 0xe6144f96, 'setend': 0xf1010000, 'CP15DMB': 0xee076fba},
    'v6k': {'ldrexd': 0xe1b14f9f, 'clrex': 0xf57ff01f, 'TPIDRURO': 0xee1d0f70},
    'v6t2': {'movw': 0xe3004001, 'bfi': 0xe7c74014, 'rbit': 0xe6ff4f34, 'mls': 0xe0640494},
    'v7': {'dmb': 0xf57ff05b, 'isb': 0xf57ff06f, 'PMUSERENR': 0xee190f1e},
    'v8': {'ldaex': 0xe1914e9f, 'lda': 0xe1914c9f, 'vsel': 0xfe000a00, 'vrintz': 0xeeb60ac0, 'vmaxnm': 0xfe800a00, 'vcvta': 0xfebc0a40, 'crc32b': 0xe1042046},
    'idiv': {'sdiv': 0xe714f414, 'udiv': 0xe734f414},
    'vfp2': {'vadd.f64': 0xee300b00, 'vmov r, s': 0xee104a10, 'vmov d[0], r': 0xee004b10, 'vldr': 0xed910b00},
    'fpsid': {'vmrs fpsid': 0xeef04a10},
    'vfp3': {'vmov imm': 0xeeb70a00, 'vcvt fixed': 0xeeba0ac0, 'd16': 0xee700ba0},
    'neon': {'vadd.i8': 0xf2000800, 'vmov.8': 0xee404b10, 'vdup': 0xee804b10, 'vld1': 0xf421070f},
    'half': {'vcvtb': 0xeeb20a40},
    'halfdouble': {'vcvtb.f64': 0xeeb20b40},
    'fma': {'vfma': 0xeea00a00, 'vfma neon': 0xf2000c10},
}
V5, V6 = 'v5te vfp2 fpsid', 'v5te v6 vfp2 fpsid'
V7 = 'v5te v6 v6k v6t2 v7 vfp2 vfp3 neon'
# Levels; MIDR; HWCAP; uname; platform.
BASIC = 0x97 # swp half thumb fastmult edsp
MODELS = {
    'arm926': (V5, 0x41069265, BASIC | 0x40, 'armv5tejl', 'v5l'), 'arm946': ('v5te', 0x41059461, BASIC, 'armv5tel', 'v5l'),
    'arm1026': (V5, 0x4106a262, BASIC | 0x40, 'armv5tejl', 'v5l'), 'arm1136-r2': (V6, 0x4107b362, BASIC | 0x40, 'armv6l', 'v6l'),
    'arm1136': (V6 + ' v6k', 0x4117b363, BASIC | 0x8040, 'armv6l', 'v6l'), 'arm1176': (V6 + ' v6k', 0x410fb767, BASIC | 0x8040, 'armv6l', 'v6l'),
    'arm11mpcore': (V6 + ' v6k', 0x410fb022, BASIC | 0x8040, 'armv6l', 'v6l'),
    'cortex-a8': (V7, 0x410fc080, BASIC | 0x8b040, 'armv7l', 'v7l'), 'cortex-a9': (V7 + ' half', 0x410fc090, BASIC | 0x8b040, 'armv7l', 'v7l'),
    'cortex-a7': (V7 + ' half fma idiv', 0x410fc075, BASIC | 0x1fb040, 'armv7l', 'v7l'),
    'cortex-a15': (V7 + ' half fma idiv', 0x414fc0f0, BASIC | 0x1fb040, 'armv7l', 'v7l'),
    'max': (V7 + ' half halfdouble fma idiv v8', 0x411fd070, None, 'armv7l', 'v7l'),
}


def program(name, code):
    """A static program of these words with 64 bytes of zeros at 0x108 behind its beginning."""
    text = struct.pack('<%dI' % len(code), *code).ljust(0x108, b'\0') + bytes(4096)
    header = b'\x7fELF\1\1\1' + bytes(9) + struct.pack('<HHIIIIIHHHHHH', 2, 40, 1, BASE + 88, 52, 0, 0x5000200, 52, 32, 1, 0, 0, 0)
    load = struct.pack('<8I', 1, 0, BASE, BASE, 88 + len(text), 88 + len(text), 7, 0x1000)
    path = os.path.join(work, name)
    with open(path, 'wb') as out:
        out.write(header + load + bytes(4) + text)
    os.chmod(path, 0o755)
    return path


def run(*args):
    p = subprocess.run([runner, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False)
    return p.returncode, p.stdout, p.stderr.decode()


def check(ok, *what):
    if not ok:
        print('FAILED:', *what)
        sys.exit(1)


os.makedirs(work, exist_ok=True)
status, text, _ = run('-cpu', 'help')
check(status == 0 and text.decode().split()[2:] == sorted(MODELS), 'the list', text)
exits = program('exits', EXIT)
for cpu, words in (('cortex-a53', "unable to find CPU model 'cortex-a53'"), ('arm926,nothing=on', "'arm926-arm-cpu.nothing' not found")):
    status, _, text = run('-cpu', cpu, exits)
    check(status == 1 and words in text and len(text.splitlines()) == 1, cpu, text)

for level, words in WORDS.items():
    for name, word in words.items():
        path = program('insn', PROLOGUE + [word] + EXIT)
        for model, (levels, *_) in MODELS.items():
            status, _, text = run('-cpu', model, path)
            check(status == (0 if level in levels.split() else -4), model, level, name, status, text)

for model in MODELS: # LDREX from an odd address: an alignment fault
    if 'v6' in MODELS[model][0].split():
        status, _, text = run('-cpu', model, program('insn', PROLOGUE + [0xe2811001, 0xe1914f9f] + EXIT))
        check(status == -7, model, 'unaligned LDREX', status, text)

# write(1, auxiliary vector, its length); uname(buffer); write(1, buffer.machine, 65)
auxv = program('auxv', [
    0xe1a0400d, 0xe4941004, 0xe0844101, 0xe2844004,             # behind argv: r4 = sp + 8 + 4 * argc
    0xe4942004, 0xe3520000, 0x1afffffc,                         # behind the environment
    0xe1a01004, 0xe4942008, 0xe3520000, 0x1afffffc,             # r1 = the vector, r4 behind it
    0xe0442001, 0xe3a00001, 0xe3a07004, 0xef000000,             # write
    0xe24ddf80, 0xe1a0000d, 0xe3a0707a, 0xef000000,             # uname
    0xe28d1f41, 0xe3a02041, 0xe3a00001, 0xe3a07004, 0xef000000, # write: machine is the fifth field of 65 bytes
] + EXIT)
files = program('cpuinfo', [
    0xe28f0f40, 0xe3a01000, 0xe3a07005, 0xef000000, 0xe1a05000, # open(pc + 0x108, O_RDONLY)
    0xe24ddb01, 0xe1a00005, 0xe1a0100d, 0xe3a02b01, 0xe3a07003, 0xef000000, # read(…, sp, 1024)
    0xe1a02000, 0xe1a0100d, 0xe3a00001, 0xe3a07004, 0xef000000, # write
] + EXIT)
with open(files, 'r+b') as f:
    f.seek(88 + 0x108)
    f.write(b'/proc/cpuinfo\0')
for model, (levels, midr, hwcap, machine, platform) in MODELS.items():
    status, out, _ = run('-cpu', model, auxv)
    check(status == 0, model, status)
    seen = dict(struct.unpack('<II', out[i:i + 8]) for i in range(0, len(out) - 65 & ~7, 8))
    check(hwcap is None or (seen[16] == hwcap and seen[26] == 0), model, 'HWCAP', hex(seen[16]), hex(seen[26]))
    check(out[-65:].split(b'\0')[0].decode() == machine, model, 'uname', out[-65:])
    status, out, _ = run('-cpu', model, files)
    info = dict(line.split('\t: ' if '\t:' in line else ': ') for line in out.decode().split('\n\n')[0].splitlines())
    architecture = {'5': '5TE', '6': '7', '7': '7'}[platform[1]] + ('J' if machine.startswith('armv5tej') else '')
    check(info['CPU part'] == '0x%03x' % (midr >> 4 & 0xfff) and info['CPU revision'] == str(midr & 15), model, info)
    check(info['CPU architecture'] == ('8' if model == 'max' else architecture), model, info)
    check(('neon' in info['Features'].split()) == ('neon' in levels.split()), model, info)
print(len(MODELS), 'models')
