/*
 * fpu-convert.c: conversions between floating-point formats.
 *
 * IEEE 754-2019, 5.4.2. NaN payloads keep their leading bits, unless the
 * rules have only default NaNs. The half-precision format without infinities
 * of Arm (FPCR.AHP) is not here.
 */
#include "target/common/fpu-num.h"

FP_INLINE FpNum num_convert(FpNum a, FpStatus *s)
{
    if (unlikely(a.cls & NUM_NAN)) {
        return num_quiet_nan(a, s);
    }
    num_note_subnormal(a.subnormal, s);
    return a;
}

#define DEFINE_CONVERT(T, U)                             \
    U T##_to_##U(T a, FpStatus *s)                       \
    { return U##_pack(num_convert(T##_unpack(a, s), s), s); }
FP_CONVERT_FROM(DEFINE_CONVERT, f16)
FP_CONVERT_FROM(DEFINE_CONVERT, bf16)
FP_CONVERT_FROM(DEFINE_CONVERT, f32)
FP_CONVERT_FROM(DEFINE_CONVERT, f64)
FP_CONVERT_FROM(DEFINE_CONVERT, f80)
FP_CONVERT_FROM(DEFINE_CONVERT, f128)
