#include "home/scheduler/context.h"

#include <utility>

#include "absl/base/attributes.h"
#include "home/scheduler/scheduler.h"
#include "home/task/spawn.h"

namespace home::scheduler_internal {
namespace {

// Reached through functions of this file alone, see worker.cc.
thread_local Scheduler* current_scheduler = nullptr;
thread_local bool may_block = false;

}  // namespace

ABSL_ATTRIBUTE_NOINLINE Scheduler* CurrentScheduler() noexcept { return current_scheduler; }

Scheduler& CurrentSchedulerOrDie(const char* user) noexcept {
  Scheduler* scheduler = CurrentScheduler();
  if (scheduler == nullptr) DieOutsideOfRuntime(user);
  return *scheduler;
}

ABSL_ATTRIBUTE_NOINLINE bool MayBlock() noexcept { return may_block; }

MayBlockScope::MayBlockScope() noexcept : previous_(std::exchange(may_block, true)) {}
MayBlockScope::~MayBlockScope() { may_block = previous_; }

EnterScope::EnterScope(Scheduler* scheduler, std::size_t shard) noexcept
    : previous_(std::exchange(current_scheduler, scheduler)),
      previous_may_block_(std::exchange(may_block, false)),
      tasks_(scheduler),
      timers_(&scheduler->timers(), shard),
      reactor_(&scheduler->reactor()) {}

EnterScope::~EnterScope() {
  current_scheduler = previous_;
  may_block = previous_may_block_;
}

}  // namespace home::scheduler_internal
