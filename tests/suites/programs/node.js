'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { execFileSync, spawn, fork } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const net = require('net');
const zlib = require('zlib');

if (!isMainThread) {
    const a = new Int32Array(workerData.shared);
    for (let i = 0; i < 20000; i++) {
        Atomics.add(a, 0, 1);
    }
    Atomics.wait(a, 1, 0, 20000);
    const m = new Map();
    for (let i = 0; i < 20000; i++) {
        m.set('k' + i * 7919 % 1009, (m.get('k' + i * 7919 % 1009) || 0) + i);
    }
    parentPort.postMessage([workerData.n, [...m.values()].reduce((x, y) => x + y, 0)]);
} else if (process.argv[2] === 'child') {
    process.on('message', (m) => { process.send({ twice: m.n * 2 }); process.disconnect(); });
} else {
    main().then(() => process.exit(6), (e) => { console.log('failed', e); process.exit(1); });
}

function hot(n) {
    let x = 0.5, s = 0;
    for (let i = 0; i < n; i++) {
        x = 3.9 * x * (1 - x);
        s = (s * 31 + (x * 1e9 | 0)) | 0;
    }
    return s;
}

async function main() {
    const shared = new SharedArrayBuffer(16), a = new Int32Array(shared);
    const workers = [1, 2, 3, 4].map((n) => new Worker(__filename, { workerData: { n, shared } }));
    const answers = workers.map((w) => new Promise((ok, bad) => { w.on('message', ok); w.on('error', bad); }));
    while (Atomics.load(a, 0) < 80000) {
        await new Promise((ok) => setTimeout(ok, 5));
    }
    Atomics.store(a, 1, 1);
    Atomics.notify(a, 1);
    console.log(await Promise.all(answers), a[0]);
    console.log(hot(300000), 0.1 + 0.2, (123456789.123).toString(36), 2n ** 130n % 1000000007n);
    class Shape { constructor(x) { this.x = x; } area() { return this.x * this.x; } }
    class Disc extends Shape { area() { return Math.round(Math.PI * super.area()); } }
    let total = 0;
    for (let i = 0; i < 100000; i++) {
        total += (i % 3 ? new Shape(i % 10) : new Disc(i % 10)).area();
    }
    console.log(total, [5, 1, 4].sort(), [..."añ😀"].length, 'xaaay'.replace(/a{2,}?/g, (m) => `<${m}>`));
    let depth = 0;
    try {
        (function f() { depth++; f(); })();
    } catch (e) {
        console.log(e instanceof RangeError, depth > 1000);
    }
    try {
        null.x;
    } catch (e) {
        console.log(e.message);
    }
    if (typeof WebAssembly !== 'undefined') {
        const wasm = Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100,
                                      100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11]);
        const { instance } = await WebAssembly.instantiate(wasm);
        console.log('wasm', instance.exports.add(40, 2));
    }
    const data = Buffer.from(Array.from({ length: 100000 }, (_, i) => i * i % 251));
    for (const h of ['md5', 'sha256', 'sha512']) {
        console.log(crypto.createHash(h).update(data).digest('hex'));
    }
    fs.writeFileSync('out/node.gz', zlib.gzipSync(data));
    fs.writeFileSync('out/node.br', zlib.brotliCompressSync(data));
    console.log(zlib.gunzipSync(fs.readFileSync('out/node.gz')).equals(data));
    console.log(execFileSync('sh', ['-c', 'echo $((6 * 7))']).toString().trim());
    const s = spawn('sh', ['-c', 'kill -9 $$']);
    console.log(await new Promise((ok) => s.on('close', (code, sig) => ok([code, sig]))));
    const c = fork(__filename, ['child']);
    c.send({ n: 21 });
    console.log(await new Promise((ok) => c.on('message', ok)));
    const server = net.createServer((x) => x.pipe(x)).listen(0, '127.0.0.1');
    await new Promise((ok) => server.on('listening', ok));
    const echoed = await Promise.all(Array.from({ length: 8 }, (_, i) => new Promise((ok) => {
        const x = net.connect(server.address().port, '127.0.0.1', () => x.end('n' + i));
        let got = '';
        x.on('data', (d) => { got += d; });
        x.on('close', () => ok(got));
    })));
    server.close();
    console.log(echoed.join());
    const files = await Promise.all(Array.from({ length: 30 }, async (_, i) => {
        await fs.promises.writeFile(`/tmp/n${i}`, 'x'.repeat(i * 100));
        return (await fs.promises.stat(`/tmp/n${i}`)).size;
    }));
    console.log(files.reduce((x, y) => x + y));
    await new Promise((ok) => {
        process.on('SIGUSR2', () => { console.log('signal'); ok(); });
        setTimeout(() => {}, 1e6); // a signal's handler alone does not keep the loop
        process.kill(process.pid, 'SIGUSR2');
    });
    let garbage = [];
    for (let i = 0; i < 200; i++) {
        garbage.push(new Array(5000).fill({ i }));
        if (garbage.length > 20) {
            garbage = [];
        }
    }
    console.log(JSON.stringify({ d: new Date(0), n: [1, , NaN], u: undefined }));
}
