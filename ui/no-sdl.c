/*
 * no-sdl.c: a build without SDL.
 */
#include "ui/display.h"

bool (*const sdl_start)(const SdlOptions *options, Error **errp) = NULL;
bool (*const sdl_can_start)(void) = NULL;
void (*const sdl_finish)(void) = NULL;
