/*
 * readline.c: line editing for the human monitor: cursor keys, Emacs keys,
 * history, completion. Speaks plain ECMA-48 (CSI) sequences, which every
 * terminal of the field understands. No terminal size is known: a line longer
 * than the screen wraps as the terminal does it.
 */
#include <stdio.h>
#include "softmmu/monitor/priv.h"

#define LINE_MAX_BYTES 4095
#define HISTORY_LINES 64

struct HmpLine {
    Monitor *mon;
    const char *prompt;
    char text[LINE_MAX_BYTES + 1];
    size_t len, cursor;
    enum { KEY_PLAIN, KEY_ESC, KEY_CSI, KEY_SS3 } state;
    unsigned csi_number;
    bool last_was_cr;
    char *history[HISTORY_LINES];
    size_t n_history, at; /* at == n_history: the line being entered */
    char *pending;        /* that line, while older ones are looked at */
    void (*secret)(Monitor *mon, const char *text); /* a password is being entered: shown as stars, not remembered */
};

HmpLine *hmp_line_new(Monitor *mon, const char *prompt)
{
    HmpLine *line = xnew(HmpLine);
    line->mon = mon;
    line->prompt = prompt;
    return line;
}

void hmp_line_free(HmpLine *line)
{
    for (size_t i = 0; i < line->n_history; i++) {
        free(line->history[i]);
    }
    free(line->pending);
    free(line);
}

static void show_text(HmpLine *line, size_t from)
{
    for (size_t i = from; i < line->len; i++) {
        monitor_send(line->mon, line->secret ? "*" : line->text + i, 1);
    }
}

void hmp_line_ask_secret(HmpLine *line, void (*answer)(Monitor *mon, const char *text))
{
    line->secret = answer;
}

void hmp_line_show(HmpLine *line)
{
    monitor_puts(line->mon, line->secret ? "Password: " : line->prompt);
    show_text(line, 0);
    for (size_t i = line->cursor; i < line->len; i++) {
        monitor_puts(line->mon, "\x1b[D");
    }
}

static void redraw(HmpLine *line)
{
    monitor_puts(line->mon, "\r");
    hmp_line_show(line);
}

/* From the cursor on; the cursor stays. */
static void redraw_tail(HmpLine *line)
{
    show_text(line, line->cursor);
    monitor_puts(line->mon, "\x1b[K");
    for (size_t i = line->cursor; i < line->len; i++) {
        monitor_puts(line->mon, "\x1b[D");
    }
}

static void insert(HmpLine *line, char c)
{
    if (line->len == LINE_MAX_BYTES) {
        return;
    }
    memmove(line->text + line->cursor + 1, line->text + line->cursor, line->len - line->cursor);
    line->text[line->cursor++] = c;
    line->len++;
    monitor_send(line->mon, line->secret ? "*" : &c, 1);
    if (line->cursor < line->len) {
        redraw_tail(line);
    }
}

static void move_to(HmpLine *line, size_t pos)
{
    while (line->cursor > pos) {
        monitor_puts(line->mon, "\x1b[D");
        line->cursor--;
    }
    while (line->cursor < pos) {
        monitor_puts(line->mon, "\x1b[C");
        line->cursor++;
    }
}

static void delete_range(HmpLine *line, size_t from, size_t to)
{
    move_to(line, from);
    memmove(line->text + from, line->text + to, line->len - to);
    line->len -= to - from;
    redraw_tail(line);
}

static size_t word_start(const HmpLine *line)
{
    size_t p = line->cursor;
    while (p && line->text[p - 1] == ' ') {
        p--;
    }
    while (p && line->text[p - 1] != ' ') {
        p--;
    }
    return p;
}

static size_t word_end(const HmpLine *line)
{
    size_t p = line->cursor;
    while (p < line->len && line->text[p] == ' ') {
        p++;
    }
    while (p < line->len && line->text[p] != ' ') {
        p++;
    }
    return p;
}

