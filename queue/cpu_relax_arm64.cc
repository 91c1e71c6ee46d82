// CpuRelax for 64-bit Arm: ISB, which stalls for tens of cycles (YIELD is a no-op on
// most cores).

#include "home/queue/cpu_relax.h"

namespace home::queue_internal {

void CpuRelax() { asm volatile("isb" ::: "memory"); }

}  // namespace home::queue_internal
