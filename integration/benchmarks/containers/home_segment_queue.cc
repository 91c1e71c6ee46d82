// Home Async's unbounded queues.

#include <cstddef>
#include <optional>

#include "home/integration/benchmarks/containers/queue_workloads.h"
#include "home/queue/segment_queue.h"

namespace home::containers {
namespace {

class HomeSegmentQueue {
 public:
  explicit HomeSegmentQueue(std::size_t) {}
  bool Push(Element element) {
    queue_.Push(element);
    return true;
  }
  bool Pop(Element* element) {
    const std::optional<Element> taken = queue_.TryPop();
    if (taken) *element = *taken;
    return taken.has_value();
  }

 private:
  SegmentQueue<Element> queue_;
};

const bool kAdded =
    AddUnbounded<HomeSegmentQueue>("home") && AddMpsc<HomeSegmentQueue>("home_segment");

}  // namespace
}  // namespace home::containers
