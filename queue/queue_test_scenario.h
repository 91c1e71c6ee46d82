// QueueScenario: what the model checks of the queues have in common.
//
// Elements are pointers to plain counters which the checker watches. Taking one increments it:
// an element that comes out twice, or whose contents were not published with it, is a data race
// or a wrong count. What is left at the end is taken then, and all must have come out once. A
// thread that takes several of one producer must get them in order. Use of freed memory, and
// leaks, the checker sees by itself.

#ifndef HOME_QUEUE_QUEUE_TEST_SCENARIO_H_
#define HOME_QUEUE_QUEUE_TEST_SCENARIO_H_

#include <atomic>
#include <optional>

#include "home/tools/model/atomic.h"

namespace home::queue_testing {

// A queue policy with the checker's atomics.
template <typename Policy>
struct Modelled : Policy {
  template <typename U>
  using Atomic = model::Atomic<U>;
  template <typename U>
  using Plain = model::Data<U>;

  static void Relax(int) { model::Yield(); }
  static void BackOff() {}
  // Where the production code has an asymmetric fence the checker has two ordinary ones.
  static void LightFence() { model::Fence(std::memory_order_seq_cst); }
  static void HeavyFence() { model::Fence(std::memory_order_seq_cst); }
};

struct Element {
  model::Data<int> taken;
  int producer;
  int sequence;
};

// What goes through the queue: watched as well, so that a cell or node that is handed over
// without order is found.
class Handle {
 public:
  explicit Handle(Element* element) : element_(element) {}
  Handle(Handle&& other) noexcept : element_(other.get()) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() = default;
  [[nodiscard]] Element* get() const { return element_; }

 private:
  model::Data<Element*> element_;
};

// `Queue` holds Handles.
template <typename Queue, int kThreadCount = 2>
struct QueueScenario {
  static constexpr int kThreads = kThreadCount;
  static constexpr int kMost = 4;  // Of one producer.

  // Thread kThreads stands for what happens before the threads.
  void Push(int producer) {
    const int sequence = pushed[producer]++;
    Element& element = elements[producer][sequence];
    element.taken = 0;
    element.producer = producer;
    element.sequence = sequence;
    queue.Push(Handle(&element));
  }
  bool Pop(int consumer) {
    const std::optional<Handle> handle = queue.TryPop();
    if (!handle) return false;
    Element& element = *handle->get();
    element.taken = element.taken + 1;
    int& last = last_seen[consumer][element.producer];
    model::Expect(element.sequence + 1 > last, "each producer's elements in order");
    last = element.sequence + 1;
    return true;
  }
  void After() {
    // Whoever drains the queue may find it filled by several: by its own order only.
    while (Pop(kThreads)) {
    }
    for (int producer = 0; producer <= kThreads; ++producer) {
      for (int i = 0; i < pushed[producer]; ++i) {
        model::Expect(elements[producer][i].taken == 1, "taken once");
      }
    }
  }

  Element elements[kThreads + 1][kMost];
  int pushed[kThreads + 1] = {};
  int last_seen[kThreads + 1][kThreads + 1] = {};
  Queue queue;
};

}  // namespace home::queue_testing

#endif  // HOME_QUEUE_QUEUE_TEST_SCENARIO_H_
