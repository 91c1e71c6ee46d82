// Tests on the simulated flavour, under many seeds.
//
//   TEST(PoolTest, LosesNoConnection) {
//     EXPECT_TRUE(PassesUnderEverySeed([](Runtime& runtime) {
//       runtime.BlockOn([]() -> Async<> { ... EXPECT_EQ(...); ... });
//     }));
//   }
//
// runs the function under seeds 0 to 199, in processes of their own, as many at once as
// there are processors. A seed fails if an assertion of GoogleTest's does, if the process
// crashes or ends (a deadlock ends it, see simulation.h), or if it takes too long. The
// message says which seed, what it wrote, and the command that replays it.
//
// The environment decides which seeds:
//
//   HOME_SIM_SEEDS=5000        seeds 0 to 4999
//   HOME_SIM_SEEDS=5000-9999   these
//   HOME_SIM_SEED=17           this one alone, in this very process, for a debugger; its
//                              trace goes to standard error. It wins over HOME_SIM_SEEDS.
//
// A whole suite whose fixtures make simulated runtimes by SimulatedRuntime() is run under
// many seeds by linking it with simulation_main instead of GoogleTest's main: for each seed
// it runs all tests with "Simulated" in their names (or what --gtest_filter says) in a
// process of its own. The same variables and the same message.
//
// Processes are forks: see seed_runner.h, also for where there are none.

#ifndef HOME_SCHEDULER_SIMULATION_TESTING_H_
#define HOME_SCHEDULER_SIMULATION_TESTING_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/seed_runner.h"
#include "home/scheduler/simulation_options.h"

namespace home::testing {

struct SeedsOptions {
  // What HOME_SIM_SEEDS may change.
  SeedRange seeds{.first = 0, .last = 199};
  // All but seed and trace, which are set for each seed.
  SimulationOptions simulation;
  // A seed that takes longer, in real time, has failed.
  unsigned limit_seconds = 60;
};

// Whether `body` passes under all seeds; see the top of this file. The runtime is fresh.
[[nodiscard]] ::testing::AssertionResult PassesUnderEverySeed(
    const std::function<void(Runtime& runtime)>& body, const SeedsOptions& options = {});

// The seed that the test is to use now: HOME_SIM_SEED, or that of simulation_main; else 0.
[[nodiscard]] std::uint64_t CurrentSeed();
// A simulated runtime with that seed; traces to standard error if the seed is replayed.
[[nodiscard]] Runtime SimulatedRuntime(SimulationOptions options = {});

// -- For simulation_main -------------------------------------------------------------------

// Runs `run`, whose result is an exit status, under all seeds, and says on standard error
// what failed. Returns an exit status.
int RunUnderEverySeed(const std::function<int()>& run);

}  // namespace home::testing

#endif  // HOME_SCHEDULER_SIMULATION_TESTING_H_
