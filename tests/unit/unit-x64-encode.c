/*
 * unit-x64-encode.c: encodings of the x86-64 back end against the installed disassembler: each instruction is
 * emitted with random registers and addresses, and objdump's reading compared with what was meant.
 * Skipped where there is no objdump.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "tcg/x86_64/encode.h"
#include "../test.h"

static const char *const r64[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                     "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };
static const char *const r32[16] = { "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi",
                                     "r8d", "r9d", "r10d", "r11d", "r12d", "r13d", "r14d", "r15d" };
static const char *const r8[16] = { "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil",
                                    "r8b", "r9b", "r10b", "r11b", "r12b", "r13b", "r14b", "r15b" };

static uint8_t code[1 << 20];
static Asm as;
static char (*expected)[96];
static unsigned n_expected;

enum { MEM_TEXT = 64 };

static unsigned pick(unsigned n) { return (unsigned)(random() >> 8) % n; }

static void expect(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(expected[n_expected++], 96, fmt, ap);
    va_end(ap);
}

/* "[rax+rcx*4+0x10]" as objdump writes it. */
static Mem random_mem(char *text)
{
    Mem m = mem_bd(pick(16), 0);
    switch (pick(4)) {
    case 0: break;
    case 1: m.disp = (int)pick(256) - 128; break;
    default: m.disp = (int)pick(1 << 20) - (1 << 19); break;
    }
    if (pick(2)) {
        do {
            m.index = pick(16);
        } while (m.index == RSP);
        m.scale = pick(4);
    }
    char *end = text + MEM_TEXT, *at = text;
    at += snprintf(at, end - at, "[%s", r64[m.base]);
    if (m.index != NO_REG) {
        at += snprintf(at, end - at, "+%s*%d", r64[m.index], 1 << m.scale);
    }
    if (m.disp < 0) {
        at += snprintf(at, end - at, "-%#x", -m.disp);
    } else if (m.disp || (m.base & 7) == 5) {
        at += snprintf(at, end - at, "+0x%x", (unsigned)m.disp);
    }
    snprintf(at, end - at, "]");
    return m;
}

