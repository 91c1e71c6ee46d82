// How this system's kqueue reports out-of-band data: macOS's has a filter for it, FreeBSD's does
// not report it.

#ifndef HOME_REACTOR_KQUEUE_PRIORITY_H_
#define HOME_REACTOR_KQUEUE_PRIORITY_H_

#include <cstdint>

namespace home::reactor_internal {

// The filter, or 0 if there is none; and the note in fflags, asked for and answered.
extern const std::int16_t kKqueuePriorityFilter;
extern const std::uint32_t kKqueuePriorityNote;

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_KQUEUE_PRIORITY_H_
