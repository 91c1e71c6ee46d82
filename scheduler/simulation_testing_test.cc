// The helper that runs tests under many seeds: it finds bugs that are planted here, names a
// seed, and that seed replays them.

#include "home/scheduler/simulation_testing.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/future/select.h"
#include "home/scheduler/seed_runner.h"
#include "home/timer/sleep.h"
#include "home/timer/timeout.h"

namespace home::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

using Body = std::function<void(Runtime&)>;

class SimulationTestingTest : public ::testing::Test {
 protected:
  // Whatever this process was told is not for the runs inside of these tests.
  SimulationTestingTest() {
    unsetenv("HOME_SIM_SEED");
    unsetenv("HOME_SIM_SEEDS");
  }

  // What `run` writes, which then returns false.
  static std::string OutputOf(const std::function<void()>& run) {
    const std::optional<SeedFailure> failure = RunSeeds({}, {}, [&run](std::uint64_t) {
      run();
      return false;
    });
    return failure->output;
  }

  // Expects that some seed fails, for a reason that says `why`; and that its replay does the
  // same, with the same trace each time.
  static void ExpectFound(const Body& body, const std::string& why) {
    const ::testing::AssertionResult result = PassesUnderEverySeed(body);
    ASSERT_FALSE(result);
    const std::string message = result.message();
    EXPECT_THAT(message, HasSubstr(why));
    std::smatch seed;
    ASSERT_TRUE(std::regex_search(message, seed, std::regex("^seed ([0-9]+) of 0-199 failed")))
        << message;
    EXPECT_THAT(message, HasSubstr(absl::StrCat("HOME_SIM_SEED=", seed[1].str())));
    EXPECT_THAT(message, HasSubstr("SimulationTestingTest."));
    const auto replay = [&] {
      return OutputOf([&] {
        setenv("HOME_SIM_SEED", seed[1].str().c_str(), /*overwrite=*/1);
        static_cast<void>(PassesUnderEverySeed(body));
      });
    };
    const std::string first = replay();
    EXPECT_THAT(first, HasSubstr(why));
    EXPECT_THAT(first, HasSubstr(absl::StrCat("seed ", seed[1].str(), ", ")));
    EXPECT_THAT(first, HasSubstr("\n1 0.000 main poll\n"));
    EXPECT_EQ(replay(), first);
  }
};

// -- Planted bugs -------------------------------------------------------------------------

// Looks at the flag, lets others run, and only then leaves its waker.
struct ForgetfulFlag {
  bool set = false;
  Waker waker;

  Async<> Wait() {
    if (set) co_return;
    co_await YieldNow();
    bool waited = false;
    auto wait = PollFn([this, &waited](Context& cx) -> Poll<void> {
      if (std::exchange(waited, true) && set) return kReady;
      waker = cx.waker().Clone();
      return kPending;
    });
    co_await wait;
  }
  void Set() {
    set = true;
    std::move(waker).Wake();
  }
};

TEST_F(SimulationTestingTest, FindsALostWake) {
  ExpectFound(
      [](Runtime& runtime) {
        ForgetfulFlag flag;
        runtime.BlockOn([&flag]() -> Async<> {
          JoinHandle<void> setter = Spawn([&flag]() -> Async<> {
            co_await YieldNow();
            flag.Set();
          });
          co_await flag.Wait();
          EXPECT_TRUE((co_await setter).ok());
        });
      },
      "deadlock: BlockOn's future is not ready");
}

// A pop that takes the item and is not ready yet: to drop it then loses the item.
Async<int> PopInTwoSteps(std::deque<int>& queue) {
  while (queue.empty()) co_await Sleep(absl::Milliseconds(1));
  const int item = queue.front();
  queue.pop_front();
  co_await YieldNow();
  co_return item;
}

TEST_F(SimulationTestingTest, FindsARaceInASelect) {
  ExpectFound(
      [](Runtime& runtime) {
        runtime.BlockOn([]() -> Async<> {
          std::deque<int> queue = {1, 2, 3};
          int received = 0;
          for (int round = 0; round < 20 && received < 6; ++round) {
            auto race = Select(PopInTwoSteps(queue), YieldNow());
            const auto winner = co_await race;
            if (winner.index() == 0) received += std::get<0>(winner);
          }
          // Had it given up, items would be left.
          EXPECT_TRUE(received == 6 || !queue.empty()) << "an item was lost";
        });
      },
      "an item was lost");
}

TEST_F(SimulationTestingTest, FindsATimeoutThatIsTooShort) {
  ExpectFound(
      [](Runtime& runtime) {
        const absl::StatusOr<int> result = runtime.BlockOn(
            Timeout(runtime.SpawnBlocking([] { return 1; }), absl::Milliseconds(15)));
        EXPECT_TRUE(result.ok()) << "it took too long";
      },
      "it took too long");
}

// -- How seeds fail, and which are tried -------------------------------------------------

// Fails in some way, but under one seed only.
auto UnderSeed(std::uint64_t seed, std::function<void()> fail) {
  return [seed, fail = std::move(fail)](std::uint64_t current) {
    std::printf("<%llu>", static_cast<unsigned long long>(current));
    if (current == seed) fail();
    return true;
  };
}

