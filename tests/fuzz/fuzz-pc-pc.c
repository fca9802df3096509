/*
 * fuzz-pc-pc.c: fuzz-pc.c on the board "pc".
 */
#include "tests/fuzz/fuzz-pc.h"

const char *const fuzz_pc_board = "pc";
