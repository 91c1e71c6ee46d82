// The workloads for work-stealing deques, over an adapter D of a few lines a peer:
//
//   class D {
//     void Push(Element element);            // the owner
//     bool Pop(Element* element);            // the owner, the newest; false: empty
//     class Thief {                          // one a thief
//       explicit Thief(D& victim);
//       Theft Steal(Element* element);
//     };
//   };
//
// Kinds (n elements, each checked to come out once by the sum; ns an element):
//   deque_1t _B      the owner pushes B and pops B, in turn
//   deque_steal _T   the same with B = 64 while T threads steal what they can get
//   deque_drain _T   the owner pushes all n and then pops what is left, while T threads
//                    steal: the deque grows under the thieves' hands

#ifndef HOME_INTEGRATION_BENCHMARKS_CONTAINERS_DEQUE_WORKLOADS_H_
#define HOME_INTEGRATION_BENCHMARKS_CONTAINERS_DEQUE_WORKLOADS_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "home/integration/benchmarks/containers/harness.h"

namespace home::containers {

using Element = std::uint64_t;

enum class Theft {
  kTaken,
  kEmpty,  // also of peers that cannot tell it from kLost
  kLost,   // to another claim: worth another try at once
};

inline constexpr std::uint64_t kStealBurst = 64;

template <typename D>
void OwnBursts(D& deque, std::uint64_t n, std::uint64_t burst, std::uint64_t* sum) {
  for (std::uint64_t done = 0; done < n;) {
    const std::uint64_t end = done + burst < n ? done + burst : n;
    // Multiples of 16, for peers that hold pointers.
    for (; done < end; ++done) deque.Push((done + 1) * 16);
    Element element = 0;
    while (deque.Pop(&element)) *sum += element;
  }
}

template <typename D>
Sample DequeBursts(const Load& load) {
  D deque;
  std::uint64_t sum = 0;
  Sample sample;
  RunTogether(
      1, [&](int) { OwnBursts(deque, load.n, static_cast<std::uint64_t>(load.a), &sum); }, sample);
  sample.correct = sum == 16 * SumTo(load.n);
  return sample;
}

template <typename D, bool kDrain>
Sample WithThieves(const Load& load) {
  D deque;
  std::atomic<bool> done = false;
  std::atomic<std::uint64_t> sum = 0;
  std::atomic<std::uint64_t> stolen = 0;
  Sample sample;
  RunTogether(
      1 + load.a,
      [&](int index) {
        std::uint64_t mine = 0;
        if (index == 0) {
          OwnBursts(deque, load.n, kDrain ? load.n : kStealBurst, &mine);
          done.store(true, std::memory_order_release);
        } else {
          typename D::Thief thief(deque);
          std::uint64_t count = 0;
          for (Backoff backoff;;) {
            // Read first: what is empty after an owner that was done stays so.
            const bool last = done.load(std::memory_order_acquire);
            Element element = 0;
            const Theft theft = thief.Steal(&element);
            if (theft == Theft::kTaken) {
              mine += element;
              ++count;
              backoff = {};
            } else if (theft == Theft::kEmpty) {
              if (last) break;
              backoff.Wait();
            }
          }
          stolen += count;
        }
        sum += mine;
      },
      sample);
  sample.correct = sum == 16 * SumTo(load.n);
  sample.stolen = static_cast<std::int64_t>(stolen.load());
  return sample;
}

template <typename D>
bool AddDequeThieves(const std::string& peer) {
  return AddEntry("deque_steal", peer, &WithThieves<D, false>) &&
         AddEntry("deque_drain", peer, &WithThieves<D, true>);
}

template <typename D>
bool AddDeque(const std::string& peer) {
  return AddEntry("deque_1t", peer, &DequeBursts<D>) && AddDequeThieves<D>(peer);
}

}  // namespace home::containers

#endif  // HOME_INTEGRATION_BENCHMARKS_CONTAINERS_DEQUE_WORKLOADS_H_
