#include <sys/event.h>

#include "home/reactor/kqueue_priority.h"

namespace home::reactor_internal {

const std::int16_t kKqueuePriorityFilter = EVFILT_EXCEPT;
const std::uint32_t kKqueuePriorityNote = NOTE_OOB;

}  // namespace home::reactor_internal
