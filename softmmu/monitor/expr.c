/*
 * expr.c: expressions of the human monitor: 64-bit integers with + - * / %
 * & | ^ and << >>, unary + - ~, parentheses, $registers, 'c' characters, numbers
 * (decimal, 0x, 0). Binding, loosest first: + - | ^ &, shifts at their side;
 * then * / %; so "1+2*3" is 7.
 */
#include <stdio.h>
#include "softmmu/monitor/priv.h"
#include "softmmu/system.h"
#include "target/target.h"

/* Recursion in parentheses is bounded: the text may come from a QMP client. */
#define EXPR_MAX_DEPTH 64

typedef struct Expr {
    Monitor *mon;
    const char *p;
    unsigned depth;
    Error **errp;
} Expr;

static bool expr_sum(Expr *e, int64_t *ret);

static void skip(Expr *e)
{
    while (*e->p == ' ' || *e->p == '\t') {
        e->p++;
    }
}

typedef struct ReadRegister {
    const char *name;
    int64_t value;
    bool found;
} ReadRegister;

static void read_register(Vcpu *vcpu, void *opaque)
{
    ReadRegister *r = opaque;
    const Target *target = vcpu->target;
    size_t count = 0;
    if (!strcmp(r->name, "pc")) {
        r->value = (int64_t)target->get_pc(vcpu);
        r->found = true;
        return;
    }
    const RegDesc *regs = target->regs ? target->regs(vcpu, &count) : NULL;
    for (size_t i = 0; i < count && !r->found; i++) {
        uint8_t raw[8] = {0};
        if (strcmp(regs[i].name, r->name) || regs[i].bits > 64) {
            continue;
        }
        if (regs[i].offset != UINT32_MAX) {
            memcpy(raw, vcpu->state + regs[i].offset, DIV_ROUND_UP(regs[i].bits, 8));
        } else if (!target->reg_read || !target->reg_read(vcpu, &regs[i], raw)) {
            return;
        }
        memcpy(&r->value, raw, sizeof(r->value));
        r->found = true;
    }
}

static bool expr_register(Expr *e, int64_t *ret)
{
    char name[64];
    size_t n = 0;
    for (e->p++; (*e->p >= '0' && *e->p <= '9') || (*e->p >= 'a' && *e->p <= 'z') ||
                 (*e->p >= 'A' && *e->p <= 'Z') || *e->p == '_' || *e->p == '.'; e->p++) {
        if (n < sizeof(name) - 1) {
            name[n++] = *e->p;
        }
    }
    name[n] = 0;
    Vcpu *vcpu = hmp_vcpu(e->mon);
    if (!vcpu) {
        error_set(e->errp, "No CPU available");
        return false;
    }
    ReadRegister r = { .name = name };
    system_on_vcpu(vcpu, read_register, &r);
    if (!r.found) {
        error_set(e->errp, "unknown register '$%s'", name);
    }
    *ret = r.value;
    return r.found;
}

static bool expr_primary(Expr *e, int64_t *ret)
{
    skip(e);
    switch (*e->p) {
    case '+':
        e->p++;
        return expr_primary(e, ret);
    case '-':
    case '~': {
        char op = *e->p++;
        if (!expr_primary(e, ret)) {
            return false;
        }
        *ret = op == '-' ? (int64_t)(0 - (uint64_t)*ret) : ~*ret;
        return true;
    }
    case '(':
        if (++e->depth > EXPR_MAX_DEPTH) {
            error_set(e->errp, "expression is nested too deeply");
            return false;
        }
        e->p++;
        if (!expr_sum(e, ret)) {
            return false;
        }
        skip(e);
        if (*e->p != ')') {
            error_set(e->errp, "')' expected");
            return false;
        }
        e->p++;
        e->depth--;
        return true;
    case '\'':
        if (!e->p[1] || e->p[2] != '\'') {
            error_set(e->errp, "missing terminating ' character");
            return false;
        }
        *ret = (unsigned char)e->p[1];
        e->p += 3;
        return true;
    case '$':
        return expr_register(e, ret);
    case 0:
        error_set(e->errp, "unexpected end of expression");
        return false;
    default:
        break;
    }
    char *end;
    if (*e->p < '0' || *e->p > '9') {
        error_set(e->errp, "invalid char '%c' in expression", *e->p);
        return false;
    }
    *ret = (int64_t)strtoull(e->p, &end, 0);
    e->p = end;
    return true;
}

static bool expr_product(Expr *e, int64_t *ret)
{
    if (!expr_primary(e, ret)) {
        return false;
    }
    for (;;) {
        skip(e);
        char op = *e->p;
        int64_t right;
        if (op != '*' && op != '/' && op != '%') {
            return true;
        }
        e->p++;
        if (!expr_primary(e, &right)) {
            return false;
        }
        if (op == '*') {
            *ret = (int64_t)((uint64_t)*ret * (uint64_t)right);
        } else if (right == 0) {
            error_set(e->errp, "division by zero");
            return false;
        } else if (right == -1) {
            /* INT64_MIN / -1 traps on the host. */
            *ret = op == '/' ? (int64_t)(0 - (uint64_t)*ret) : 0;
        } else {
            *ret = op == '/' ? *ret / right : *ret % right;
        }
    }
}

static bool expr_sum(Expr *e, int64_t *ret)
{
    if (!expr_product(e, ret)) {
        return false;
    }
    for (;;) {
        skip(e);
        char op = *e->p;
        bool shift = (op == '<' || op == '>') && e->p[1] == op;
        int64_t right;
        if (!shift && (!op || !strchr("+-&|^", op))) {
            return true;
        }
        e->p += shift ? 2 : 1;
        if (!expr_product(e, &right)) {
            return false;
        }
        uint64_t a = (uint64_t)*ret, b = (uint64_t)right;
        a = op == '+' ? a + b : op == '-' ? a - b : op == '&' ? a & b : op == '|' ? a | b
            : op == '^' ? a ^ b : b > 63 ? 0 : op == '<' ? a << b : a >> b;
        *ret = (int64_t)a;
    }
}

bool hmp_expression(Monitor *mon, const char **text, int64_t *ret, Error **errp)
{
    Expr e = { mon, *text, 0, errp };
    int64_t value;
    if (!expr_sum(&e, &value)) {
        return false;
    }
    skip(&e);
    *ret = value;
    *text = e.p;
    return true;
}