static void set_text(HmpLine *line, const char *text)
{
    move_to(line, 0);
    line->len = MIN(strlen(text), LINE_MAX_BYTES);
    memcpy(line->text, text, line->len);
    redraw_tail(line);
    move_to(line, line->len);
}

/* ---- history ---- */

static void history_move(HmpLine *line, bool older)
{
    if (line->secret || (older ? line->at == 0 : line->at == line->n_history)) {
        return;
    }
    if (line->at == line->n_history) {
        free(line->pending);
        line->pending = xstrndup(line->text, line->len);
    }
    line->at = older ? line->at - 1 : line->at + 1;
    set_text(line, line->at == line->n_history ? line->pending : line->history[line->at]);
}

static void history_add(HmpLine *line)
{
    if (!line->len) {
        return;
    }
    /* An old line entered again moves to the end. */
    size_t same = 0;
    while (same < line->n_history && strcmp(line->history[same], line->text)) {
        same++;
    }
    if (same == line->n_history && line->n_history == HISTORY_LINES) {
        same = 0;
    }
    if (same < line->n_history) {
        free(line->history[same]);
        memmove(&line->history[same], &line->history[same + 1],
                (--line->n_history - same) * sizeof(char *));
    }
    line->history[line->n_history++] = xstrdup(line->text);
}

/* ---- completion ---- */

typedef struct Words {
    VEC(char *) words;
} Words;

