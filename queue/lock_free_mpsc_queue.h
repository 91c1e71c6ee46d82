// LockFreeMpscQueue: an intrusive first-in-first-out queue, many producers, one consumer, who
// never waits.
//
//   struct Job : LockFreeMpscNode { int id; };
//   LockFreeMpscQueue<Job> queue;
//   if (queue.Push(job)) consumer.Unpark();      // any thread
//   while (Job* job = queue.Pop()) Run(job);     // the consumer
//
// The queue owns nothing and allocates nothing: the link lives in the node. A node
// belongs to the queue from Push() until Pop() has returned it, and is in one queue at
// a time. Destroying a queue with nodes inside just forgets them; an owner that has to
// dispose of them pops them first. While a node is in no queue, its `next` is free for
// its owner's own lists.
//
// Thread-safety: Push and EmptyHint by any thread; everything else by one at a time.
// Memory ordering: what precedes Push(n) happens before what follows the Pop() that
// returns n. Push() and the look that lets Pop() return null are seq_cst operations on
// one word: if a consumer first announces that it will sleep (seq_cst) and then finds
// the queue empty, a producer that looks for the announcement (seq_cst) after its Push()
// sees it.
// Order: that of the pushes, over all producers. Linearizable: Pop() returns null only
// if the queue was empty at that moment, never because a push is half done.
// Progress: Push is lock-free (its CAS fails only when another Push, or the consumer, has
// succeeded); Pop and PopAll are wait-free, Pop in amortised constant time.
//
// -- Algorithm -----------------------------------------------------------------------
//
//     pushed_ -> n5 -> n4 -> n3        newest first, any thread (CAS)
//     ready_  -> n1 -> n2              oldest first, the consumer's own
//
// Producers push on a stack (Treiber, 1986). A consumer that has nothing left takes the
// whole stack with one exchange and reverses it. As nothing is ever popped off the stack
// singly there is no ABA, and a consumer that gets n nodes pays for one RMW.
//
// Its sibling MpscQueue replaces the CAS loop by one exchange: then no producer ever
// repeats, but one that is interrupted in the middle makes the consumer wait.

#ifndef HOME_QUEUE_LOCK_FREE_MPSC_QUEUE_H_
#define HOME_QUEUE_LOCK_FREE_MPSC_QUEUE_H_

#include <atomic>
#include <concepts>
#include <cstddef>

#include "absl/base/optimization.h"
#include "home/queue/queue_policy.h"

namespace home {

// The link. Derive from it what goes through a LockFreeMpscQueue.
template <typename Policy>
struct BasicLockFreeMpscNode {
  typename Policy::template Plain<BasicLockFreeMpscNode*> next = nullptr;
};
using LockFreeMpscNode = BasicLockFreeMpscNode<QueuePolicy>;

template <typename T, typename Policy = QueuePolicy>
class LockFreeMpscQueue {
 public:
  LockFreeMpscQueue() = default;
  LockFreeMpscQueue(const LockFreeMpscQueue&) = delete;
  LockFreeMpscQueue& operator=(const LockFreeMpscQueue&) = delete;

  // Any thread: appends `node`. True if no other node waited for the consumer's next
  // look: then this producer, and no other, has to wake it. (The consumer may still be
  // busy with nodes that it has collected before.)
  bool Push(T* node) {
    static_assert(std::derived_from<T, Node>);
    Node* const link = node;
    // relaxed: only a guess, which the CAS verifies; nothing behind it is read.
    Node* newest = pushed_.load(std::memory_order_relaxed);
    do {
      link->next = newest;
      // release: publishes the node, its link included; the nodes behind it were published
      // by their own pushes, whose release sequences this RMW continues. seq_cst instead,
      // which is the same instruction on x86 and Armv8.1, for the announcement protocol
      // above. pairs with: Collect()'s exchange and load.
      // relaxed on failure: as the load.
    } while (!pushed_.compare_exchange_weak(newest, link, std::memory_order_seq_cst,
                                            std::memory_order_relaxed));
    return newest == nullptr;
  }

  // Consumer: takes the oldest node, or null if the queue is empty.
  [[nodiscard]] T* Pop() {
    if (ready_ == nullptr && !Collect()) return nullptr;
    Node* const node = ready_;
    ready_ = node->next;
    node->next = nullptr;
    return static_cast<T*>(node);
  }

  // Consumer: takes all nodes as a list, oldest first, linked by `next`; null if empty.
  [[nodiscard]] T* PopAll() {
    Node* const older = ready_;
    ready_ = nullptr;
    Collect();
    Node* all = ready_;
    if (older != nullptr) {
      all = older;
      Node* last = older;
      while (last->next != nullptr) last = last->next;
      last->next = ready_;
    }
    ready_ = nullptr;
    return static_cast<T*>(all);
  }

  // Consumer: how many nodes there are. Counts them one by one, so that a push need not.
  [[nodiscard]] std::size_t SizeHint() const {
    std::size_t size = 0;
    for (const Node* node = ready_; node != nullptr; node = node->next) ++size;
    // acquire: the nodes' links. Nobody but us takes nodes off. pairs with: Push().
    const Node* node = pushed_.load(std::memory_order_acquire);
    for (; node != nullptr; node = node->next) ++size;
    return size;
  }

  // Consumer: whether there is nothing to pop.
  [[nodiscard]] bool Empty() const { return ready_ == nullptr && EmptyHint(); }

  // Any thread: whether no pushed node waits to be collected. Nodes that the consumer
  // has collected and not yet popped do not count.
  [[nodiscard]] bool EmptyHint() const {
    // seq_cst: see "Memory ordering" above.
    return pushed_.load(std::memory_order_seq_cst) == nullptr;
  }

 private:
  using Node = BasicLockFreeMpscNode<Policy>;

  // Moves what was pushed to `ready_`, which must be empty, oldest first. False if there
  // was nothing.
  bool Collect() {
    // A plain look first: polling an empty queue then leaves its cache line shared.
    if (EmptyHint()) return false;
    // acquire: the nodes' contents and links. pairs with: Push().
    Node* node = pushed_.exchange(nullptr, std::memory_order_acquire);
    Node* reversed = nullptr;
    while (node != nullptr) {
      Node* const next = node->next;
      node->next = reversed;
      reversed = node;
      node = next;
    }
    ready_ = reversed;
    return true;
  }

  alignas(ABSL_CACHELINE_SIZE) typename Policy::template Atomic<Node*> pushed_{nullptr};
  // The consumer's own, away from the producers' line.
  alignas(ABSL_CACHELINE_SIZE) Node* ready_ = nullptr;
};

}  // namespace home

#endif  // HOME_QUEUE_LOCK_FREE_MPSC_QUEUE_H_
