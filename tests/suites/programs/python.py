import asyncio
import concurrent.futures
import ctypes
import decimal
import faulthandler
import hashlib
import json
import math
import mmap
import multiprocessing
import os
import pickle
import queue
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib


def work(n):
    return sum(i * i % 7 for i in range(n))


def child(q, event, value):
    event.wait()
    with value.get_lock():
        value.value += 5
    q.put((os.getpid() != os.getppid(), [1, 'two']))


async def echo():
    async def handle(r, w):
        w.write((await r.readline()).upper())
        await w.drain()
        w.close()
    server = await asyncio.start_server(handle, '127.0.0.1', 0)
    port = server.sockets[0].getsockname()[1]

    async def ask(i):
        r, w = await asyncio.open_connection('127.0.0.1', port)
        w.write(b'hello %d\n' % i)
        answer = await r.readline()
        w.close()
        return answer
    answers = await asyncio.gather(*(ask(i) for i in range(20)))
    p = await asyncio.create_subprocess_exec('sh', '-c', 'echo from a child; exit 9', stdout=subprocess.PIPE)
    out, _ = await p.communicate()
    try:
        await asyncio.wait_for(asyncio.sleep(60), 0.05)
        late = False
    except asyncio.TimeoutError:
        late = True
    server.close()
    return answers[3], len(answers), out, p.returncode, late


def main():
    for method in ('fork', 'spawn', 'forkserver'):
        ctx = multiprocessing.get_context(method)
        with ctx.Pool(4) as pool:
            print(method, pool.map(work, range(0, 4000, 400)))
        q, event, value = ctx.Queue(), ctx.Event(), ctx.Value('i', 1)
        all = [ctx.Process(target=child, args=(q, event, value)) for _ in range(3)]
        for p in all:
            p.start()
        event.set()
        print(sorted(q.get() for _ in all))
        for p in all:
            p.join()
        print([p.exitcode for p in all], value.value, flush=True)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        print(sum(pool.map(work, range(200))))
    lock, total, q = threading.Lock(), [0], queue.Queue()

    def adder():
        for _ in range(500):
            with lock:
                total[0] += 1
        q.put(threading.current_thread().name)
    threads = [threading.Thread(target=adder, name='t%02d' % i) for i in range(32)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(total[0], sorted(q.get() for _ in threads)[:3])
    print(asyncio.run(echo()))
    p = subprocess.run([sys.executable, '-c', 'import sys; print(sys.stdin.read()[::-1]); sys.exit(5)'], input='abc',
                       capture_output=True, text=True)
    print(p.returncode, repr(p.stdout), repr(p.stderr))
    p = subprocess.run([sys.executable, '-c', 'import os; os.kill(os.getpid(), 9)'])
    print(p.returncode)
    p = subprocess.run([sys.executable, '-c', 'import ctypes; ctypes.string_at(0)'], stderr=subprocess.DEVNULL)
    print(p.returncode)
    try:
        subprocess.run(['sleep', '30'], timeout=0.2)
    except subprocess.TimeoutExpired:
        print('expired')
    with subprocess.Popen('cat; cat >&2', shell=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
        print(p.communicate(b'x' * 300000)[0].count(b'x'))
    hits = []
    signal.signal(signal.SIGALRM, lambda *a: hits.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    while len(hits) < 5:
        work(100)
    signal.setitimer(signal.ITIMER_REAL, 0)
    print('alarms', len(hits) >= 5)
    try:
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        time.sleep(5)
    except KeyboardInterrupt:
        print('interrupted')
    with tempfile.TemporaryFile() as f:
        f.truncate(100000)
        with mmap.mmap(f.fileno(), 0) as m:
            m[5000:5005] = b'hello'
            m.flush()
        f.seek(5000)
        print(f.read(5))
    a, b = socket.socketpair()
    socket.send_fds(a, [b'fd'], [os.open('/proc/self/cmdline', os.O_RDONLY)])
    data, fds, _, _ = socket.recv_fds(b, 10, 1)
    print(data, os.read(fds[0], 100).split(b'\0')[0])
    poll = select.epoll()
    poll.register(b, select.EPOLLIN)
    a.send(b'z')
    print(len(poll.poll(1)))
    libc = ctypes.CDLL(None)
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))(
        lambda x, y: x[0] - y[0])
    values = (ctypes.c_int * 6)(5, 1, 4, 2, 6, 3)
    libc.qsort(values, 6, 4, compare)
    print(list(values))
    decimal.getcontext().prec = 60
    print(decimal.Decimal(2).sqrt(), math.factorial(60), pow(3, 10**6, 10**40))
    print([f(0.7) for f in (math.sin, math.exp, math.lgamma, math.erf, math.cbrt)], math.fsum([0.1] * 10))
    random.seed(5)
    data = random.randbytes(100000)
    print(zlib.crc32(data), hashlib.sha256(zlib.compress(data)).hexdigest(), hashlib.blake2b(data).hexdigest()[:20])
    print(struct.pack('<dfe', 1.1, 1.1, 1.1).hex(), json.dumps({'a': [1.5, None, 'é']}), len(pickle.dumps(data)))
    r, w = os.pipe()
    pid = os.posix_spawn('/bin/echo', ['echo', 'spawned'], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, w, 1)])
    print(os.read(r, 100), os.waitpid(pid, 0)[1])
    sys.setrecursionlimit(6000)

    def deep(n):
        return 0 if n == 0 else 1 + deep(n - 1)
    print(deep(5000))
    try:
        deep(10000)
    except RecursionError:
        print('too deep')
    with open('out/python', 'w') as f:
        for name in sorted(os.listdir('/proc/self/fdinfo'))[:1]:
            f.write(name + '\n')
        f.write(repr(sorted((k, type(v).__name__) for k, v in os.uname().__class__.__dict__.items())[:1]) + os.uname().machine)
    faulthandler.enable()
    os.abort()


if __name__ == '__main__':
    main()
