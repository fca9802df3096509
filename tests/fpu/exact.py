#!/usr/bin/env python3
"""Checks the library against exact rational arithmetic.

usage: exact.py EVAL CASES [SEED]

Every operation is computed as a fraction (numerator, denominator of Python
integers), then rounded by the definition of IEEE 754-2019 4.3 and 7: find the
quantum, floor, look at the remainder. Nothing is shared with the library.
"""
import random
import subprocess
import sys
from fractions import Fraction
from math import isqrt

RNE, RTZ, RDN, RUP, RMM, RTO = range(6)
NX, UF, OF, DZ, NV = 1, 2, 4, 8, 16


class Format:
    def __init__(self, name, exp_bits, frac_bits):
        self.name, self.eb, self.fb = name, exp_bits, frac_bits
        self.bias = (1 << (exp_bits - 1)) - 1
        self.emin = 1 - self.bias
        self.emax = self.bias
        self.inf = ((1 << exp_bits) - 1) << frac_bits
        self.sign = 1 << (exp_bits + frac_bits)
        self.nan = self.inf | 1 << (frac_bits - 1)

    def decode(self, bits):
        """'nan', 'snan', ('inf', sign) or (Fraction, sign)"""
        s = bool(bits & self.sign)
        m = bits & (self.sign - 1)
        if m > self.inf:
            return 'nan' if m & 1 << (self.fb - 1) else 'snan'
        if m == self.inf:
            return ('inf', s)
        e, f = m >> self.fb, m & ((1 << self.fb) - 1)
        q = Fraction(2) ** (max(e, 1) - self.bias - self.fb)
        v = (f | (1 << self.fb if e else 0)) * q
        return (-v if s else v, s)


F = {f.name: f for f in (Format('f16', 5, 10), Format('bf16', 8, 7), Format('f32', 8, 23),
                         Format('f64', 11, 52), Format('f128', 15, 112))}


def exponent(v):
    """floor(log2(v)) for v > 0"""
    e = v.numerator.bit_length() - v.denominator.bit_length()
    return e if Fraction(2) ** e <= v else e - 1


def round_quantum(v, quantum, mode, negative):
    """|v| to a multiple of quantum: (integer, inexact)"""
    n, rest = divmod(v / quantum, 1)
    n = int(n)
    if rest == 0:
        return n, False
    half = Fraction(1, 2)
    up = {RNE: rest > half or (rest == half and n % 2 == 1), RTZ: False, RDN: negative,
          RUP: not negative, RMM: rest >= half, RTO: n % 2 == 0}[mode]
    return n + up, True


def encode(fmt, v, mode, before, zero_sign=False, extra_sticky=False):
    """Rounds a Fraction; extra_sticky: the true value is a little larger."""
    if v == 0 and not extra_sticky:
        return (fmt.sign if zero_sign else 0), 0
    neg = v < 0
    v = abs(v)
    if extra_sticky:
        v += Fraction(1, 1 << 400) * Fraction(2) ** exponent(v)
    e = exponent(v)
    # with unbounded exponent
    n, _ = round_quantum(v, Fraction(2) ** (e - fmt.fb), mode, neg)
    e_after = e + (n >> (fmt.fb + 1))
    tiny = (e if before else e_after) < fmt.emin
    q = max(e, fmt.emin) - fmt.fb
    n, inexact = round_quantum(v, Fraction(2) ** q, mode, neg)
    flags = NX if inexact else 0
    if inexact and tiny:
        flags |= UF
    if e_after > fmt.emax:
        to_inf = mode in (RNE, RMM) or (mode == RUP and not neg) or (mode == RDN and neg)
        return (fmt.sign if neg else 0) | (fmt.inf if to_inf else fmt.inf - 1), OF | NX
    bits = n if q == fmt.emin - fmt.fb else n + ((q + fmt.fb + fmt.bias - 1) << fmt.fb)
    return (fmt.sign if neg else 0) | bits, flags


def is_nan(x):
    return isinstance(x, str)


def is_inf(x):
    return not is_nan(x) and isinstance(x[0], str)


def nan_result(fmt, ops, extra=0):
    return fmt.nan, extra | (NV if 'snan' in ops else 0)


def zero_sum_sign(sa, sb, mode):
    return sa if sa == sb else mode == RDN


def add(fmt, a, b, mode, before):
    if is_nan(a) or is_nan(b):
        return nan_result(fmt, (a, b))
    if is_inf(a) and is_inf(b) and a[1] != b[1]:
        return fmt.nan, NV
    if is_inf(a) or is_inf(b):
        return fmt.inf | (fmt.sign if (a if is_inf(a) else b)[1] else 0), 0
    return encode(fmt, a[0] + b[0], mode, before, zero_sum_sign(a[1], b[1], mode))


