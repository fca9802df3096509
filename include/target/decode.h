/*
 * decode.h: what scripts/gen-decode.py writes about each instruction of a guest (.isa row), and the
 * parts of disassembly that are the same for all of them.
 */
#ifndef TARGET_DECODE_H
#define TARGET_DECODE_H

#include "target/target.h"

enum { DECODE_MAX_ARGS = 8 };

typedef enum DecodeKind { DECODE_NORMAL, DECODE_BRANCH, DECODE_JUMP, DECODE_INDIRECT, DECODE_STOP } DecodeKind;

enum { DECODE_READS = 1, DECODE_SETS = 2 }; /* DecodeRow.flags: condition flags: looks at them, leaves nothing of what they were */

typedef struct DecodeRow {
    const char *name;
    const char *syntax;    /* text; an argument is \377, index + 1, kind letter */
    const char *gate;      /* extensions, as written in the .isa file */
    const char *section;   /* of the manual */
    uint32_t mask, match;  /* fixed bits */
    uint32_t free;         /* bits without any meaning */
    uint8_t length;        /* bytes */
    uint8_t kind;          /* DecodeKind */
    uint8_t flags;
} DecodeRow;

/* Appends printf-like text at out[*at]; always terminated, cut at `size`. */
void decode_append(char *out, size_t size, size_t *at, const char *fmt, ...) PRINTF_LIKE(4, 5);

/*
 * Writes "name\toperands". `operand` formats one argument of the given kind (a letter from the .isa file);
 * `opaque` is passed through.
 */
void decode_disas(const DecodeRow *row, const int *args, char *out, size_t size,
                  void (*operand)(char *out, size_t size, size_t *at, char kind, int value, void *opaque),
                  void *opaque);

#endif
