// MpscQueue: an intrusive first-in-first-out queue, many producers, one consumer; a push is
// wait-free.
//
//   struct Job : MpscNode { int id; };
//   MpscQueue<Job> queue;
//   if (queue.Push(job)) consumer.Unpark();      // any thread
//   while (Job* job = queue.Pop()) Run(job);     // the consumer
//
// The queue owns nothing and allocates nothing: the link lives in the node. A node belongs
// to the queue from Push() until Pop() has returned it, and is in one queue at a time.
// Destroying a queue with nodes inside just forgets them; an owner that has to dispose of
// them pops them first.
//
// Thread-safety: Push and EmptyHint by any thread; everything else by one at a time.
// Memory ordering: what precedes Push(n) happens before what follows the Pop() that returns
// n. Push() and the look that lets Pop() return null are seq_cst operations on one word: if a
// consumer first announces that it will sleep (seq_cst) and then finds the queue empty, a
// producer that looks for the announcement (seq_cst) after its Push() sees it.
// Order: that of the exchanges, over all producers. Linearizable: Pop() returns null only if
// the queue was empty at that moment.
// Progress: Push is wait-free: one exchange and two stores, whatever the others do. Pop and
// PopAll are wait-free but for this: where a producer has been interrupted between its exchange
// and its last store, they wait for it (Policy::Relax: a short spin, then yielding) if they
// have taken its node and need one that was pushed before it. With LockFreeMpscQueue they never
// wait, and a push may have to be repeated. So this one is for producers with deadlines, that
// one for consumers that must not depend on a producer's being scheduled.
//
// -- Algorithm -----------------------------------------------------------------------
//
//     pushed_ -> n5 -> n4 .. n3 -> n2      newest first, any thread; n4's link is still missing
//     ready_  -> n0 -> n1                  oldest first, the consumer's own
//
// A producer puts its node in place of the newest by exchange, and only then links it to
// the one that it got. The consumer, when it has nothing left, takes the whole list with one
// exchange and reverses it; it waits at a link that is missing. Vyukov's queue (2010) has the
// same exchange and the same gap, but links forward, from the older node: then the consumer
// cannot tell a gap from the end, needs a stub node, and no producer knows whether it is the
// one who has to wake the consumer. Here that is who got null.
//
// Invariants
//  I1  A node that is in the queue and whose link is not there yet has Missing() in it.
//  I2  Push() does not touch a node after it has stored the link, so that who has seen the link
//      may have the node.

#ifndef HOME_QUEUE_MPSC_QUEUE_H_
#define HOME_QUEUE_MPSC_QUEUE_H_

#include <atomic>
#include <concepts>
#include <cstddef>

#include "absl/base/optimization.h"
#include "home/queue/queue_policy.h"

namespace home {

template <typename T, typename Policy>
class MpscQueue;

// The link. Derive from it what goes through a MpscQueue.
template <typename Policy>
class BasicMpscNode {
 public:
  // For whoever has the node: the next one of what PopAll() returned.
  [[nodiscard]] BasicMpscNode* Next() const {
    // relaxed: the consumer's own, or handed on by it.
    return next_.load(std::memory_order_relaxed);
  }

 private:
  template <typename T, typename P>
  friend class MpscQueue;

  typename Policy::template Atomic<BasicMpscNode*> next_{nullptr};
};
using MpscNode = BasicMpscNode<QueuePolicy>;

template <typename T, typename Policy = QueuePolicy>
class MpscQueue {
 public:
  MpscQueue() = default;
  MpscQueue(const MpscQueue&) = delete;
  MpscQueue& operator=(const MpscQueue&) = delete;

  // Any thread: appends `node`. True if no other node waited for the consumer's next look:
  // then this producer, and no other, has to wake it.
  bool Push(T* node) {
    static_assert(std::derived_from<T, Node>);
    Node* const link = node;
    // relaxed: published by the exchange (I1).
    link->next_.store(Missing(), std::memory_order_relaxed);
    // release: publishes the node. seq_cst: "Memory ordering" above. pairs with: Collect().
    Node* const older = pushed_.exchange(link, std::memory_order_seq_cst);
    // release: our use of the node is over (I2). pairs with: AwaitLink().
    link->next_.store(older, std::memory_order_release);
    return older == nullptr;
  }

