/*
 * ir-fuzz.c: random IR units through every engine, compared.
 *
 * Usage: ir-fuzz [--count N] [--seconds S] [--seed S] [--mode 0..4] [--big] [--all-roundings]
 *                [--no-host] [--print] [--keep-going]
 *        ir-fuzz --replay FILE          a unit as printed for a failure
 *
 * Each unit runs as it was made in the interpreter: that is the truth. The unit folded by the builder, and
 * the host back end on both, must leave the same slots, memory, exit, exception, pc and FP flags behind.
 * A failure is shrunk and printed as text with the line for --replay; the exit status is 1.
 */
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "ir-fuzz.h"
#include "tests/ir/ir-rebuild.h"

typedef enum Engine { INTERP_FOLDED, HOST_RAW, HOST_FOLDED, N_ENGINES } Engine;
static const char *const engine_names[N_ENGINES] = {
    "interpreter on the folded unit", "host on the raw unit", "host on the folded unit",
};

static struct {
    uint64_t count, seed;
    unsigned seconds;
    int mode;
    bool no_host, print, keep_going;
    const char *replay;
    GenOptions gen;
} opt = { .count = 2000, .seed = 1, .mode = -1, .gen = { .max_blocks = 8, .max_insns = 12 } };

static Vcpu *vcpu;
static IrUnit unit, folded;
static IrBuilder builder;
static FuzzResult truth, result;
static char why[300];

/* A unit that does not end. Processor time: on a loaded machine a good one may wait long. */
static void watchdog(long seconds)
{
    setitimer(ITIMER_PROF, &(struct itimerval){ .it_value.tv_sec = seconds }, NULL);
}

/* True: all engines agree. */
static bool agree(const IrUnit *u, const FuzzCase *fc, int only)
{
    Error *err = NULL;

    if (!ir_verify(u, &err)) {
        snprintf(why, sizeof(why), "the raw unit: %s", error_message(err));
        error_free(err);
        return false;
    }
    ir_rebuild(&builder, u);
    if (!ir_verify(&folded, &err)) {
        snprintf(why, sizeof(why), "the folded unit: %s", error_message(err));
        error_free(err);
        return false;
    }
    env_prepare(vcpu, fc);
    env_run_interp(vcpu, u, &truth);
    for (int e = 0; e < N_ENGINES; e++) {
        const IrUnit *which = e == HOST_RAW ? u : &folded;
        if (only >= 0 && e != only) {
            continue;
        }
        env_prepare(vcpu, fc);
        if (e == INTERP_FOLDED) {
            env_run_interp(vcpu, which, &result);
        } else if (opt.no_host || !env_run_host(vcpu, which, &result)) {
            continue;
        }
        const char *difference = env_difference(&truth, &result);
        if (difference) {
            snprintf(why, sizeof(why), "%s: %s", engine_names[e], difference);
            return false;
        }
    }
    return true;
}

