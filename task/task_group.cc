#include "home/task/task_group.h"

#include <mutex>
#include <utility>

namespace home {
namespace internal {

void GroupNode::Finish(absl::Status error, std::exception_ptr exception) {
  Waker waker = group->Remove(*this, std::move(error), std::move(exception));
  claim.Finish();
  std::move(waker).Wake();
}

void GroupNode::EndFromWorker() {
  const PollClaim::Holder holder = claim.TryTake();
  if (holder.none()) {
    destroy(task);
    return Finish(absl::OkStatus(), nullptr);
  }
  // The group's end destroys it at this moment.
  if (!holder.gone()) claim.Await(holder);
}

}  // namespace internal

using internal::GroupNode;

void TaskGroup::Cancel() { Fail(absl::CancelledError("the task group was cancelled"), nullptr); }

std::size_t TaskGroup::size() const {
  const std::lock_guard lock(mutex_);
  return size_;
}

bool TaskGroup::Link(GroupNode& node) {
  const std::lock_guard lock(mutex_);
  if (failed_) return false;
  node.group = this;
  // At the front: AbortAll() moves those that it is done with to the back.
  node.next = first_;
  (first_ != nullptr ? first_->previous : last_) = &node;
  first_ = &node;
  ++size_;
  return true;
}

void TaskGroup::Unlink(GroupNode& node) {
  (node.previous != nullptr ? node.previous->next : first_) = node.next;
  (node.next != nullptr ? node.next->previous : last_) = node.previous;
  node.previous = node.next = nullptr;
  --size_;
}

Waker TaskGroup::Remove(GroupNode& node, absl::Status error, std::exception_ptr exception) {
  const std::lock_guard lock(mutex_);
  Unlink(node);
  const bool had_failed = failed_;
  if (!error.ok() || exception != nullptr) FailLocked(error, exception);
  return size_ == 0 || failed_ != had_failed ? std::move(waker_) : Waker();
}

void TaskGroup::Fail(absl::Status error, std::exception_ptr exception) {
  Waker waker;
  {
    const std::lock_guard lock(mutex_);
    FailLocked(error, exception);
    waker = std::move(waker_);
  }
  std::move(waker).Wake();
}

void TaskGroup::FailLocked(absl::Status& error, std::exception_ptr& exception) {
  if (failed_) return;
  failed_ = true;
  error_ = std::move(error);
  exception_ = std::move(exception);
}

bool TaskGroup::failed() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}

void TaskGroup::Close() {
  const std::lock_guard lock(mutex_);
  failed_ = true;
}

TaskGroup::Watched TaskGroup::Watch(Context& cx) {
  // Cloned and dropped outside of the lock: both are the executor's code.
  Waker fresh;
  Waker stale;
  for (bool cloned = false;; cloned = true, fresh = cx.waker().Clone()) {
    const std::lock_guard lock(mutex_);
    if (size_ == 0) return Watched::kEmpty;
    if (failed_ && !aborted_) return Watched::kFailed;
    if (waker_ && waker_.WillWake(cx.waker())) return Watched::kWaiting;
    if (!cloned) continue;
    stale = std::exchange(waker_, std::move(fresh));
    return Watched::kWaiting;
  }
}

void TaskGroup::AbortAll() {
  while (true) {
    TaskHeader* task = nullptr;
    {
      const std::lock_guard lock(mutex_);
      // Those that come from here on are refused.
      aborted_ = true;
      GroupNode* node = first_;
      if (node == nullptr || node->aborted) return;
      node->aborted = true;
      task = node->task;
      // A child in the list has its future still, and so the runtime's reference.
      task->state.AddReference();
      Unlink(*node);
      ++size_;
      node->previous = last_;
      (last_ != nullptr ? last_->next : first_) = node;
      last_ = node;
    }
    AbortTask(task);
    ReleaseTask(task);
  }
}

void TaskGroup::EndAll() {
  std::unique_lock lock(mutex_);
  failed_ = true;
  while (first_ != nullptr) {
    GroupNode* node = first_;
    TaskHeader* task = node->task;
    // For the claim's memory, which is looked at without the lock.
    task->state.AddReference();
    const internal::PollClaim::Holder holder = node->claim.TryTake();
    if (holder.none()) {
      Unlink(*node);
      lock.unlock();
      node->destroy(task);
      node->claim.Finish();
      AbortTask(task);
    } else {
      // A worker is at it. It takes the child out of the list, or leaves it free.
      if (holder.is_this_thread()) {
        Fatal("a task destroyed the WithTaskGroup that it is a child of: it would wait for itself");
      }
      lock.unlock();
      // So that its next turn is its last: a child that wakes itself would be polled again
      // before this thread is awake.
      AbortTask(task);
      node->claim.Await(holder);
    }
    ReleaseTask(task);
    lock.lock();
  }
}

}  // namespace home
