// LifoSlot under the model checker, alone and beside a deque as a worker has it: an owner
// that is woken, takes and goes on, and thieves.
//
// Tasks are plain data that the checker watches. Running one increments it: a task that
// comes out twice, or whose contents were not published with it, is a data race or a wrong
// count. What is left at the end is taken then, and all must have come out once.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "gtest/gtest.h"
#include "home/deque/deque_policy.h"
#include "home/deque/work_stealing_deque.h"
#include "home/scheduler/lifo_slot.h"
#include "home/tools/model/atomic.h"
#include "home/tools/model/checker.h"

namespace home::scheduler_internal {
namespace {

using model::Access;
using model::CheckExhaustively;
using model::CheckRandomly;
using model::Exhaustively;
using model::Expect;
using model::ExpectFound;
using std::memory_order_acquire;
using std::memory_order_release;

using Task = model::Data<int>;
using Slot = LifoSlot<Task, model::Atomic>;

// `kTold`: the owner knows of its thieves.
template <int kThreadCount, bool kTold = true>
struct SlotScenario {
  static constexpr int kThreads = kThreadCount;
  static constexpr std::size_t kTasks = 3;

  // The owner, as Worker::PushWoken(); what is displaced goes elsewhere.
  void Wake() {
    Task* const task = &tasks[woken++];
    *task = 0;
    if (slot.empty()) return slot.Fill(task);
    if (Task* const displaced = slot.Replace(task, /*thieves=*/true)) Run(displaced);
  }
  bool Take() {
    Task* const task = slot.Take(kTold);
    return task != nullptr && Run(task);
  }
  void Steal() {
    if (Task* const task = slot.Steal()) Run(task);
  }
  static bool Run(Task* task) {
    *task = *task + 1;
    return true;
  }
  void After() {
    while (Take()) {
    }
    for (std::size_t i = 0; i < woken; ++i) Expect(tasks[i] == 1, "run once");
  }

  std::array<Task, kTasks> tasks;
  std::size_t woken = 0;  // The owner's.
  Slot slot;
};

// The owner fills the slot, replaces what is in it, and takes.
template <int kThreadCount, bool kTold = true>
struct OwnerAndThieves : SlotScenario<kThreadCount, kTold> {
  void Thread(int index) {
    if (index > 0) return this->Steal();
    this->Wake();
    this->Wake();
    this->Take();
    this->Wake();
  }
};

TEST(LifoSlotModelTest, OneThief) { CheckExhaustively<OwnerAndThieves<2>>(); }
TEST(LifoSlotModelTest, TwoThieves) { CheckExhaustively<OwnerAndThieves<3>>(); }
TEST(LifoSlotModelTest, NoThief) { CheckExhaustively<OwnerAndThieves<1, /*kTold=*/false>>(); }

TEST(LifoSlotModelTest, AnOwnerThatIsNotToldOfThievesIsFound) {
  ExpectFound<OwnerAndThieves<2, /*kTold=*/false>>(Exhaustively());
}
TEST(LifoSlotModelTest, FillingReleases) {
  ExpectFound<OwnerAndThieves<2>>(
      Exhaustively(), {.function = "Fill", .access = Access::kStore, .from = memory_order_release});
}
TEST(LifoSlotModelTest, ReplacingReleases) {
  ExpectFound<OwnerAndThieves<2>>(
      Exhaustively(),
      {.function = "Replace", .access = Access::kRmw, .from = memory_order_release});
}
TEST(LifoSlotModelTest, StealingAcquires) {
  ExpectFound<OwnerAndThieves<2>>(
      Exhaustively(), {.function = "Steal", .access = Access::kRmw, .from = memory_order_acquire});
}

// -- Beside the deque ----------------------------------------------------------------

struct SmallDeque : DequePolicy {
  template <typename U>
  using Atomic = model::Atomic<U>;
  using Index = std::uint8_t;
  static constexpr std::size_t kMinCapacity = 2;
  static constexpr std::size_t kKeptCapacity = 2;
};

// What is displaced goes to the deque, and each of two thieves takes half of that, or else
// what is in the slot, as Worker::StealFor().
struct SlotAndDeque : SlotScenario<3> {
  using Deque = WorkStealingDeque<Task*, SmallDeque>;

  void Thread(int index) {
    if (index > 0) return StealFor(loot[static_cast<std::size_t>(index - 1)]);
    for (std::size_t i = 0; i < kTasks; ++i) WakeBesideDeque();
    if (!Take()) RunNext(deque);
  }
  void WakeBesideDeque() {
    Task* const task = &tasks[woken++];
    *task = 0;
    if (slot.empty()) return slot.Fill(task);
    if (Task* const displaced = slot.Replace(task, /*thieves=*/true)) deque.Push(displaced);
  }
  void StealFor(Deque& into) {
    StealResult<Task*> stolen = deque.StealHalf(into);
    while (stolen.retry()) stolen = deque.StealHalf(into);
    if (!stolen.ok()) return Steal();
    Run(stolen.value());
    RunNext(into);
  }
  static bool RunNext(Deque& from) {
    const std::optional<Task*> task = from.PopFront();
    return task && Run(*task);
  }
  void After() {
    while (RunNext(deque) || RunNext(loot[0]) || RunNext(loot[1])) {
    }
    SlotScenario::After();
  }

  Deque deque;
  std::array<Deque, 2> loot;
};

TEST(LifoSlotModelTest, BesideTheDeque) { CheckRandomly<SlotAndDeque>(100'000); }

}  // namespace
}  // namespace home::scheduler_internal
