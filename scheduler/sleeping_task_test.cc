// What a task that sleeps takes: the bytes that it asks the global operator new for, of which
// a program with a million of them is made.

#include <cstddef>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/allocation_testing.h"
#include "home/future/async.h"
#include "home/task/join_handle.h"
#include "home/task/testing.h"
#include "home/timer/clock.h"
#include "home/timer/sleep.h"
#include "home/timer/timer_service.h"

namespace home {
namespace {

Async<> SleepForAnHour() { co_await Sleep(absl::Hours(1)); }

// Blocks of the frame cache are multiples of 32, from 192 on of 64. g++ needs a driver loop, which
// has a word in every frame (chain.h), and keeps more there.
constexpr std::size_t kFrameBytes = HOME_ASYNC_TRAMPOLINE ? 192 : 128;
constexpr std::size_t kCellBytes = 96;
constexpr std::size_t kSleepCellBytes = 160;
// Frames are larger where nothing is optimised, and futures where they check their use.
#if defined(NDEBUG)
constexpr std::size_t kDebugBytes = 0;
#else
constexpr std::size_t kDebugBytes = 512;
#endif

class SleepingTaskTest : public ::testing::Test {
 protected:
  // Of the blocks of a task that make() makes, which is left asleep.
  template <typename Make>
  std::size_t BytesOf(Make make) {
    // The scheduler's queue takes a block every 64 wakes.
    scheduler_.Spawn(make()).Abort();
    scheduler_.RunUntilIdle();
    const JoinHandle<void> recycled = scheduler_.Spawn(make());
    scheduler_.RunUntilIdle();
    const std::size_t before = testing::AllocatedBytes();
    const JoinHandle<void> asleep = scheduler_.Spawn(make());
    scheduler_.RunUntilIdle();
    return testing::AllocatedBytes() - before;
  }

  PausedClock clock_;
  TimerService timers_{1, &clock_, [] {}};
  const TimerScope scope_{&timers_, 0};
  testing::ManualScheduler scheduler_;
};

TEST_F(SleepingTaskTest, ACoroutineIsAFrameAndACell) {
  EXPECT_LE(BytesOf([] { return SleepForAnHour(); }), kFrameBytes + kCellBytes + kDebugBytes);
}

TEST_F(SleepingTaskTest, ABareSleepIsACell) {
  EXPECT_LE(BytesOf([] { return Sleep(absl::Hours(1)); }), kSleepCellBytes + kDebugBytes);
}

}  // namespace
}  // namespace home
