// CpuRelax where no instruction is known for it: a call that the compiler keeps.

#include "home/parker/cpu_relax.h"

namespace home::parker_internal {

void CpuRelax() { asm volatile("" ::: "memory"); }

}  // namespace home::parker_internal