TEST_F(SimulationTestingTest, ACrashIsNamedWithWhatItWrote) {
  const std::optional<SeedFailure> failure =
      RunSeeds({.first = 0, .last = 99}, {}, UnderSeed(57, [] {
                 std::fprintf(stderr, "about to crash");
                 std::abort();
               }));
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->seed, 57u);
  EXPECT_EQ(failure->how, "signal 6 (Aborted)");
  EXPECT_THAT(failure->output, HasSubstr("about to crash"));
  // What the seeds before it in the same process wrote is not shown.
  EXPECT_THAT(failure->output, Not(HasSubstr("<56>")));
}

TEST_F(SimulationTestingTest, AnExitIsNamed) {
  for (const std::size_t batch : {1, 7, 100}) {
    const std::optional<SeedFailure> failure =
        RunSeeds({.first = 10, .last = 29}, {.batch = batch}, UnderSeed(29, [] { _exit(3); }));
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->seed, 29u);
    EXPECT_EQ(failure->how, "exit status 3");
  }
}

TEST_F(SimulationTestingTest, AHangIsEndedAndNamed) {
  const std::optional<SeedFailure> failure =
      RunSeeds({.first = 5, .last = 5}, {.limit_seconds = 1}, UnderSeed(5, [] {
                 while (true) pause();
               }));
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->how, "it took more than 1 s");
}

TEST_F(SimulationTestingTest, OfALongOutputTheEndsAreShown) {
  const std::optional<SeedFailure> failure = RunSeeds({}, {}, [](std::uint64_t) {
    std::printf("first%s", std::string(100'000, 'x').c_str());
    std::printf("last");
    return false;
  });
  ASSERT_TRUE(failure);
  EXPECT_LT(failure->output.size(), 50'000u);
  EXPECT_EQ(failure->output.rfind("first", 0), 0u);
  EXPECT_EQ(failure->output.substr(failure->output.size() - 4), "last");
}

TEST_F(SimulationTestingTest, EverySeedIsTriedOnce) {
  for (const std::size_t batch : {0, 1, 3, 64}) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const auto tell = [&ends](std::uint64_t seed) {
      const char byte = static_cast<char>(seed);
      return write(ends[1], &byte, 1) == 1;
    };
    EXPECT_FALSE(RunSeeds({.first = 3, .last = 102}, {.batch = batch}, tell));
    close(ends[1]);
    std::string seen(200, '\0');
    seen.resize(static_cast<std::size_t>(read(ends[0], seen.data(), seen.size())));
    close(ends[0]);
    std::sort(seen.begin(), seen.end());
    std::string expected;
    for (int seed = 3; seed <= 102; ++seed) expected += static_cast<char>(seed);
    EXPECT_EQ(seen, expected);
  }
}

TEST_F(SimulationTestingTest, TheLastSeedOfAllIsOne) {
  EXPECT_FALSE(RunSeeds({.first = UINT64_MAX - 2, .last = UINT64_MAX}, {.batch = 2},
                        [](std::uint64_t) { return true; }));
}

TEST_F(SimulationTestingTest, TheEnvironmentSaysWhichSeeds) {
  setenv("HOME_SIM_SEEDS", "40-49", /*overwrite=*/1);
  const Body fails = [](Runtime&) { std::abort(); };
  const ::testing::AssertionResult result = PassesUnderEverySeed(fails);
  EXPECT_THAT(result.message(), HasSubstr("seed 4"));
  EXPECT_THAT(result.message(), HasSubstr(" of 40-49 failed"));
  // One seed alone runs in this process.
  setenv("HOME_SIM_SEED", "41", /*overwrite=*/1);
  int runs = 0;
  EXPECT_TRUE(PassesUnderEverySeed([&runs](Runtime&) { ++runs; }));
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(CurrentSeed(), 41u);
}

TEST_F(SimulationTestingTest, SeedsAreParsed) {
  EXPECT_EQ(ParseSeedRange("7")->first, 0u);
  EXPECT_EQ(ParseSeedRange("7")->last, 6u);
  EXPECT_EQ(ParseSeedRange("5-9")->first, 5u);
  EXPECT_EQ(ParseSeedRange("5-9")->last, 9u);
  for (const char* wrong : {"", "0", "-", "9-5", "a", "1-b", "1-2-3", "-7"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseSeedRange(wrong).status())) << wrong;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(ParseSeed("").status()));
  EXPECT_EQ(*ParseSeed("18446744073709551615"), UINT64_MAX);
}

TEST_F(SimulationTestingTest, AWholeSuiteIsRunUnderEverySeed) {
  setenv("HOME_SIM_SEEDS", "20", /*overwrite=*/1);
  const std::string output = OutputOf([] {
    EXPECT_EQ(RunUnderEverySeed([] { return 0; }), 0);
    EXPECT_EQ(RunUnderEverySeed([] { return CurrentSeed() == 7 ? 1 : 0; }), 1);
  });
  EXPECT_THAT(output, HasSubstr("all seeds from 0 to 19 have passed"));
  EXPECT_THAT(output, HasSubstr("seed 7 of 0-19 failed: exit status 1"));
  EXPECT_THAT(output, Not(HasSubstr("Failure")));
}

TEST_F(SimulationTestingTest, EarlierFailuresOfTheTestAreNotTheSeeds) {
  const std::string output = OutputOf([] {
    ADD_FAILURE() << "of the test itself";
    std::printf("%s", PassesUnderEverySeed([](Runtime&) {}) ? "passes" : "does not pass");
  });
  EXPECT_THAT(output, HasSubstr("passes"));
  EXPECT_THAT(output, Not(HasSubstr("does not pass")));
}

}  // namespace
}  // namespace home::testing
