// Home Async's queues.

#include <cstddef>
#include <optional>
#include <utility>

#include "home/integration/benchmarks/containers/queue_workloads.h"
#include "home/queue/bounded_queue.h"
#include "home/queue/lock_free_mpsc_queue.h"
#include "home/queue/michael_scott_queue.h"
#include "home/queue/mpsc_queue.h"
#include "home/queue/segment_queue.h"

namespace home::containers {
namespace {

bool Take(std::optional<Element> taken, Element* element) {
  if (taken) *element = *taken;
  return taken.has_value();
}

class HomeBounded {
 public:
  explicit HomeBounded(std::size_t capacity) : queue_(capacity) {}
  bool Push(Element element) { return queue_.TryPush(std::move(element)); }
  bool Pop(Element* element) { return Take(queue_.TryPop(), element); }

 private:
  BoundedQueue<Element> queue_;
};

template <typename Queue>
class HomeUnbounded {
 public:
  explicit HomeUnbounded(std::size_t) {}
  bool Push(Element element) {
    queue_.Push(element);
    return true;
  }
  bool Pop(Element* element) { return Take(queue_.TryPop(), element); }

 private:
  Queue queue_;
};

template <template <typename> class Queue, typename Link>
class HomeIntrusive {
 public:
  struct Node : Link {
    Element element = 0;
  };
  void Push(Node* node) { queue_.Push(node); }
  Node* Pop() { return queue_.Pop(); }

 private:
  Queue<Node> queue_;
};

template <typename Node>
using Mpsc = MpscQueue<Node>;
template <typename Node>
using LockFreeMpsc = LockFreeMpscQueue<Node>;

using Segment = HomeUnbounded<SegmentQueue<Element>>;
using MichaelScott = HomeUnbounded<MichaelScottQueue<Element>>;

const bool kAdded =
    AddBounded<HomeBounded>("home") && AddUnbounded<Segment>("home") &&
    AddUnbounded<MichaelScott>("home_michael_scott") &&
    AddIntrusiveMpsc<HomeIntrusive<Mpsc, MpscNode>>("home") &&
    AddIntrusiveMpsc<HomeIntrusive<LockFreeMpsc, LockFreeMpscNode>>("home_lock_free") &&
    AddMpsc<Segment>("home_segment");

}  // namespace
}  // namespace home::containers
