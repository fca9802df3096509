/*
 * ir-rebuild.h: replays a unit through the builder, so that it comes out folded.
 */
#ifndef TESTS_IR_REBUILD_H
#define TESTS_IR_REBUILD_H

#include "tcg/build.h"

/* b->unit becomes the folded `src`; block numbers stay. */
void ir_rebuild(IrBuilder *b, const IrUnit *src);

#endif
