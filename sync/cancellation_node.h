// CancellationNode: the tree of tokens (cancellation_token.h).
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

#ifndef HOME_SYNC_CANCELLATION_NODE_H_
#define HOME_SYNC_CANCELLATION_NODE_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <utility>

#include "home/sync/event.h"
#include "home/sync/sync_policy.h"

namespace home::sync_internal {

struct CancellationPolicy : SyncPolicy {
  using Event = home::Event;
  // What the tree's mutexes guard: the model checker watches it.
  template <typename U>
  using Plain = U;
  using NodeMutex = std::mutex;
  using Condition = std::condition_variable;

  // By this the calls of hooks are told from those of other threads.
  using ThreadId = std::thread::id;
  static ThreadId ThisThread() noexcept { return std::this_thread::get_id(); }

  template <typename T>
  static void Delete(T* object) noexcept {
    delete object;
  }
};

// A callback's place in its token's list.
template <typename Policy>
class BasicCancellationHook {
 public:
  BasicCancellationHook(const BasicCancellationHook&) = delete;
  BasicCancellationHook& operator=(const BasicCancellationHook&) = delete;

 protected:
  explicit BasicCancellationHook(void (*run)(BasicCancellationHook* self) noexcept) : run_(run) {}
  ~BasicCancellationHook() = default;

 private:
  template <typename>
  friend class BasicCancellationNode;
  template <typename U>
  using Plain = typename Policy::template Plain<U>;

  void (*const run_)(BasicCancellationHook* self) noexcept;
  // Under the node's mutex.
  Plain<BasicCancellationHook*> previous_{nullptr};
  Plain<BasicCancellationHook*> next_{nullptr};
  Plain<bool> linked_{false};
};

// What the copies of a token share.
template <typename Policy>
class BasicCancellationNode {
 public:
  using Hook = BasicCancellationHook<Policy>;

  // With one reference, the caller's. A child keeps its parent.
  explicit BasicCancellationNode(BasicCancellationNode* parent);
  BasicCancellationNode(const BasicCancellationNode&) = delete;
  BasicCancellationNode& operator=(const BasicCancellationNode&) = delete;

  void AddReference() {
    // relaxed: a new reference is made from one that the caller holds.
    references_.fetch_add(1, std::memory_order_relaxed);
  }
  void Release();

  void Cancel();
  [[nodiscard]] typename Policy::Event& cancelled() { return cancelled_; }

  // Calls the hook when the token is cancelled, or here and now if it is.
  void Link(Hook& hook);
  // The hook will not be called any more. If it is being called by another thread, waits
  // for the end of that.
  void Unlink(Hook& hook);

 private:
  using Lock = std::unique_lock<typename Policy::NodeMutex>;
  template <typename U>
  using Plain = typename Policy::template Plain<U>;

  // The calls of hooks: by one thread, in the frame of its Cancel().
  struct Calls {
    Plain<Hook*> hook;
    typename Policy::ThreadId thread;
    typename Policy::Condition hook_done;
  };

  friend Policy;
  ~BasicCancellationNode() = default;

  [[nodiscard]] bool TryAddReference();
  void RunHooks(Lock& lock);
  // Moves the children that still have owners to the list `worklist`, with a reference
  // each.
  void TakeChildren(BasicCancellationNode*& worklist);
  // All under the mutex.
  void LinkChild(BasicCancellationNode& child);
  void UnlinkChild(BasicCancellationNode& child);
  void UnlinkHook(Hook& hook);

  typename Policy::template Atomic<std::uint32_t> references_{1};
  typename Policy::Event cancelled_;
  BasicCancellationNode* const parent_;  // a reference, or null
  // Under the parent's mutex; once unlinked, next_ is whose who has unlinked it.
  Plain<BasicCancellationNode*> previous_{nullptr};
  Plain<BasicCancellationNode*> next_{nullptr};
  Plain<bool> linked_{false};

