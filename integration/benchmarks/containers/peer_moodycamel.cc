// moodycamel's ConcurrentQueue, without tokens and with one for each producer and consumer,
// as its author recommends. FIFO for each producer only, not over all of them.

#include <concurrentqueue/concurrentqueue.h>

#include <cstddef>

#include "home/integration/benchmarks/containers/queue_workloads.h"

namespace home::containers {
namespace {

using Queue = moodycamel::ConcurrentQueue<Element>;

class WithoutTokens {
 public:
  explicit WithoutTokens(std::size_t) {}
  bool Push(Element element) { return queue_.enqueue(element); }
  bool Pop(Element* element) { return queue_.try_dequeue(*element); }

 private:
  Queue queue_;
};

class WithTokens {
 public:
  explicit WithTokens(std::size_t) {}

  class Producer {
   public:
    explicit Producer(WithTokens& queue) : queue_(queue.queue_), token_(queue_) {}
    bool Push(Element element) { return queue_.enqueue(token_, element); }

   private:
    Queue& queue_;
    moodycamel::ProducerToken token_;
  };

  class Consumer {
   public:
    explicit Consumer(WithTokens& queue) : queue_(queue.queue_), token_(queue_) {}
    bool Pop(Element* element) { return queue_.try_dequeue(token_, *element); }

   private:
    Queue& queue_;
    moodycamel::ConsumerToken token_;
  };

 private:
  Queue queue_;
};

const bool kAdded =
    AddUnbounded<WithoutTokens>("moodycamel") && AddUnbounded<WithTokens>("moodycamel_tokens") &&
    AddMpsc<WithoutTokens>("moodycamel") && AddMpsc<WithTokens>("moodycamel_tokens");

}  // namespace
}  // namespace home::containers
