#include "home/task/task_group.h"

#include <utility>

#include "absl/base/attributes.h"

namespace home {
namespace {

// Names the calling thread by the address of a variable of its own. Reached
// through this function alone, see spawn.cc.
ABSL_ATTRIBUTE_NOINLINE std::uintptr_t ThisThreadToken() {
  alignas(8) static thread_local char token = 0;
  return reinterpret_cast<std::uintptr_t>(&token);
}

}  // namespace

namespace internal {

bool GroupNode::BeginPoll() {
  std::uintptr_t expected = kFree;
  // relaxed: the future's memory is handed from poll to poll by the task's state
  // word, and nothing is read that the group's end wrote.
  return claim.compare_exchange_strong(expected, ThisThreadToken(), std::memory_order_relaxed,
                                       std::memory_order_relaxed);
}

void GroupNode::EndPoll() {
  // release: the group's end sees this poll's writes to the future. pairs with:
  // TaskGroup::EndAll(). The cell is alive, as its worker is here.
  if ((claim.exchange(kFree, std::memory_order_release) & kAwaited) != 0) claim.notify_all();
}

void GroupNode::Finish(absl::Status error, std::exception_ptr exception) {
  Waker waker = group->Remove(*this, std::move(error), std::move(exception));
  // release: as in EndPoll().
  if ((claim.exchange(kGone, std::memory_order_release) & kAwaited) != 0) claim.notify_all();
  std::move(waker).Wake();
}

void GroupNode::EndFromWorker() {
  std::uintptr_t expected = kFree;
  // acquire: what the group's end did with the future comes before the reuse of
  // its place. pairs with: TaskGroup::EndAll().
  if (claim.compare_exchange_strong(expected, kEnding, std::memory_order_acquire,
                                    std::memory_order_acquire)) {
    destroy(task);
    Waker waker = group->Remove(*this, absl::OkStatus(), nullptr);
    claim.store(kGone, std::memory_order_release);  // release: as in EndPoll()
    claim.notify_all();
    std::move(waker).Wake();
    return;
  }
  // acquire: as above.
  if (expected == kEnding) claim.wait(kEnding, std::memory_order_acquire);
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
  const std::uintptr_t self = ThisThreadToken();
  std::unique_lock lock(mutex_);
  failed_ = true;
  while (first_ != nullptr) {
    GroupNode* node = first_;
    TaskHeader* task = node->task;
    // For the claim's memory, which is looked at without the lock.
    task->state.AddReference();
    std::uintptr_t seen = GroupNode::kFree;
    // acquire: the last poll's writes to the future. pairs with: EndPoll().
    if (node->claim.compare_exchange_strong(seen, GroupNode::kEnding, std::memory_order_acquire,
                                            std::memory_order_relaxed)) {
      Unlink(*node);
      lock.unlock();
      node->destroy(task);
      // release: pairs with EndFromWorker().
      node->claim.store(GroupNode::kGone, std::memory_order_release);
      node->claim.notify_all();
      AbortTask(task);
    } else {
      // A worker is at it. It takes the child out of the list, or leaves it free.
      if (seen == self) {
        Fatal("a task destroyed the WithTaskGroup that it is a child of: it would wait for itself");
      }
      // relaxed: what is read afterwards is read under the lock or after the claim
      // was taken.
      const bool waits = seen == GroupNode::kEnding ||
                         (seen >= GroupNode::kFirstToken &&
                          node->claim.compare_exchange_strong(seen, seen | GroupNode::kAwaited,
                                                              std::memory_order_relaxed));
      const std::uintptr_t until = seen == GroupNode::kEnding ? seen : seen | GroupNode::kAwaited;
      lock.unlock();
      // So that its next turn is its last: a child that wakes itself would be polled again
      // before this thread is awake.
      AbortTask(task);
      if (waits) node->claim.wait(until, std::memory_order_relaxed);
    }
    ReleaseTask(task);
    lock.lock();
  }
}

}  // namespace home
