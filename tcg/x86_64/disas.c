/*
 * disas.c: host disassembly for -d out_asm: by capstone where the build found it, else bytes.
 */
#include "tcg/x86_64/host.h"

#ifdef CONFIG_CAPSTONE
#include <capstone/capstone.h>

void x64_disas(FILE *out, const uint8_t *code, size_t size_bytes)
{
    csh handle;
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK) {
        return;
    }
    cs_option(handle, CS_OPT_SKIPDATA, CS_OPT_ON);
    cs_insn *insn = cs_malloc(handle);
    const uint8_t *at = code;
    uint64_t address = (uintptr_t)code;
    while (size_bytes && cs_disasm_iter(handle, &at, &size_bytes, &address, insn)) {
        fprintf(out, "0x%08" PRIx64 ":  %s %s\n", insn->address, insn->mnemonic, insn->op_str);
    }
    cs_free(insn, 1);
    cs_close(&handle);
}
#else
void x64_disas(FILE *out, const uint8_t *code, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i += 16) {
        fprintf(out, "0x%08" PRIxPTR ": ", (uintptr_t)(code + i));
        for (size_t k = i; k < size_bytes && k < i + 16; k++) {
            fprintf(out, " %02x", code[k]);
        }
        fprintf(out, "\n");
    }
}
#endif
