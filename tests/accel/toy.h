/*
 * toy.h: a guest CPU of a dozen instructions for testing the accelerator, and a host whose "code" is the IR
 * run by the interpreter, but with real links, jump-cache probes and look-ups.
 *
 * 16 registers of 64 bits and a pc. Instructions are 2 or 4 bytes: opcode, operands (a << 4 | b),
 * and in long ones a signed 16-bit immediate; branch distances count from the instruction.
 */
#ifndef TESTS_ACCEL_TOY_H
#define TESTS_ACCEL_TOY_H

#include "accel/tcg.h"
#include "target/translate.h"

enum {
    TOY_NOP,     /* 2: nothing */
    TOY_ADDI,    /* 4: a += imm */
    TOY_ADD,     /* 2: a += b */
    TOY_BNEZ,    /* 4: if a != 0 jump */
    TOY_JMP,     /* 4: jump */
    TOY_CALL,    /* 4: r15 = return address, jump */
    TOY_JR,      /* 2: jump to a (a return when a is 15) */
    TOY_SYS,     /* 2: system call */
    TOY_LD,      /* 2: a = [b] */
    TOY_ST,      /* 2: [a] = b */
    TOY_SYNC,    /* 2: instruction cache sync */
    TOY_AMOADD,  /* 2: a = [b], [b] += a, atomically */
    TOY_ALONE,   /* 2: leaves with VCPU_EXIT_ATOMIC unless alone; then a += 1 */
    TOY_MODE,    /* 2: mode = a's value */
    TOY_SVC,     /* 2: calls toy_hook(vcpu, a) and looks the next instruction up anew */
    TOY_LI,      /* 4: a = imm */
};

typedef struct ToyState {
    uint64_t r[16];
    uint64_t pc;
    uint64_t mode;
    uint64_t sum;
} ToyState;

extern const Target toy_target;
extern void (*toy_hook)(Vcpu *vcpu, unsigned reg);
extern const struct HostOps toy_host;

static inline ToyState *toy_state(Vcpu *vcpu)
{
    return (ToyState *)vcpu->state;
}

/* An assembler. */
typedef struct ToyAsm {
    uint8_t *base;
    uint64_t at;
} ToyAsm;

static inline uint64_t toy2(ToyAsm *as, unsigned op, unsigned a, unsigned b)
{
    uint64_t at = as->at;
    as->base[at] = op;
    as->base[at + 1] = a << 4 | b;
    as->at += 2;
    return at;
}

static inline uint64_t toy4(ToyAsm *as, unsigned op, unsigned a, int imm)
{
    uint64_t at = toy2(as, op, a, 0);
    stle16(as->base + as->at, (uint16_t)imm);
    as->at += 2;
    return at;
}

/* A jump or branch to `target`. */
static inline uint64_t toy_to(ToyAsm *as, unsigned op, unsigned a, uint64_t target)
{
    return toy4(as, op, a, (int)(int64_t)(target - as->at));
}

/* Sets the distance of the long instruction at `at`. */
static inline void toy_fix(ToyAsm *as, uint64_t at, uint64_t target)
{
    stle16(as->base + at + 2, (uint16_t)(target - at));
}

#endif
