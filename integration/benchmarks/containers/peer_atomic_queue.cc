// atomic_queue's two rings: one for elements that are never zero, one for any. Both claim
// with a fetch_add after a look at the size and wait inside for a cell.

#include <atomic_queue/atomic_queue.h>

#include <cstddef>

#include "home/integration/benchmarks/containers/queue_workloads.h"

namespace home::containers {
namespace {

template <typename Queue>
class Ring {
 public:
  explicit Ring(std::size_t) {}
  bool Push(Element element) { return queue_.try_push(element); }
  bool Pop(Element* element) { return queue_.try_pop(*element); }

 private:
  Queue queue_;
};

const bool kAdded =
    AddBounded<Ring<atomic_queue::AtomicQueue<Element, kQueueCapacity>>>("atomic_queue") &&
    AddBounded<Ring<atomic_queue::AtomicQueue2<Element, kQueueCapacity>>>("atomic_queue2");

}  // namespace
}  // namespace home::containers