static void collect_word(void *opaque, const char *word)
{
    Words *w = opaque;
    for (size_t i = 0; i < w->words.n; i++) {
        if (!strcmp(w->words.at[i], word)) {
            return;
        }
    }
    *vec_push(&w->words) = xstrdup(word);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void complete(HmpLine *line)
{
    Words w = {0};
    char *head = xstrndup(line->text, line->cursor);
    hmp_complete(line->mon, head, collect_word, &w);
    size_t start = line->cursor;
    while (start && line->text[start - 1] != ' ' && line->text[start - 1] != ',') {
        start--;
    }
    size_t typed = line->cursor - start;
    if (w.words.n) {
        qsort(w.words.at, w.words.n, sizeof(char *), by_text);
        size_t common = strlen(w.words.at[0]);
        for (size_t i = 1; i < w.words.n; i++) {
            size_t k = 0;
            while (k < common && w.words.at[i][k] == w.words.at[0][k]) {
                k++;
            }
            common = k;
        }
        for (size_t k = typed; k < common; k++) {
            insert(line, w.words.at[0][k]);
        }
        if (w.words.n == 1) {
            insert(line, ' ');
        } else if (common <= typed) {
            monitor_puts(line->mon, "\n");
            size_t width = 0;
            for (size_t i = 0; i < w.words.n; i++) {
                width = MAX(width, strlen(w.words.at[i]) + 2);
            }
            size_t columns = MAX(80 / width, 1);
            for (size_t i = 0; i < w.words.n; i++) {
                bool last = i + 1 == w.words.n || i % columns == columns - 1;
                monitor_printf(line->mon, "%-*s%s", last ? 0 : (int)width, w.words.at[i],
                               last ? "\n" : "");
            }
            redraw(line);
        }
    }
    for (size_t i = 0; i < w.words.n; i++) {
        free(w.words.at[i]);
    }
    vec_free(&w.words);
    free(head);
}

/* ---- keys ---- */

static void enter(HmpLine *line)
{
    void (*secret)(Monitor *mon, const char *text) = line->secret;
    line->text[line->len] = 0;
    if (!secret) {
        history_add(line);
    }
    monitor_puts(line->mon, "\n");
    char *text = xstrdup(line->text);
    line->len = line->cursor = 0;
    line->at = line->n_history;
    line->secret = NULL;
    if (secret) {
        memset(line->text, 0, sizeof(line->text));
        secret(line->mon, text);
    } else {
        hmp_execute(line->mon, text);
    }
    free(text);
    hmp_line_show(line);
}

static void csi_key(HmpLine *line, uint8_t final)
{
    switch (final) {
    case 'A':
        history_move(line, true);
        break;
    case 'B':
        history_move(line, false);
        break;
    case 'C':
        move_to(line, MIN(line->cursor + 1, line->len));
        break;
    case 'D':
        move_to(line, line->cursor ? line->cursor - 1 : 0);
        break;
    case 'H':
        move_to(line, 0);
        break;
    case 'F':
        move_to(line, line->len);
        break;
    case '~':
        if (line->csi_number == 1 || line->csi_number == 7) {
            move_to(line, 0);
        } else if (line->csi_number == 4 || line->csi_number == 8) {
            move_to(line, line->len);
        } else if (line->csi_number == 3 && line->cursor < line->len) {
            delete_range(line, line->cursor, line->cursor + 1);
        }
        break;
    default:
        break;
    }
}

static void plain_key(HmpLine *line, uint8_t c)
{
    switch (c) {
    case 1: /* ^A */
        move_to(line, 0);
        break;
    case 2: /* ^B */
        move_to(line, line->cursor ? line->cursor - 1 : 0);
        break;
    case 3: /* ^C */
        monitor_puts(line->mon, "^C\n");
        line->secret = NULL;
        line->len = line->cursor = 0;
        line->at = line->n_history;
        hmp_line_show(line);
        break;
    case 4: /* ^D */
        if (line->cursor < line->len) {
            delete_range(line, line->cursor, line->cursor + 1);
        }
        break;
    case 5: /* ^E */
        move_to(line, line->len);
        break;
    case 6: /* ^F */
        move_to(line, MIN(line->cursor + 1, line->len));
        break;
    case 8: /* ^H */
    case 127:
        if (line->cursor) {
            delete_range(line, line->cursor - 1, line->cursor);
        }
        break;
    case 9:
        if (!line->secret) {
            complete(line);
        }
        break;
    case 10:
    case 13:
        enter(line);
        break;
    case 11: /* ^K */
        delete_range(line, line->cursor, line->len);
        break;
    case 12: /* ^L */
        monitor_puts(line->mon, "\x1b[H\x1b[2J");
        redraw(line);
        break;
    case 14: /* ^N */
        history_move(line, false);
        break;
    case 16: /* ^P */
        history_move(line, true);
        break;
    case 21: /* ^U */
        delete_range(line, 0, line->cursor);
        break;
    case 23: /* ^W */
        delete_range(line, word_start(line), line->cursor);
        break;
    case 27:
        line->state = KEY_ESC;
        break;
    default:
        if (c >= 32) {
            insert(line, (char)c);
        }
        break;
    }
}

void hmp_line_input(HmpLine *line, const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t c = buf[i];
        bool lf_of_cr = c == 10 && line->last_was_cr;
        line->last_was_cr = c == 13;
        if (lf_of_cr) {
            continue; /* telnet and pasted text end lines with both */
        }
        switch (line->state) {
        case KEY_PLAIN:
            plain_key(line, c);
            break;
        case KEY_ESC:
            line->state = c == '[' ? KEY_CSI : c == 'O' ? KEY_SS3 : KEY_PLAIN;
            line->csi_number = 0;
            if (c == 'b') {
                move_to(line, word_start(line));
            } else if (c == 'f') {
                move_to(line, word_end(line));
            } else if (c == 'd') {
                delete_range(line, line->cursor, word_end(line));
            }
            break;
        case KEY_CSI:
            if (c >= '0' && c <= '9') {
                line->csi_number = (line->csi_number * 10 + (c - '0')) % 1000;
            } else if (c >= 0x40) {
                line->state = KEY_PLAIN;
                csi_key(line, c);
            }
            break;
        case KEY_SS3:
            line->state = KEY_PLAIN;
            csi_key(line, c);
            break;
        }
    }
}

void hmp_line_print_history(HmpLine *line)
{
    for (size_t i = 0; i < line->n_history; i++) {
        monitor_printf(line->mon, "%zu: '%s'\n", i, line->history[i]);
    }
}
