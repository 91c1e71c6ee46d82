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
//  C1  root->at_ is a leaf while the chain is suspended there, in the frame of the
//      coroutine that awaits it, and the Context while the chain runs. Without one
//      the root has not started, has finished or, if it is a generator, has given
//      an item: then a poll resumes the root itself.
//  C2  a child's `link` points into the frame of the coroutine that awaits it,
//      and that awaiter owns the child's handle.
//  C3  a finished coroutine has a result and no root any more. It is suspended at
//      its final suspension point or, ended by Try, at that await; if that awaited
//      a child, root_or_ended_by_ leads to the child.
//
// Coroutines are known by their promises, from which their handles follow: a promise
// comes right behind the two pointers that every frame begins with.
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
  // Polls the leaf's future. Null: it is pending. Else it is done with, and the
  // coroutine that is returned goes on: the one that awaits it or, if the whole chain
  // has finished, none (a no-op coroutine).
  std::coroutine_handle<> (*poll)(LeafBase* leaf, Context& cx);
  PromiseBase* promise;  // of the coroutine that awaits
};

// How a child finds whoever awaits it: lies in the frame of the parent.
struct ChildLink {
  // Called when the child has finished, if not null. True: the parent has been
  // given its result and has ended too (Try with an error).
  bool (*on_finished)(ChildLink* link);
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

  // The handle of the coroutine whose promise this is.
  [[nodiscard]] std::coroutine_handle<> handle() noexcept {
    // Promises are aligned as frames are, at most (async.h asserts it), and begin with
    // this base: so it lies where a promise of its type would.
    return std::coroutine_handle<PromiseBase>::from_promise(*this);
  }

  // Of a coroutine that has not finished.
  [[nodiscard]] bool started() const noexcept { return root_or_ended_by_ != nullptr; }
  // Of a root that was started and does not run.
  [[nodiscard]] bool finished() const noexcept { return root_or_ended_by_ != this; }

  // Whether the task that is polled with `cx` waits for this chain alone. While it runs, or is
  // polled.
  [[nodiscard]] bool alone(const Context& cx) const noexcept {
    return cx.alone() == root_or_ended_by_;
  }

  // The context of the current poll. Only while the chain is being resumed.
  [[nodiscard]] Context& context() const noexcept {
    return *static_cast<Context*>(root_or_ended_by_->at_);
  }

  // Starts this coroutine as the root of a chain, or goes on where the chain
  // is suspended. Returns when the chain is suspended again or finished.
  void Drive(Context& cx) {
    std::coroutine_handle<> next;
    if (auto* leaf = static_cast<LeafBase*>(at_); leaf == nullptr) {
      root_or_ended_by_ = this;
      next = handle();
    } else {
      next = leaf->poll(leaf, cx);
      if (next == nullptr) return;
    }
    at_ = &cx;
    Resume(next);
    if (at_ == &cx) at_ = nullptr;
  }

  // Suspends the chain at `leaf`.
  void SuspendAt(LeafBase* leaf) noexcept { root_or_ended_by_->at_ = leaf; }

  // Makes this coroutine the child that `link`'s parent awaits, and moves on to
  // it.
  Transfer StartChild(ChildLink* link, std::coroutine_handle<> self) noexcept {
    root_or_ended_by_ = link->parent_promise->root_or_ended_by_;
    link_ = link;
    return root_or_ended_by_->TransferTo(self);
  }

  // Who goes on after this coroutine, whose result is there: the one that awaits it or, if
  // the whole chain has finished, none.
  [[nodiscard]] std::coroutine_handle<> NextAfterFinish() noexcept {
    PromiseBase* promise = this;
    PromiseBase* ended_by = nullptr;
    // A loop and not a recursion: an error may end a million parents.
    for (;;) {
      if (std::exchange(promise->root_or_ended_by_, ended_by) == promise) return Nobody();
      ChildLink* link = promise->link_;
      if (link->on_finished == nullptr || !link->on_finished(link)) {
        return link->parent_promise->handle();
      }
      ended_by = promise;
      promise = link->parent_promise;
    }
  }
  Transfer Finish() noexcept {
    PromiseBase* const root = root_or_ended_by_;
    return root->TransferTo(NextAfterFinish());
  }

  // Leaves the chain suspended: what an await_suspend returns that has called
  // SuspendAt, and that of a generator's root at an item.
  Transfer Suspend() noexcept {
#if !HOME_ASYNC_TRAMPOLINE
    return Nobody();
#endif
  }

  // Destroys this coroutine and those that it awaits, the innermost first. It is the root
  // of a chain that is suspended at a leaf, or not started, or finished.
  void Destroy() noexcept {
    // It has finished, or not begun, or given an item: there is nobody else in the chain.
    const bool sole = root_or_ended_by_ == nullptr || (root_or_ended_by_ == this && at_ == nullptr);
    if (ABSL_PREDICT_TRUE(sole)) return handle().destroy();
    DestroyChain();
  }

 private:
  ABSL_ATTRIBUTE_NOINLINE void DestroyChain() noexcept {
    PromiseBase* innermost = this;
    if (root_or_ended_by_ == this) {
      innermost = static_cast<LeafBase*>(at_)->promise;
    } else {
      // The children that ended their parents by Try.
      while (innermost->root_or_ended_by_ != nullptr) innermost = innermost->root_or_ended_by_;
    }
    // The parents' awaiters let go of each child before its parent is destroyed,
    // so the stack stays flat at any depth.
    while (innermost != this) {
      ChildLink* link = innermost->link_;
      innermost = link->parent_promise;
      std::exchange(link->child, nullptr).destroy();
    }
    handle().destroy();
  }

  static std::coroutine_handle<> Nobody() noexcept { return std::noop_coroutine(); }

#if HOME_ASYNC_TRAMPOLINE
  void TransferTo(std::coroutine_handle<> next) noexcept { next_ = next; }
  void Resume(std::coroutine_handle<> handle) {
    handle.resume();
    while (next_ != nullptr) std::exchange(next_, nullptr).resume();
  }
#else
  static Transfer TransferTo(std::coroutine_handle<> next) noexcept { return next; }
  static void Resume(std::coroutine_handle<> next) { next.resume(); }
#endif

  // Until its end the chain's root, or null before the start. After it the child that
  // ended this coroutine by Try, or null.
  PromiseBase* root_or_ended_by_ = nullptr;
  union {
    ChildLink* link_;     // of a child
    void* at_ = nullptr;  // of the root: a LeafBase or a Context (C1)
  };
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
