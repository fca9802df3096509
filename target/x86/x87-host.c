/*
 * x87-host.c: the guest's x87 state between CPU state and the host's x87 unit.
 *
 * Only on x86-64 hosts generated code uses the unit; elsewhere the state is always in memory. Intel SDM volume 1, figure 8-9 (FNSAVE, 32-bit
 * protected mode) and table 10-2 (FXSAVE). Registers are by physical number in CPU state and by stack place in images.
 *
 * Pointers to the last instruction and operand are slots, not part of what moves.
 * Threads: the vCPU's own.
 */
#include <string.h>
#include "target/x86/x87.h"

#ifdef __x86_64__

typedef struct FsaveImage { /* 32-bit protected mode */
    uint16_t control, r0, status, r1, tags, r2;
    uint32_t ip;
    uint16_t cs, opcode;
    uint32_t dp;
    uint16_t ds, r3;
    uint8_t st[8][10];
} FsaveImage;
static_assert(sizeof(FsaveImage) == 108, "SDM volume 1, figure 8-9");

static void load(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    FsaveImage image;

    if (vcpu->jit.x87_live) {
        return;
    }
    memset(&image, 0, sizeof(image));
    image.control = s->fcw | X87_EXCEPTIONS;
    image.status = (uint16_t)((s->fsw & ~(X87_ES | X87_B)) | s->ftop << X87_TOP_SHIFT);
    for (unsigned i = 0; i < 8; i++) {
        image.tags |= (uint16_t)((s->fempty >> i & 1 ? 3u : 0u) << 2 * i);
        memcpy(image.st[i], s->fpr[(s->ftop + i) & 7].bytes, 10);
    }
    __asm__ volatile("frstor %0" : : "m"(image));
    vcpu->jit.x87_live = 1;
}

static void save(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    FsaveImage image;

    if (!vcpu->jit.x87_live) {
        return;
    }
    __asm__ volatile("fnsave %0" : "=m"(image));
    s->fcw = image.control;
    s->ftop = image.status >> X87_TOP_SHIFT & 7;
    s->fsw = image.status & (uint16_t)~(7u << X87_TOP_SHIFT);
    s->fempty = 0;
    for (unsigned i = 0; i < 8; i++) {
        s->fempty |= (uint8_t)((image.tags >> 2 * i & 3) == 3 ? 1u << i : 0u);
        memcpy(s->fpr[(s->ftop + i) & 7].bytes, image.st[i], 10);
    }
    vcpu->jit.x87_live = 0;
}

static void save_frame(Vcpu *vcpu, const void *fxsave)
{
    X86State *s = x86_state(vcpu);
    const uint8_t *image = fxsave;
    uint16_t status;

    memcpy(&s->fcw, image, 2);
    memcpy(&status, image + 2, 2);
    s->ftop = status >> X87_TOP_SHIFT & 7;
    s->fsw = status & (uint16_t)~(7u << X87_TOP_SHIFT);
    s->fempty = (uint8_t)~image[4];
    for (unsigned i = 0; i < 8; i++) {
        memcpy(s->fpr[(s->ftop + i) & 7].bytes, image + 32 + 16 * i, 10);
    }
    vcpu->jit.x87_live = 0;
}

#else

static void load(Vcpu *vcpu)
{
}

static void save(Vcpu *vcpu)
{
}

static void save_frame(Vcpu *vcpu, const void *fxsave)
{
}

#endif

const TargetX87 x86_target_x87 = {
    .exec = x86_x87_exec, .exec_mem = x86_x87_exec_mem, .load = load, .save = save, .save_frame = save_frame,
};
