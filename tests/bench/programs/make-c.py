#!/usr/bin/env python3
"""make-c.py N: a C program of N functions of various shapes, the same each time, needing no header."""
import random
import sys

rng = random.Random(20)
count = int(sys.argv[1])
print('typedef unsigned long u64; typedef struct { int a; double d; u64 u[4]; char name[12]; } rec;')
print('static int table[64]; extern void sink(u64);')
for n in range(count):
    ops = ['+', '-', '*', '^', '|', '&']
    call = f'f{rng.randrange(n)}(x + {n}, r, y)' if n else 'x'
    print(f'''u64 f{n}(u64 x, rec *r, int y)
{{
    u64 s = x {rng.choice(ops)} {rng.randrange(1, 999)};
    for (int i = 0; i < y; i++) {{
        s = s {rng.choice(ops)} (u64)table[(s {rng.choice(ops)} i) & 63];
        if (s % {rng.randrange(3, 17)} == {rng.randrange(3)}) r->a += (int)(s >> {rng.randrange(1, 40)});
        else r->u[i & 3] {rng.choice(['+=', '^=', '-='])} s;
    }}
    switch (y) {{
{''.join(f"    case {k}: s {rng.choice(ops)}= {rng.randrange(1, 99)}; r->d *= {rng.random():.3f}; break;" + chr(10) for k in range(rng.randrange(2, 9)))}    default: s += {call}; break;
    }}
    r->name[s % 12] = (char)(y + {rng.randrange(40)});
    return r->d > {rng.random():.4f} ? s : s + (u64)r->a;
}}''')
print('int main(void) { rec r = { 0 }; sink(f%d(1, &r, 2)); return 0; }' % (count - 1))
