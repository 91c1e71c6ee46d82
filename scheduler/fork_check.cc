#include "home/scheduler/fork_check.h"

#include "home/future/fatal.h"
#include "home/scheduler/platform.h"
#include "home/scheduler/worker.h"

namespace home::scheduler_internal {

ForkCheck::ForkCheck()
    : made_at_([] {
        [[maybe_unused]] static const bool watching = (OnFork(&CountFork), true);
        // relaxed: see InChild().
        return forks_.load(std::memory_order_relaxed);
      }()) {}

void ForkCheck::CountFork() {
  forks_.fetch_add(1, std::memory_order_relaxed);  // relaxed: see InChild()
  if (Worker* worker = Worker::Current()) worker->MaintainNext();
}

void ForkCheck::Die() {
  Fatal(
      "a Runtime was used in a child process that fork() has made, where its threads do not "
      "exist: make a new Runtime in the child, or call exec there");
}

}  // namespace home::scheduler_internal
