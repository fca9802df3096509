"""Advanced SIMD on integers, instruction by instruction, lane by lane, after the operations of the Arm ARM (C7.2).

An independent formulation for simd_program.py: Python integers, no tricks. execute(name, form, word, state) changes the state.
"""

ALL = 2**128 - 1


def signed(x, bits):
    return x - (1 << bits) if x >> (bits - 1) & 1 else x


def lanes(v, bits, n):
    return [v >> i * bits & (1 << bits) - 1 for i in range(n)]


def pack(values, bits):
    return sum((x & (1 << bits) - 1) << i * bits for i, x in enumerate(values))


class State:
    def __init__(self, v, x):
        self.v, self.x, self.qc = list(v), list(x), False

    def sat(self, x, bits, is_signed):
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)
        y = min(max(x, low), high)
        self.qc |= x != y
        return y


def shift(x, n, round_it=False):
    """By a signed count, x with all its bits."""
    if n >= 0:
        return x << n
    return x + (1 << -n - 1 if round_it else 0) >> -n


def polynomial(a, b):
    r = 0
    for i in range(8):
        r ^= a << i if b >> i & 1 else 0
    return r


def reversed_bits(x, bits):
    return int(format(x, f'0{bits}b')[::-1], 2)


def leading(x, bits):
    return bits - x.bit_length()


