/*
 * features.h: CPUID feature bits as numbers: word * 32 + bit.
 */
#ifndef TARGET_X86_FEATURES_H
#define TARGET_X86_FEATURES_H

typedef enum X86FeatureWord {
#define FEATURE_WORD(id, leaf) X86_WORD_##id,
#define FEATURE(word, id, name, bit)
#include "target/x86/features.def"
#undef FEATURE_WORD
#undef FEATURE
    X86_N_FEATURE_WORDS
} X86FeatureWord;

typedef enum X86Feature {
#define FEATURE_WORD(id, leaf)
#define FEATURE(word, id, name, bit) X86_FEAT_##id = X86_WORD_##word * 32 + bit,
#include "target/x86/features.def"
#undef FEATURE_WORD
#undef FEATURE
    X86_FEAT_NONE = 0xffff /* every processor has it */
} X86Feature;

#endif
