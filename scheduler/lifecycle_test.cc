// Thousands of runtimes, one after another, leave nothing behind: no thread, no
// descriptor, no memory.

#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/sanitizer_testing.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"
#include "home/timer/sleep.h"

namespace home {
namespace {

using testing::Flavour;
using testing::MakeRuntime;

constexpr bool kSanitized = testing::kThreadSanitizer || testing::kAddressSanitizer;

// A sanitizer needs fewer to see a leak.
constexpr int kRuntimes = kSanitized ? 300 : 10000;

std::size_t EntriesOf(const char* folder) {
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++entries;
  return entries;
}
std::size_t Descriptors() { return EntriesOf("/proc/self/fd"); }
std::size_t Threads() { return EntriesOf("/proc/self/task"); }

std::size_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// Everything that a runtime may have: tasks that end and that do not, a timer, a closure.
void OneLife(Flavour flavour, bool with_closure) {
  Runtime runtime = MakeRuntime(flavour);
  runtime.Spawn(Sleep(absl::Hours(1))).Detach();
  const int sum = runtime.BlockOn([with_closure]() -> Async<int> {
    auto first = Spawn([]() -> Async<int> {
      co_await YieldNow();
      co_return 1;
    });
    absl::StatusOr<int> one = co_await first;
    if (!with_closure) co_return *one + 2;
    auto second = SpawnBlocking([] { return 2; });
    absl::StatusOr<int> two = co_await second;
    co_return *one + *two;
  });
  ASSERT_EQ(sum, 3);
}

class LifecycleTest : public ::testing::TestWithParam<Flavour> {};

TEST_P(LifecycleTest, ThousandsOfRuntimesLeaveNothingBehind) {
  const auto lives = [](int count) {
    for (int i = 0; i < count; ++i) OneLife(GetParam(), i % 16 == 0);
  };
  // A sanitizer may start a thread of its own with the first of ours.
  std::thread([] {}).join();
  const std::size_t threads = Threads();
  // Blocking threads end by themselves, a moment after they were waited for.
  const auto await_threads = [threads] {
    while (Threads() > threads) std::this_thread::yield();
  };
  lives(kRuntimes / 10);  // caches fill
  await_threads();
  const std::size_t descriptors = Descriptors();
  const std::size_t resident = ResidentBytes();
  lives(kRuntimes);
  await_threads();
  EXPECT_EQ(Descriptors(), descriptors);
  // 200 bytes a runtime would be seen.
  if (!kSanitized) {
    EXPECT_LT(ResidentBytes(), resident + std::size_t{2} * 1024 * 1024);
  }
}

INSTANTIATE_TEST_SUITE_P(Flavours, LifecycleTest,
                         ::testing::Values(Flavour::kCurrentThread, Flavour::kTwoWorkers),
                         [](const ::testing::TestParamInfo<Flavour>& param) {
                           return param.param == Flavour::kCurrentThread ? "CurrentThread"
                                                                         : "TwoWorkers";
                         });

}  // namespace
}  // namespace home
