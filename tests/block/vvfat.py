#!/usr/bin/env python3
"""vvfat.py TOOLS: a folder seen as a FAT disk has its files, in FAT12, FAT16 and FAT32, with long names; what cannot be is refused."""
import os
import random
import struct
import subprocess
import sys
import tempfile

TOOLS = sys.argv[1]
failed = 0


def check(good, text):
    global failed
    if not good:
        failed += 1
        print(text)


def u16(b, at):
    return struct.unpack_from('<H', b, at)[0]


def u32(b, at):
    return struct.unpack_from('<I', b, at)[0]


class Fat:
    """What a guest sees: by the boot sector alone (FAT specification 1.03)."""

    def __init__(self, disk):
        self.disk = disk
        start = u32(disk, 446 + 8) * 512 if disk[450] else 0
        boot = disk[start:start + 512]
        check(boot[510:] == b'\x55\xaa', 'the boot sector has no signature')
        fats, fat_sectors = boot[16], u16(boot, 22) or u32(boot, 36)
        sectors = u16(boot, 19) or u32(boot, 32)
        root_sectors = u16(boot, 17) * 32 // 512
        fat_at = start + u16(boot, 14) * 512
        self.fat = disk[fat_at:fat_at + fat_sectors * 512]
        check(self.fat == disk[fat_at + fat_sectors * 512:fat_at + 2 * fat_sectors * 512], 'the second table differs')
        self.root_at = fat_at + fats * fat_sectors * 512
        self.data_at = self.root_at + root_sectors * 512
        self.cluster = boot[13] * 512
        self.clusters = (sectors * 512 - (self.data_at - start)) // self.cluster
        self.bits = 12 if self.clusters < 4085 else 16 if self.clusters < 65525 else 32
        check(len(self.fat) * 8 >= (self.clusters + 2) * self.bits, 'the table is too short')
        check(start + sectors * 512 <= len(disk), 'the volume is longer than the disk')
        self.used = set()
        root = self.chain(u32(boot, 44)) if self.bits == 32 else disk[self.root_at:self.data_at]
        self.files = {}
        self.short = set()
        self.walk(root, '')
        for c in range(2, self.clusters + 2):
            check((self.entry(c) != 0) == (c in self.used), f'cluster {c} is lost or not taken')

    def entry(self, c):
        if self.bits == 12:
            both = u16(self.fat, c + c // 2)
            return both >> 4 if c & 1 else both & 0xfff
        return u16(self.fat, c * 2) if self.bits == 16 else u32(self.fat, c * 4) & 0xfffffff

    def chain(self, c):
        data = b''
        while 2 <= c < (0xfffffff8 & ((1 << min(self.bits, 28)) - 1)):
            check(c not in self.used, f'cluster {c} is in two chains')
            self.used.add(c)
            data += self.disk[self.data_at + (c - 2) * self.cluster:self.data_at + (c - 1) * self.cluster]
            c = self.entry(c)
        return data

    def walk(self, folder, path):
        long, names = '', set()
        for at in range(0, len(folder), 32):
            e = folder[at:at + 32]
            if not e[0]:
                break
            if e[11] == 15:
                long = (e[1:11] + e[14:26] + e[28:32]).decode('utf-16-le', 'surrogatepass').split('\0')[0].rstrip('\uffff') + long
                total = e[13]
                continue
            name = e[:8].decode('latin1').rstrip() + ('.' + e[8:11].decode('latin1').rstrip() if e[8:11].strip() else '')
            if long:
                s = 0
                for b in e[:11]:
                    s = ((s >> 1 | s << 7) + b) & 0xff
                check(s == total, f'{long}: wrong checksum')
            check(e[:11] not in names, f'{path}{name} is there twice')
            names.add(e[:11])
            self.short.add(path + name)
            name, long = long or name, ''
            cluster, size = u16(e, 26) | u16(e, 20) << 16, u32(e, 28)
            if e[11] & 8 or name in ('.', '..'):
                continue
            if e[11] & 16:
                self.files[path + name] = None
                self.walk(self.chain(cluster), path + name + '/')
            else:
                data = self.chain(cluster) if cluster else b''
                check(len(data) < size + self.cluster, f'{path}{name}: more clusters than it needs')
                self.files[path + name] = data[:size]


def convert(name, raw, *options):
    return subprocess.run([os.path.join(TOOLS, 'qemu-img'), 'convert', '-O', 'raw', *options, name, raw], capture_output=True, text=True, timeout=120)


def fill(folder):
    rng = random.Random(1)
    want = {}
    names = ['README', 'hello.txt', 'Hello World.text', 'a.b.c', 'zero', '.hidden', 'grüße – 漢字 😀.txt', 'x' * 200, 'averylongname1.txt', 'averylongname2.txt',
             'AVERYLON.TXT', 'A+B.TXT', 'UPPER.TXT', 'bad:name?.txt']
    folders = ['', 'sub', 'sub/Deeper Folder', 'empty', 'many']
    for f in folders[1:]:
        os.makedirs(os.path.join(folder, f))
        want[f] = None
    for f in folders[:3]:
        for n in names:
            path = os.path.join(f, n)
            data = rng.randbytes(rng.choice((1, 500, 8192, 8193, 30000)) if n != 'zero' else 0)
            with open(os.path.join(folder, path), 'wb') as out:
                out.write(data)
            want[path.replace(':', '_').replace('?', '_')] = data
    for i in range(300):
        with open(os.path.join(folder, 'many', f'file number {i}'), 'wb') as out:
            out.write(b'%d' % i)
        want[f'many/file number {i}'] = b'%d' % i
    os.symlink('README', os.path.join(folder, 'link'))
    want['link'] = want['README']
    os.symlink('.', os.path.join(folder, 'loop'))
    os.mkfifo(os.path.join(folder, 'fifo'))
    return want


def main():
    with tempfile.TemporaryDirectory() as work:
        folder, raw, small = (os.path.join(work, n) for n in ('folder', 'raw', 'small'))
        os.mkdir(folder)
        want = fill(folder)
        for kind, bits in (('', 16), ('12:', 12), ('16:', 16), ('32:', 32)):
            p = convert(f'fat:{kind}{folder}', raw)
            check(p.returncode == 0, f'fat:{kind}: {p.stderr}')
            with open(raw, 'rb') as f:
                fat = Fat(f.read())
            check(fat.bits == bits, f'fat:{kind}: FAT{fat.bits} by its clusters')
            check(fat.files.keys() == want.keys(), f'fat:{kind}: {sorted(fat.files.keys() ^ want.keys())}')
            check(all(fat.files.get(n) == d for n, d in want.items()), f'fat:{kind}: contents differ')
            check({'README', 'HELLO.TXT', 'UPPER.TXT', 'ZERO', 'AVERYL~1.TXT'} <= fat.short, f'fat:{kind}: short names {sorted(fat.short)[:20]}')
        os.mkdir(small)
        with open(os.path.join(small, 'x'), 'w') as f:
            f.write('y')
        p = convert(f'fat:floppy:{small}', raw)
        with open(raw, 'rb') as f:
            disk = f.read()
        check(p.returncode == 0 and len(disk) == 2880 << 10 and Fat(disk).files == {'x': b'y'}, f'floppy: {p.stderr}')
        p = convert('driver=vvfat,label=MY LABEL,fat-type=12,dir=' + small, raw, '--image-opts')
        with open(raw, 'rb') as f:
            check(p.returncode == 0 and b'MY LABEL   FAT12' in f.read(100000), f'label: {p.stderr}')
        with open(os.path.join(small, 'large'), 'wb') as f:
            f.truncate(40 << 20)
        for name, words in ((f'fat:12:{small}', 'does not fit in FAT12'), (f'fat:rw:{small}', 'cannot be written'), (f'fat:{work}/none', 'Could not read directory')):
            p = convert(name, raw)
            check(p.returncode == 1 and words in p.stderr, f'{name}: {p.returncode} {p.stderr}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
