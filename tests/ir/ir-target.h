/*
 * ir-target.h: a small guest architecture for IR tests: registers of every type, and one helper of
 * each flag class.
 */
#ifndef TESTS_IR_TARGET_H
#define TESTS_IR_TARGET_H

#include "target/target.h"

enum { /* slots */
    T_PC, T_X0, T_X1, T_X2, T_X3, T_X4, T_X5, T_X6, T_X7, T_W0, T_W1, T_W2, T_W3, T_F0, T_F1, T_F2,
    T_S0, T_S1, T_V0, T_V1, T_V2, T_Y0, T_Y1, T_CNT, T_N_SLOTS
};

enum { /* helpers */
    T_H_MIX,       /* pure: i64 (i64, i32, i64) */
    T_H_SUM,       /* reads state: sum of the x registers and w0 */
    T_H_STEP,      /* writes state: x0, w1 and f0 from the argument */
    T_H_SWAP,      /* reads and writes: x1 <-> x2 */
    T_H_MAYBE,     /* raises when the argument's low bits are 0; else argument + 1 */
    T_H_STOP,      /* noreturn */
    T_H_FP,        /* raises inexact in the guest's flags; returns the bits of its f64 argument */
    T_H_SIX,       /* pure, six arguments of all scalar types */
    T_H_SEVEN,     /* the same and the vCPU */
    T_N_HELPERS
};

typedef struct TestState {
    uint64_t x[8];
    uint64_t pc;
    uint32_t w[4];
    uint64_t f[3];
    uint32_t s[2];
    uint32_t cnt;
    uint64_t pad[5];
    alignas(32) uint8_t y[2][32];
    alignas(16) uint8_t v[3][16];
    uint8_t env[256];  /* for ldenv, stenv */
} TestState;

extern const Target test_target;

#endif
