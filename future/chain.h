// The chain of coroutines that await one another, and how control moves in it.
//
// A *chain* is a coroutine that is polled (its root) and, below it, the child
// coroutines that each awaits in turn. Only the last, the leaf, can be waiting
// for something. Rust polls such a chain from the root, at a cost that grows
// with its depth; here the root remembers its current leaf, and a poll goes
// straight there:
//
//   Poll(root) -> root.leaf->poll()  -- pending: nothing else is touched
//                                    -- ready: resume the leaf's coroutine
//
// Starting a child and returning from it are transfers from one coroutine to
// the next, at constant stack depth. clang makes such a transfer a tail call at
// every level. g++ does so only at -O2 and not under its sanitizers, so there
// HOME_ASYNC_TRAMPOLINE makes the driver loop resume each in turn, for 1-2 ns
// a transfer.
//
// Invariants:
//  C1  root->leaf is set exactly while the chain is suspended at a leaf; it
//      points into the frame of the coroutine that awaits it. Without one the
//      root has not started, has finished or, if it is a generator, has given
//      an item: then a poll resumes the root itself.
//  C2  a child's `link` points into the frame of the coroutine that awaits it,
//      and that awaiter owns the child's handle.
//  C3  a coroutine is finished when its result is not empty. It is then
//      suspended at its final suspension point or, ended by Try, at that await;
//      if that awaited a child, `ended_by` leads to the child.
//
// Thread-safety: a chain is used by one thread at a time; whoever polls it on
// different threads orders the polls (a task's state word does).

#ifndef HOME_FUTURE_CHAIN_H_
#define HOME_FUTURE_CHAIN_H_

#include <coroutine>
#include <cstddef>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "home/future/context.h"

// The build may say; the safe answer for g++ is yes, whatever its flags. The
// two forms differ in the coroutines' code, so they live in different inline
// namespaces and do not link with each other.
#if !defined(HOME_ASYNC_TRAMPOLINE)
#if defined(__clang__)
#define HOME_ASYNC_TRAMPOLINE 0
#else
#define HOME_ASYNC_TRAMPOLINE 1
#endif
#endif

#if HOME_ASYNC_TRAMPOLINE
#define HOME_ASYNC_ABI trampoline
#else
#define HOME_ASYNC_ABI symmetric
#endif

namespace home::inline HOME_ASYNC_ABI {
namespace async_internal {

class PromiseBase;

// What the chain waits for: lies in the frame of the awaiting coroutine.
struct LeafBase {
  // Polls the leaf's future. True: it is done with, resume `handle`, if any.
  bool (*poll)(LeafBase* leaf, Context& cx);
  // The coroutine that awaits; when `poll` returns true, who goes on.
  std::coroutine_handle<> handle;
  PromiseBase* promise;  // its promise
};

// How a child finds whoever awaits it: lies in the frame of the parent.
struct ChildLink {
  // Called when the child has finished, if not null. True: the parent has been
  // given its result and has ended too (Try with an error).
  bool (*on_finished)(ChildLink* link);
  std::coroutine_handle<> parent;
  PromiseBase* parent_promise;
  std::coroutine_handle<> child;  // owned
};

#if HOME_ASYNC_TRAMPOLINE
using Transfer = void;
#else
using Transfer = std::coroutine_handle<>;
#endif

class PromiseBase {
 public:
  PromiseBase() noexcept = default;
  PromiseBase(const PromiseBase&) = delete;
  PromiseBase& operator=(const PromiseBase&) = delete;

  [[nodiscard]] bool started() const noexcept { return root_ != nullptr; }
  [[nodiscard]] bool suspended_root() const noexcept { return root_ == this && leaf_ != nullptr; }

  // Whether the task of the current poll waits for this chain alone. As context().
  [[nodiscard]] bool alone() const noexcept { return context().alone() == root_; }

  // The context of the current poll. Only while the chain is being resumed.
  [[nodiscard]] Context& context() const noexcept {
    return *static_cast<Context*>(root_->context_or_ended_by_);
  }

  // Starts this coroutine as the root of a chain, or goes on where the chain
  // is suspended. Returns when the chain is suspended again or finished.
  void Drive(std::coroutine_handle<> self, Context& cx) {
    context_or_ended_by_ = &cx;
    if (LeafBase* leaf = leaf_; leaf == nullptr) {
      root_ = this;
      Resume(self);
    } else {
      if (!leaf->poll(leaf, cx)) return ForgetContext(cx);
      leaf_ = nullptr;
      if (leaf->handle != nullptr) Resume(leaf->handle);
    }
    ForgetContext(cx);
  }