  typename Policy::NodeMutex mutex_;
  // All under the mutex.
  Plain<BasicCancellationNode*> first_child_{nullptr};
  Plain<Hook*> first_hook_{nullptr};
  Plain<Calls*> calls_{nullptr};
};

template <typename Policy>
BasicCancellationNode<Policy>::BasicCancellationNode(BasicCancellationNode* parent)
    : parent_(parent) {
  if (parent == nullptr) return;
  parent->AddReference();
  {
    const std::lock_guard lock(parent->mutex_);
    if (!parent->cancelled_.IsSet()) {  // T2
      parent->LinkChild(*this);
      return;
    }
  }
  cancelled_.Set();
}

template <typename Policy>
void BasicCancellationNode<Policy>::Release() {
  // A loop, not recursion: dropping the lowest token of a deep tree may end all of it.
  BasicCancellationNode* node = this;
  while (node != nullptr) {
    // release: our uses come before the end. acquire: all others' do. pairs with: itself.
    if (node->references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    BasicCancellationNode* const parent = node->parent_;
    if (parent != nullptr) {
      const std::lock_guard lock(parent->mutex_);
      if (node->linked_) parent->UnlinkChild(*node);
    }
    Policy::Delete(node);
    node = parent;
  }
}

template <typename Policy>
bool BasicCancellationNode<Policy>::TryAddReference() {
  // relaxed, all: as AddReference(); that the node is there is due to the parent's mutex.
  std::uint32_t references = references_.load(std::memory_order_relaxed);
  while (references != 0) {
    if (references_.compare_exchange_weak(references, references + 1, std::memory_order_relaxed,
                                          std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

template <typename Policy>
void BasicCancellationNode<Policy>::LinkChild(BasicCancellationNode& child) {
  BasicCancellationNode* const next = first_child_;
  child.linked_ = true;
  child.next_ = next;
  if (next != nullptr) next->previous_ = &child;
  first_child_ = &child;
}

template <typename Policy>
void BasicCancellationNode<Policy>::UnlinkChild(BasicCancellationNode& child) {
  BasicCancellationNode* const previous = child.previous_;
  BasicCancellationNode* const next = child.next_;
  (previous != nullptr ? previous->next_ : first_child_) = next;
  if (next != nullptr) next->previous_ = previous;
  child.linked_ = false;
}

template <typename Policy>
void BasicCancellationNode<Policy>::TakeChildren(BasicCancellationNode*& worklist) {
  while (BasicCancellationNode* const child = first_child_) {
    UnlinkChild(*child);
    if (!child->TryAddReference()) continue;  // T3
    child->next_ = std::exchange(worklist, child);
  }
}

template <typename Policy>
void BasicCancellationNode<Policy>::Cancel() {
  BasicCancellationNode* worklist = nullptr;
  BasicCancellationNode* node = this;
  // A waker or a callback may drop the caller's token.
  AddReference();
  while (node != nullptr) {
    node->cancelled_.Set();  // T2
    {
      Lock lock(node->mutex_);
      node->TakeChildren(worklist);
      node->RunHooks(lock);
    }
    node->Release();
    node = worklist;
    if (node != nullptr) worklist = node->next_;
  }
}

template <typename Policy>
void BasicCancellationNode<Policy>::RunHooks(Lock& lock) {
  // Another Cancel() calls them, or has.
  if (calls_ != nullptr || first_hook_ == nullptr) return;
  Calls calls{.hook = nullptr, .thread = Policy::ThisThread(), .hook_done = {}};
  calls_ = &calls;
  while (Hook* const hook = first_hook_) {
    UnlinkHook(*hook);
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

template <typename Policy>
void BasicCancellationNode<Policy>::Link(Hook& hook) {
  {
    const std::lock_guard lock(mutex_);
    if (!cancelled_.IsSet()) {  // T2
      Hook* const next = first_hook_;
      hook.linked_ = true;
      hook.next_ = next;
      if (next != nullptr) next->previous_ = &hook;
      first_hook_ = &hook;
      return;
    }
  }
  hook.run_(&hook);
}

template <typename Policy>
void BasicCancellationNode<Policy>::UnlinkHook(Hook& hook) {
  Hook* const previous = hook.previous_;
  Hook* const next = hook.next_;
  (previous != nullptr ? previous->next_ : first_hook_) = next;
  if (next != nullptr) next->previous_ = previous;
  hook.linked_ = false;
}

template <typename Policy>
void BasicCancellationNode<Policy>::Unlink(Hook& hook) {
  Lock lock(mutex_);
  if (hook.linked_) return UnlinkHook(hook);
  // `calls_` is looked at anew each time: it dies when the last hook was called.
  while (Calls* const calls = calls_) {
    if (calls->hook != &hook || calls->thread == Policy::ThisThread()) return;
    calls->hook_done.wait(lock);
  }
}

using CancellationHook = BasicCancellationHook<CancellationPolicy>;
using CancellationNode = BasicCancellationNode<CancellationPolicy>;
extern template class BasicCancellationNode<CancellationPolicy>;

}  // namespace home::sync_internal

#endif  // HOME_SYNC_CANCELLATION_NODE_H_
