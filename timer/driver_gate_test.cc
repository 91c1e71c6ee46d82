// The driver's protocol with every step of one side run between any two steps
// of the other.

#include "home/timer/driver_gate.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include "gtest/gtest.h"

namespace home {
namespace {

// Runs `body` before the operation on any SteppedAtomic that makes `countdown`
// reach zero: what another thread does at just that moment.
struct Intruder {
  int countdown = -1;
  std::function<void()> body;

  void Step() {
    if (countdown < 0 || countdown-- != 0) return;
    std::exchange(body, nullptr)();
  }
};
Intruder intruder;

template <typename T>
class SteppedAtomic {
 public:
  SteppedAtomic(T value) : value_(value) {}  // NOLINT: implicit like std::atomic's

  T load(std::memory_order) {
    intruder.Step();
    return value_;
  }
  T exchange(T value, std::memory_order) {
    intruder.Step();
    return std::exchange(value_, value);
  }
  bool compare_exchange_strong(T& expected, T value, std::memory_order) {
    intruder.Step();
    if (value_ != expected) {
      expected = value_;
      return false;
    }
    value_ = value;
    return true;
  }

 private:
  T value_;
};

using Gate = DriverGate<SteppedAtomic>;

struct World {
  Gate gate;
  SteppedAtomic<std::int64_t> next[2] = {Gate::kInfinite, Gate::kInfinite};
  int wakes = 0;
  std::int64_t until = Gate::kAwake;

  void Arm(std::size_t shard, std::int64_t deadline) {
    if (Gate::Lower(next[shard], deadline) && gate.MustWake(deadline)) ++wakes;
  }
  void Prepare() {
    until =
        gate.Prepare(2, [this](std::size_t i) -> SteppedAtomic<std::int64_t>& { return next[i]; });
  }
};

// The intruder never comes when `step` is beyond the last operation.
constexpr int kSteps = 8;

// PITFALL 21, tokio#6683: a timer goes into a shard that the driver has read.
TEST(DriverGateTest, TimerArmedBehindTheScanIsNotMissed) {
  for (int step = 0; step < kSteps; ++step) {
    for (std::size_t shard = 0; shard < 2; ++shard) {
      World world;
      world.Arm(0, 1000);
      world.Arm(1, 2000);
      intruder = {step, [&] { world.Arm(shard, 10); }};
      world.Prepare();
      if (intruder.body != nullptr) std::exchange(intruder, {}).body();  // right after
      EXPECT_TRUE(world.until <= 10 || world.wakes == 1)
          << "step " << step << ": sleeps until " << world.until;
      EXPECT_LE(world.wakes, 1);
    }
  }
}

// The same with the roles exchanged: the driver prepares amid an arm.
TEST(DriverGateTest, DriverThatPreparesAmidAnArmIsWokenOrSeesIt) {
  for (int step = 0; step < kSteps; ++step) {
    World world;
    world.Arm(1, 2000);
    intruder = {step, [&] { world.Prepare(); }};
    world.Arm(0, 10);
    if (intruder.body != nullptr) std::exchange(intruder, {}).body();
    EXPECT_TRUE(world.until <= 10 || world.wakes == 1)
        << "step " << step << ": sleeps until " << world.until;
    EXPECT_LE(world.wakes, 1);
  }
}

// Two arming threads, nested at every step: together they wake once.
TEST(DriverGateTest, TwoArmingThreadsWakeOnce) {
  for (int step = 0; step < kSteps; ++step) {
    World world;
    world.Prepare();
    intruder = {step, [&] { world.Arm(1, 20); }};
    world.Arm(0, 10);
    if (intruder.body != nullptr) std::exchange(intruder, {}).body();
    EXPECT_EQ(world.wakes, 1) << "step " << step;
  }
}

TEST(DriverGateTest, OnlyEarlierTimersWake) {
  World world;
  world.Arm(0, 100);
  world.Prepare();
  EXPECT_EQ(world.until, 100);
  world.Arm(1, 100);
  world.Arm(0, 200);
  EXPECT_EQ(world.wakes, 0);
  world.Arm(1, 99);
  EXPECT_EQ(world.wakes, 1);
  world.Arm(1, 98);  // a wake is on its way already
  EXPECT_EQ(world.wakes, 1);
}

TEST(DriverGateTest, AwakeDriverIsNotWoken) {
  World world;
  world.Arm(0, 100);
  world.Prepare();
  world.gate.Finish();
  world.Arm(0, 1);
  EXPECT_EQ(world.wakes, 0);
  world.Prepare();
  EXPECT_EQ(world.until, 1);
}

}  // namespace
}  // namespace home
