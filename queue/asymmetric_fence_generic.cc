// BarrierOnAllThreads where no such call is known: there is none.

#include "home/queue/asymmetric_fence.h"

namespace home::queue_internal {

bool BarrierOnAllThreads() { return false; }

}  // namespace home::queue_internal
