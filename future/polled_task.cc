#include "home/future/polled_task.h"

#include <atomic>
#include <memory>
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
      outer_(Exchange(&task_)) {
  // relaxed: see PollWatch::IsOver().
  if (outer_ == nullptr) {
    PollWatch::ThisThreadsNumber()->store(task_.poll, std::memory_order_relaxed);
  }
}
PolledTaskScope::~PolledTaskScope() {
  if (outer_ == nullptr) PollWatch::ThisThreadsNumber()->store(0, std::memory_order_relaxed);
  Exchange(outer_);
}

ABSL_ATTRIBUTE_NOINLINE const std::shared_ptr<PollWatch::Number>& PollWatch::ThisThreadsNumber() {
  // For what is polled, or locked, when this thread's own is gone. Nobody is misled by it but who
  // asks about a thread, or a process, that ends.
  static const auto& nobodys = *new std::shared_ptr<Number>(std::make_shared<Number>(0));
  thread_local bool is_gone = false;  // lasts as long as the thread
  struct Own {
    std::shared_ptr<Number> number = std::make_shared<Number>(0);
    ~Own() { is_gone = true; }
  };
  if (is_gone) return nobodys;
  thread_local const Own own;
  return own.number;
}

PollWatch PollWatch::ThisThread() { return PollWatch(ThisThreadsNumber()); }

}  // namespace internal

#endif

}  // namespace home
