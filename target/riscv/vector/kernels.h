/*
 * kernels.h: the kernels that rows.c names, four widths each (NULL where the width is not allowed).
 */
#ifndef TARGET_RISCV_VECTOR_KERNELS_H
#define TARGET_RISCV_VECTOR_KERNELS_H

#include "target/riscv/vector/vector.h"

#define RVV_KERNELS(X)                                                                       \
    X(add) X(sub) X(rsub) X(and) X(or) X(xor) X(andn) X(minu) X(maxu) X(min) X(max)          \
    X(sll) X(srl) X(sra) X(rol) X(ror) X(mul) X(mulh) X(mulhu) X(mulhsu)                     \
    X(divu) X(remu) X(div) X(rem) X(madd) X(nmsub) X(macc) X(nmsac)                          \
    X(brev8) X(rev8) X(brev) X(clz) X(ctz) X(cpop) X(clmul) X(clmulh)                        \
    X(waddu) X(wadd) X(wsubu) X(wsub) X(waddu_w) X(wadd_w) X(wsubu_w) X(wsub_w)              \
    X(wmulu) X(wmul) X(wmulsu) X(wmaccu) X(wmacc) X(wmaccsu) X(wmaccus) X(wsll)              \
    X(nsrl) X(nsra) X(seq) X(sne) X(sltu) X(slt) X(sleu) X(sle) X(sgtu) X(sgt)               \
    X(saddu) X(sadd) X(ssubu) X(ssub) X(aaddu) X(aadd) X(asubu) X(asub) X(ssrl) X(ssra)      \
    X(smul) X(nclipu) X(nclip)                                                               \
    X(redsum) X(redand) X(redor) X(redxor) X(redminu) X(redmin) X(redmaxu) X(redmax)         \
    X(wredsumu) X(wredsum)                                                                   \
    X(fadd) X(fsub) X(frsub) X(fmul) X(fdiv) X(frdiv) X(fmin) X(fmax)                        \
    X(fsgnj) X(fsgnjn) X(fsgnjx) X(feq) X(fne) X(flt) X(fle) X(fgt) X(fge)                   \
    X(fmadd) X(fnmadd) X(fmsub) X(fnmsub) X(fmacc) X(fnmacc) X(fmsac) X(fnmsac)              \
    X(fwadd) X(fwsub) X(fwadd_w) X(fwsub_w) X(fwmul) X(fwmacc) X(fwnmacc) X(fwmsac) X(fwnmsac) \
    X(fwmaccbf16) X(fredsum) X(fredmin) X(fredmax) X(fwredsum)

#define RVV_DECLARE_KERNEL(name) extern RvvKernel *const rvv_k_##name[4];
RVV_KERNELS(RVV_DECLARE_KERNEL)

#endif
