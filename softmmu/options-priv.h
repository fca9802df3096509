/*
 * options-priv.h: the command line as parsed (room-internal; key=value lists are in
 * include/softmmu/options.h).
 */
#ifndef SOFTMMU_OPTIONS_PRIV_H
#define SOFTMMU_OPTIONS_PRIV_H

#include "softmmu/options.h"
#include "util/alloc.h"
#include "util/print.h"

typedef enum OptionId {
#define HEADING(title)
#define OPTION(id, name, other, kind, implied, params, arg, help) OPTION_##id,
#include "softmmu/options-table.def"
#undef OPTION
#undef HEADING
    OPTION_N
} OptionId;

typedef enum OptionKind { OPTION_KIND_FLAG, OPTION_KIND_TEXT, OPTION_KIND_LIST } OptionKind;

/* One option as given. */
typedef struct GivenOption {
    OptionId id;
    const char *spelling; /* "-M", as it was typed */
    const char *text;     /* the argument; NULL without */
    Json *opts;           /* LIST only; owned */
    bool used;
} GivenOption;

typedef struct CommandLine {
    VEC(GivenOption) given;
    VEC(char *) owned;    /* texts made by -readconfig */
} CommandLine;

/* argv[first…]. Options with a "help" argument and -readconfig, -set are carried out here. */
bool options_parse(CommandLine *line, int argc, char **argv, int first, Error **errp);
void options_free(CommandLine *line);
bool options_write_config(const CommandLine *line, const char *path, Error **errp);
void options_print_help(const char *program);
/* The last one given, or NULL. */
GivenOption *options_last(CommandLine *line, OptionId id);
/* "-boot help": the parameters of a LIST option; false: it has none to name. */
bool options_print_params(OptionId id, PrintFn *print, void *opaque);
/* Calls fn for each that was given, in order; stops at the first error, which gets the option
 * as prefix. */
bool options_each(CommandLine *line, OptionId id, bool (*fn)(GivenOption *opt, Error **errp),
                  Error **errp);

#endif
