'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

const loads = {
    objects(n) { // shapes, closures, maps: inline caches
        class Vec { constructor(x, y) { this.x = x; this.y = y; } add(o) { return new Vec(this.x + o.x, this.y + o.y); } len() { return Math.hypot(this.x, this.y); } }
        const kinds = [(i) => new Vec(i, 1), (i) => ({ x: i, y: 2, z: 3 }), (i) => ({ y: i, x: 2 })];
        let a = new Vec(0, 0), m = new Map();
        for (let i = 0; i < n; i++) {
            a = a.add(kinds[i % 3](i % 100));
            m.set(i % 997, (m.get(i % 997) ?? 0) + (i & 7));
        }
        return [a.x, a.y, a.len().toFixed(6), [...m.values()].reduce((s, v) => s + v)];
    },
    arrays(n) { // typed arrays, doubles, holes, sort
        const f = new Float64Array(256), u = new Uint8Array(256), h = [1, , 3.5];
        for (let i = 0; i < n; i++) {
            f[i & 255] = f[(i * 7) & 255] * 0.75 + i;
            u[i & 255] += f[i & 255];
            h[(i % 50) * 2] = i & 15;
        }
        return [f.reduce((s, x) => s + x).toFixed(3), u.reduce((s, x) => s * 31 + x | 0, 7), h.length, [...u].sort((x, y) => x - y)[100]];
    },
    strings(n) {
        let s = '', words = 0;
        for (let i = 0; i < n / 20; i++) {
            s += String.fromCharCode(97 + i * i % 26) + (i % 5 ? '' : ' ');
            if (s.length > 2000) {
                words += s.split(/\s+/).filter((w) => /^[a-m]+$/.test(w)).length + s.replace(/(.)\1/g, '<$1>').length;
                s = s.slice(1000);
            }
        }
        return [words, s.length, JSON.stringify(JSON.parse(JSON.stringify({ s, n }))).length];
    },
    integers(n) { // overflow to doubles and back, BigInt
        let a = 1, b = 1n, c = 0;
        for (let i = 0; i < n; i++) {
            a = Math.imul(a, 1103515245) + 12345 | 0;
            c += a >>> 3;
            if (i % 64 === 0) {
                b = (b * 6364136223846793005n + BigInt(i)) & 0xffffffffffffffffn;
            }
        }
        return [a, c, b];
    },
    generators(n) { // deoptimization, exceptions, iterators
        function* g(k) { for (let i = 0; i < k; i++) { yield i % 3 ? i : String(i); } }
        let s = 0, thrown = 0;
        for (let r = 0; r < n / 1000; r++) {
            for (const v of g(300)) {
                try {
                    if (v.length > 1) { throw new Error(v); }
                    s += v.length ? 1 : v;
                } catch (e) { thrown += e.message.length; }
            }
        }
        return [s, thrown];
    },
};

async function main() {
    const names = process.argv.slice(2).length ? process.argv.slice(2) : Object.keys(loads);
    for (const name of names) {
        for (const n of [1000, 200000, 200001]) {
            console.log(name, n, loads[name](n).map(String).join(' '));
        }
    }
    const both = await Promise.all([0, 1, 2, 3].map((i) => new Promise((ok, bad) => {
        const w = new Worker(__filename, { workerData: names[i % names.length] });
        w.on('message', ok);
        w.on('error', bad);
    })));
    console.log(both.join('\n'));
}

if (isMainThread) {
    main();
} else {
    parentPort.postMessage(workerData + ' ' + loads[workerData](150000).map(String).join(' '));
}
