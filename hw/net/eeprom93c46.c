/*
 * eeprom93c46.c: see eeprom93c46.h.
 */
#include "hw/net/eeprom93c46.h"
#include <string.h>

enum { COMMAND_BITS = 9, DATA_BITS = 16, OP_OTHER = 0, OP_WRITE, OP_READ, OP_ERASE };

void eeprom93c46_reset(Eeprom93c46 *e)
{
    e->select = e->clock = e->write_enabled = 0;
    e->data_out = 1;
    e->n_bits = e->reading = e->out_bits = 0;
    e->in = 0;
}

static void put(Eeprom93c46 *e, bool all, uint16_t value)
{
    if (!e->write_enabled) {
        return;
    }
    for (unsigned i = 0; i < EEPROM93C46_WORDS; i++) {
        if (all || i == e->address) {
            e->words[i] = value;
        }
    }
}

/* The whole command is there; those that write wait for their data. */
static void command(Eeprom93c46 *e)
{
    unsigned op = e->in >> 6 & 3, sub = e->in >> 4 & 3;

    e->address = e->in & 63;
    if (op == OP_READ) {
        e->reading = 1;
        e->out_bits = 0;
        e->data_out = 0; /* a zero goes before the data */
    } else if (op == OP_ERASE) {
        put(e, false, 0xffff);
    } else if (op == OP_OTHER && (sub == 0 || sub == 3)) {
        e->write_enabled = sub == 3;
    } else if (op == OP_OTHER && sub == 2) {
        put(e, true, 0xffff);
    }
}

static void rising(Eeprom93c46 *e, bool data)
{
    if (e->reading) {
        if (!e->out_bits) {
            e->out_bits = DATA_BITS;
        }
        e->out_bits--;
        e->data_out = e->words[e->address] >> e->out_bits & 1;
        if (!e->out_bits) {
            e->address = (e->address + 1) & 63;
        }
        return;
    }
    if ((!e->n_bits && !data) || e->n_bits == COMMAND_BITS + DATA_BITS) {
        return; /* waits for the start bit; or is done until chip select falls */
    }
    e->in = e->in << 1 | data;
    if (++e->n_bits == COMMAND_BITS) {
        command(e);
    } else if (e->n_bits == COMMAND_BITS + DATA_BITS) {
        unsigned op = e->in >> (DATA_BITS + 6) & 3, sub = e->in >> (DATA_BITS + 4) & 3;
        if (op == OP_WRITE || (op == OP_OTHER && sub == 1)) {
            put(e, op == OP_OTHER, (uint16_t)e->in);
        }
    }
}

void eeprom93c46_set(Eeprom93c46 *e, bool select, bool clock, bool data)
{
    bool edge = clock && !e->clock;

    e->clock = clock;
    if (!select) {
        e->select = e->n_bits = e->reading = e->out_bits = 0;
        e->in = 0;
        e->data_out = 1; /* ready */
        return;
    }
    e->select = 1;
    if (edge) {
        rising(e, data);
    }
}

static bool post_load(void *opaque, uint32_t version, Error **errp)
{
    Eeprom93c46 *e = opaque;

    e->address &= 63;
    if (e->n_bits > COMMAND_BITS + DATA_BITS || e->out_bits > DATA_BITS) {
        error_set(errp, "93C46: %u bits of a command", e->n_bits);
        return false;
    }
    return true;
}

static const StateField fields[] = {
    STATE_U_ARRAY(Eeprom93c46, words), STATE_U(Eeprom93c46, select), STATE_U(Eeprom93c46, clock), STATE_U(Eeprom93c46, data_out),
    STATE_U(Eeprom93c46, write_enabled), STATE_U(Eeprom93c46, n_bits), STATE_U(Eeprom93c46, reading), STATE_U(Eeprom93c46, address),
    STATE_U(Eeprom93c46, out_bits), STATE_U(Eeprom93c46, in),
};

const StateDesc eeprom93c46_state = {
    .name = "eeprom93c46", .version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields), .post_load = post_load,
};
