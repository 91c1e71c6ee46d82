// libcds: queues of nodes under hazard pointers, and its Vyukov ring. Each thread attaches
// to its thread manager once, as it asks for.

#include <cds/container/basket_queue.h>
#include <cds/container/msqueue.h>
#include <cds/container/vyukov_mpmc_cycle_queue.h>
#include <cds/gc/hp.h>
#include <cds/init.h>

#include <cstddef>

#include "home/integration/benchmarks/containers/queue_workloads.h"

namespace home::containers {
namespace {

void InitializeLibrary() {
  static const bool done = [] {
    cds::Initialize();
    // Lives as long as the process.
    new cds::gc::HP();
    return true;
  }();
  static_cast<void>(done);
}

struct Attachment {
  Attachment() { cds::threading::Manager::attachThread(); }
  ~Attachment() { cds::threading::Manager::detachThread(); }
};

void Attach() { thread_local const Attachment attachment; }

template <typename Queue>
class LinkedQueue {
 public:
  explicit LinkedQueue(std::size_t) {}

  class Handle {
   public:
    explicit Handle(LinkedQueue& queue) : queue_(queue.queue_) { Attach(); }
    bool Push(Element element) { return queue_.enqueue(element); }
    bool Pop(Element* element) { return queue_.dequeue(*element); }

   private:
    Queue& queue_;
  };
  using Producer = Handle;
  using Consumer = Handle;

 private:
  struct Ready {
    Ready() {
      InitializeLibrary();
      Attach();
    }
  };

  Ready ready_;
  Queue queue_;
};

class Vyukov {
 public:
  explicit Vyukov(std::size_t capacity) : queue_(capacity) {}
  bool Push(Element element) { return queue_.enqueue(element); }
  bool Pop(Element* element) { return queue_.dequeue(*element); }

 private:
  cds::container::VyukovMPMCCycleQueue<Element> queue_;
};

const bool kAdded =
    AddUnbounded<LinkedQueue<cds::container::MSQueue<cds::gc::HP, Element>>>("libcds_msqueue") &&
    AddUnbounded<LinkedQueue<cds::container::BasketQueue<cds::gc::HP, Element>>>("libcds_basket") &&
    AddBounded<Vyukov>("libcds_vyukov");

}  // namespace
}  // namespace home::containers