  // Consumer: takes the oldest node, or null if the queue is empty.
  [[nodiscard]] T* Pop() {
    if (ready_ == nullptr) ready_ = Collect();
    if (ready_ == nullptr) return nullptr;
    Node* const node = ready_;
    ready_ = node->Next();
    SetNext(node, nullptr);
    return static_cast<T*>(node);
  }

  // Consumer: takes all nodes as a list, oldest first, linked by Next(); null if empty.
  [[nodiscard]] T* PopAll() {
    Node* const newer = Collect();
    Node* all = newer;
    if (ready_ != nullptr) {
      all = ready_;
      Node* last = ready_;
      while (last->Next() != nullptr) last = last->Next();
      SetNext(last, newer);
      ready_ = nullptr;
    }
    return static_cast<T*>(all);
  }

  // Consumer: how many nodes there are, those left out whose push is under way and what was
  // pushed before them and not collected. Counts them one by one, so that a push need not.
  [[nodiscard]] std::size_t SizeHint() const {
    std::size_t size = 0;
    for (const Node* node = ready_; node != nullptr; node = node->Next()) ++size;
    // acquire: the nodes' links. Nobody but us takes nodes off. pairs with: Push().
    const Node* node = pushed_.load(std::memory_order_acquire);
    while (node != nullptr && node != Missing()) {
      ++size;
      // acquire: as in AwaitLink(), for the next node.
      node = node->next_.load(std::memory_order_acquire);
    }
    return size;
  }

  // Consumer: whether there is nothing to pop.
  [[nodiscard]] bool Empty() const { return ready_ == nullptr && EmptyHint(); }

  // Any thread: whether no pushed node waits to be collected. Nodes that the consumer has
  // collected and not yet popped do not count.
  [[nodiscard]] bool EmptyHint() const {
    // seq_cst: "Memory ordering" above. pairs with: Push().
    return pushed_.load(std::memory_order_seq_cst) == nullptr;
  }

 private:
  using Node = BasicMpscNode<Policy>;

  // A node that is in no queue and that nobody looks into.
  static Node* Missing() {
    static constinit Token token;
    return reinterpret_cast<Node*>(&token);
  }
  struct alignas(Node) Token {};

  static void SetNext(Node* node, Node* next) {
    // relaxed: the consumer's own.
    node->next_.store(next, std::memory_order_relaxed);
  }

  // Takes what was pushed, oldest first.
  Node* Collect() {
    // A plain look first: polling an empty queue then leaves its cache line shared.
    if (EmptyHint()) return nullptr;
    // acquire: the nodes' contents, for every exchange continues the release sequences of
    // those before. pairs with: Push().
    Node* node = pushed_.exchange(nullptr, std::memory_order_acquire);
    Node* reversed = nullptr;
    while (node != nullptr) {
      Node* const older = AwaitLink(node);
      SetNext(node, reversed);
      reversed = node;
      node = older;
    }
    return reversed;
  }

  Node* AwaitLink(const Node* node) {
    for (int attempt = 0;; ++attempt) {
      // acquire: the producer is done with the node (I2). pairs with: Push().
      Node* const older = node->next_.load(std::memory_order_acquire);
      if (ABSL_PREDICT_TRUE(older != Missing())) return older;
      Policy::Relax(attempt);
    }
  }

  alignas(ABSL_CACHELINE_SIZE) typename Policy::template Atomic<Node*> pushed_{nullptr};
  // The consumer's own, away from the producers' line.
  alignas(ABSL_CACHELINE_SIZE) Node* ready_ = nullptr;
};

}  // namespace home

#endif  // HOME_QUEUE_MPSC_QUEUE_H_
