// boost::lockfree: its node queue, unbounded and of fixed size (whose nodes are found by
// index, without malloc).

#include <boost/lockfree/queue.hpp>
#include <cstddef>

#include "home/integration/benchmarks/containers/queue_workloads.h"

namespace home::containers {
namespace {

class Unbounded {
 public:
  // Nodes for as many are there at the start; more come from malloc.
  explicit Unbounded(std::size_t capacity) : queue_(capacity) {}
  bool Push(Element element) { return queue_.push(element); }
  bool Pop(Element* element) { return queue_.pop(*element); }

 private:
  boost::lockfree::queue<Element> queue_;
};

class Bounded {
 public:
  explicit Bounded(std::size_t) {}
  bool Push(Element element) { return queue_.push(element); }
  bool Pop(Element* element) { return queue_.pop(*element); }

 private:
  boost::lockfree::queue<Element, boost::lockfree::capacity<kQueueCapacity>> queue_;
};

const bool kAdded = AddUnbounded<Unbounded>("boost_lockfree") &&
                    AddMpsc<Unbounded>("boost_lockfree") && AddBounded<Bounded>("boost_lockfree");

}  // namespace
}  // namespace home::containers
