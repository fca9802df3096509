/*
 * img.h: what the commands of the disk image tool share.
 *
 * A command is a table row: its options, its help, and a function that gets the options parsed. It returns the exit status.
 */
#ifndef BLOCK_TOOLS_IMG_H
#define BLOCK_TOOLS_IMG_H

#include <stdio.h>

#include "block/node.h"

typedef struct ImgOption {
    const char *name;
    char letter;              /* 0: none */
    const char *arg;          /* NULL: takes none */
    const char *help;         /* NULL: another letter for the row of this name */
} ImgOption;

typedef struct ImgArgs ImgArgs;

typedef struct ImgCommand {
    const char *name, *summary, *files;
    const ImgOption *options; /* ends with a NULL name */
    int (*run)(ImgArgs *args);
} ImgCommand;

enum { IMG_MAX_OPTIONS = 40, IMG_MAX_ACTIONS = 64 };

struct ImgArgs {
    const ImgCommand *command;
    const char *values[IMG_MAX_OPTIONS];   /* by row; the last one given; "" for one without a value */
    struct { const char *name, *arg; } actions[IMG_MAX_ACTIONS]; /* of `bitmap`, in order */
    size_t n_actions;
    char *creation;                        /* all of -o, joined */
    char **files;
    int n_files;
};

extern const ImgCommand img_amend, img_bench, img_bitmap, img_check, img_commit, img_compare, img_convert, img_create, img_dd, img_info, img_map, img_measure,
    img_rebase, img_resize, img_snapshot;

/* The options many commands have. */
#define IMG_HELP { "help", 'h', NULL, "print this text" }
#define IMG_FORMAT { "format", 'f', "FMT", "format of FILE (default: what its contents look like)" }
#define IMG_IMAGE_OPTS { "image-opts", 0, NULL, "FILE is options (key=value,...), not a name" }
#define IMG_QUIET { "quiet", 'q', NULL, "say errors only" }
#define IMG_SHARE { "force-share", 'U', NULL, "open although others have the image open" }
#define IMG_OBJECT { "object", 0, "OBJDEF", "an object that options refer to" }
#define IMG_OUTPUT { "output", 0, "human|json", "form of the output (default: human)" }
#define IMG_CACHE(l) { "cache", l, "CACHE", "cache mode of FILE (default: writeback)" }
#define IMG_PROGRESS { "progress", 'p', NULL, "show the progress" }

const char *img_arg(const ImgArgs *args, const char *name);        /* NULL: not given */
static inline bool img_flag(const ImgArgs *args, const char *name) { return img_arg(args, name) != NULL; }
/* "Try … for more information", then status 1. */
noreturn void img_usage(const ImgArgs *args, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool img_wants_json(const ImgArgs *args);
bool img_size(const char *text, const char *what, uint64_t *ret);  /* reports */
/* Reports what is wrong. The user of the node has `perm`, others may do `shared`. */
BlockNode *img_open(const char *file, const char *format, bool image_opts, unsigned flags, Json *options);
/* With what the options above say of it. `read_write`: what is needed. */
BlockNode *img_open_args(const ImgArgs *args, const char *file, const char *format_option, unsigned flags);
/* -o text, merged; NULL with a message. */
Json *img_creation_options(const ImgArgs *args);
/* -o help. */
bool img_wants_option_help(const char *text);
int img_print_option_help(const char *format, const char *filename);
int img_print_amend_help(const BlockDriver *driver);
bool img_check_format(const char *format);
void img_format_size(char *buf, size_t bytes, uint64_t value);
/* An attachment that holds the permissions, as tools need them. Reports. */
BlockEdge *img_use(BlockNode *node, const char *file, unsigned perm, unsigned shared);

/* img-bitmap.c */
void img_bitmap_hint(const Error *err);
bool img_is_bitmap_action(const char *name);
/* Whether all of the source's bitmaps can be copied; reports. */
bool img_bitmaps_check(BlockNode *source, bool skip_broken);
bool img_bitmaps_copy(BlockNode *source, BlockNode *target);

typedef struct ImgProgress {
    bool on;
    uint64_t total, done;
    int shown;
} ImgProgress;
void img_progress(ImgProgress *p, uint64_t more);
void img_progress_end(ImgProgress *p);

void img_list_snapshots(BlockNode *node);
Json *img_snapshots_json(BlockNode *node);

#endif
