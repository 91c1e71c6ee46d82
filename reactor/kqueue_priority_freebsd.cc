#include "home/reactor/kqueue_priority.h"

namespace home::reactor_internal {

const std::int16_t kKqueuePriorityFilter = 0;
const std::uint32_t kKqueuePriorityNote = 0;

}  // namespace home::reactor_internal
