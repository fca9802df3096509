/*
 * crypto.c: vector cryptography on opcode OP-VE (chapter 32).
 *
 * Not here yet: every word is reserved.
 */
#include "target/riscv/vector/vector.h"

bool rvv_crypto(RvvExec *e)
{
    return false;
}
