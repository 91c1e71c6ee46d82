#include "home/queue/asymmetric_fence.h"

#include <atomic>

namespace home::queue_internal {

// Dynamic: fences that are needed before this line has run are heavy on both sides.
const std::atomic<bool> AsymmetricFence::is_light_{BarrierOnAllThreads()};

}  // namespace home::queue_internal
