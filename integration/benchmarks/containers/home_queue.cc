// Home Async's queues.

#include <cstddef>
#include <optional>
#include <utility>

#include "home/integration/benchmarks/containers/queue_workloads.h"
#include "home/queue/bounded_queue.h"
#include "home/queue/mpsc_queue.h"

namespace home::containers {
namespace {

class HomeBounded {
 public:
  explicit HomeBounded(std::size_t capacity) : queue_(capacity) {}
  bool Push(Element element) { return queue_.TryPush(std::move(element)); }
  bool Pop(Element* element) {
    const std::optional<Element> taken = queue_.TryPop();
    if (taken) *element = *taken;
    return taken.has_value();
  }

 private:
  BoundedQueue<Element> queue_;
};

struct MpscElement : MpscNode {
  Element element = 0;
};

class HomeMpsc {
 public:
  using Node = MpscElement;
  void Push(Node* node) { queue_.Push(node); }
  Node* Pop() { return queue_.Pop(); }

 private:
  MpscQueue<Node> queue_;
};

const bool kAdded = AddBounded<HomeBounded>("home") && AddIntrusiveMpsc<HomeMpsc>("home");

}  // namespace
}  // namespace home::containers
