// The driver's gate under the model checker: threads that arm timers beside the driver, which
// goes to sleep and wakes again until all of them have fired. A wake-up that is lost leaves
// it asleep, and the checker calls that a deadlock.
//
// What stands around the gate is TimerService in small: a shard is a lock, its word, and at
// most two timers. Time passes when the driver sleeps until a moment that is near; a far one
// never comes.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "gtest/gtest.h"
#include "home/parker/model_policy_testing.h"
#include "home/parker/parker.h"
#include "home/timer/driver_gate.h"
#include "home/tools/model/atomic.h"
#include "home/tools/model/checker.h"

namespace home {
namespace {

using model::Access;
using model::CheckRandomly;
using model::CheckWithPreemptions;
using model::ExpectFound;
using model::Randomly;
using model::WithPreemptions;
using std::memory_order_relaxed;
using std::memory_order_seq_cst;

using Gate = DriverGate<model::Atomic>;

// Later than any moment that comes while the scenario runs.
constexpr std::int64_t kFar = 1000;

// A mutation leaves out that an arming thread wakes the driver.
template <bool kWakes = true>
struct Timers : ModelScenario {
  static constexpr std::size_t kShards = 2;

  struct Shard {
    // Fires at once those that are near; keeps G1.
    int TakeNear() {
      mutex.lock();
      const int fired = near;
      near = 0;
      // relaxed: as in TimerService::FireShard().
      if (fired != 0) next.store(far ? kFar : Gate::kInfinite, memory_order_relaxed);
      mutex.unlock();
      return fired;
    }

    model::Mutex mutex;
    Gate::Word next{Gate::kInfinite};
    model::Data<int> near{0};
    model::Data<bool> far{false};
  };

  // As TimerService::Arm().
  void Arm(std::size_t index, std::int64_t deadline) {
    Shard& shard = shards[index];
    shard.mutex.lock();
    if (deadline < kFar) {
      shard.near = shard.near + 1;
    } else {
      shard.far = true;
    }
    const bool lowered = Gate::Lower(shard.next, deadline);
    shard.mutex.unlock();
    if (lowered && kWakes && gate.MustWake(deadline)) {
      wakes.fetch_add(1, memory_order_relaxed);
      reactor.Unpark();
    }
  }

  // As Worker::BlockAsDriver(), until `timers` have fired.
  void Drive(int timers) {
    int sleeps = 0;
    for (int fired = 0; fired < timers;) {
      const std::int64_t until =
          gate.Prepare(kShards, [this](std::size_t i) -> Gate::Word& { return shards[i].next; });
      ++sleeps;
      if (until >= kFar) reactor.Park();
      gate.Finish();
      for (Shard& shard : shards) fired += shard.TakeNear();
    }
    // G3.
    model::Expect(wakes.load(memory_order_relaxed) <= sleeps, "one wake a sleep at most");
  }

  Gate gate;
  std::array<Shard, kShards> shards;
  // Holds a wake-up as a parker holds a token.
  BasicParker<ModelPolicy> reactor;
  model::Atomic<int> wakes{0};
};

// One timer.
template <bool kWakes = true>
struct One : Timers<kWakes> {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index == 0) return this->Drive(1);
    this->Arm(1, 10);
  }
};

// The driver would sleep until a far timer, of the same shard and of the other.
struct BeforeFarOnes : Timers<> {
  static constexpr int kThreads = 2;
  void Before() {
    Arm(0, kFar);
    Arm(1, kFar + 1);
  }
  void Thread(int index) {
    if (index == 0) return Drive(2);
    Arm(1, 20);
    Arm(0, 10);
  }
};

// Two threads, each with a shard of its own.
struct TwoShards : Timers<> {
  static constexpr int kThreads = 3;
  void Thread(int index) {
    if (index == 0) return Drive(2);
    Arm(static_cast<std::size_t>(index) - 1, 10 * index);
  }
};

// Two threads and one shard: one of the timers lowers nothing, and waits for the other's wake.
struct OneShard : Timers<> {
  static constexpr int kThreads = 3;
  void Thread(int index) {
    if (index == 0) return Drive(2);
    Arm(0, 10 * index);
  }
};

TEST(DriverGateModelTest, ATimerIsNotMissed) { CheckWithPreemptions<One<>>(3); }
TEST(DriverGateModelTest, ATimerBeforeFarOnesIsNotMissed) {
  CheckWithPreemptions<BeforeFarOnes>(2);
}
TEST(DriverGateModelTest, TimersOfTwoShardsAreNotMissed) { CheckRandomly<TwoShards>(40'000); }
TEST(DriverGateModelTest, TimersOfOneShardAreNotMissed) { CheckRandomly<OneShard>(40'000); }

TEST(DriverGateModelTest, WithoutTheWakeOneIsMissed) {
  ExpectFound<One</*kWakes=*/false>>(WithPreemptions(3));
}
// A1.
TEST(DriverGateModelTest, LoweringIsSeqCst) {
  ExpectFound<One<>>(WithPreemptions(3),
                     {.function = "Lower", .access = Access::kRmw, .from = memory_order_seq_cst});
}
// A2.
TEST(DriverGateModelTest, LookingForTheDriverIsSeqCst) {
  ExpectFound<One<>>(
      WithPreemptions(3),
      {.function = "MustWake", .access = Access::kLoad, .from = memory_order_seq_cst});
}
// D2.
TEST(DriverGateModelTest, LookingAtTheShardsIsSeqCst) {
  ExpectFound<One<>>(
      WithPreemptions(3),
      {.function = "Prepare", .access = Access::kLoad, .from = memory_order_seq_cst});
}

}  // namespace
}  // namespace home