/* The same in a child: a crash of generated code is a failure like any other. */
static bool agree_forked(const IrUnit *u, const FuzzCase *fc)
{
    int fds[2], status;
    pid_t pid;

    if (pipe(fds) || (pid = fork()) < 0) {
        return agree(u, fc, -1);
    }
    if (!pid) {
        if (!freopen("/dev/null", "w", stderr)) {
            _exit(2);
        }
        watchdog(2);
        bool ok = agree(u, fc, -1);
        if (!ok && write(fds[1], why, sizeof(why)) < 0) {
            _exit(2);
        }
        _exit(ok ? 0 : 1);
    }
    close(fds[1]);
    if (read(fds[0], why, sizeof(why)) <= 0) {
        why[0] = '\0';
    }
    close(fds[0]);
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status)) {
        snprintf(why, sizeof(why), "signal %d", WTERMSIG(status));
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* -- shrinking --------------------------------------------------------------------------------------- */

static void copy_unit(IrUnit *to, const IrUnit *from)
{
    ir_unit_reset(to);
    to->target = from->target;
    to->pc = from->pc;
    to->mode = from->mode;
    to->softmmu = from->softmmu;
    to->addr32 = from->addr32;
    to->addr56 = from->addr56;
    to->guest_base_zero = from->guest_base_zero;
    to->parallel = from->parallel;
#define COPY(field) \
    for (size_t i = 0; i < from->field.n; i++) { *vec_push(&to->field) = from->field.at[i]; }
    COPY(insns)
    COPY(blocks)
    COPY(mem)
    COPY(exits)
    COPY(args)
    COPY(vconst)
#undef COPY
}

/* Values of the current unit lose one instruction: its users see a constant instead. */
static bool drop_insn(IrUnit *u, IrRef at)
{
    IrInsn *in = ir_insn(u, at);
    const IrOpInfo *info = &ir_op_info[in->op];

    if (in->op == IR_nop || in->op == IR_const || in->op == IR_insn_start || info->flags & IR_OP_TERM) {
        return false;
    }
    if (info->signature[0] == '-' || in->type == IR_VOID) {
        *in = (IrInsn){ .op = IR_nop, .a = IR_NONE, .b = IR_NONE, .c = IR_NONE };
        return true;
    }
    uint64_t imm = 1;
    if (ir_type_is_vec(in->type)) {
        *vec_push(&u->vconst) = (IrVecConst){ .u64 = { 1, 2, 3, 4 } };
        imm = u->vconst.n - 1;
    }
    *in = (IrInsn){ .op = IR_const, .type = in->type, .a = IR_NONE, .imm = imm };
    return true;
}

static bool simplify_terminator(IrUnit *u, IrRef at, unsigned how)
{
    IrInsn *in = ir_insn(u, at);

    if (in->op == IR_brcond || in->op == IR_brnz) {
        if (how == 0) {
            *in = (IrInsn){ .op = IR_br, .a = in->c & 0xffff, .b = IR_NONE, .c = IR_NONE };
        } else if (how == 1) {
            *in = (IrInsn){ .op = IR_br, .a = in->c >> 16, .b = IR_NONE, .c = IR_NONE };
        } else {
            return false;
        }
        return true;
    }
    if (in->op == IR_br && how == 0) {
        *vec_push(&u->exits) = (IrExit){ .kind = IR_EXIT_LEAVE, .reason = VCPU_EXIT_SYSCALL, .pc = 0x3000 };
        *in = (IrInsn){ .op = IR_exit, .aux = u->exits.n - 1, .a = IR_NONE, .b = IR_NONE, .c = IR_NONE };
        return true;
    }
    return false;
}

/* Operands that are values become constants. */
static bool simplify_operand(IrUnit *u, IrRef at, unsigned which)
{
    IrInsn *in = ir_insn(u, at);
    const IrOpInfo *info = &ir_op_info[in->op];

    if (which >= info->n_operands || in->op == IR_nop) {
        return false;
    }
    IrRef ref = which == 0 ? in->a : which == 1 ? in->b : in->c;
    if (ref == IR_NONE || ir_insn(u, ref)->op == IR_const || ir_insn(u, ref)->op == IR_get ||
        info->flags & IR_OP_MEM) {
        return false;
    }
    /* no room to insert an instruction: use any earlier constant of the type */
    for (IrRef c = at; c-- > 0;) {
        if (ir_insn(u, c)->op == IR_const && ir_insn(u, c)->type == ir_insn(u, ref)->type) {
            *(which == 0 ? &in->a : which == 1 ? &in->b : &in->c) = c;
            return true;
        }
    }
    return false;
}

static void drop_unreachable(IrUnit *u)
{
    bool reached[1024] = { true }, again = true;

    while (again) {
        again = false;
        for (unsigned k = 0; k < u->blocks.n; k++) {
            if (!reached[k] || u->blocks.at[k].end == u->blocks.at[k].first) {
                continue;
            }
            const IrInsn *t = ir_insn(u, u->blocks.at[k].end - 1);
            unsigned to[2], n = 0;
            if (t->op == IR_br) {
                to[n++] = t->a;
            } else if (t->op == IR_brcond || t->op == IR_brnz) {
                to[n++] = t->c & 0xffff;
                to[n++] = t->c >> 16;
            }
            while (n--) {
                again |= !reached[to[n]];
                reached[to[n]] = true;
            }
        }
    }
    for (unsigned k = 0; k < u->blocks.n; k++) {
        IrBlock *bb = &u->blocks.at[k];
        for (IrRef i = bb->first; !reached[k] && i < bb->end; i++) {
            if (ir_insn(u, i)->op != IR_const) {
                *ir_insn(u, i) = (IrInsn){ .op = IR_const, .type = IR_I64, .a = IR_NONE, .imm = 0 };
            }
        }
        if (!reached[k]) {
            bb->end = bb->first;
        }
    }
}

static bool try_change(IrUnit *best, IrUnit *trial, const FuzzCase *fc)
{
    Error *err = NULL;

    drop_unreachable(trial);
    ir_unit_facts(trial);
    if (!ir_verify(trial, &err)) {
        error_free(err);
        return false;
    }
    if (agree_forked(trial, fc)) {
        return false;
    }
    copy_unit(best, trial);
    return true;
}

static void shrink(IrUnit *best, const FuzzCase *fc)
{
    IrUnit trial;
    bool progress = true;

    ir_unit_init(&trial);
    for (unsigned round = 0; progress && round < 6; round++) {
        progress = false;
        for (unsigned k = 0; k < best->blocks.n; k++) {
            for (unsigned how = 0; how < 2; how++) {
                if (best->blocks.at[k].end == best->blocks.at[k].first) {
                    break;
                }
                copy_unit(&trial, best);
                if (simplify_terminator(&trial, best->blocks.at[k].end - 1, how)) {
                    progress |= try_change(best, &trial, fc);
                }
            }
        }
        for (IrRef at = best->insns.n; at-- > 0;) {
            copy_unit(&trial, best);
            if (drop_insn(&trial, at)) {
                progress |= try_change(best, &trial, fc);
            }
        }
        for (IrRef at = best->insns.n; at-- > 0;) {
            for (unsigned which = 0; which < 3; which++) {
                copy_unit(&trial, best);
                if (simplify_operand(&trial, at, which)) {
                    progress |= try_change(best, &trial, fc);
                }
            }
        }
    }
    ir_unit_finish(&trial);
}

static void print_unit(FILE *out, const IrUnit *u, const FuzzCase *fc)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    fprintf(out, "# seed=%" PRIu64 " mode=%d\n", fc->seed, fc->mode);
    ir_print(f, u);
    fclose(f);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if (strcmp(line, "  nop")) {
            fprintf(out, "%s\n", line);
        }
    }
    free(text);
}

