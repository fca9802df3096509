/*
 * syscall.c: the system calls only RISC-V has. Facts: linux Documentation/arch/riscv/hwprobe.rst, uapi asm/hwprobe.h.
 */
#include "linux-user/riscv/abi.h"
#include "linux-user/syscall/syscall.h"

/* Bits of the key IMA_EXT_0. */
static const struct { uint8_t ext, bit; } ima_bits[] = {
    { RISCV_EXT_C, 1 }, { RISCV_EXT_V, 2 }, { RISCV_EXT_Zba, 3 }, { RISCV_EXT_Zbb, 4 }, { RISCV_EXT_Zbs, 5 }, { RISCV_EXT_Zicboz, 6 },
    { RISCV_EXT_Zbc, 7 }, { RISCV_EXT_Zbkb, 8 }, { RISCV_EXT_Zbkc, 9 }, { RISCV_EXT_Zbkx, 10 },
    { RISCV_EXT_Zknd, 11 }, { RISCV_EXT_Zkne, 12 }, { RISCV_EXT_Zknh, 13 }, { RISCV_EXT_Zksed, 14 },
    { RISCV_EXT_Zksh, 15 }, { RISCV_EXT_Zkt, 16 }, { RISCV_EXT_Zvbb, 17 }, { RISCV_EXT_Zvbc, 18 },
    { RISCV_EXT_Zvkb, 19 }, { RISCV_EXT_Zvkg, 20 }, { RISCV_EXT_Zvkned, 21 }, { RISCV_EXT_Zvknha, 22 },
    { RISCV_EXT_Zvknhb, 23 }, { RISCV_EXT_Zvksed, 24 }, { RISCV_EXT_Zvksh, 25 }, { RISCV_EXT_Zvkt, 26 }, { RISCV_EXT_Zfh, 27 }, { RISCV_EXT_Zfhmin, 28 },
    { RISCV_EXT_Zihintntl, 29 }, { RISCV_EXT_Zvfh, 30 }, { RISCV_EXT_Zvfhmin, 31 }, { RISCV_EXT_Zfa, 32 }, { RISCV_EXT_Zacas, 34 }, { RISCV_EXT_Zicond, 35 },
    { RISCV_EXT_Zihintpause, 36 }, { RISCV_EXT_Zve32x, 37 }, { RISCV_EXT_Zve32f, 38 },
    { RISCV_EXT_Zve64x, 39 }, { RISCV_EXT_Zve64f, 40 }, { RISCV_EXT_Zve64d, 41 }, { RISCV_EXT_Zimop, 42 }, { RISCV_EXT_Zca, 43 }, { RISCV_EXT_Zcb, 44 },
    { RISCV_EXT_Zcd, 45 }, { RISCV_EXT_Zcf, 46 }, { RISCV_EXT_Zcmop, 47 }, { RISCV_EXT_Zawrs, 48 },
};

static bool probe(const RiscvModel *m, uint64_t key, uint64_t *ret)
{
    switch (key) {
    case 0: *ret = m->mvendorid; return true;
    case 1: *ret = m->marchid; return true;
    case 2: *ret = m->mimpid; return true;
    case 3: *ret = m->ext[RISCV_EXT_I] && m->ext[RISCV_EXT_M] && m->ext[RISCV_EXT_A]; return true;
    case 4:
        *ret = m->ext[RISCV_EXT_F] && m->ext[RISCV_EXT_D];
        for (size_t i = 0; i < ARRAY_SIZE(ima_bits); i++) {
            *ret |= (uint64_t)m->ext[ima_bits[i].ext] << ima_bits[i].bit;
        }
        return true;
    case 5: case 9: *ret = 3; return true;  /* misaligned scalar accesses are fast */
    case 6: *ret = m->ext[RISCV_EXT_Zicboz] ? m->cboz_bytes : 0; return true;
    case 7: *ret = mm.task_size - 1; return true;
    case 10: *ret = m->ext[RISCV_EXT_Zve32x] ? 3 : 4; return true; /* misaligned vector accesses: fast, unsupported */
    default: return false;
    }
}

int64_t sys_riscv_hwprobe(Thread *t, const uint64_t *a)
{
    const RiscvModel *m = riscv_model(t->vcpu);
    uint64_t n = a[1];
    if (a[4] & ~(uint64_t)1 || (a[3] == 0 && a[2] != 0)) {
        return -EINVAL;
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t key, value = 0, want;
        if (!load_guest_u64(a[0] + 16 * i, &key) || !load_guest_u64(a[0] + 16 * i + 8, &want)) {
            return -EFAULT;
        }
        if (!probe(m, key, &value)) {
            key = UINT64_MAX;
        }
        if (a[4] & 1) { /* WHICH_CPUS: all harts are equal, so all or none */
            bool bitmask = key == 3 || key == 4;
            if (key == UINT64_MAX || (bitmask ? (value & want) != want : value != want)) {
                uint8_t none[128] = { 0 };
                copy_to_guest(a[3], none, MIN(a[2], sizeof(none)));
            }
        } else if (!store_guest_u64(a[0] + 16 * i, key) || !store_guest_u64(a[0] + 16 * i + 8, value)) {
            return -EFAULT;
        }
    }
    return 0;
}

int64_t sys_riscv_flush_icache(Thread *t, const uint64_t *a)
{
    if (a[2] & ~(uint64_t)1) {
        return -EINVAL;
    }
    tcg_icache_sync(t->vcpu);
    return 0;
}
