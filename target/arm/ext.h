/* ext.h: names of the Arm features (ext.def). */
#ifndef TARGET_ARM_EXT_H
#define TARGET_ARM_EXT_H

typedef enum ArmExt {
#define EXT(id, requires, doc) ARM_EXT_##id,
#include "target/arm/ext.def"
#undef EXT
    ARM_N_EXTS
} ArmExt;

#endif