  // Suspends the chain at `leaf`.
  void SuspendAt(LeafBase* leaf) noexcept { root_->leaf_ = leaf; }

  // Makes this coroutine the child that `link`'s parent awaits, and moves on to
  // it.
  Transfer StartChild(ChildLink* link, std::coroutine_handle<> self) noexcept {
    root_ = link->parent_promise->root_;
    link_ = link;
    return TransferTo(self);
  }

  // Who goes on after this coroutine, whose result is there: the one that
  // awaits it, or null if the whole chain has finished.
  [[nodiscard]] std::coroutine_handle<> NextAfterFinish() noexcept {
    PromiseBase* promise = this;
    // A loop and not a recursion: an error may end a million parents.
    while (promise->root_ != promise) {
      ChildLink* link = promise->link_;
      if (link->on_finished == nullptr || !link->on_finished(link)) return link->parent;
      link->parent_promise->context_or_ended_by_ = promise;
      promise = link->parent_promise;
    }
    return nullptr;
  }
  Transfer Finish() noexcept { return TransferTo(NextAfterFinish()); }

  // Leaves the chain suspended: what an await_suspend returns that has called
  // SuspendAt, and that of a generator's root at an item.
  Transfer Suspend() noexcept { return TransferTo(nullptr); }

  // Destroys this coroutine, whose handle is `self`, and those that it awaits,
  // the innermost first. It is the root of a chain that is suspended at a leaf,
  // or not started, or finished.
  void Destroy(std::coroutine_handle<> self) noexcept {
    // It has finished, or not begun: there is nobody else in the chain.
    const bool sole = !suspended_root() && context_or_ended_by_ == nullptr;
    if (ABSL_PREDICT_TRUE(sole)) return self.destroy();
    DestroyChain(self);
  }

 private:
  ABSL_ATTRIBUTE_NOINLINE void DestroyChain(std::coroutine_handle<> self) noexcept {
    PromiseBase* innermost = this;
    if (suspended_root()) {
      innermost = std::exchange(leaf_, nullptr)->promise;
    } else {
      // The children that ended their parents by Try.
      while (innermost->context_or_ended_by_ != nullptr) {
        innermost = static_cast<PromiseBase*>(innermost->context_or_ended_by_);
      }
    }
    // The parents' awaiters let go of each child before its parent is destroyed,
    // so the stack stays flat at any depth.
    while (innermost != this) {
      ChildLink* link = innermost->link_;
      innermost = link->parent_promise;
      std::exchange(link->child, nullptr).destroy();
    }
    self.destroy();
  }

  void ForgetContext(Context& cx) noexcept {
    if (context_or_ended_by_ == &cx) context_or_ended_by_ = nullptr;
  }

#if HOME_ASYNC_TRAMPOLINE
  void TransferTo(std::coroutine_handle<> next) noexcept { root_->next_ = next; }
  void Resume(std::coroutine_handle<> handle) {
    handle.resume();
    while (next_ != nullptr) std::exchange(next_, nullptr).resume();
  }
#else
  Transfer TransferTo(std::coroutine_handle<> next) noexcept {
    return next != nullptr ? next : std::noop_coroutine();
  }
  void Resume(std::coroutine_handle<> handle) { handle.resume(); }
#endif

  PromiseBase* root_ = nullptr;  // null before the start
  union {
    ChildLink* link_;           // of a child
    LeafBase* leaf_ = nullptr;  // of the root
  };
  // Of the root, during a poll: the Context. Of a coroutine that a child has
  // ended by Try: the child's PromiseBase. Else null.
  void* context_or_ended_by_ = nullptr;
#if HOME_ASYNC_TRAMPOLINE
  std::coroutine_handle<> next_;  // of the root: whom the driver resumes next
#endif
};

// The end of a coroutine's body: whoever awaits it goes on.
struct FinalAwaiter {
  bool await_ready() const noexcept { return false; }
  template <typename P>
  Transfer await_suspend(std::coroutine_handle<P> self) const noexcept {
    return self.promise().Finish();
  }
  void await_resume() const noexcept {}
};

}  // namespace async_internal
}  // namespace home::inline HOME_ASYNC_ABI

#endif  // HOME_FUTURE_CHAIN_H_
