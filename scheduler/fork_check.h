// ForkCheck: finds out whether this process is a child, made by fork(), of the one that
// the object was made in.
//
// Of a runtime, such a child has the memory, but not the threads, and the descriptors of
// its reactor are the parent's own: to use it would hang, or disturb the parent.
//
// The system calls us in each child, where we count, so that a check is one load and no
// system call. A worker that has forked, in a task, is told to check as soon as that task's
// poll returns. (vfork() and posix_spawn() call nobody, and need not: their children exec.)

#ifndef HOME_SCHEDULER_FORK_CHECK_H_
#define HOME_SCHEDULER_FORK_CHECK_H_

#include <atomic>
#include <cstdint>

#include "absl/base/optimization.h"

namespace home::scheduler_internal {

class ForkCheck {
 public:
  ForkCheck();

  [[nodiscard]] bool InChild() const {
    // relaxed: it changes only while this process has one thread.
    return forks_.load(std::memory_order_relaxed) != made_at_;
  }
  // Dies with a message in a child.
  void DieInChild() const {
    if (ABSL_PREDICT_FALSE(InChild())) Die();
  }

 private:
  static void CountFork();
  [[noreturn]] static void Die();

  // How often this process and its ancestors were forked.
  static inline constinit std::atomic<std::uint32_t> forks_{0};

  const std::uint32_t made_at_;
};

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_FORK_CHECK_H_