static void report(const FuzzCase *fc)
{
    IrUnit best;
    char first[300];

    memcpy(first, why, sizeof(first));
    ir_unit_init(&best);
    copy_unit(&best, &unit);
    fprintf(stderr, "ir-fuzz: seed %" PRIu64 " mode %d: %s\n", fc->seed, fc->mode, first);
    shrink(&best, fc);
    agree_forked(&best, fc);
    printf("# first seen as: %s\n# now: %s\n", first, why);
    print_unit(stdout, &best, fc);
    fflush(stdout);
    ir_unit_finish(&best);
}

/* -- driving ---------------------------------------------------------------------------------------------- */

static bool one(uint64_t seed)
{
    Rng rng = { seed * 0x2545f4914f6cdd1d + 7 };
    FuzzCase fc = { .seed = seed, .mode = opt.mode >= 0 ? (FuzzMode)opt.mode : (FuzzMode)rng_below(&rng, FUZZ_N_MODES) };

    ir_gen(&unit, &rng, fc.mode, &opt.gen);
    if (opt.print) {
        print_unit(stdout, &unit, &fc);
    }
    /* most units run in this process; the handler turns its crash into a fork and a report */
    if (agree(&unit, &fc, -1)) {
        return true;
    }
    report(&fc);
    return false;
}

static int replay(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = NULL, *line;
    size_t size = 0;
    FuzzCase fc = { 0 };
    Error *err = NULL;

    if (!f || getdelim(&text, &size, '\0', f) < 0) {
        fprintf(stderr, "cannot read %s\n", path);
        return 1;
    }
    fclose(f);
    line = strstr(text, "# seed=");
    int m = 0;
    if (!line || sscanf(line, "# seed=%" SCNu64 " mode=%d", &fc.seed, &m) != 2 || m < 0 || m >= FUZZ_N_MODES) {
        fprintf(stderr, "%s: no seed line\n", path);
        return 1;
    }
    fc.mode = (FuzzMode)m;
    unit.target = &test_target;
    if (!ir_parse(&unit, text, &err)) {
        error_report_free(err);
        return 1;
    }
    bool ok = true;
    for (int e = -1; e < N_ENGINES; e++) {
        if (e >= 0 && !agree(&unit, &fc, e)) {
            ok = false;
            printf("%s\n", why);
            if (e != INTERP_FOLDED) {
                env_disas_last(stdout);
            }
        }
    }
    printf("truth: reason %d exception %d %#" PRIx64 " pc %#" PRIx64 "\n", truth.reason,
           truth.exception.cause, truth.exception.value, truth.state.pc);
    if (opt.print) {
        ir_print(stdout, &folded);
    }
    free(text);
    return ok ? 0 : 1;
}

