"""Writes twenty C files of 500 lines and more with a Makefile to the folder argv[1]: integers, floating point, strings, structures, switches, loops."""
import os
import random
import sys

r = random.Random(4)
folder = sys.argv[1]
os.makedirs(folder)
OPS = ['+', '-', '*', '^', '&', '|']


def expression(names, depth):
    if depth == 0 or r.random() < 0.15:
        return r.choice(names + ['%du' % r.randrange(1, 1000)])
    kind = r.randrange(5)
    a, b = expression(names, depth - 1), expression(names, depth - 1)
    if kind == 0:
        return '(%s >> %d | %s << %d)' % (a, r.randrange(1, 31), b, r.randrange(1, 31))
    if kind == 1:
        return '(%s > %s ? %s : %s)' % (a, b, expression(names, depth - 1), r.choice(names))
    if kind == 2:
        return '(%s / (%s | 1))' % (a, b)
    return '(%s %s %s)' % (a, r.choice(OPS), b)


def function(f, k):
    name = 'f%d_%d' % (f, k)
    kind = k % 5
    if kind == 0:
        body = ['unsigned x = a, y = b;'] + ['%s = %s;' % (r.choice('xy'), expression(['a', 'b', 'x', 'y'], 4)) for _ in range(14)] + ['return x ^ y;']
    elif kind == 1:
        body = ['double s = 0;', 'for (unsigned i = 1; i < 40 + a % 9; i++) {'] + [
            '    s += sqrt(i + %d.%d) * (b %% %d) / (i + %d.5);' % (r.randrange(9), r.randrange(9), r.randrange(2, 99), r.randrange(9)) for _ in range(12)] + [
            '}', 'return (unsigned)(long long)(s * 1000);']
    elif kind == 2:
        body = ['switch (a %% %d) {' % 13] + ['case %d: b = %s; break;' % (c, expression(['a', 'b'], 3)) for c in range(12)] + ['default: b ^= a;', '}', 'return b;']
    elif kind == 3:
        body = ['char t[64];', 'unsigned n = (unsigned)snprintf(t, sizeof(t), "%u-%x-%s", a, b, names[a % 8]);', 'for (unsigned i = 0; i < n; i++) {',
                '    struct node *p = &pool[(t[i] + i) % 32];', '    p->count += (unsigned char)t[i];', '    p->weight = p->weight * 0.5f + (float)i;',
                '    p->next = &pool[p->count % 32];', '    b = b * 31 + p->next->count;', '}', 'memmove(pool + 1, pool, 16 * sizeof(pool[0]));',
                'return b + (unsigned)pool[3].weight;']
    else:
        body = ['unsigned char m[256];', 'for (int i = 0; i < 256; i++) {', '    m[i] = (unsigned char)(i * a + b);', '}', 'unsigned h = 0;',
                'for (int i = 0; i < 256; i++) {', '    m[i] = m[i] > %d ? m[i] - %d : m[i] + %d;' % (r.randrange(256), r.randrange(99), r.randrange(99)),
                '    h += (unsigned)m[i] << (i & 15);', '}', 'for (int i = 0; i < 256; i += 4) {', '    h ^= m[i] * m[i + 1] + m[i + 2];', '}', 'return h;']
    return ['unsigned %s(unsigned a, unsigned b)' % name, '{'] + ['    ' + line for line in body] + ['}', '']


HEAD = '''#include <math.h>
#include <stdio.h>
#include <string.h>
struct node { struct node *next; unsigned count; float weight; };
static struct node pool[33];
static const char *const names[8] = { "a", "bc", "def", "ghij", "k", "lm", "nop", "qrst" };
void *use%d[] = { pool, (void *)names };
'''
N, EACH = 20, 32
for f in range(N):
    lines = (HEAD % f).splitlines()
    for k in range(EACH):
        lines += function(f, k)
    with open('%s/f%d.c' % (folder, f), 'w') as out:
        out.write('\n'.join(lines) + '\n')
with open(folder + '/main.c', 'w') as out:
    out.write('#include <stdio.h>\n')
    for f in range(N):
        for k in range(EACH):
            out.write('unsigned f%d_%d(unsigned, unsigned);\n' % (f, k))
    out.write('int main(void)\n{\n    unsigned r = 1;\n    for (unsigned i = 0; i < 50; i++) {\n')
    for f in range(N):
        for k in range(EACH):
            out.write('        r = r * 33 + f%d_%d(r + i, i * 7);\n' % (f, k))
        out.write('        if (i == 49) printf("%d %%08x\\n", r);\n' % f)
    out.write('    }\n    return 0;\n}\n')
with open(folder + '/Makefile', 'w') as out:
    out.write('prog: $(patsubst %.c,%.o,$(wildcard *.c))\n\tgcc -o $@ $(sort $^) -lm\n%.o: %.c\n\tgcc -O2 -c -o $@ $<\n')