def neg(x):
    return x if is_nan(x) else (x[0] if is_inf(x) else -x[0], not x[1])


def product(a, b):
    """None for infinity times zero"""
    s = a[1] != b[1]
    if is_inf(a) or is_inf(b):
        other = b if is_inf(a) else a
        return None if not is_inf(other) and other[0] == 0 else ('inf', s)
    return (a[0] * b[0], s)


def mul(fmt, a, b, mode, before):
    if is_nan(a) or is_nan(b):
        return nan_result(fmt, (a, b))
    p = product(a, b)
    if p is None:
        return fmt.nan, NV
    if is_inf(p):
        return fmt.inf | (fmt.sign if p[1] else 0), 0
    return encode(fmt, p[0], mode, before, p[1])


def fma(fmt, a, b, c, mode, before):
    invalid = 0
    p = ('nan',)
    if not is_nan(a) and not is_nan(b):
        p = product(a, b)
        if p is None:
            return fmt.nan, NV
    if is_nan(a) or is_nan(b) or is_nan(c):
        return nan_result(fmt, (a, b, c), invalid)
    return add(fmt, p, c, mode, before)


def div(fmt, a, b, mode, before):
    if is_nan(a) or is_nan(b):
        return nan_result(fmt, (a, b))
    s = fmt.sign if a[1] != b[1] else 0
    if is_inf(a):
        return (fmt.nan, NV) if is_inf(b) else (fmt.inf | s, 0)
    if is_inf(b):
        return s, 0
    if b[0] == 0:
        return (fmt.nan, NV) if a[0] == 0 else (fmt.inf | s, DZ)
    return encode(fmt, a[0] / b[0], mode, before, bool(s))


def sqrt(fmt, a, mode, before):
    if is_nan(a):
        return nan_result(fmt, (a,))
    if not is_inf(a) and a[0] == 0:
        return (fmt.sign if a[1] else 0), 0
    if a[1]:
        return fmt.nan, NV
    if is_inf(a):
        return fmt.inf, 0
    scaled = a[0] * 4 ** 1300
    assert scaled.denominator == 1
    r = isqrt(scaled.numerator)
    return encode(fmt, Fraction(r, 2 ** 1300), mode, before, False, r * r != scaled.numerator)


def rem(fmt, a, b, mode, before):
    if is_nan(a) or is_nan(b):
        return nan_result(fmt, (a, b))
    if is_inf(a) or (not is_inf(b) and b[0] == 0):
        return fmt.nan, NV
    if is_inf(b):
        return encode(fmt, a[0], mode, before, a[1])
    n, rest = divmod(a[0] / b[0], 1)
    n = int(n)
    if rest > Fraction(1, 2) or (rest == Fraction(1, 2) and n % 2):
        n += 1
    return encode(fmt, a[0] - b[0] * n, mode, before, a[1])


def scalbn(fmt, a, n, mode, before):
    if is_nan(a):
        return nan_result(fmt, (a,))
    if is_inf(a):
        return fmt.inf | (fmt.sign if a[1] else 0), 0
    return encode(fmt, a[0] * Fraction(2) ** n, mode, before, a[1])


def rint(fmt, a, mode):
    if is_nan(a):
        return nan_result(fmt, (a,))
    if is_inf(a):
        return fmt.inf | (fmt.sign if a[1] else 0), 0
    n, inexact = round_quantum(abs(a[0]), 1, mode, a[1])
    bits, _ = encode(fmt, Fraction(-n if a[1] else n), RTZ, False, a[1])
    return bits, NX if inexact else 0


def to_int(a, bits, signed, mode):
    lo = -(1 << (bits - 1)) if signed else 0
    hi = (1 << (bits - (1 if signed else 0))) - 1
    mask = (1 << 64) - 1
    if is_nan(a):
        return hi, NV
    if is_inf(a):
        return (lo if a[1] else hi) & mask, NV
    n, inexact = round_quantum(abs(a[0]), 1, mode, a[1])
    n = -n if a[1] else n
    if n < lo or n > hi:
        return (lo if n < lo else hi) & mask, NV
    return n & mask, NX if inexact else 0


def convert(to, a, mode, before):
    if is_nan(a):
        return nan_result(to, (a,))
    if is_inf(a):
        return to.inf | (to.sign if a[1] else 0), 0
    return encode(to, a[0], mode, before, a[1])


