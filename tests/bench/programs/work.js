// JIT-compiled loops, objects, strings, typed arrays, closures, JSON.
function sieve(n) { const a = new Uint8Array(n); let c = 0; for (let i = 2; i < n; i++) if (!a[i]) { c++; for (let j = i * 2; j < n; j += i) a[j] = 1; } return c; }
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
class P { constructor(x, y) { this.x = x; this.y = y; } add(o) { return new P(this.x + o.x, this.y * 0.5 + o.y); } }
let p = new P(0, 0);
for (let i = 0; i < 300000; i++) p = p.add(new P(i, 1.5));
const m = new Map();
for (let i = 0; i < 100000; i++) { const k = 'k' + (i * 7919 % 3001); m.set(k, (m.get(k) || 0) + i); }
const f = new Float64Array(10000).map((_, i) => Math.sqrt(i));
let s = 0; for (let r = 0; r < 50; r++) for (let i = 0; i < f.length; i++) s += f[i] * f[i];
const j = JSON.parse(JSON.stringify([...m].slice(0, 1000)));
console.log(sieve(1000000), fib(25), p.x, p.y, m.size, s.toFixed(3), j.length, [...'hello'].reverse().join('').replace(/l+/g, 'L'));
