#!/usr/bin/env python3
"""make-project.py DIR: a C program of some 10,000 lines in twelve files with a Makefile, the same each time."""
import pathlib
import random
import sys

FILES, FUNCTIONS = 12, 25
HEADERS = ['stdio', 'stdlib', 'string', 'stdint', 'ctype', 'errno']

MAKEFILE = f'''CFLAGS = -O1 -Wall
OBJECTS = {' '.join(f'part{n}.o' for n in range(FILES))} main.o
program: $(OBJECTS)
\tgcc-14 -o $@ $(OBJECTS)
%.o: /project/%.c /project/parts.h
\tgcc-14 $(CFLAGS) -c -o $@ $<
'''


def function(rng, part, n):
    op = lambda: rng.choice('+-*^|&')
    number = lambda top: rng.randrange(1, top)
    call = f'f{part}_{rng.randrange(n)}(r, s, depth - 1)' if n else 's'
    cases = ''.join(f'''    case {k}:
        s {op()}= {number(99)};
        r->scale *= {rng.random():.3f};
        break;
''' for k in range(rng.randrange(2, 6)))
    return f'''uint64_t f{part}_{n}(struct record *r, uint64_t s, int depth)
{{
    if (depth <= 0) return s {op()} {number(999)}u;
    for (int i = 0; i < {number(20)}; i++) {{
        s = s {op()} r->words[(s {op()} (unsigned)i) & 15];
        if (s % {number(17)} == 0) r->count += (int)(s >> {number(40)});
        else r->words[i & 15] {op()}= s;
    }}
    switch (s % {rng.randrange(5, 9)}) {{
{cases}    default:
        s += {call};
        break;
    }}
    r->name[s % sizeof(r->name)] = (char)('a' + depth);
    return strlen(r->name) > {number(9)} ? s : s + (uint64_t)r->count;
}}
'''


def main():
    place = pathlib.Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    rng = random.Random(10)
    top = [f'f{part}_{FUNCTIONS - 1}' for part in range(FILES)]
    includes = ''.join(f'#include <{name}.h>\n' for name in HEADERS)
    (place / 'parts.h').write_text(includes + 'struct record { uint64_t words[16]; double scale; int count; char name[20]; };\n'
                                   + ''.join(f'uint64_t {name}(struct record *r, uint64_t s, int depth);\n' for name in top))
    for part in range(FILES):
        bodies = [function(rng, part, n) for n in range(FUNCTIONS)]
        (place / f'part{part}.c').write_text('#include "parts.h"\n\n' + '\n'.join(bodies))
    calls = ''.join(f'    sum += {name}(&r, sum, 9);\n' for name in top)
    (place / 'main.c').write_text('#include "parts.h"\n\nint main(void)\n{\n    struct record r = { .scale = 1 };\n    uint64_t sum = 1;\n' + calls
                                  + '    printf("%llx\\n", (unsigned long long)sum);\n    return 0;\n}\n')
    (place / 'Makefile').write_text(MAKEFILE)


if __name__ == '__main__':
    main()
