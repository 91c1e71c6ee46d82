// The workloads for queues, over an adapter Q of a few lines a peer:
//
//   class Q {
//     explicit Q(std::size_t capacity);    // ignored by unbounded queues
//     bool Push(Element element);          // false: full
//     bool Pop(Element* element);          // false: empty
//   };
//
// A queue that wants one handle a thread (tokens, attached threads) declares classes
// Producer(Q&) with Push and Consumer(Q&) with Pop instead. Elements are words, never
// zero and multiples of 16, so that a queue of pointers can hold them as pointers.
//
// Kinds (n elements, each checked to come out once by the sum; ns an element):
//   queue, bounded, mpsc _PxC   P threads push n / P each, C threads pop n / C each
//   queue_1t, bounded_1t _B     one thread pushes B and pops B, in turn
//
// An intrusive queue has a type Node with a member `element`, Push(Node*) and Node* Pop().
// Its nodes are there before the clock starts, as those of tasks are.

#ifndef HOME_INTEGRATION_BENCHMARKS_CONTAINERS_QUEUE_WORKLOADS_H_
#define HOME_INTEGRATION_BENCHMARKS_CONTAINERS_QUEUE_WORKLOADS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "home/integration/benchmarks/containers/harness.h"

namespace home::containers {

using Element = std::uint64_t;

// The number is the element's own; the factor leaves low bits for a peer's marks.
inline Element ElementOf(std::uint64_t number) { return number * 16; }

inline constexpr std::size_t kQueueCapacity = 1024;

template <typename Q>
struct PlainHandle {
  explicit PlainHandle(Q& q) : queue(q) {}
  bool Push(Element element) { return queue.Push(element); }
  bool Pop(Element* element) { return queue.Pop(element); }
  Q& queue;
};

template <typename Q>
struct HandlesOf {
  using Producer = PlainHandle<Q>;
  using Consumer = PlainHandle<Q>;
};

template <typename Q>
  requires requires { typename Q::Producer; }
struct HandlesOf<Q> {
  using Producer = typename Q::Producer;
  using Consumer = typename Q::Consumer;
};

template <typename Q>
Sample ProducersAndConsumers(const Load& load) {
  const auto producers = static_cast<std::uint64_t>(load.a);
  const auto consumers = static_cast<std::uint64_t>(load.b);
  Q queue(kQueueCapacity);
  std::atomic<std::uint64_t> sum = 0;
  // The last thread of a side takes what the division leaves over.
  const auto share = [&load](std::uint64_t index, std::uint64_t count) {
    return load.n / count + (index + 1 == count ? load.n % count : 0);
  };
  Sample sample;
  RunTogether(
      load.a + load.b,
      [&](int index) {
        const auto i = static_cast<std::uint64_t>(index);
        if (i < producers) {
          typename HandlesOf<Q>::Producer producer(queue);
          const std::uint64_t first = i * (load.n / producers) + 1;
          const std::uint64_t count = share(i, producers);
          for (std::uint64_t number = first; number < first + count; ++number) {
            Backoff backoff;
            while (!producer.Push(ElementOf(number))) backoff.Wait();
          }
        } else {
          typename HandlesOf<Q>::Consumer consumer(queue);
          std::uint64_t mine = 0;
          for (std::uint64_t left = share(i - producers, consumers); left > 0; --left) {
            Element element = 0;
            Backoff backoff;
            while (!consumer.Pop(&element)) backoff.Wait();
            mine += element;
          }
          sum += mine;
        }
      },
      sample);
  sample.correct = sum == ElementOf(SumTo(load.n));
  return sample;
}

template <typename Q>
Sample QueueBursts(const Load& load) {
  const auto burst = static_cast<std::uint64_t>(load.a);
  Q queue(kQueueCapacity);
  std::uint64_t sum = 0;
  Sample sample;
  RunTogether(
      1,
      [&](int) {
        typename HandlesOf<Q>::Producer producer(queue);
        typename HandlesOf<Q>::Consumer consumer(queue);
        for (std::uint64_t done = 0; done < load.n;) {
          const std::uint64_t end = done + burst < load.n ? done + burst : load.n;
          for (std::uint64_t number = done + 1; number <= end; ++number) {
            if (!producer.Push(ElementOf(number))) return;
          }
          for (; done < end; ++done) {
            Element element = 0;
            if (!consumer.Pop(&element)) return;
            sum += element;
          }
        }
      },
      sample);
  sample.correct = sum == ElementOf(SumTo(load.n));
  return sample;
}

template <typename Q>
Sample IntrusiveProducersAndConsumer(const Load& load) {
  const auto producers = static_cast<std::uint64_t>(load.a);
  Q queue;
  std::vector<typename Q::Node> nodes(load.n);
  std::uint64_t sum = 0;
  Sample sample;
  RunTogether(
      load.a + 1,
      [&](int index) {
        const auto i = static_cast<std::uint64_t>(index);
        if (i < producers) {
          const std::uint64_t first = i * (load.n / producers);
          const std::uint64_t end = i + 1 == producers ? load.n : first + load.n / producers;
          for (std::uint64_t number = first; number < end; ++number) {
            nodes[number].element = ElementOf(number + 1);
            queue.Push(&nodes[number]);
          }
        } else {
          for (std::uint64_t left = load.n; left > 0; --left) {
            typename Q::Node* node = queue.Pop();
            for (Backoff backoff; node == nullptr; node = queue.Pop()) backoff.Wait();
            sum += node->element;
          }
        }
      },
      sample);
  sample.correct = sum == ElementOf(SumTo(load.n));
  return sample;
}

// For the queues of any number of producers and consumers that take all there is.
template <typename Q>
bool AddUnbounded(const std::string& peer) {
  return AddEntry("queue", peer, &ProducersAndConsumers<Q>) &&
         AddEntry("queue_1t", peer, &QueueBursts<Q>);
}

// For those of kQueueCapacity elements.
template <typename Q>
bool AddBounded(const std::string& peer) {
  return AddEntry("bounded", peer, &ProducersAndConsumers<Q>) &&
         AddEntry("bounded_1t", peer, &QueueBursts<Q>);
}

// For those that may stand in where there is one consumer.
template <typename Q>
bool AddMpsc(const std::string& peer) {
  return AddEntry("mpsc", peer, &ProducersAndConsumers<Q>);
}

template <typename Q>
bool AddIntrusiveMpsc(const std::string& peer) {
  return AddEntry("mpsc", peer, &IntrusiveProducersAndConsumer<Q>);
}

}  // namespace home::containers

#endif  // HOME_INTEGRATION_BENCHMARKS_CONTAINERS_QUEUE_WORKLOADS_H_
