#include "target/x86/x87.h"
uint64_t x86_mmx_exec(Vcpu *vcpu, uint32_t code, uint64_t operand) { return 0; }
