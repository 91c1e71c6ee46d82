// The tree of tokens.
//
// A node keeps its parent alive and is in its list; the parent knows its children
// without keeping them. What holds the tree together:
//
//  T1  A child is in its parent's list until its last reference is gone or the parent is
//      cancelled. Both take it out under the parent's mutex.
//  T2  A node's event is set before its mutex is taken to collect children and hooks, and
//      looked at under the mutex before one is added: none is added behind the collector.
//  T3  A node whose count has reached zero has no children (they would keep it), no
//      waiters and no hooks (they have references). So who cancels may leave it alone.
//
// At most one mutex is held at a time, and none while an event is set, a hook called or
// a reference dropped.

#include "home/sync/cancellation_token.h"

#include <mutex>
#include <thread>
#include <utility>

namespace home::sync_internal {

CancellationNode::CancellationNode(CancellationNode* parent) : parent_(parent) {
  if (parent == nullptr) return;
  parent->AddReference();
  {
    const std::lock_guard lock(parent->mutex_);
    if (!parent->cancelled_.IsSet()) {  // T2
      linked_ = true;
      next_ = parent->first_child_;
      if (next_ != nullptr) next_->previous_ = this;
      parent->first_child_ = this;
      return;
    }
  }
  cancelled_.Set();
}

void CancellationNode::Release() {
  // A loop, not recursion: dropping the lowest token of a deep tree may end all of it.
  CancellationNode* node = this;
  while (node != nullptr) {
    // release: our uses come before the end. acquire: all others' do. pairs with: itself.
    if (node->references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    CancellationNode* const parent = node->parent_;
    if (parent != nullptr) {
      const std::lock_guard lock(parent->mutex_);
      if (node->linked_) parent->UnlinkChild(*node);
    }
    delete node;
    node = parent;
  }
}

bool CancellationNode::TryAddReference() {
  // relaxed: as AddReference(); that the node is there is due to the parent's mutex.
  std::uint32_t references = references_.load(std::memory_order_relaxed);
  while (references != 0) {
    if (references_.compare_exchange_weak(references, references + 1, std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

void CancellationNode::UnlinkChild(CancellationNode& child) {
  (child.previous_ != nullptr ? child.previous_->next_ : first_child_) = child.next_;
  if (child.next_ != nullptr) child.next_->previous_ = child.previous_;
  child.linked_ = false;
}

void CancellationNode::TakeChildren(CancellationNode*& worklist) {
  while (first_child_ != nullptr) {
    CancellationNode& child = *first_child_;
    UnlinkChild(child);
    if (!child.TryAddReference()) continue;  // T3
    child.next_ = std::exchange(worklist, &child);
  }
}

void CancellationNode::Cancel() {
  CancellationNode* worklist = nullptr;
  CancellationNode* node = this;
  // A waker or a callback may drop the caller's token.
  AddReference();
  while (node != nullptr) {
    node->cancelled_.Set();  // T2
    {
      std::unique_lock lock(node->mutex_);
      node->TakeChildren(worklist);
      node->RunHooks(lock);
    }
    node->Release();
    node = worklist;
    if (node != nullptr) worklist = node->next_;
  }
}

void CancellationNode::RunHooks(std::unique_lock<std::mutex>& lock) {
  // Another Cancel() calls them, or has.
  if (calls_ != nullptr || first_hook_ == nullptr) return;
  Calls calls{.hook = nullptr, .thread = std::this_thread::get_id(), .hook_done = {}};
  calls_ = &calls;
  while (first_hook_ != nullptr) {
    CancellationHook* const hook = first_hook_;
    first_hook_ = hook->next_;
    if (first_hook_ != nullptr) first_hook_->previous_ = nullptr;
    hook->linked_ = false;
    calls.hook = hook;
    lock.unlock();
    hook->run_(hook);
    // The hook may be gone.
    lock.lock();
    calls.hook = nullptr;
    calls.hook_done.notify_all();
  }
  calls_ = nullptr;
}

void CancellationNode::Link(CancellationHook& hook) {
  {
    const std::lock_guard lock(mutex_);
    if (!cancelled_.IsSet()) {  // T2
      hook.linked_ = true;
      hook.next_ = first_hook_;
      if (first_hook_ != nullptr) first_hook_->previous_ = &hook;
      first_hook_ = &hook;
      return;
    }
  }
  hook.run_(&hook);
}

void CancellationNode::Unlink(CancellationHook& hook) {
  std::unique_lock lock(mutex_);
  if (hook.linked_) {
    (hook.previous_ != nullptr ? hook.previous_->next_ : first_hook_) = hook.next_;
    if (hook.next_ != nullptr) hook.next_->previous_ = hook.previous_;
    return;
  }
  // `calls_` is looked at anew each time: it dies when the last hook was called.
  while (calls_ != nullptr && calls_->hook == &hook &&
         calls_->thread != std::this_thread::get_id()) {
    calls_->hook_done.wait(lock);
  }
}

}  // namespace home::sync_internal
