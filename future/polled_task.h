// PolledTask: in debug builds, which task this thread polls; for what speaks of tasks to people
// and knows none of them, such as a report of who holds a lock.
//
//   const internal::PolledTaskScope scope(id, name, location);   // an executor, around a poll
//   const PolledTask who = CurrentPolledTask();                  // anything inside of it
//
// Cost: none where NDEBUG is defined; then nobody is ever named. Elsewhere some stores a poll.
// All code of a program has to be compiled one way or the other.
// Thread-safety: each thread has its own.

#ifndef HOME_FUTURE_POLLED_TASK_H_
#define HOME_FUTURE_POLLED_TASK_H_

#include <cstdint>
#include <source_location>

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

#endif

}  // namespace internal
}  // namespace home

#endif  // HOME_FUTURE_POLLED_TASK_H_