def operand(rng, fmt, near=None):
    kind = rng.randrange(12)
    emax = (1 << fmt.eb) - 1
    if kind == 0:
        e = 0
    elif kind == 1:
        e = emax
    elif kind == 2:
        e = rng.randrange(1, 4)
    elif kind == 3:
        e = emax - rng.randrange(1, 4)
    elif kind == 4:
        e = rng.randrange(emax + 1)
    elif kind in (5, 6, 7) and near is not None:
        e = (near >> fmt.fb & emax) + rng.randrange(-fmt.fb - 3, fmt.fb + 4)
    else:
        e = fmt.bias + rng.randrange(-3, min(70, fmt.bias))
    e = max(0, min(emax, e))
    f = rng.getrandbits(fmt.fb)
    kind = rng.randrange(6)
    if kind == 0:
        f = 0
    elif kind == 1:
        f = 1 << rng.randrange(fmt.fb)
    elif kind == 2:
        f = (1 << rng.randrange(fmt.fb + 1)) - 1
    elif kind == 3:
        f = f >> (fmt.fb // 2) << (fmt.fb // 2)
    return rng.getrandbits(1) << (fmt.eb + fmt.fb) | e << fmt.fb | f


INTS = {'i16': (16, True), 'i32': (32, True), 'u32': (32, False), 'i64': (64, True),
        'u64': (64, False)}


def expect(op, mode, before, a, b, c):
    name, _, what = op.partition('_')
    f = F[name]
    x = f.decode(a)
    if what.startswith('to_') and what[3:] in INTS:
        return to_int(x, *INTS[what[3:]], mode)
    if what.startswith('to_'):
        return convert(F[what[3:]], x, mode, before)
    if what in ('from_i64', 'from_u64'):
        v = a - (1 << 64) if what == 'from_i64' and a >> 63 else a
        return encode(f, Fraction(v), mode, before)
    if what == 'add':
        return add(f, x, f.decode(b), mode, before)
    if what == 'sub':
        return add(f, x, neg(f.decode(b)), mode, before)
    if what == 'mul':
        return mul(f, x, f.decode(b), mode, before)
    if what == 'div':
        return div(f, x, f.decode(b), mode, before)
    if what == 'sqrt':
        return sqrt(f, x, mode, before)
    if what == 'rem':
        return rem(f, x, f.decode(b), mode, before)
    if what == 'fma':
        return fma(f, x, f.decode(b), f.decode(c), mode, before)
    if what == 'scalbn':
        return scalbn(f, x, b - 65536 if b & 32768 else b, mode, before)
    assert what == 'rint', op
    return rint(f, x, mode)


def main():
    tool, cases = sys.argv[1], int(sys.argv[2])
    rng = random.Random(sys.argv[3] if len(sys.argv) > 3 else 'fpu')
    ops = []
    for name in ('f16', 'bf16', 'f32', 'f64'):
        ops += [f'{name}_{w}' for w in (
            'add sub mul div sqrt fma fma rem scalbn rint to_i16 to_i32 to_u32 to_i64 to_u64 '
            'from_i64 from_u64 to_f16 to_bf16 to_f32 to_f64 to_f128').split()]
        ops.append(f'f128_to_{name}')
    asked = []
    for i in range(cases):
        op = ops[i % len(ops)]
        fmt = F[op.split('_')[0]]
        mode, before = rng.randrange(6), rng.randrange(2)
        if 'from_' in op:
            a = (rng.getrandbits(64) >> rng.randrange(64)) * rng.choice((1, -1)) % (1 << 64)
            b = c = 0
        else:
            a = operand(rng, fmt)
            b = operand(rng, fmt, a)
            c = operand(rng, fmt, b)
            if op.startswith('f128') and rng.randrange(4):
                to = F[op[8:]]
                e = rng.randrange(to.emin - to.fb - 3, to.emax + 3) + fmt.bias
                a = a & ~(0x7fff << 112) | e << 112
            if op.endswith('fma') and rng.randrange(3) == 0:
                # Cancellation: the addend is near the product.
                p, _ = mul(fmt, fmt.decode(a), fmt.decode(b), rng.randrange(4), False)
                c = (p ^ fmt.sign) + rng.randrange(-2, 3) & (2 * fmt.sign - 1)
            if op.endswith('scalbn'):
                b = rng.randrange(-2300, 2300) % 65536
        asked.append((op, mode, before, a, b, c))
    text = ''.join(f'{op} {m} {t} {a:x} {b:x} {c:x}\n' for op, m, t, a, b, c in asked)
    out = subprocess.run([tool], input=text, capture_output=True, text=True, check=True)
    answers = out.stdout.split('\n')
    bad = 0
    for case, answer in zip(asked, answers):
        got = tuple(int(x, 16) for x in answer.split())
        want = expect(*case)
        if got != want:
            bad += 1
            if bad <= 30:
                op, m, t, a, b, c = case
                print(f'{op} rounding {m} before {t} {a:x} {b:x} {c:x}: '
                      f'{got[0]:x} flags {got[1]:x}, exact {want[0]:x} flags {want[1]:x}')
    assert len(answers) == cases + 1
    print(f'{bad} of {cases} differ')
    return 1 if bad else 0


sys.exit(main())
