/*
 * fuzz-pc-q35.c: fuzz-pc.c on the board "q35".
 */
#include "tests/fuzz/fuzz-pc.h"

const char *const fuzz_pc_board = "q35";
