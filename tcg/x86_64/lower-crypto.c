/*
 * lower-crypto.c: AES, carry-less multiplication, SHA and CRC-32C, each one instruction of hosts that have them.
 *
 * SHA has legacy forms only, and takes the third operand of SHA256RNDS2 from xmm0 (Intel SDM volume 2).
 */
#include "tcg/x86_64/host.h"

enum { AES = M_38 | P_66, KEYGEN = M_3A | P_66 | 0xdf, CLMUL = M_3A | P_66 | 0x44, SHA = M_38, SHA1RNDS4 = M_3A | 0xcc };

/* d = a OP b in the legacy form: d is a's register, or a copy of a. */
static void lower_sha(HostCompiler *hc, const IrInsn *in, uint32_t op)
{
    Asm *as = &hc->as;
    if (in->op == IR_sha256rnds2) {
        ra_use_in(hc, hc->ops[2], XMM0);
    }
    Reg ra = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]);
    ra_consume(hc);
    bool mine = !(hc->used >> ra & 1) && ra != rb && ra != XMM0;
    uint32_t avoid = 1u << rb | (in->op == IR_sha256rnds2 ? 1u << XMM0 : 0);
    Reg d = ra_dest(hc, mine ? ra : NO_REG, avoid);
    if (d != ra) {
        x_rr(as, I_MOVAPS, d, ra);
    }
    x_rr(as, op, d, rb);
    if (in->op == IR_sha1rnds4) {
        x_u8(as, in->aux);
    }
    ra_done(hc);
}

static void lower_crc32c(HostCompiler *hc, const IrInsn *in)
{
    Reg ra = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]);
    ra_consume(hc);
    Reg d = ra_dest(hc, !(hc->used >> ra & 1) && ra != rb ? ra : NO_REG, 1u << rb);
    if (d != ra) {
        x_mov_rr(&hc->as, false, d, ra);
    }
    if (in->aux == 1) {
        x_u8(&hc->as, 0x66); /* operand size, besides the mandatory prefix */
    }
    x_rr(&hc->as, M_38 | P_F2 | (in->aux ? 0xf1 : 0xf0 | X_BRM) | x_w(in->aux == 3), d, rb);
    ra_done(hc);
}

bool lower_crypto(HostCompiler *hc, const IrInsn *in)
{
    static const uint8_t low[] = {
        [IR_aesenc - IR_CRYPTO_FIRST] = 0xdc, [IR_aesenclast - IR_CRYPTO_FIRST] = 0xdd, [IR_aesdec - IR_CRYPTO_FIRST] = 0xde,
        [IR_aesdeclast - IR_CRYPTO_FIRST] = 0xdf, [IR_sha1nexte - IR_CRYPTO_FIRST] = 0xc8, [IR_sha1msg1 - IR_CRYPTO_FIRST] = 0xc9,
        [IR_sha1msg2 - IR_CRYPTO_FIRST] = 0xca, [IR_sha256rnds2 - IR_CRYPTO_FIRST] = 0xcb, [IR_sha256msg1 - IR_CRYPTO_FIRST] = 0xcc,
        [IR_sha256msg2 - IR_CRYPTO_FIRST] = 0xcd,
    };
    if (!has(hc, in->op <= IR_aeskeygen ? X_AES : in->op == IR_vclmul ? X_PCLMUL : in->op == IR_crc32c ? X_SSE42 : X_SHA)) {
        return false;
    }
    switch (in->op) {
    case IR_aesenc: case IR_aesenclast: case IR_aesdec: case IR_aesdeclast:
        lower_vec_binary(hc, in, AES | low[in->op - IR_CRYPTO_FIRST], hc->ops[0], hc->ops[1], -1);
        return true;
    case IR_vclmul:
        lower_vec_binary(hc, in, CLMUL, hc->ops[0], hc->ops[1], in->aux);
        return true;
    case IR_aesimc: case IR_aeskeygen: {
        Reg ra = ra_use(hc, hc->ops[0]);
        ra_consume(hc);
        Reg d = ra_dest(hc, !(hc->used >> ra & 1) ? ra : NO_REG, 0);
        sse_rr(hc, in->op == IR_aesimc ? (uint32_t)AES | 0xdb : (uint32_t)KEYGEN, d, ra);
        if (in->op == IR_aeskeygen) {
            x_u8(&hc->as, in->aux);
        }
        ra_done(hc);
        return true;
    }
    case IR_crc32c:
        lower_crc32c(hc, in);
        return true;
    case IR_sha1rnds4:
        lower_sha(hc, in, SHA1RNDS4);
        return true;
    default:
        lower_sha(hc, in, SHA | low[in->op - IR_CRYPTO_FIRST]);
        return true;
    }
}
