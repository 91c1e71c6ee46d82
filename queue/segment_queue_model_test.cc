// SegmentQueue under the model checker: the production header with the checker's atomics, blocks
// of one or two cells and tickets that wrap, so that each operation crosses a border and frees
// or reuses a block.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <source_location>
#include <type_traits>

#include "gtest/gtest.h"
#include "home/queue/queue_test_scenario.h"
#include "home/queue/segment_queue.h"
#include "home/tools/model/checker.h"

namespace home {
namespace {

using model::Access;
using model::CheckExhaustively;
using model::CheckRandomly;
using model::CheckWithPreemptions;
using model::ExpectFound;
using model::Randomly;
using model::WithPreemptions;
using queue_testing::Modelled;
using queue_testing::QueueScenario;
using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_release;
using std::memory_order_seq_cst;

template <std::size_t kCells, std::size_t kSpares>
struct Policy : Modelled<SegmentQueuePolicy> {
  using Ticket = std::uint8_t;
  static constexpr Ticket kFirstTicket = 254;
  static constexpr std::size_t BlockCells(std::size_t) { return kCells; }
  static constexpr std::size_t kSpareBlocks = kSpares;
};

template <std::size_t kCells, std::size_t kSpares, int kThreads = 2>
using Scenario =
    QueueScenario<SegmentQueue<queue_testing::Handle, Policy<kCells, kSpares>>, kThreads>;

// -- Small scenarios, exhaustively or with bounded preemption ----------------------

struct PushAgainstPop : Scenario<2, 0> {
  void Thread(int index) { index == 0 ? Push(0) : static_cast<void>(Pop(1)); }
};
// The pop moves the head's hint while the push looks for its block.
struct PushAgainstPopOfAnother : Scenario<1, 0> {
  void Before() { Push(kThreads); }
  void Thread(int index) { index == 0 ? Push(0) : static_cast<void>(Pop(1)); }
};
struct TwoPushes : Scenario<1, 0> {
  void Thread(int index) { Push(index); }
};
struct TwoPops : Scenario<1, 0> {
  void Before() {
    Push(kThreads);
    Push(kThreads);
  }
  void Thread(int index) { model::Expect(Pop(index), "there is one for each"); }
};
// Blocks are freed while others walk over them.
template <std::size_t kCells, std::size_t kSpares, int kThreads, int kRounds>
struct Pairs : Scenario<kCells, kSpares, kThreads> {
  void Thread(int index) {
    for (int i = 0; i < kRounds; ++i) {
      this->Push(index);
      // As every thread pushes before it pops, there is an element for each.
      model::Expect(this->Pop(index), "a completed push is not hidden");
    }
  }
  // I6, wherever the threads were interrupted: the last two blocks settled, one linked ahead,
  // and what a line may lie ahead: one block, and the tickets that were under way.
  void After() {
    Scenario<kCells, kSpares, kThreads>::After();
    constexpr std::size_t kUnderWay = (kThreads + kCells - 1) / kCells;
    model::Expect(this->queue.BlockCountHint() <= 4 + kUnderWay + kSpares, "memory is returned");
  }
};
// Elements stay inside: they are found by the destructor if nobody drains the queue.
struct LeftInside : Scenario<1, 1> {
  void Thread(int index) {
    Push(index);
    Push(index);
    Pop(index);
  }
  void After() {}
};

TEST(SegmentQueueModelTest, PushAgainstPop) { CheckExhaustively<PushAgainstPop>(); }
TEST(SegmentQueueModelTest, PushAgainstPopOfAnother) {
  CheckWithPreemptions<PushAgainstPopOfAnother>(2);
}
TEST(SegmentQueueModelTest, TwoPushes) { CheckWithPreemptions<TwoPushes>(2); }
TEST(SegmentQueueModelTest, TwoPops) { CheckWithPreemptions<TwoPops>(2); }
TEST(SegmentQueueModelTest, LeftInside) { CheckRandomly<LeftInside>(20'000); }

// -- Larger ones, at random --------------------------------------------------------

TEST(SegmentQueueModelTest, PairsInBlocksOfOne) { CheckRandomly<Pairs<1, 0, 2, 4>>(10'000); }
TEST(SegmentQueueModelTest, PairsInBlocksOfOneThatAreReused) {
  CheckRandomly<Pairs<1, 2, 2, 4>>(10'000);
}
TEST(SegmentQueueModelTest, PairsInBlocksOfTwo) { CheckRandomly<Pairs<2, 1, 2, 4>>(10'000); }
TEST(SegmentQueueModelTest, ThreePairs) { CheckRandomly<Pairs<1, 0, 3, 3>>(10'000); }

// -- Mutation tests: what the orders are for ---------------------------------------

TEST(SegmentQueueModelTest, FillingNeedsRelease) {
  ExpectFound<PushAgainstPop>(WithPreemptions(2), {.function = "Push",
                                                   .access = Access::kStore,
                                                   .type = "State",
                                                   .from = memory_order_release});
}
TEST(SegmentQueueModelTest, AwaitingNeedsAcquire) {
  ExpectFound<PushAgainstPop>(
      WithPreemptions(2),
      {.function = "Await", .access = Access::kLoad, .from = memory_order_acquire});
}
TEST(SegmentQueueModelTest, AppendingNeedsRelease) {
  ExpectFound<TwoPushes>(
      WithPreemptions(2),
      {.function = "NextOrAppend", .access = Access::kRmw, .from = memory_order_release});
}
TEST(SegmentQueueModelTest, GoingOnToABlockNeedsAcquire) {
  ExpectFound<Pairs<1, 2, 2, 4>>(Randomly(20'000), {.function = "PassFrontier",
                                                    .access = Access::kLoad,
                                                    .type = "Block",
                                                    .from = memory_order_acquire});
}
TEST(SegmentQueueModelTest, FindingABlockNeedsAcquire) {
  ExpectFound<TwoPushes>(
      WithPreemptions(2),
      {.function = "FindForPush", .access = Access::kLoad, .from = memory_order_acquire});
}
// The ordinary fences that stand for the asymmetric one hide what orders the threads that free, one
// after the other: pops that overlap none need no fence.
struct UnfencedPolicy : Policy<1, 2> {
  static void LightFence() {}
  static void HeavyFence() {}
};
struct UnfencedPairs : QueueScenario<SegmentQueue<queue_testing::Handle, UnfencedPolicy>, 3> {
  void Thread(int index) {
    for (int i = 0; i < 3; ++i) {
      Push(index);
      Pop(index);
    }
  }
};
TEST(SegmentQueueModelTest, UnfencedPairs) { CheckRandomly<UnfencedPairs>(20'000); }
TEST(SegmentQueueModelTest, TakingOverNeedsAcquire) {
  ExpectFound<UnfencedPairs>(Randomly(100'000), {.function = "Reclaim",
                                                 .access = Access::kRmw,
                                                 .from = memory_order_acq_rel,
                                                 .to = memory_order_release});
}
TEST(SegmentQueueModelTest, FinishingNeedsRelease) {
  ExpectFound<UnfencedPairs>(
      Randomly(100'000),
      {.function = "Finish", .access = Access::kRmw, .from = memory_order_release});
}

// -- The lines of I5 -------------------------------------------------------------------
//
// One thread, the late one, takes a ticket right behind the line that the other has drawn, reads
// a hint, and stops. The other then does all that leads to the freeing of the block that the hint
// named before. This needs a dozen steps in a row on either side, so the schedule is forced: by
// stages, which order nothing (relaxed), and the search is over what the loads return.

enum Stage : int { kNoLine, kLineDrawn, kHintRead, kFreed };

// Of the run under way.
model::Atomic<int>* stage = nullptr;

void Reach(Stage reached) { stage->store(reached, std::memory_order_relaxed); }
void Await(Stage awaited) {
  while (stage->load(std::memory_order_relaxed) < awaited) model::Yield();
}

// The first pointer that is read after the line was drawn is the late thread's hint.
template <typename U>
class StagedAtomic : public model::Atomic<U> {
 public:
  using Location = std::source_location;
  using model::Atomic<U>::Atomic;
  U load(std::memory_order order, Location where = Location::current()) const {
    const U value = model::Atomic<U>::load(order, where);
    if constexpr (std::is_pointer_v<U>) {
      if (stage->load(std::memory_order_relaxed) == kLineDrawn) {
        Reach(kHintRead);
        Await(kFreed);
      }
    }
    return value;
  }
};

struct StagedPolicy : Policy<1, 0> {
  template <typename U>
  using Atomic = StagedAtomic<U>;
  // The other waits for the late one's element only after it has freed the block.
  static void Relax(int) {
    Reach(kFreed);
    model::Yield();
  }
};

struct HasStage {
  HasStage() { stage = &current; }
  model::Atomic<int> current{kNoLine};
};
struct Staged : HasStage, QueueScenario<SegmentQueue<queue_testing::Handle, StagedPolicy>> {
  void After() {
    Reach(kFreed);
    QueueScenario::After();
  }
};

struct PushBehindTheLine : Staged {
  void Before() { Push(kThreads); }
  void Thread(int index) {
    if (index == 0) {
      Await(kLineDrawn);
      Push(0);
      return;
    }
    Push(1);
    Reach(kLineDrawn);
    Await(kHintRead);
    Pop(1);
    Pop(1);
    Push(1);
    Pop(1);
    Reach(kFreed);
  }
};
struct PopBehindTheLine : Staged {
  void Before() {
    for (int i = 0; i < 4; ++i) Push(kThreads);
  }
  void Thread(int index) {
    if (index == 0) {
      Await(kLineDrawn);
      Pop(0);
      return;
    }
    Pop(1);
    Pop(1);
    Reach(kLineDrawn);
    Await(kHintRead);
    Pop(1);
    Reach(kFreed);
  }
};

// I7. Late threads, all but the last one, stop before they leave their cells, until the last has
// done some pops: kBefore. After these nobody looks for blocks to free, but they themselves.
template <typename U, int kLate>
class LateAtomic : public model::Atomic<U> {
 public:
  using Location = std::source_location;
  using model::Atomic<U>::Atomic;
  void store(U value, std::memory_order order, Location where = Location::current()) {
    // Leave() has the only store of a state that is not relaxed in a thread that pops.
    if (std::is_enum_v<U> && order != std::memory_order_relaxed && model::ThreadIndex() < kLate) {
      Await(kFreed);
    }
    model::Atomic<U>::store(value, order, where);
  }
};

template <std::size_t kSpares, int kLate>
struct LatePolicy : Policy<1, kSpares> {
  template <typename U>
  using Atomic = LateAtomic<U, kLate>;
};
template <int kLate, int kBefore>
struct LatePops
    : HasStage,
      QueueScenario<SegmentQueue<queue_testing::Handle, LatePolicy<0, kLate>>, kLate + 1> {
  using Base = QueueScenario<SegmentQueue<queue_testing::Handle, LatePolicy<0, kLate>>, kLate + 1>;
  static constexpr int kPops = 6;

  LatePops() { Reach(kFreed); }
  void Before() {
    for (int i = 0; i < kPops + kLate; ++i) this->Push(i % 2 == 0 ? Base::kThreads : kLate);
    Reach(kNoLine);
  }
  void Thread(int index) {
    if (index < kLate) {
      this->Pop(index);
      return;
    }
    for (int i = 0; i < kPops; ++i) {
      if (i == kBefore) Reach(kFreed);
      this->Pop(index);
    }
    Reach(kFreed);
  }
  void After() {
    Base::After();
    // As with Pairs, if the late ones' operations are under way.
    model::Expect(this->queue.BlockCountHint() <= 4 + kLate, "memory is returned");
  }
};

// The block that the late pop has left is taken by a thread that knows of it from the one that
// freed it only.
struct Reuse : HasStage, QueueScenario<SegmentQueue<queue_testing::Handle, LatePolicy<2, 1>>, 3> {
  Reuse() { Reach(kFreed); }
  void Before() {
    for (int i = 0; i < 3; ++i) Push(kThreads);
    Reach(kNoLine);
  }
  void Thread(int index) {
    if (index == 2) {
      for (int i = 0; i < 3; ++i) Push(index);
      return;
    }
    Pop(index);
    if (index == 1) {
      Reach(kFreed);
      Pop(index);
    }
  }
};

TEST(SegmentQueueModelTest, LatePops) {
  CheckRandomly<LatePops<1, 1>>(10'000);
  CheckRandomly<LatePops<1, 5>>(10'000);
  CheckRandomly<LatePops<2, 6>>(10'000);
}
TEST(SegmentQueueModelTest, Reuse) { CheckRandomly<Reuse>(20'000); }
TEST(SegmentQueueModelTest, LeavingNeedsRelease) {
  ExpectFound<Reuse>(Randomly(20'000),
                     {.function = "Leave", .access = Access::kStore, .from = memory_order_release});
}
TEST(SegmentQueueModelTest, FreeingNeedsAcquire) {
  ExpectFound<Reuse>(Randomly(20'000),
                     {.function = "IsLeft", .access = Access::kLoad, .from = memory_order_acquire});
}
TEST(SegmentQueueModelTest, LeavingNeedsAFence) {
  ExpectFound<LatePops<1, 5>>(
      Randomly(10'000),
      {.function = "LightFence", .access = Access::kFence, .from = memory_order_seq_cst});
}
TEST(SegmentQueueModelTest, WatchingNeedsAFence) {
  ExpectFound<LatePops<2, 6>>(
      Randomly(10'000),
      {.function = "HeavyFence", .access = Access::kFence, .from = memory_order_seq_cst});
}

TEST(SegmentQueueModelTest, PushBehindTheLine) { CheckRandomly<PushBehindTheLine>(10'000); }
TEST(SegmentQueueModelTest, PopBehindTheLine) { CheckRandomly<PopBehindTheLine>(10'000); }

// Without its order the line does not show the late thread that the hint was moved.
TEST(SegmentQueueModelTest, TheLineOfTheTailNeedsOrder) {
  ExpectFound<PushBehindTheLine>(Randomly(10'000), {.function = "DrawLine",
                                                    .access = Access::kRmw,
                                                    .type = "char",
                                                    .from = memory_order_acq_rel});
}
TEST(SegmentQueueModelTest, TheLineOfTheHeadNeedsOrder) {
  ExpectFound<PopBehindTheLine>(Randomly(10'000), {.function = "DrawLine",
                                                   .access = Access::kRmw,
                                                   .type = "char",
                                                   .from = memory_order_acq_rel});
}

}  // namespace
}  // namespace home
