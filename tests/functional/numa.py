#!/usr/bin/env python3
"""numa.py AARCH64-EMULATOR X86-EMULATOR: what -numa takes and refuses, and the device tree it makes (skipped without dtc)."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

from emulator import check, check_equal, finish

ARM, PC = map(os.path.abspath, sys.argv[1:3])
BACKENDS = ['-object', 'memory-backend-ram,id=a,size=128M', '-object', 'memory-backend-ram,id=b,size=384M', '-m', '512M', '-smp', '4,sockets=2,cores=2']
NODES = ['-numa', 'node,memdev=a', '-numa', 'node,memdev=b']


def refused(emulator, machine, text, *options):
    done = subprocess.run([emulator, '-M', machine, '-display', 'none', '-S', *BACKENDS, *options], stdin=subprocess.DEVNULL, capture_output=True, timeout=20, text=True)
    check(done.returncode == 1 and text in done.stderr, f'{machine} {options}: status {done.returncode}, {done.stderr!r}, expected {text!r}')


def tree(folder, *options):
    path = os.path.join(folder, 'dtb')
    subprocess.run([ARM, '-M', f'virt,dumpdtb={path}', *BACKENDS, *options], check=True, timeout=20, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return subprocess.run(['dtc', '-q', '-I', 'dtb', '-O', 'dts', path], check=True, capture_output=True, text=True).stdout


for emulator, board in ((ARM, 'virt'), (PC, 'pc')):
    refused(emulator, board, 'total memory for NUMA nodes (0x8000000) should equal RAM size (0x20000000)', '-numa', 'node,memdev=a')
    refused(emulator, board, 'Duplicate NUMA nodeid: 0', '-numa', 'node,memdev=a,nodeid=0', '-numa', 'node,memdev=b,nodeid=0')
    refused(emulator, board, 'numa: Node ID missing: 1', '-numa', 'node,memdev=a', '-numa', 'node,memdev=b,nodeid=2')
    refused(emulator, board, 'Parameter -numa node,mem is not supported by this machine type', '-numa', 'node,mem=512M')
    refused(emulator, board, 'memdev=c is ambiguous or does not exist', '-numa', 'node,memdev=c')
    refused(emulator, board, 'is used multiple times', '-m', '256M', '-numa', 'node,memdev=a', '-numa', 'node,memdev=a')
    refused(emulator, board, 'CPU index (4) should be smaller than maxcpus (4)', '-numa', 'node,memdev=a,cpus=2-4')
    refused(emulator, board, 'CPU(s) 1 is already assigned to node 0', '-numa', 'node,memdev=a,cpus=0-1', '-numa', 'node,memdev=b,cpus=1')
    refused(emulator, board, "not 'x'", '-numa', 'node,memdev=a,cpus=x')
    refused(emulator, board, "'-numa node' option to declare it first", *NODES, '-numa', 'dist,src=0,dst=2,val=20')
    refused(emulator, board, 'NUMA distance (9) is invalid', *NODES, '-numa', 'dist,src=0,dst=1,val=9')
    refused(emulator, board, 'Local distance of node 1 should be 10.', *NODES, '-numa', 'dist,src=1,dst=1,val=11')
    refused(emulator, board, 'there is no HMAT', *NODES, '-numa', 'hmat-lb,initiator=0,target=0,hierarchy=memory,data-type=access-latency,latency=5')
    refused(emulator, board, "invalid parameter 'memory'", *NODES, '-numa', 'node,memory=1G')
refused(PC, 'microvm', 'NUMA is not supported by this machine-type', *NODES)
refused(ARM, 'virt', 'The distance between node 0 and 2 is missing', '-object', 'memory-backend-ram,id=c,size=128M', '-m', '640M', *NODES, '-numa', 'node,memdev=c',
        '-numa', 'dist,src=0,dst=1,val=20')
if not shutil.which('dtc'):
    sys.exit(77)
with tempfile.TemporaryDirectory(prefix='numa-') as work:
    text = tree(work, *NODES)
    check_equal(re.findall(r'memory@(\w+) {\s+numa-node-id = <0x0(\d)>;\s+reg = <0x00 (\w+) 0x00 (\w+)>', text),
                [('48000000', '1', '0x48000000', '0x18000000'), ('40000000', '0', '0x40000000', '0x8000000')], 'memory')
    check_equal(re.findall(r'cpu@\d {[^}]*numa-node-id = <0x0(\d)>', text), ['0', '0', '1', '1'], 'processors by socket')
    check('distance-map' not in text, 'distances nobody has given')
    text = tree(work, *NODES, '-numa', 'cpu,node-id=1,socket-id=0', '-numa', 'cpu,node-id=0,socket-id=1,core-id=0', '-numa', 'cpu,node-id=1,socket-id=1,core-id=1',
                '-numa', 'dist,src=0,dst=1,val=30', '-numa', 'dist,src=1,dst=0,val=40')
    check_equal(re.findall(r'cpu@\d {[^}]*numa-node-id = <0x0(\d)>', text), ['1', '1', '0', '1'], 'processors by place')
    check('distance-matrix = <0x00 0x00 0x0a 0x00 0x01 0x1e 0x01 0x00 0x28 0x01 0x01 0x0a>' in text, 'distances')
finish()
