// WorkStealingDeque under the model checker: the production header with the checker's
// atomics, capacities of one and two, so that growth, shrinking and reuse of slots happen
// within a few accesses.
//
// Elements are pointers to plain counters which the checker watches. Taking one increments
// it: an element that comes out twice, or whose contents were not published with it, is a
// data race or a wrong count. What is left at the end is taken then, and all must have come
// out once. Use of freed buffers, and leaks, the checker sees by itself.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "gtest/gtest.h"
#include "home/deque/checked_slot_testing.h"
#include "home/deque/deque_policy.h"
#include "home/deque/work_stealing_deque.h"
#include "home/queue/hazard_pointers.h"
#include "home/queue/queue_test_scenario.h"
#include "home/tools/model/atomic.h"
#include "home/tools/model/checker.h"

namespace home {
namespace {

using model::Access;
using model::CheckExhaustively;
using model::CheckRandomly;
using model::CheckWithPreemptions;
using model::Exhaustively;
using model::Expect;
using model::ExpectFound;
using model::Randomly;
using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_release;
using std::memory_order_seq_cst;

// Whoever needs a hazard pointer takes part for as long as that: there are no thread-locals
// under the checker.
struct Hazards : queue_testing::Modelled<HazardPolicy> {
  static constexpr std::size_t kSlots = 1;
};
using HazardsDomain = BasicHazardDomain<Hazards>;
class TakesPart {
 public:
  TakesPart() : participant_(Domain()) {}
  [[nodiscard]] HazardsDomain::Participant& participant() const { return participant_; }
  static HazardsDomain& Domain() { return *current; }
  static inline HazardsDomain* current = nullptr;

 private:
  mutable HazardsDomain::Participant participant_;
};
struct SetsDomain {
  SetsDomain() { TakesPart::current = &domain; }
  HazardsDomain domain;
};

// Buffers of more than kKept elements are large, and freed when they were replaced.
using Element = model::Data<int>;
using Slot = deque_testing::CheckedSlot<Element*>;

template <std::size_t kMin, std::size_t kKept, std::size_t kBatch>
struct ModelPolicy : DequePolicy {
  template <typename U>
  using Atomic = std::conditional_t<std::is_same_v<U, Element*>, Slot, model::Atomic<U>>;
  using Domain = HazardsDomain;
  using Access = TakesPart;
  using Index = std::uint8_t;
  static constexpr Index kFirstIndex = 253;
  static constexpr std::size_t kMinCapacity = kMin;
  static constexpr std::size_t kKeptCapacity = kKept;
  static constexpr int kEmptyPops = 1;
  static constexpr std::size_t kMaxBatch = kBatch;
};

// With batches of eight no element is far from the front, with smaller ones some are.
template <std::size_t kMin, std::size_t kKept, std::size_t kBatch = 8>
struct DequeScenario : SetsDomain {
  static constexpr int kThreads = 2;
  static constexpr int kMost = 8;
  using Deque = WorkStealingDeque<Element*, ModelPolicy<kMin, kKept, kBatch>>;

  DequeScenario() { Slot::Forget(); }

  void Push() {
    elements[pushed] = 0;
    deque.Push(&elements[pushed++]);
  }
  void Push(int count) {
    for (int i = 0; i < count; ++i) Push();
  }
  static bool Take(Element* element) {
    Expect(element != nullptr, "a slot that was filled");
    element->Write(element->Read() + 1);
    return true;
  }
  bool Pop() {
    const std::optional<Element*> element = deque.Pop();
    return element && Take(*element);
  }
  // Of what was pushed last.
  bool PopIf() {
    Element* newest = &elements[pushed - 1];
    return deque.PopIf(newest) && Take(newest);
  }
  bool PopFront() {
    const std::optional<Element*> element = deque.PopFront();
    return element && Take(*element);
  }
  bool Steal() {
    const StealResult<Element*> stolen = deque.Steal();
    Slot::Confirm(stolen.count());
    return stolen.ok() && Take(stolen.value());
  }
  bool StealHalf() {
    const StealResult<Element*> stolen = deque.StealHalf(into);
    Slot::Confirm(stolen.count());
    return stolen.ok() && Take(stolen.value());
  }
  void After() {
    while (Pop()) {
    }
    while (const std::optional<Element*> element = into.Pop()) Take(*element);
    for (int i = 0; i < pushed; ++i) Expect(elements[i] == 1, "taken once");
  }

