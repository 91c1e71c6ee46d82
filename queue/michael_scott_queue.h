// MichaelScottQueue: an unbounded first-in-first-out queue, many producers, many consumers,
// none of whom ever waits for another.
//
//   MichaelScottQueue<std::unique_ptr<Job>> queue;
//   queue.Push(std::move(job));
//   if (std::optional<std::unique_ptr<Job>> next = queue.TryPop()) Run(**next);
//
// SegmentQueue is several times as fast. This one is for where a thread that stops in the
// middle of an operation, for ever perhaps, must not hold up anybody: all operations are
// lock-free, and memory stays bounded by what is inside and a constant for each thread.
//
// T may be move-only; it must move and be destroyed without throwing. The destructor destroys
// what is inside. An element costs an allocation.
//
// Thread-safety: all members by any thread, but for construction and destruction.
// Memory ordering: what precedes Push(x) happens before what follows the TryPop() that returns
// x. The CAS that links an element and the look that lets TryPop() say "empty" are seq_cst: if a
// consumer first announces that it will sleep (seq_cst) and then finds the queue empty, a
// producer that looks for the announcement (seq_cst) after its Push() sees it.
// Order: FIFO over all producers. Linearizable, at the CAS that links, the CAS that moves
// head_, and the look that finds the queue empty.
// Progress: lock-free but for the allocator, so also wait-free for whoever is alone. A loop repeats
// only because another operation has succeeded.
//
// -- Algorithm -----------------------------------------------------------------------
//
// Michael and Scott, "Simple, fast, and practical non-blocking and blocking concurrent queue
// algorithms" (PODC 1996), with the hazard pointers of Michael (2004) in place of counted
// pointers.
//
//     head_            tail_
//       v                v
//     dummy -> 1 -> 2 -> 3 -> null         tail_ may be one behind
//
// Invariants
//  I1  A node's next is set once, from null.
//  I2  tail_ never falls behind head_: a pop helps it on before it moves head_ past it.
//  I3  A node's value is touched by the push before it is linked and by the pop that made the
//      node the dummy, and is gone after that.
//  I4  A node is retired by the pop that moves head_ past it. Both hints have left it (I2).
//
// ABA cannot happen: a node that a thread compares with is protected, so it is not reused.

#ifndef HOME_QUEUE_MICHAEL_SCOTT_QUEUE_H_
#define HOME_QUEUE_MICHAEL_SCOTT_QUEUE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/optimization.h"
#include "home/queue/hazard_access.h"
#include "home/queue/hazard_pointers.h"
#include "home/queue/queue_policy.h"

namespace home {

struct MichaelScottPolicy : QueuePolicy {
  // Where the nodes are retired, and how a thread finds its part in it.
  using Domain = HazardDomain;
  using Access = HazardAccess;
};

template <QueueElement T, typename Policy = MichaelScottPolicy>
class MichaelScottQueue {
 public:
  using value_type = T;

  MichaelScottQueue() {
    Node* const dummy = new Node;
    dummy->number = 0;
    // relaxed: nobody else knows the queue yet.
    head_.store(dummy, std::memory_order_relaxed);
    tail_.store(dummy, std::memory_order_relaxed);
  }

  MichaelScottQueue(const MichaelScottQueue&) = delete;
  MichaelScottQueue& operator=(const MichaelScottQueue&) = delete;

  ~MichaelScottQueue() {
    // relaxed: whoever destroys the queue is ordered after all of its users.
    Node* node = head_.load(std::memory_order_relaxed);
    for (bool is_dummy = true; node != nullptr; is_dummy = false) {
      if (!is_dummy) std::destroy_at(std::addressof(node->value));
      delete std::exchange(node, node->next.load(std::memory_order_relaxed));
    }
  }

