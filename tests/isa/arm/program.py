"""Builds a static AArch64 Linux program around blocks of instruction words, without an assembler: each block starts from a state of
registers and memory and ends with writing its state to standard output.

A block may not change X27 (a small number, for index registers), X28 and SP (the middle of the scratch memory), X29 and X30; whoever moves
X28 or SP puts them back. Signals skip the instruction; their number and a hash of where and which are part of the state.
"""
import struct

CODE, DATA = 0x400000, 0x10000000
MIDDLE = 2048                            # of the scratch memory, from DATA
X, SP, NZCV, FPSR, FPCR, SIGNALS, V, SCRATCH, DUMP = 0, 256, 264, 272, 280, 288, 320, 832, 3328
CURRENT, PRISTINE, ACTION, STACK, STATES = 3328, 8192, 3344, 16384, 16384 + 65536
STATE_BYTES = 768                        # V0 to V31, FPCR, NZCV, X0 to X27
RESERVED = (27, 28, 29, 30)
SIGNAL_NUMBERS = (4, 5, 7, 8, 11)


def movz(rd, imm, hw=0): return 0xd2800000 | hw << 21 | imm << 5 | rd
def movk(rd, imm, hw): return 0xf2800000 | hw << 21 | imm << 5 | rd
def li(rd, value): return [movz(rd, value & 0xffff), movk(rd, value >> 16 & 0xffff, 1)]
def add(rd, rn, imm, page=0): return 0x91000000 | page << 22 | imm << 10 | rn << 5 | rd
def ldr(rt, rn, off=0): return 0xf9400000 | off // 8 << 10 | rn << 5 | rt
def str_(rt, rn, off=0): return 0xf9000000 | off // 8 << 10 | rn << 5 | rt
def ldp(rt, rt2, rn, off): return 0xa9400000 | (off // 8 & 127) << 15 | rt2 << 10 | rn << 5 | rt
def stp(rt, rt2, rn, off): return 0xa9000000 | (off // 8 & 127) << 15 | rt2 << 10 | rn << 5 | rt
def ldp_q(rt, rn, off): return 0xad400000 | (off // 16 & 127) << 15 | rt + 1 << 10 | rn << 5 | rt
def stp_q(rt, rn, off): return 0xad000000 | (off // 16 & 127) << 15 | rt + 1 << 10 | rn << 5 | rt
def ldp_q_post(rt, rn, off): return 0xacc00000 | off // 16 << 15 | rt + 1 << 10 | rn << 5 | rt
def stp_q_post(rt, rn, off): return 0xac800000 | off // 16 << 15 | rt + 1 << 10 | rn << 5 | rt
def cmp(rn, rm): return 0xeb00001f | rm << 16 | rn << 5
def eor(rd, rn, rm, lsl=0): return 0xca000000 | rm << 16 | lsl << 10 | rn << 5 | rd
def ror(rd, rn, imm): return 0x93c00000 | rn << 16 | imm << 10 | rn << 5 | rd
def csel_eq(rd, rn, rm): return 0x9a800000 | rm << 16 | rn << 5 | rd
def b_ne(words): return 0x54000001 | (words & 0x7ffff) << 5
def cbnz(rt, words): return 0xb5000000 | (words & 0x7ffff) << 5 | rt
def bl(words): return 0x94000000 | words & 0x3ffffff
def mrs(rt, key): return 0xd5200000 | key << 5 | rt
def msr(key, rt): return 0xd5000000 | key << 5 | rt


KEY_NZCV, KEY_FPCR, KEY_FPSR = 0xda10, 0xda20, 0xda21
SVC, RET, ZR = 0xd4000001, 0xd65f03c0, 31


def load_state(n_states):
    end = DATA + STATES + n_states * STATE_BYTES
    w = [ldr(28, 29, CURRENT), add(0, 28, STATE_BYTES), *li(1, end), *li(2, DATA + STATES), cmp(0, 1), csel_eq(0, 2, 0), str_(0, 29, CURRENT)]
    w += [add(0, 29, SCRATCH), add(1, 29, PRISTINE // 4096, 1), add(2, 29, DUMP), ldp_q_post(0, 1, 32), stp_q_post(0, 0, 32), cmp(0, 2), b_ne(-3)]
    w += [ldp_q(n, 28, 16 * n) for n in range(0, 32, 2)]
    w += [add(28, 28, 512), ldp(0, 1, 28, 0), msr(KEY_FPCR, 0), msr(KEY_FPSR, ZR), msr(KEY_NZCV, 1), stp(ZR, ZR, 29, SIGNALS)]
    w += [ldp(n, n + 1, 28, 16 + 8 * n) for n in range(0, 28, 2)]
    return w + [add(28, 29, MIDDLE), add(31, 28, 0), RET]


def save_state():
    w = [stp(n, n + 1, 29, X + 8 * n) for n in range(0, 30, 2)]
    w += [add(0, 31, 0), str_(0, 29, SP), mrs(0, KEY_NZCV), str_(0, 29, NZCV), mrs(0, KEY_FPSR), str_(0, 29, FPSR), mrs(0, KEY_FPCR), str_(0, 29, FPCR)]
    w += [stp_q(n, 29, V + 16 * n) for n in range(0, 32, 2)]
    return w + [movz(0, 1), add(1, 29, 0), movz(2, DUMP), movz(8, 64), SVC, RET]


def handler():
    """X0: signal, X2: ucontext, whose pc is at 440."""
    return li(4, DATA) + [ldr(3, 2, 440), add(5, 3, 4), str_(5, 2, 440), ldr(6, 4, SIGNALS), add(6, 6, 1), str_(6, 4, SIGNALS),
                          ldr(6, 4, SIGNALS + 8), eor(6, 6, 3), eor(6, 6, 0, 56), ror(6, 6, 7), str_(6, 4, SIGNALS + 8), RET]


def start(rounds):
    w = li(29, DATA) + li(0, DATA + STATES) + [str_(0, 29, CURRENT)]
    w += li(0, DATA + ACTION) + [movz(1, 0), movz(8, 132), SVC]               # sigaltstack
    for number in SIGNAL_NUMBERS:
        w += [movz(0, number), *li(1, DATA + ACTION + 32), movz(2, 0), movz(3, 8), movz(8, 134), SVC]   # rt_sigaction
    return w + [*li(0, rounds), str_(0, 29, CURRENT + 8)]


def build(path, blocks, states, pristine, rounds=1):
    """blocks: lists of words; states: bytes of STATE_BYTES each; pristine: what the scratch memory holds when a block begins."""
    code = start(rounds)
    top = len(code)
    size = top + sum(len(b) + 3 for b in blocks) + 16
    load_at, load = size, load_state(len(states))
    save_at, save = load_at + len(load), save_state()
    handler_at = save_at + len(save)
    starts = []
    for block in blocks:
        code.append(bl(load_at - len(code)))
        starts.append(CODE + 0x1000 + 4 * len(code))
        code += [movz(30, 0), *block]        # no operand may depend on where the block stands
        code.append(bl(save_at - len(code)))
    code += [ldr(0, 29, CURRENT + 8), 0xd1000400, str_(0, 29, CURRENT + 8)]  # sub x0, x0, #1
    code.append(cbnz(0, 3) if top - len(code) < -200000 else cbnz(0, top - len(code)))
    if top - len(code) < -200000:
        raise ValueError('too many blocks')
    code += [movz(0, 0), movz(8, 93), SVC]
    code += [0] * (load_at - len(code)) + load + save + handler()

    data = bytearray(STATES)
    data[ACTION:ACTION + 24] = struct.pack('<QQQ', DATA + STACK, 0, 65536)
    data[ACTION + 32:ACTION + 64] = struct.pack('<QQQQ', CODE + 0x1000 + 4 * handler_at, 4 | 0x08000000 | 0x40000000, 0, 0)
    data[PRISTINE:PRISTINE + DUMP - SCRATCH] = pristine
    data += b''.join(states)
    text = struct.pack(f'<{len(code)}I', *code)
    header = struct.pack('<16sHHIQQQIHHHHHH', b'\x7fELF\2\1\1' + bytes(9), 2, 183, 1, CODE + 0x1000, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    data_at = (0x1000 + len(text) + 0xfff) & ~0xfff
    header += struct.pack('<IIQQQQQQ', 1, 5, 0x1000, CODE + 0x1000, CODE + 0x1000, len(text), len(text), 0x1000)
    header += struct.pack('<IIQQQQQQ', 1, 6, data_at, DATA, DATA, len(data), len(data), 0x1000)
    with open(path, 'wb') as out:
        out.write(header + bytes(0x1000 - len(header)) + text + bytes(data_at - 0x1000 - len(text)) + data)
    return starts


def differences(a, b):
    """Which parts of two dumped states differ, as text."""
    names = {SP: 'sp', NZCV: 'nzcv', FPSR: 'fpsr', FPCR: 'fpcr', SIGNALS: 'signals', SIGNALS + 8: 'where'}
    text = []
    for off in range(0, min(len(a), len(b)), 8):
        x, y = a[off:off + 8], b[off:off + 8]
        if x != y:
            name = (f'x{off // 8}' if off < 248 else f'v{(off - V) // 16}.d{(off - V) // 8 & 1}' if V <= off < SCRATCH
                    else f'mem{off - MIDDLE:+d}' if off >= SCRATCH else names.get(off, f'state+{off}'))
            text.append(f'{name} {int.from_bytes(x, "little"):#x}, reference {int.from_bytes(y, "little"):#x}')
    return text
