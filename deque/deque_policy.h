// DequePolicy: what a work-stealing deque takes from its surroundings.
//
// The deque is a template over this policy so that a model checker or a test
// can put its own atomics under the production header, shrink the capacities
// until every interleaving is reachable, and start the indices next to their
// wrap-around. A program uses the default and never names it.

#ifndef HOME_DEQUE_DEQUE_POLICY_H_
#define HOME_DEQUE_DEQUE_POLICY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "home/queue/hazard_access.h"
#include "home/queue/hazard_pointers.h"

namespace home {

struct DequePolicy {
  // An atomic object with the interface of std::atomic.
  template <typename U>
  using Atomic = std::atomic<U>;

  // By whose hazards thieves protect large buffers, and how a thread finds its part in it.
  using Domain = HazardDomain;
  using Access = HazardAccess;

  // Counts elements. The claim word, which holds an index and a tag, is twice as
  // wide. Its width decides after how many operations a stalled thief can be
  // deceived (see "ABA" in work_stealing_deque.h): 2^32 at the least, here.
  using Index = std::uint32_t;

  // The index of the first element.
  static constexpr Index kFirstIndex = 0;

  // Capacity of the first buffer, a power of two.
  static constexpr std::size_t kMinCapacity = 64;

  // Buffers of up to this capacity (a power of two) are kept until the destruction of the
  // deque, so that steals from them need no protection; larger ones are freed when they
  // are no longer needed. 1,024 pointers: a deque that has seen a burst keeps 16 KiB.
  static constexpr std::size_t kKeptCapacity = 1024;

  // The owner gives a large buffer back each time that it has found the deque empty this often:
  // a deque that is filled and emptied in turns does not grow anew each time.
  static constexpr int kEmptyPops = 16;

  // The most elements that StealHalf() and SpillHalf() move at once. Elements further from the
  // front than this the owner pops without disturbing thieves.
  static constexpr std::size_t kMaxBatch = 32;
};

}  // namespace home

#endif  // HOME_DEQUE_DEQUE_POLICY_H_