  Element elements[kMost];
  int pushed = 0;  // The owner's.
  Deque deque;
  Deque into;
};

// -- Small scenarios, exhaustively ------------------------------------------------

struct PushAgainstSteal : DequeScenario<2, 2> {
  void Thread(int index) { index == 0 ? Push() : static_cast<void>(Steal()); }
};
// A pop of an empty deque, a fresh one, leaves no trace that a thief could take for elements.
struct PopOfEmptyAgainstSteal : DequeScenario<2, 2> {
  void Thread(int index) {
    if (index == 1) {
      if (Steal()) Expect(deque.SizeHint() == 0, "the only one");
      return;
    }
    Expect(!Pop() && !PopFront(), "nothing there yet");
    Push();
  }
};
struct LastElementByPop : DequeScenario<2, 2> {
  void Before() { Push(); }
  void Thread(int index) { index == 0 ? Pop() : Steal(); }
};
struct LastElementByPopIf : DequeScenario<2, 2> {
  void Before() { Push(); }
  void Thread(int index) {
    if (index == 0) {
      const bool taken = PopIf();
      Expect(!taken || !PopIf(), "once");
    } else {
      Steal();
    }
  }
};
struct HalfAgainstPopIf : DequeScenario<4, 4> {
  void Before() { Push(3); }
  void Thread(int index) {
    if (index == 1) {
      StealHalf();
      return;
    }
    PopIf();
    Push();
    PopIf();
  }
};
struct LastElementByPopFront : DequeScenario<2, 2> {
  void Before() { Push(); }
  void Thread(int index) { index == 0 ? PopFront() : Steal(); }
};
struct PushPopAgainstSteal : DequeScenario<2, 2> {
  void Thread(int index) {
    if (index == 1) {
      Steal();
      return;
    }
    Push(2);
    Pop();
  }
};
struct GrowthAgainstSteal : DequeScenario<1, 2> {
  void Before() { Push(); }
  void Thread(int index) { index == 0 ? Push() : static_cast<void>(Steal()); }
};
struct GrowthToLargeAgainstSteal : DequeScenario<1, 1> {
  void Before() { Push(); }
  void Thread(int index) { index == 0 ? Push() : static_cast<void>(Steal()); }
};
// From one large buffer to another, the first of which is freed.
struct GrowthOfLargeAgainstSteal : DequeScenario<1, 1> {
  void Before() { Push(2); }
  void Thread(int index) { index == 0 ? Push() : static_cast<void>(Steal()); }
};
// The deque runs empty and frees its large buffer.
struct ShrinkAgainstSteal : DequeScenario<1, 1> {
  void Before() {
    Push(2);
    Pop();
  }
  void Thread(int index) {
    if (index == 1) {
      Steal();
      return;
    }
    Pop();
    PopFront();
  }
};
struct HalfAgainstSteal : DequeScenario<4, 4> {
  void Before() { Push(4); }
  void Thread(int index) {
    if (index == 0) {
      StealHalf();
    } else if (const StealResult<Element*> stolen = into.Steal(); stolen.ok()) {
      Take(stolen.value());
    }
  }
};
struct HalfAgainstPop : DequeScenario<4, 4> {
  void Before() { Push(3); }
  void Thread(int index) {
    if (index == 1) {
      StealHalf();
      return;
    }
    Pop();
    Pop();
  }
};
// The owner fills a slot again that a thief has emptied, or grows.
struct ReuseOfSlots : DequeScenario<1, 1> {
  void Before() { Push(); }
  void Thread(int index) { index == 0 ? Push() : static_cast<void>(Steal()); }
};
// It goes back to the small buffer that the thief has read.
struct ReuseOfBuffer : DequeScenario<1, 1> {
  void Before() { Push(); }
  void Thread(int index) {
    if (index == 1) {
      Steal();
      return;
    }
    Push();
    Pop();
    Pop();
    Pop();
    Push();
  }
};

// It does so with an element, whose slot there held another before.
struct MoveToSmallAgainstSteal : DequeScenario<2, 2> {
  void Before() {
    Push(3);
    for (int i = 0; i < 3; ++i) PopFront();
    Push();
  }
  void Thread(int index) { index == 0 ? deque.ShrinkToFit() : static_cast<void>(Steal()); }
};
// And the other is the one that the thief has read.
struct MoveToReadSlotAgainstSteal : DequeScenario<2, 2> {
  void Before() { Push(2); }
  void Thread(int index) {
    if (index == 1) {
      Steal();
      return;
    }
    Push();
    PopFront();
    deque.ShrinkToFit();
  }
};

// The thief comes nearer while the owner takes what was far.
struct FarPopAgainstSteals : DequeScenario<2, 2, 1> {
  void Before() { Push(2); }
  void Thread(int index) {
    if (index == 0) {
      Pop();
      return;
    }
    Steal();
    Steal();
  }
};
// And the owner puts something else there.
struct FarPopsAgainstSteal : DequeScenario<4, 4, 1> {
  void Before() { Push(3); }
  void Thread(int index) {
    if (index == 1) {
      Steal();
      return;
    }
    Pop();
    Push();
    Pop();
    Pop();
  }
};
struct FarPopAgainstHalf : DequeScenario<4, 4, 2> {
  void Before() { Push(4); }
  void Thread(int index) {
    if (index == 1) {
      StealHalf();
      StealHalf();
      return;
    }
    Pop();
    Pop();
  }
};
// A thief that reads what was pushed before a far pop lowered bottom.
struct PushFarPopAgainstSteal : DequeScenario<2, 2, 1> {
  void Thread(int index) {
    if (index == 1) {
      Steal();
      return;
    }
    Push(2);
    Pop();
  }
};

TEST(DequeModelTest, PushAgainstSteal) { CheckExhaustively<PushAgainstSteal>(); }
TEST(DequeModelTest, PopOfEmptyAgainstSteal) { CheckExhaustively<PopOfEmptyAgainstSteal>(); }
TEST(DequeModelTest, LastElementByPop) { CheckExhaustively<LastElementByPop>(); }
TEST(DequeModelTest, LastElementByPopIf) { CheckExhaustively<LastElementByPopIf>(); }
TEST(DequeModelTest, LastElementByPopFront) { CheckExhaustively<LastElementByPopFront>(); }
TEST(DequeModelTest, PushPopAgainstSteal) { CheckExhaustively<PushPopAgainstSteal>(); }
TEST(DequeModelTest, GrowthAgainstSteal) { CheckExhaustively<GrowthAgainstSteal>(); }
TEST(DequeModelTest, ReuseOfSlots) { CheckExhaustively<ReuseOfSlots>(); }
TEST(DequeModelTest, GrowthToLargeAgainstSteal) {
  CheckWithPreemptions<GrowthToLargeAgainstSteal>(2);
}
TEST(DequeModelTest, GrowthOfLargeAgainstSteal) {
  CheckWithPreemptions<GrowthOfLargeAgainstSteal>(2);
}
TEST(DequeModelTest, ShrinkAgainstSteal) { CheckWithPreemptions<ShrinkAgainstSteal>(2); }
TEST(DequeModelTest, ReuseOfBuffer) { CheckWithPreemptions<ReuseOfBuffer>(2); }
TEST(DequeModelTest, MoveToSmallAgainstSteal) { CheckWithPreemptions<MoveToSmallAgainstSteal>(2); }
TEST(DequeModelTest, MoveToReadSlotAgainstSteal) {
  CheckWithPreemptions<MoveToReadSlotAgainstSteal>(2);
}
TEST(DequeModelTest, HalfAgainstSteal) { CheckWithPreemptions<HalfAgainstSteal>(2); }
TEST(DequeModelTest, HalfAgainstPopIf) { CheckWithPreemptions<HalfAgainstPopIf>(2); }
TEST(DequeModelTest, HalfAgainstPop) { CheckWithPreemptions<HalfAgainstPop>(2); }
TEST(DequeModelTest, FarPopAgainstSteals) { CheckExhaustively<FarPopAgainstSteals>(); }
TEST(DequeModelTest, PushFarPopAgainstSteal) { CheckExhaustively<PushFarPopAgainstSteal>(); }
TEST(DequeModelTest, FarPopsAgainstSteal) { CheckWithPreemptions<FarPopsAgainstSteal>(2); }
TEST(DequeModelTest, FarPopAgainstHalf) { CheckWithPreemptions<FarPopAgainstHalf>(2); }

// -- Larger ones, at random -------------------------------------------------------

// The owner does anything, up to six times; two thieves steal one or half.
template <std::size_t kMin, std::size_t kKept, std::size_t kBatch = 8>
struct Anything : DequeScenario<kMin, kKept, kBatch> {
  static constexpr int kThreads = 3;
  void Thread(int index) {
    if (index == 0) {
      for (int i = 0; i < 6; ++i) {
        switch (model::Choose(4)) {
          case 0:
          case 1:
            this->Push();
            break;
          case 2:
            this->Pop();
            break;
          default:
            this->PopFront();
        }
      }
    } else if (index == 1) {
      this->Steal();
      this->StealHalf();
    } else {
      this->Steal();
      this->Steal();
    }
  }
};

TEST(DequeModelTest, AnythingAtRandom) { CheckRandomly<Anything<1, 2>>(100'000); }
TEST(DequeModelTest, AnythingWithLargeBuffersAtRandom) { CheckRandomly<Anything<1, 1>>(100'000); }
TEST(DequeModelTest, AnythingWithFarPopsAtRandom) { CheckRandomly<Anything<1, 1, 1>>(100'000); }
TEST(DequeModelTest, AnythingWithFarPopsAndBatchesAtRandom) {
  CheckRandomly<Anything<1, 2, 2>>(100'000);
}

// -- Mutations: each order of the header, and what finds its absence ---------------

constexpr std::uint64_t kRuns = 50'000;

TEST(DequeMutationTest, Push) {
  ExpectFound<PushAgainstSteal>(Randomly(kRuns), {.function = "PushReserved",
                                                  .access = Access::kStore,
                                                  .type = "char",
                                                  .from = memory_order_release});
}
TEST(DequeMutationTest, BottomInPop) {
  ExpectFound<PushPopAgainstSteal>(Exhaustively(), {.function = "ClaimLast",
                                                    .access = Access::kStore,
                                                    .type = "char",
                                                    .from = memory_order_release});
}
TEST(DequeMutationTest, ClaimOfPop) {
  ExpectFound<LastElementByPop>(
      Randomly(kRuns),
      {.function = "ClaimLast", .access = Access::kRmw, .from = memory_order_release});
}
// Without one of these orders an element that was far comes out twice.
TEST(DequeMutationTest, BottomInFarPop) {
  ExpectFound<FarPopAgainstSteals>(Randomly(kRuns), {.function = "ClaimLast",
                                                     .access = Access::kRmw,
                                                     .type = "char",
                                                     .from = memory_order_seq_cst,
                                                     .to = memory_order_release});
}
TEST(DequeMutationTest, ClaimReadByFarPop) {
  ExpectFound<FarPopAgainstSteals>(Randomly(kRuns), {.function = "ClaimLast",
                                                     .access = Access::kLoad,
                                                     .from = memory_order_seq_cst,
                                                     .to = memory_order_acquire});
}
TEST(DequeMutationTest, BottomReadByThiefOfFarPop) {
  ExpectFound<FarPopAgainstSteals>(Randomly(kRuns), {.function = "TakeFront",
                                                     .access = Access::kLoad,
                                                     .type = "char",
                                                     .from = memory_order_seq_cst,
                                                     .to = memory_order_acquire});
}
TEST(DequeMutationTest, BottomInStealHalf) {
  ExpectFound<HalfAgainstSteal>(
      Randomly(kRuns),
      {.function = "StealHalf", .access = Access::kStore, .from = memory_order_release});
}
TEST(DequeMutationTest, ClaimReadByReserve) {
  ExpectFound<ReuseOfSlots>(
      Randomly(kRuns),
      {.function = "ReserveSlowly", .access = Access::kLoad, .from = memory_order_acquire});
}
TEST(DequeMutationTest, ClaimReadByShrink) {
  ExpectFound<MoveToReadSlotAgainstSteal>(
      Randomly(kRuns),
      {.function = "Shrink", .access = Access::kLoad, .from = memory_order_acquire});
}
TEST(DequeMutationTest, BufferInUse) {
  ExpectFound<GrowthAgainstSteal>(
      Randomly(kRuns), {.function = "Use", .access = Access::kStore, .from = memory_order_release});
}
TEST(DequeMutationTest, FencesOfTheHazardPointers) {
  ExpectFound<ShrinkAgainstSteal>(
      Randomly(kRuns),
      {.function = "LightFence", .access = Access::kFence, .from = memory_order_seq_cst});
  ExpectFound<ShrinkAgainstSteal>(
      Randomly(kRuns),
      {.function = "HeavyFence", .access = Access::kFence, .from = memory_order_seq_cst});
}
TEST(DequeMutationTest, BufferReadByProtectedThief) {
  ExpectFound<MoveToSmallAgainstSteal>(
      Randomly(kRuns),
      {.function = "Protect", .access = Access::kLoad, .from = memory_order_acquire});
}
TEST(DequeMutationTest, ThiefLeaves) {
  ExpectFound<ShrinkAgainstSteal>(
      Randomly(kRuns),
      {.function = "Clear", .access = Access::kStore, .from = memory_order_release});
}
TEST(DequeMutationTest, ClaimReadByThief) {
  ExpectFound<LastElementByPop>(Randomly(kRuns), {.function = "TakeFront",
                                                  .access = Access::kLoad,
                                                  .type = "short",
                                                  .from = memory_order_seq_cst});
}
TEST(DequeMutationTest, BottomReadByThief) {
  ExpectFound<PushAgainstSteal>(Randomly(kRuns), {.function = "TakeFront",
                                                  .access = Access::kLoad,
                                                  .type = "char",
                                                  .from = memory_order_seq_cst});
}
TEST(DequeMutationTest, BufferReadByThief) {
  ExpectFound<GrowthAgainstSteal>(Randomly(kRuns), {.function = "TakeFront",
                                                    .access = Access::kLoad,
                                                    .type = "byte",
                                                    .from = memory_order_acquire});
}
TEST(DequeMutationTest, ClaimOfThief) {
  ExpectFound<ReuseOfSlots>(Randomly(kRuns), {.function = "ClaimFront",
                                              .access = Access::kRmw,
                                              .type = "short",
                                              .from = memory_order_seq_cst});
  ExpectFound<FarPopAgainstSteals>(Randomly(kRuns), {.function = "ClaimFront",
                                                     .access = Access::kRmw,
                                                     .type = "short",
                                                     .from = memory_order_seq_cst,
                                                     .to = memory_order_acq_rel});
}

}  // namespace
}  // namespace home
