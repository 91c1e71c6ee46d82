// CpuRelax for x86: PAUSE, 40 cycles (140 on some, 10 on old ones).

#include "home/queue/cpu_relax.h"

namespace home::queue_internal {

void CpuRelax() { __builtin_ia32_pause(); }

}  // namespace home::queue_internal
