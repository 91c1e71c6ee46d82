#include "home/future/polled_task.h"

#include <atomic>
#include <utility>

#include "absl/base/attributes.h"

namespace home {

#if defined(NDEBUG)

PolledTask CurrentPolledTask() noexcept { return {}; }

#else

namespace {

// Reached through functions of this file alone, that are not inlined: coroutines move between
// threads.
thread_local const PolledTask* innermost = nullptr;

ABSL_ATTRIBUTE_NOINLINE const PolledTask* Exchange(const PolledTask* task) noexcept {
  return std::exchange(innermost, task);
}

std::uint64_t NextPoll() noexcept {
  static std::atomic<std::uint64_t> polls{0};
  // relaxed: it only has to be another one each time.
  return polls.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

ABSL_ATTRIBUTE_NOINLINE PolledTask CurrentPolledTask() noexcept {
  return innermost == nullptr ? PolledTask() : *innermost;
}

namespace internal {

PolledTaskScope::PolledTaskScope(std::uint64_t id, const char* name,
                                 const std::source_location& location) noexcept
    : task_{.id = id, .name = name, .location = location, .poll = NextPoll()},
      outer_(Exchange(&task_)) {}
PolledTaskScope::~PolledTaskScope() { Exchange(outer_); }

}  // namespace internal

#endif

}  // namespace home
