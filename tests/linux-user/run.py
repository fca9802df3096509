#!/usr/bin/env python3
"""run.py: compiles a C program for a guest architecture and for the host, runs both, and compares output and status.

usage: run.py RUNNER SOURCE WORKDIR [--arch riscv64|aarch64|aarch64_be|arm|armt32|x86_64|i386] [--dynamic] [--runner-arg ARG]... [-- program args]

A program that prints "skip" and exits 77 skips the test. Output is compared as is, so programs print results, not
addresses. Without the cross compiler the test is skipped.
"""
import argparse
import os
import shutil
import subprocess
import sys

# Compiler, its options, where a dynamic program's loader and libraries are (None: the host's own).
ARCHES = {
    'riscv64': ('riscv64-linux-gnu-gcc', [], '/usr/riscv64-linux-gnu'),
    'aarch64': ('aarch64-linux-gnu-gcc', [], '/usr/aarch64-linux-gnu'),
    'aarch64_be': ('aarch64-linux-gnu-gcc', ['-mbig-endian', '-Wl,-EB', '-nostdlib', '-ffreestanding', '-fno-stack-protector'], None),  # no C library
    'arm': ('arm-linux-gnueabihf-gcc', ['-marm'], '/usr/arm-linux-gnueabihf'),
    'armt32': ('arm-linux-gnueabihf-gcc', ['-mthumb'], '/usr/arm-linux-gnueabihf'),
    'x86_64': ('x86_64-linux-gnu-gcc', [], None),
    'i386': ('i686-linux-gnu-gcc', [], '/usr/i686-linux-gnu'),
}


def main():
    own, program_args = sys.argv[1:], []
    if '--' in own:
        at = own.index('--')
        own, program_args = own[:at], own[at + 1:]
    p = argparse.ArgumentParser()
    p.add_argument('runner')
    p.add_argument('source')
    p.add_argument('workdir')
    p.add_argument('--arch', choices=ARCHES, default='riscv64')
    p.add_argument('--dynamic', action='store_true')
    p.add_argument('--no-native', action='store_true', help='the program checks itself: only its status counts')
    p.add_argument('--rv32', action='store_true', help='a program without C library for riscv32')
    p.add_argument('--runner-arg', action='append', default=[])
    o = p.parse_args(own)
    compiler, arch_flags, sysroot = ARCHES[o.arch]
    cross = shutil.which(compiler)
    host = shutil.which('cc')
    if not cross or not host:
        print('no', compiler)
        return 77
    os.makedirs(o.workdir, exist_ok=True)
    base = os.path.join(o.workdir, os.path.basename(o.source)[:-2] + ('-dyn' if o.dynamic else ''))
    flags = ['-O1', '-Wall', '-D_GNU_SOURCE', '-pthread', '-o']
    link = [] if o.dynamic else ['-static']
    if o.rv32:
        o.no_native = True
        subprocess.run([cross, '-march=rv32imafdc', '-mabi=ilp32d', '-O1', '-Wall', '-nostdlib', '-static',
                        '-ffreestanding', '-fno-builtin', '-Wl,-melf32lriscv', '-o', base + '.' + o.arch, o.source],
                       check=True)
    else:
        libraries = [] if '-nostdlib' in arch_flags else ['-lm', '-lrt']
        subprocess.run([cross, *arch_flags, *flags, base + '.' + o.arch, o.source, *link, *libraries], check=True)
    args = list(o.runner_arg)
    if o.dynamic and sysroot: # the machine's own loader cache may name libraries of another build
        args = ['-L', sysroot, '-E', f'LD_LIBRARY_PATH={sysroot}/lib', *args]
    guest = subprocess.run([o.runner, *args, base + '.' + o.arch, *program_args], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=240, cwd=o.workdir)
    if guest.returncode == 77:
        sys.stdout.buffer.write(guest.stdout)
        return 77
    if o.no_native:
        sys.stdout.buffer.write(guest.stdout)
        return 0 if guest.returncode == 0 else 1
    own = base + '.' + o.arch
    try: # on x86 the guest's program is the host's, too, but for kernels without 32-bit programs
        if o.arch in ('riscv64', 'aarch64', 'arm', 'armt32') or (o.dynamic and sysroot):
            raise OSError
        native = subprocess.run([own, *program_args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                timeout=60, cwd=o.workdir)
    except OSError:
        own = base + '.native'
        if o.arch.startswith('arm'): # the host's programs of the same word size
            host, flags = 'i686-linux-gnu-gcc', ['-static', *flags]
        subprocess.run([host, *flags, own, o.source, '-lm', '-lrt'], check=True)
        native = subprocess.run([own, *program_args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                stdin=subprocess.DEVNULL, timeout=60, cwd=o.workdir)
    except subprocess.TimeoutExpired: # single steps that never end, on a host that is a paravirtual guest itself
        print('the host does not come to the end of the program; nothing to compare with')
        return 77
    if guest.stdout != native.stdout or guest.returncode != native.returncode:
        print('--- native, status', native.returncode)
        sys.stdout.flush()
        sys.stdout.buffer.write(native.stdout)
        sys.stdout.flush()
        print('--- guest, status', guest.returncode)
        sys.stdout.flush()
        sys.stdout.buffer.write(guest.stdout)
        return 1
    return 0


sys.exit(main())
