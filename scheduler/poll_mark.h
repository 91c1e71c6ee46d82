// PollMark: what a worker polls at this moment, for others to see.
//
// The worker marks the beginning and the end of every poll; a watchdog (watchdog.h)
// that finds the same poll again and again knows that it takes long, and whose it is.
//
//   word   the number of polls begun and ended: odd during a poll
//   info   of the task that is, or was, polled: changed only between two polls
//
//  M1  Each part of the info is stored as a release, after the word's store that ended the
//      poll before. So a reader that reads a part of a later info than that of the poll
//      which it found in the word finds another word if it looks again.
//
// The strings that a name and a location lead to live for ever (task_label.h), so that they
// can be read when the task is gone.
//
// The number of a poll is not only the task's id, as one task may be polled again and again. A
// pointer to the task would be one store for three, but the task may be freed while somebody
// looks at it.
//
// It is a template so that the model checker runs it (poll_mark_model_test.cc).
//
// Thread-safety: Begin, End and polling: one thread at a time, between which something else
// orders. Current: any thread. Cost: five stores a poll, no order that the processor would
// have to see to on x86.

#ifndef HOME_SCHEDULER_POLL_MARK_H_
#define HOME_SCHEDULER_POLL_MARK_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <source_location>

#include "home/task/chaos.h"
#include "home/task/task_id.h"
#include "home/task/task_info.h"

namespace home::scheduler_internal {

template <template <typename> class Atomic = internal::Atomic>
class BasicPollMark {
 public:
  struct View {
    // No other poll of the same worker has it.
    std::uint64_t number;
    TaskInfo task;
  };

  void Begin(const TaskInfo& task) {
    // release: M1. pairs with: Current().
    id_.store(task.id, std::memory_order_release);
    name_.store(task.name, std::memory_order_release);
    location_.store(task.location, std::memory_order_release);
    // release: the info is there. pairs with: Current(). relaxed (load): own writes.
    word_.store(word_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  void End() {
    // relaxed: nothing is published. Begin() orders what follows.
    word_.store(word_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  // Whether a poll goes on. relaxed: own writes.
  [[nodiscard]] bool polling() const { return Polling(word_.load(std::memory_order_relaxed)); }

  // The poll that goes on now, if any.
  [[nodiscard]] std::optional<View> Current() const {
    // acquire: the info of this poll, or a later one's. pairs with: Begin().
    const std::uint64_t word = word_.load(std::memory_order_acquire);
    if (!Polling(word)) return std::nullopt;
    // acquire: M1. pairs with: Begin().
    const TaskId id = id_.load(std::memory_order_acquire);
    const char* const name = name_.load(std::memory_order_acquire);
    const std::source_location location = location_.load(std::memory_order_acquire);
    // relaxed: ordered after the loads above by their acquire.
    if (word_.load(std::memory_order_relaxed) != word) return std::nullopt;
    return View{word, TaskInfo(id, name, location)};
  }

 private:
  static bool Polling(std::uint64_t word) { return word % 2 != 0; }

  Atomic<std::uint64_t> word_{0};
  Atomic<TaskId> id_{};
  Atomic<const char*> name_{nullptr};
  Atomic<std::source_location> location_{};
};

using PollMark = BasicPollMark<>;

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_POLL_MARK_H_
