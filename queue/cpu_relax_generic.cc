// CpuRelax where no instruction is known for it: a call that the compiler keeps.

#include "home/queue/cpu_relax.h"

namespace home::queue_internal {

void CpuRelax() { asm volatile("" ::: "memory"); }

}  // namespace home::queue_internal