def estimate(x, root):
    """UnsignedRecipEstimate, UnsignedRSqrtEstimate."""
    if not x >> (30 if root else 31):
        return 2**32 - 1
    a = x >> 23
    if root:
        a = a * 2 + 1 if a < 256 else (a // 2 * 2 + 1) * 2
        b = max(b for b in range(512, 1024) if b == 512 or a * b * b < 2**28)
    else:
        b = 2**19 // (a * 2 + 1)
    return (b + 1) // 2 << 23


def same(st, name, a, b, d, bits):
    """One lane of instructions with three (two) operands of one width; a, b, d unsigned."""
    sa, sb, sd = (signed(x, bits) for x in (a, b, d))
    ones = (1 << bits) - 1
    unsigned = name[0] == 'u'
    x, y = (a, b) if unsigned else (sa, sb)
    base = name[1:]
    product = 2 * sa * sb
    match name:
        case 'add': return a + b
        case 'sub': return a - b
        case 'mul': return a * b
        case 'mla': return d + a * b
        case 'mls': return d - a * b
        case 'pmul': return polynomial(a, b)
        case 'cmeq': return ones * (a == b)
        case 'cmgt': return ones * (sa > sb)
        case 'cmge': return ones * (sa >= sb)
        case 'cmle': return ones * (sa <= sb)
        case 'cmlt': return ones * (sa < sb)
        case 'cmhi': return ones * (a > b)
        case 'cmhs': return ones * (a >= b)
        case 'cmtst': return ones * (a & b != 0)
        case 'and': return a & b
        case 'bic': return a & ~b
        case 'orr': return a | b
        case 'orn': return a | ~b
        case 'eor': return a ^ b
        case 'bsl': return d & a | ~d & b
        case 'bit': return b & a | ~b & d
        case 'bif': return ~b & a | b & d
        case 'abs': return abs(sa)
        case 'neg': return -sa
        case 'not': return ~a
        case 'sqabs': return st.sat(abs(sa), bits, True)
        case 'sqneg': return st.sat(-sa, bits, True)
        case 'suqadd': return st.sat(sd + a, bits, True)
        case 'usqadd': return st.sat(d + sa, bits, False)
        case 'clz': return leading(a, bits)
        case 'cls': return leading(~a & ones if sa < 0 else a, bits) - 1
        case 'cnt': return bin(a).count('1')
        case 'rbit': return reversed_bits(a, bits)
        case 'sqdmulh': return st.sat(product >> bits, bits, True)
        case 'sqrdmulh': return st.sat(product + (1 << bits - 1) >> bits, bits, True)
        case 'sqrdmlah': return st.sat((sd << bits) + product + (1 << bits - 1) >> bits, bits, True)
        case 'sqrdmlsh': return st.sat((sd << bits) - product + (1 << bits - 1) >> bits, bits, True)
    match base:
        case 'hadd': return x + y >> 1
        case 'rhadd': return x + y + 1 >> 1
        case 'hsub': return x - y >> 1
        case 'qadd': return st.sat(x + y, bits, not unsigned)
        case 'qsub': return st.sat(x - y, bits, not unsigned)
        case 'max': return max(x, y)
        case 'min': return min(x, y)
        case 'abd': return abs(x - y)
        case 'aba': return d + abs(x - y)
        case 'shl': return shift(x, signed(b & 255, 8))
        case 'rshl': return shift(x, signed(b & 255, 8), True)
        case 'qshl': return st.sat(shift(x, signed(b & 255, 8)), bits, not unsigned)
        case 'qrshl': return st.sat(shift(x, signed(b & 255, 8), True), bits, not unsigned)
    raise KeyError(name)


def shifted(st, name, a, d, bits, left, right):
    """One lane of shifts by an immediate."""
    sa, ones = signed(a, bits), (1 << bits) - 1
    x = a if name[0] == 'u' else sa
    match name:
        case 'shl': return a << left
        case 'sli': return a << left | d & (1 << left) - 1
        case 'sri': return a >> right | d & ones & ~(ones >> right)
        case 'sqshlu': return st.sat(sa << left, bits, False)
        case 'sqshl' | 'uqshl': return st.sat(x << left, bits, name[0] == 's')
    round_it = 'r' in name[1:-2] if name[-1] == 'a' else name[1] == 'r'
    return shift(x, -right, round_it) + (d if name.endswith('sra') else 0)


def narrowed(st, name, x, bits):
    """Of a lane twice as wide, signed and unsigned."""
    wide = signed(x, 2 * bits)
    if name.startswith('sq') and name.endswith('un'):
        return st.sat(wide, bits, False)
    return st.sat(wide, bits, True) if name.startswith('sq') else st.sat(x, bits, False) if name.startswith('uq') else x


def expand(op, cmode, imm8):
    """AdvSIMDExpandImm."""
    if cmode < 8:
        return pack([imm8 << 8 * (cmode >> 1)] * 2, 32)
    if cmode < 12:
        return pack([imm8 << 8 * (cmode >> 1 & 1)] * 4, 16)
    if cmode < 14:
        return pack([imm8 << 16 | 0xffff if cmode & 1 else imm8 << 8 | 0xff] * 2, 32)
    if cmode == 14:
        return pack([255 * (imm8 >> i & 1) if op else imm8 for i in range(8)], 8)
    a, b, rest = imm8 >> 7, imm8 >> 6 & 1, imm8 & 63
    if op:
        return a << 63 | (1 - b) << 62 | (255 * b) << 54 | rest << 48
    return pack([a << 31 | (1 - b) << 30 | (31 * b) << 25 | rest << 19] * 2, 32)


LONG = {'addl', 'addw', 'subl', 'subw', 'abal', 'abdl', 'mlal', 'mlsl', 'mull'}
HIGH = {'addhn', 'raddhn', 'subhn', 'rsubhn'}
DOUBLING = {'sqdmlal', 'sqdmlsl', 'sqdmull'}


def long_lane(st, name, a, b, d, n, bits):
    """a, b: lanes of the sources; n: the wide lane of the first one (…W); d: of the destination."""
    conv = (lambda x: x) if name[0] in 'up' else (lambda x: signed(x, bits))
    x, y = conv(a), conv(b)
    match name if name in DOUBLING or name == 'pmull' else name[1:]:
        case 'pmull': return polynomial(a, b)
        case 'addl': return x + y
        case 'addw': return n + y
        case 'subl': return x - y
        case 'subw': return n - y
        case 'abdl': return abs(x - y)
        case 'abal': return d + abs(x - y)
        case 'mull': return x * y
        case 'mlal': return d + x * y
        case 'mlsl': return d - x * y
        case 'sqdmull': return st.sat(2 * x * y, 2 * bits, True)
        case 'sqdmlal': return st.sat(signed(d, 2 * bits) + st.sat(2 * x * y, 2 * bits, True), 2 * bits, True)
        case 'sqdmlsl': return st.sat(signed(d, 2 * bits) - st.sat(2 * x * y, 2 * bits, True), 2 * bits, True)
    raise KeyError(name)


def copies(st, name, w):
    imm5, imm4, q, d, n = w >> 16 & 31, w >> 11 & 15, w >> 30 & 1, w & 31, w >> 5 & 31
    size = (imm5 & -imm5).bit_length() - 1
    bits, index = 8 << size, imm5 >> size + 1
    if name in ('smov', 'umov'):
        x = st.v[n] >> bits * index & (1 << bits) - 1
        st.x[d] = x if name == 'umov' else signed(x, bits) & (2**64 - 1 if q else 2**32 - 1)
        return
    general = not w >> 28 & 1 and not w >> 29 & 1 and w >> 11 & 1
    x = (st.x[n] if general else st.v[n] >> bits * (imm4 >> size if name == 'ins' else index)) & (1 << bits) - 1
    if name == 'ins':
        st.v[d] = st.v[d] & ~((1 << bits) - 1 << bits * index) | x << bits * index
    else:
        st.v[d] = x if w >> 28 & 1 else pack([x] * ((128 if q else 64) // bits), bits)


def permuted(name, a, b, bits, n):
    x, y = lanes(a, bits, n), lanes(b, bits, n)
    part = int(name[3]) - 1
    match name[:3]:
        case 'uzp': return (x + y)[part::2]
        case 'trn': return [v for i in range(part, n, 2) for v in (x[i], y[i])]
        case 'zip': return [v for i in range(n // 2) for v in (x[i + part * n // 2], y[i + part * n // 2])]
    raise KeyError(name)


def products(st, name, w, q, d, n, b_vector):
    """Sums of four products of bytes."""
    n_signed, m_signed = {'sd': (1, 1), 'ud': (0, 0), 'us': (0, 1), 'su': (1, 0), 'sm': (1, 1), 'um': (0, 0)}[name[:2]]
    a = [signed(x, 8) if n_signed else x for x in lanes(st.v[n], 8, 16)]
    b = [signed(x, 8) if m_signed else x for x in lanes(b_vector, 8, 16)]
    acc = lanes(st.v[d], 32, 4)
    if name.endswith('mmla'):
        res = [acc[2 * i + j] + sum(a[8 * i + k] * b[8 * j + k] for k in range(8)) for i in range(2) for j in range(2)]
    else:
        res = [acc[i] + sum(a[4 * i + k] * b[4 * i + k] for k in range(4)) for i in range(4 if q else 2)]
    st.v[d] = pack(res, 32)


def execute(name, form, w, st):
    """name without what follows /; form: the row's format."""
    d, n, m, q, size = w & 31, w >> 5 & 31, w >> 16 & 31, w >> 30 & 1, w >> 22 & 3
    scalar = form in ('V2S', 'V3S', 'VSHS', 'VCPS') or form.startswith('SIX')
    b_vector = st.v[m]
    if form[0] in 'VS' and form[1:3] == 'IX':
        size = 'HSD'.index(form[3]) + 1
        index = (w >> 11 & 1) << 2 | w >> 20 & 3 if size == 1 else (w >> 11 & 1) << 1 | w >> 21 & 1 if size == 2 else w >> 11 & 1
        source = st.v[w >> 16 & 15 if size == 1 else m]
        b_vector = pack([source >> index * (8 << size)] * (16 >> size), 8 << size)
    if form.startswith('VSH'):
        sh = w >> 16 & 127
        size = sh.bit_length() - 4
    bits, width = 8 << size, 128 if q else 64
    count = 1 if scalar else width // bits
    if form.startswith('VCP'):
        copies(st, name, w)
    elif form == 'VMI':
        op, cmode = w >> 29 & 1, w >> 12 & 15
        imm = expand(op, cmode, w >> 11 & 224 | w >> 5 & 31)
        imm |= imm << 64
        old = st.v[d]
        v = old | imm if name == 'orr' else old & ~imm if name == 'bic' else ~imm if name == 'mvni' else imm
        st.v[d] = v & (1 << width) - 1
    elif form == 'VEX':
        both = st.v[n] & (1 << width) - 1 | (st.v[m] & (1 << width) - 1) << width
        st.v[d] = both >> 8 * (w >> 11 & 15) & (1 << width) - 1
    elif name in ('tbl', 'tbx'):
        table = [x for k in range((w >> 13 & 3) + 1) for x in lanes(st.v[(n + k) & 31], 8, 16)]
        old = lanes(st.v[d] if name == 'tbx' else 0, 8, 16)
        st.v[d] = pack([table[i] if i < len(table) else o for i, o in zip(lanes(st.v[m], 8, width // 8), old)], 8)
    elif name[:3] in ('uzp', 'trn', 'zip'):
        st.v[d] = pack(permuted(name, st.v[n], st.v[m], bits, count), bits)
    elif name[:3] == 'rev':
        group = int(name[3:]) // bits
        x = lanes(st.v[n], bits, count)
        st.v[d] = pack([x[i // group * group + group - 1 - i % group] for i in range(count)], bits)
    elif name[1:] == 'dot' or name[2:] == 'dot' or name.endswith('mmla'):
        products(st, name, w, q, d, n, b_vector)
    elif name in ('urecpe', 'ursqrte'):
        st.v[d] = pack([estimate(x, name == 'ursqrte') for x in lanes(st.v[n], 32, width // 32)], 32)
    elif name[1:] in ('addlp', 'adalp'):
        conv = (lambda x: x) if name[0] == 'u' else (lambda x: signed(x, bits))
        x, old = [conv(v) for v in lanes(st.v[n], bits, count)], lanes(st.v[d], 2 * bits, count // 2)
        st.v[d] = pack([x[2 * i] + x[2 * i + 1] + (old[i] if name[1:] == 'adalp' else 0) for i in range(count // 2)], 2 * bits)
    elif name[1:] in ('addlv', 'maxv', 'minv') or name == 'addv':
        x = lanes(st.v[n], bits, count)
        x = [signed(v, bits) for v in x] if name[0] == 's' else x
        st.v[d] = pack([sum(x) if 'add' in name else max(x) if 'max' in name else min(x)], 2 * bits if name[1:] == 'addlv' else bits)
    elif name == 'addp' and form == 'V2S':
        st.v[d] = pack([sum(lanes(st.v[n], 64, 2))], 64)
    elif name in ('addp', 'smaxp', 'umaxp', 'sminp', 'uminp'):
        x = lanes(st.v[n], bits, count) + lanes(st.v[m], bits, count)
        st.v[d] = pack([same(st, name[:-1], x[2 * i], x[2 * i + 1], 0, bits) for i in range(count)], bits)
    elif name in HIGH:
        x, y = lanes(st.v[n], 2 * bits, 64 // bits), lanes(st.v[m], 2 * bits, 64 // bits)
        r = 1 << bits - 1 if name[0] == 'r' else 0
        res = pack([(p + k if 'add' in name else p - k) + r >> bits for p, k in zip(x, y)], bits)
        st.v[d] = st.v[d] & 2**64 - 1 | res << 64 if q else res
    elif name[1:] in LONG or name in DOUBLING:
        k = 1 if scalar else 64 // bits
        part = k if q and not scalar else 0
        x, y = lanes(st.v[n], bits, 2 * k)[part:part + k], lanes(b_vector, bits, 2 * k)[part:part + k]
        old, first = lanes(st.v[d], 2 * bits, k), lanes(st.v[n], 2 * bits, k)
        st.v[d] = pack([long_lane(st, name, *args, bits) for args in zip(x, y, old, first)], 2 * bits)
    elif name in ('sshll', 'ushll', 'shll'):
        x = lanes(st.v[n] >> (64 if q else 0), bits, 64 // bits)
        left = bits if name == 'shll' else sh - bits
        st.v[d] = pack([(signed(v, bits) if name[0:2] == 'ss' else v) << left for v in x], 2 * bits)
    elif name.endswith('n') and ('xt' in name or 'shr' in name):
        k = 1 if scalar else 64 // bits
        x = lanes(st.v[n], 2 * bits, k)
        if 'shr' in name:
            right = 2 * bits - sh
            x = [shift(signed(v, 2 * bits) if name.startswith('sq') else v, -right, 'rsh' in name) & (1 << 2 * bits) - 1 if
                 name.startswith('sq') else shift(v, -right, 'rsh' in name) for v in x]
        res = pack([narrowed(st, name.replace('r', ''), v, bits) for v in x], bits)
        st.v[d] = st.v[d] & 2**64 - 1 | res << 64 if q and not scalar else res
    elif form.startswith('VSH'):
        x, old = lanes(st.v[n], bits, count), lanes(st.v[d], bits, count)
        st.v[d] = pack([shifted(st, name, a, o, bits, sh - bits, 2 * bits - sh) for a, o in zip(x, old)], bits)
    else:
        if form == 'VTB' or name in ('not', 'rbit', 'cnt'):
            bits, count = 8, width // 8
        if form in ('V2', 'V2S'):
            b_vector = 0
        args = zip(lanes(st.v[n], bits, count), lanes(b_vector, bits, count), lanes(st.v[d], bits, count))
        st.v[d] = pack([same(st, name, a, b, o, bits) for a, b, o in args], bits)
