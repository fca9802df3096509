/*
 * fuzz-pc-microvm.c: fuzz-pc.c on the board "microvm".
 */
#include "tests/fuzz/fuzz-pc.h"

const char *const fuzz_pc_board = "microvm";
