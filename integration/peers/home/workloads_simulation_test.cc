// Every workload gives right results on the simulated flavour, under many seeds.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "home/integration/peers/home/workloads.h"
#include "home/integration/peers/home/workloads_testing.h"
#include "home/integration/peers/measure.h"
#include "home/runtime.h"
#include "home/scheduler/simulation_testing.h"

namespace home::race {
namespace {

class SimulatedWorkloadsTest : public ::testing::TestWithParam<Workload> {};

// Not the servers, which have real sockets, and not `sleeps`, which looks at a real clock.
std::vector<Workload> InVirtualTime() {
  std::vector<Workload> workloads;
  for (const Workload& each : Workloads()) {
    if (!IsServer(each) && std::string(each.name) != "sleeps") workloads.push_back(each);
  }
  return workloads;
}

TEST_P(SimulatedWorkloadsTest, ResultsAddUp) {
  MakeRuntimesBy([](std::size_t) { return home::testing::SimulatedRuntime(); });
  const std::uint64_t n = std::string(GetParam().name) == "fib" ? 8 : 64;
  EXPECT_TRUE(GetParam().run(n, 1).correct);
}

INSTANTIATE_TEST_SUITE_P(All, SimulatedWorkloadsTest, ::testing::ValuesIn(InVirtualTime()),
                         race_testing::TestName);

}  // namespace
}  // namespace home::race
