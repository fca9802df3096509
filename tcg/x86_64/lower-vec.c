/*
 * lower-vec.c: vectors.
 */
#include "tcg/x86_64/host.h"

void lower_vec(HostCompiler *hc, const IrInsn *in)
{
    lower_by_call(hc, in);
}
