// Pitfall 17, the other half (stdexec#1475): a runtime with nothing to do costs nothing. What a
// thread does that sleeps shows in how often it was switched to.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"
#include "home/task/join_handle.h"
#include "home/timer/sleep.h"

namespace home {
namespace {

using testing::Flavour;
using testing::MakeRuntime;

using Threads = std::set<std::string>;

Threads ThreadsNow() {
  Threads threads;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    threads.insert(entry.path().string());
  }
  return threads;
}

// How often threads that are none of `others` were switched to.
std::uint64_t Switches(const Threads& others) {
  std::uint64_t switches = 0;
  for (const std::string& thread : ThreadsNow()) {
    if (others.count(thread) != 0) continue;
    std::ifstream status(thread + "/status");
    for (std::string line; std::getline(status, line);) {
      const std::size_t colon = line.find(':');
      if (line.find("_ctxt_switches") < colon) switches += std::stoull(line.substr(colon + 1));
    }
  }
  return switches;
}

TEST(SilenceTest, AnIdleRuntimeSleeps) {
  for (const Flavour flavour : {Flavour::kOneWorker, Flavour::kTwoWorkers, Flavour::kFourWorkers}) {
    const Threads others = ThreadsNow();
    Runtime runtime = MakeRuntime(flavour);
    std::vector<JoinHandle<void>> sleepers;
    for (int i = 0; i < 100; ++i) sleepers.push_back(runtime.Spawn(Sleep(absl::Hours(1))));
    // Falls silent some time after its last task; one that never does is not left.
    std::uint64_t before = 0;
    std::uint64_t now = Switches(others);
    do {
      before = now;
      absl::SleepFor(absl::Milliseconds(300));
      now = Switches(others);
    } while (now != before || now == 0);
    EXPECT_EQ(runtime.Metrics().tasks_alive, 100u);
  }
}

}  // namespace
}  // namespace home
