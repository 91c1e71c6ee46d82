#include "home/task/join_set.h"

#include <mutex>
#include <utility>

#include "home/future/fatal.h"

namespace home::internal {

// Completion takes it out and wakes it; nobody does anything else with it.
constinit const WakerVTable JoinSetMember::kVTable = {
    .clone = [](WakerTarget*) -> WakerTarget* {
      Fatal("the join waker of a JoinSet's task was cloned");
    },
    .wake =
        [](WakerTarget* target) {
          auto* member = static_cast<JoinSetMember*>(target);
          member->core->OnWake(member);
        },
    .wake_by_ref = [](WakerTarget*) {},
    .drop = [](WakerTarget*) {},
};

void JoinSetCore::OnWake(JoinSetMember* member) {
  Waker waker;
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) {
      member->ready = true;
      (last_ready_ != nullptr ? last_ready_->next_ready : first_ready_) = member;
      last_ready_ = member;
      waker = std::move(waker_);
      member = nullptr;
    } else {
      last = --late_ == 0;
    }
  }
  if (member == nullptr) {
    // The set, and the core with it, may be gone.
    std::move(waker).Wake();
    return;
  }
  AbandonComplete(member->task);
  if (last) delete this;
}

void JoinSetCore::Add(TaskHeader* task, JoinSetMember& member) {
  member.task = task;
  member.core = this;
  member.next = members_;
  if (members_ != nullptr) members_->previous = &member;
  members_ = &member;
  ++size_;
  task->join_waker.Put(Waker(&member));
  if (task->state.SetJoinWaker() != JoinWakerResult::kDone) {
    Fatal("a task was complete before it was submitted");
  }
}

TaskHeader* JoinSetCore::PollReady(Context& cx) {
  // Cloned and dropped outside of the lock: both are the executor's code.
  Waker fresh;
  Waker stale;
  for (bool cloned = false; taken_ == nullptr;) {
    {
      const std::lock_guard lock(mutex_);
      taken_ = std::exchange(first_ready_, nullptr);
      last_ready_ = nullptr;
      if (taken_ != nullptr) break;
      if (waker_ && waker_.WillWake(cx.waker())) return nullptr;
      if (cloned) {
        stale = std::exchange(waker_, std::move(fresh));
        return nullptr;
      }
    }
    fresh = cx.waker().Clone();
    cloned = true;
  }
  JoinSetMember* member = taken_;
  taken_ = member->next_ready;
  Unlink(member);
  return member->task;
}

void JoinSetCore::Unlink(JoinSetMember* member) {
  (member->previous != nullptr ? member->previous->next : members_) = member->next;
  if (member->next != nullptr) member->next->previous = member->previous;
  --size_;
}

void JoinSetCore::AbortAll() {
  for (JoinSetMember* member = members_; member != nullptr; member = member->next) {
    AbortTask(member->task);
  }
}

void JoinSetCore::Close() {
  for (JoinSetMember* member = members_; member != nullptr;) {
    JoinSetMember* next = member->next;
    bool had_waker = false;
    if (member->task->state.DropJoinHandle(had_waker) == JoinWakerResult::kDone) {
      // No wake will come.
      Unlink(member);
      ReleaseTask(member->task);
    }
    member = next;
  }
  // What is left is complete: the wake has come, or is on its way.
  JoinSetMember* ready = nullptr;
  Waker stale;
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
    stale = std::move(waker_);
    for (JoinSetMember* member = members_; member != nullptr; member = member->next) {
      if (!member->ready) {
        ++late_;
        continue;
      }
      member->next_ready = ready;
      ready = member;
    }
    closed_ = true;
    last = late_ == 0;
  }
  while (ready != nullptr) AbandonComplete(std::exchange(ready, ready->next_ready)->task);
  if (last) delete this;
}

}  // namespace home::internal