static void emit_all(void)
{
    static const char *const alu[] = { "add", "or", "adc", "sbb", "and", "sub", "xor", "cmp" };
    static const char *const cc[] = { "o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g" };
    char m[MEM_TEXT];
    for (unsigned i = 0; i < 400; i++) {
        unsigned d = pick(16), s = pick(16), t = pick(16), k = pick(8), c = pick(16);
        bool w = pick(2);
        const char *const *r = w ? r64 : r32;
        int imm = pick(2) ? (int)pick(200) - 100 : (int)random();
        Mem mem = random_mem(m);

        x_alu_rr(&as, w, k, d, s);
        expect("%s %s,%s", alu[k], r[d], r[s]);
        x_alu_rm(&as, w, k, d, mem);
        expect("%s %s,%s PTR %s", alu[k], r[d], w ? "QWORD" : "DWORD", m);
        x_alu_mr(&as, w, k, mem, s);
        expect("%s %s PTR %s,%s", alu[k], w ? "QWORD" : "DWORD", m, r[s]);
        x_alu_ri(&as, w, k, d, imm);
        if (w) {
            expect("%s %s,0x%llx", alu[k], r[d], (unsigned long long)(long long)imm);
        } else {
            expect("%s %s,0x%x", alu[k], r[d], (unsigned)imm);
        }
        x_mov_rr(&as, w, d, s);
        expect("mov %s,%s", r[d], r[s]);
        x_mov_ri(&as, d, (uint32_t)imm);
        expect("mov %s,0x%x", r32[d], (unsigned)imm);
        uint64_t big = (uint64_t)random() << 33 | 5;
        x_mov_ri(&as, d, big);
        expect("movabs %s,%#llx", r64[d], (unsigned long long)big);
        x_mov_ri(&as, d, (uint64_t)-5);
        expect("mov %s,0xfffffffffffffffb", r64[d]);
        x_lea(&as, true, d, mem);
        expect("lea %s,%s", r64[d], m);
        x_load(&as, 0, false, true, d, mem);
        expect("movzx %s,BYTE PTR %s", r32[d], m);
        x_load(&as, 1, true, true, d, mem);
        expect("movsx %s,WORD PTR %s", r64[d], m);
        x_load(&as, 2, true, true, d, mem);
        expect("movsxd %s,DWORD PTR %s", r64[d], m);
        x_load(&as, 3, false, true, d, mem);
        expect("mov %s,QWORD PTR %s", r64[d], m);
        x_store(&as, 0, mem, s);
        expect("mov BYTE PTR %s,%s", m, r8[s]);
        x_store(&as, 2, mem, s);
        expect("mov DWORD PTR %s,%s", m, r32[s]);
        x_rr(&as, I_MOVZX8, d, s);
        expect("movzx %s,%s", r32[d], r8[s]);
        x_setcc(&as, c, d);
        expect("set%s %s", cc[c], r8[d]);
        x_cmov(&as, w, c, d, s);
        expect("cmov%s %s,%s", cc[c], r[d], r[s]);
        x_shift_ri(&as, w, S_SHR, d, 7);
        expect("shr %s,0x7", r[d]);
        x_bswap(&as, w, d);
        expect("bswap %s", r[d]);
        x_rr(&as, I_IMUL | x_w(w), d, s);
        expect("imul %s,%s", r[d], r[s]);
        v_rrr(&as, I_SHLX | x_w(w), d, s, t);
        expect("shlx %s,%s,%s", r[d], r[t], r[s]);
        v_rrr(&as, I_ANDN | x_w(w), d, s, t);
        expect("andn %s,%s,%s", r[d], r[s], r[t]);
        x_push(&as, d);
        expect("push %s", r64[d]);
        x_pop(&as, d);
        expect("pop %s", r64[d]);
        x_rr(&as, M_0F | P_F2 | 0x58, XMM0 + d, XMM0 + s);
        expect("addsd xmm%u,xmm%u", d, s);
        v_rrr(&as, M_0F | P_F2 | 0x59, XMM0 + d, XMM0 + s, XMM0 + t);
        expect("vmulsd xmm%u,xmm%u,xmm%u", d, s, t);
        v_rrm(&as, M_0F | P_F3 | 0x58, XMM0 + d, XMM0 + s, mem, 0);
        expect("vaddss xmm%u,xmm%u,DWORD PTR %s", d, s, m);
        v_rrm(&as, I_MOVUPS_LD | X_256, XMM0 + d, 0, mem, 0);
        expect("vmovups ymm%u,YMMWORD PTR %s", d, m);
        x_rr(&as, I_MOVQ_XR | X_W, XMM0 + d, s);
        expect("movq xmm%u,%s", d, r64[s]);
        v_rrr(&as, I_MOVQ_RX | X_W, XMM0 + d, 0, s);
        expect("vmovq %s,xmm%u", r64[s], d);
        v_rrr(&as, M_38 | P_66 | X_W | 0xb9, XMM0 + d, XMM0 + s, XMM0 + t);
        expect("vfmadd231sd xmm%u,xmm%u,xmm%u", d, s, t);
        e_rrr(&as, M_38 | P_66 | X_W | 0x12, XMM0 + d, XMM0 + s, XMM0 + t);
        expect("vpsllvw xmm%u,xmm%u,xmm%u", d, s, t);
        e_rrr(&as, I_VPTERNLOGQ | X_256, XMM0 + d, XMM0 + s, XMM0 + t);
        x_u8(&as, 0xca);
        expect("vpternlogq ymm%u,ymm%u,ymm%u,0xca", d, s, t);
        x_u8(&as, 0xf0);
        x_rm(&as, I_CMPXCHG | X_W, s, mem);
        as.n_insns--;
        expect("lock cmpxchg QWORD PTR %s,%s", m, r64[s]);
        as.n_insns++;
        x_mov_mi(&as, 1, mem, 0x1234);
        expect("mov WORD PTR %s,0x1234", m);
    }
}

int main(void)
{
    char path[] = "/tmp/x64-encode-XXXXXX", command[256], line[512];
    int fd = mkstemp(path);
    if (fd < 0 || system("objdump --version > /dev/null 2>&1") != 0) {
        return 77;
    }
    as = (Asm){ .start = code, .cur = code, .end = code + sizeof(code) };
    expected = malloc(400 * 40 * sizeof(*expected));
    srandom(1);
    emit_all();
    CHECK_EQ(as.n_insns, n_expected);
    FILE *f = fdopen(fd, "w");
    fwrite(code, 1, as.cur - code, f);
    fclose(f);
    snprintf(command, sizeof(command), "objdump -D -b binary -mi386:x86-64 -Mintel --no-show-raw-insn %s", path);
    f = popen(command, "r");
    unsigned n = 0;
    while (fgets(line, sizeof(line), f)) {
        char *tab = strchr(line, '\t'), clean[256], *out = clean;
        if (!tab || !strchr(line, ':') || line[0] != ' ') {
            continue;
        }
        for (char *p = tab + 1; *p && *p != '\n' && *p != '#'; p++) {
            if (*p != ' ' || (out > clean && out[-1] != ' ')) {
                *out++ = *p;
            }
        }
        while (out > clean && out[-1] == ' ') {
            out--;
        }
        *out = 0;
        test_checks++;
        if (n >= n_expected || strcmp(clean, expected[n])) {
            fprintf(stderr, "%u: objdump reads '%s', meant '%s'\n", n, clean, n < n_expected ? expected[n] : "");
            if (++test_failures > 20) {
                break;
            }
        }
        n++;
    }
    pclose(f);
    unlink(path);
    CHECK_EQ(n, n_expected);
    return test_result();
}
