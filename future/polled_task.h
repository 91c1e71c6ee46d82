// PolledTask: in debug builds, which task this thread polls; for what speaks of tasks to people
// and knows none of them, such as a report of who holds a lock.
//
//   const internal::PolledTaskScope scope(id, name, location);   // an executor, around a poll
//   const PolledTask who = CurrentPolledTask();                  // anything inside of it
//
// Another thread may ask whether a poll is over (PollWatch).
//
// Cost: none where NDEBUG is defined; then nobody is ever named. Elsewhere some stores a poll
// and an allocation a thread. All code of a program has to be compiled one way or the other.
// Thread-safety: each thread has its own; a PollWatch by any thread.

#ifndef HOME_FUTURE_POLLED_TASK_H_
#define HOME_FUTURE_POLLED_TASK_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <source_location>
#include <utility>

namespace home {

struct PolledTask {
  std::uint64_t id = 0;           // of the task; 0: it is none, or there is no poll
  const char* name = nullptr;     // what its spawner calls it, or null
  std::source_location location;  // where it was spawned
  std::uint64_t poll = 0;         // no two polls of the process have the same; 0: none
};

// The innermost poll on this thread.
[[nodiscard]] PolledTask CurrentPolledTask() noexcept;

namespace internal {

#if defined(NDEBUG)

class PolledTaskScope {
 public:
  PolledTaskScope(std::uint64_t, const char*, const std::source_location&) noexcept {}
};

#else

class PolledTaskScope {
 public:
  PolledTaskScope(std::uint64_t id, const char* name,
                  const std::source_location& location) noexcept;
  PolledTaskScope(const PolledTaskScope&) = delete;
  PolledTaskScope& operator=(const PolledTaskScope&) = delete;
  ~PolledTaskScope();

 private:
  const PolledTask task_;
  const PolledTask* const outer_;
};

// For other threads: which poll a thread is in. Usable when the thread is gone.
class PollWatch {
 public:
  // Of this thread.
  [[nodiscard]] static PollWatch ThisThread();

  // Whether the thread's poll `poll` is over. May be false for a while after it is, if it was
  // within another one, which is not.
  [[nodiscard]] bool IsOver(std::uint64_t poll) const {
    // relaxed: nothing is read because of it. A thread's polls have rising numbers.
    const std::uint64_t outermost = outermost_->load(std::memory_order_relaxed);
    return outermost == 0 || outermost > poll;
  }

 private:
  friend class PolledTaskScope;
  using Number = std::atomic<std::uint64_t>;

  explicit PollWatch(std::shared_ptr<Number> outermost) : outermost_(std::move(outermost)) {}
  static const std::shared_ptr<Number>& ThisThreadsNumber();

  std::shared_ptr<Number> outermost_;  // the number of its outermost poll; 0: none
};

#endif

}  // namespace internal
}  // namespace home

#endif  // HOME_FUTURE_POLLED_TASK_H_
