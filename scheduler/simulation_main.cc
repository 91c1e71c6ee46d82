// A main for test suites on simulated runtimes: runs them once for each seed. See
// simulation_testing.h.

#include <cstdlib>

#include "gtest/gtest.h"
#include "home/scheduler/simulation_testing.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (GTEST_FLAG_GET(filter) == "*") GTEST_FLAG_SET(filter, "*Simulated*");
  // The processes of all seeds would write to the same file.
  if (std::getenv("HOME_SIM_SEED") == nullptr) GTEST_FLAG_SET(output, "");
  return home::testing::RunUnderEverySeed([] { return RUN_ALL_TESTS(); });
}
