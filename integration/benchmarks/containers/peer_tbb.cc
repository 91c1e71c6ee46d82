// oneTBB's queues. Its deque is not public.

#include <tbb/concurrent_queue.h>

#include <cstddef>

#include "home/integration/benchmarks/containers/queue_workloads.h"

namespace home::containers {
namespace {

class Unbounded {
 public:
  explicit Unbounded(std::size_t) {}
  bool Push(Element element) {
    queue_.push(element);
    return true;
  }
  bool Pop(Element* element) { return queue_.try_pop(*element); }

 private:
  tbb::concurrent_queue<Element> queue_;
};

class Bounded {
 public:
  explicit Bounded(std::size_t capacity) {
    queue_.set_capacity(static_cast<std::ptrdiff_t>(capacity));
  }
  bool Push(Element element) { return queue_.try_push(element); }
  bool Pop(Element* element) { return queue_.try_pop(*element); }

 private:
  tbb::concurrent_bounded_queue<Element> queue_;
};

const bool kAdded =
    AddUnbounded<Unbounded>("tbb") && AddMpsc<Unbounded>("tbb") && AddBounded<Bounded>("tbb");

}  // namespace
}  // namespace home::containers