  // Appends `value`. Ends the program if there is no memory for it.
  void Push(T value) noexcept {
    const typename Policy::Access access;
    Node* const node = new Node;
    std::construct_at(std::addressof(node->value), std::move(value));
    HazardPointer hazard(access.participant());
    for (;;) {
      Node* const tail = hazard.Protect(tail_);
      // acquire: the next node's number. pairs with: the CAS below.
      Node* next = tail->next.load(std::memory_order_acquire);
      if (next == nullptr) {
        node->number = tail->number + 1;
        // release: publishes the node. seq_cst: "Memory ordering" above. pairs with:
        // TryPop(). relaxed on failure: the next round looks again.
        if (tail->next.compare_exchange_strong(next, node, std::memory_order_seq_cst,
                                               std::memory_order_relaxed)) {
          MoveTail(tail, node);
          return;
        }
        Policy::BackOff();
      } else {
        MoveTail(tail, next);
      }
    }
  }

  // Takes the oldest element, or nothing if the queue is empty.
  [[nodiscard]] std::optional<T> TryPop() noexcept {
    const typename Policy::Access access;
    HazardPointer head_hazard(access.participant());
    HazardPointer next_hazard(access.participant());
    for (;;) {
      Node* head = head_hazard.Protect(head_);
      // Null only in the last node, which head_ cannot have left: so the queue is empty now.
      // seq_cst: "Memory ordering" above. pairs with: Push().
      Node* const next = head->next.load(std::memory_order_seq_cst);
      if (next == nullptr) return std::nullopt;
      next_hazard.Announce(next);
      // acquire: while head_ is here the next node is not retired (I4), and the protection
      // begins. It is here again only if it never left, as `head` is not reused.
      if (head_.load(std::memory_order_acquire) != head) continue;
      // relaxed: of what is seen here only this matters: tail_ has passed the node before
      // `head`, for who moved head_ here knew so (I2), and we have acquired from him.
      if (tail_.load(std::memory_order_relaxed) == head) MoveTail(head, next);
      // The claim. release: tail_ is not behind. pairs with: the loads of head_. seq_cst: with it
      // pops are ordered like pushes. relaxed on failure: the next round looks again.
      if (head_.compare_exchange_strong(head, next, std::memory_order_seq_cst,
                                        std::memory_order_relaxed)) {
        std::optional<T> value(std::move(next->value));
        std::destroy_at(std::addressof(next->value));
        head_hazard.Clear();
        next_hazard.Clear();
        access.participant().Retire(head);
        return value;
      }
      Policy::BackOff();
    }
  }

  // About how many elements are inside.
  [[nodiscard]] std::size_t SizeHint() const {
    const typename Policy::Access access;
    HazardPointer head_hazard(access.participant());
    HazardPointer tail_hazard(access.participant());
    const std::uint64_t head = head_hazard.Protect(head_)->number;
    // Nodes are numbered in their order. Since head_ was read, tail_ has not fallen behind (I2).
    return static_cast<std::size_t>(tail_hazard.Protect(tail_)->number - head);
  }

  // Whether the queue seems empty.
  [[nodiscard]] bool EmptyHint() const { return SizeHint() == 0; }

 private:
  using HazardPointer = typename Policy::Domain::HazardPointer;
  template <typename U>
  using Atomic = typename Policy::template Atomic<U>;

  struct Node : Policy::Domain::Object {
    Node() {}   // NOLINT: the value comes and goes by itself.
    ~Node() {}  // NOLINT

    Atomic<Node*> next{nullptr};
    typename Policy::template Plain<std::uint64_t> number;  // One more than the node before.
    union {
      T value;
    };
  };

  // Moves tail_ from a node to the one behind it, if nobody has done so.
  void MoveTail(Node* from, Node* to) {
    // release: publishes the node, which another thread has linked perhaps. pairs with:
    // Protect(tail_). relaxed on failure: somebody else has done it.
    tail_.compare_exchange_strong(from, to, std::memory_order_release, std::memory_order_relaxed);
  }

  alignas(ABSL_CACHELINE_SIZE) Atomic<Node*> tail_{nullptr};
  alignas(ABSL_CACHELINE_SIZE) Atomic<Node*> head_{nullptr};
};

}  // namespace home

#endif  // HOME_QUEUE_MICHAEL_SCOTT_QUEUE_H_