static uint64_t number_arg(int argc, char **argv, int *i)
{
    if (*i + 1 >= argc) {
        fprintf(stderr, "%s needs a number\n", argv[*i]);
        exit(1);
    }
    return strtoull(argv[++*i], NULL, 0);
}

/* Runs seeds [first, first + n) in a child, so that a crash names its seed. */
static bool batch(uint64_t first, uint64_t n)
{
    int fds[2], status;
    uint64_t at = first;

    if (pipe(fds)) {
        perror("pipe");
        exit(1);
    }
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        for (uint64_t s = first; s < first + n; s++) {
            if (write(fds[1], &s, sizeof(s)) < 0) {
                _exit(2);
            }
            watchdog(5);
            if (!one(s)) {
                _exit(1);
            }
        }
        _exit(0);
    }
    close(fds[1]);
    uint64_t s;
    while (read(fds[0], &s, sizeof(s)) == sizeof(s)) {
        at = s;
    }
    close(fds[0]);
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return true;
    }
    if (WIFSIGNALED(status)) {
        Rng rng = { at * 0x2545f4914f6cdd1d + 7 };
        FuzzCase fc = { .seed = at, .mode = opt.mode >= 0 ? (FuzzMode)opt.mode : (FuzzMode)rng_below(&rng, FUZZ_N_MODES) };
        ir_gen(&unit, &rng, fc.mode, &opt.gen);
        snprintf(why, sizeof(why), "signal %d", WTERMSIG(status));
        report(&fc);
    }
    if (opt.keep_going && at + 1 < first + n) {
        batch(at + 1, first + n - at - 1);
    }
    return false;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--count")) {
            opt.count = number_arg(argc, argv, &i);
        } else if (!strcmp(argv[i], "--seconds")) {
            opt.seconds = (unsigned)number_arg(argc, argv, &i);
        } else if (!strcmp(argv[i], "--seed")) {
            opt.seed = number_arg(argc, argv, &i);
        } else if (!strcmp(argv[i], "--mode")) {
            opt.mode = (int)number_arg(argc, argv, &i) % FUZZ_N_MODES;
        } else if (!strcmp(argv[i], "--big")) {
            opt.gen.max_blocks = 40;
            opt.gen.max_insns = 60;
        } else if (!strcmp(argv[i], "--all-roundings")) {
            opt.gen.all_roundings = true;
        } else if (!strcmp(argv[i], "--no-host")) {
            opt.no_host = true;
        } else if (!strcmp(argv[i], "--print")) {
            opt.print = true;
        } else if (!strcmp(argv[i], "--keep-going")) {
            opt.keep_going = true;
        } else if (!strcmp(argv[i], "--replay") && i + 1 < argc) {
            opt.replay = argv[++i];
        } else {
            fprintf(stderr, "ir-fuzz: unknown option '%s'\n", argv[i]);
            return 1;
        }
    }
    ir_unit_init(&unit);
    ir_unit_init(&folded);
    ir_builder_init(&builder, &folded);
    env_init();
    vcpu = env_vcpu();
    opt.gen.no_v256 = !opt.no_host && !env_has_v256();
    if (opt.replay) {
        return replay(opt.replay);
    }
    time_t end = time(NULL) + opt.seconds;
    bool ok = true;
    uint64_t done = 0;
    do {
        uint64_t n = opt.seconds ? 500 : MIN(opt.count - done, (uint64_t)500);
        ok &= batch(opt.seed + done, n);
        done += n;
    } while ((ok || opt.keep_going) && (opt.seconds ? time(NULL) < end : done < opt.count));
    printf("# %" PRIu64 " units\n", done);
    return ok ? 0 : 1;
}
