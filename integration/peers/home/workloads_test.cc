// Every workload gives right results, on one worker and on two.

#include "home/integration/peers/home/workloads.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "home/integration/peers/home/workloads_testing.h"
#include "home/integration/peers/measure.h"

namespace home::race {
namespace {

class WorkloadsTest : public testing::TestWithParam<Workload> {};

// servers_test runs the servers.
std::vector<Workload> ThatEnd() {
  std::vector<Workload> workloads;
  for (const Workload& each : Workloads()) {
    if (!IsServer(each)) workloads.push_back(each);
  }
  return workloads;
}

TEST_P(WorkloadsTest, ResultsAddUp) {
  const std::uint64_t n = std::string(GetParam().name) == "fib" ? 12 : 3000;
  for (const std::size_t threads : {1, 2}) {
    const Sample sample = GetParam().run(n, threads);
    EXPECT_TRUE(sample.correct) << threads << " workers";
    EXPECT_GT(sample.operations, 0u);
    EXPECT_GT(sample.wall, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(All, WorkloadsTest, testing::ValuesIn(ThatEnd()), race_testing::TestName);

TEST(MeasureTest, KnowsFibonacci) {
  EXPECT_EQ(Fibonacci(0).value, 0u);
  EXPECT_EQ(Fibonacci(1).value, 1u);
  EXPECT_EQ(Fibonacci(10).value, 55u);
  EXPECT_EQ(Fibonacci(0).calls, 1u);
  EXPECT_EQ(Fibonacci(4).calls, 9u);
}

}  // namespace
}  // namespace home::race
