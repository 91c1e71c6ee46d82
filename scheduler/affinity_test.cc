// The affinity mask, which only Linux has, and what the runtime makes of it.

#include <sched.h>

#include <cstdlib>

#include "gtest/gtest.h"
#include "home/scheduler/worker_count.h"

namespace home::scheduler_internal {
namespace {

// The mask of the thread that builds the runtime counts.
TEST(AffinityTest, TheMaskLimitsTheDefaultOfWorkers) {
  ::unsetenv(kWorkerThreadsVariable);
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(before), &before), 0);
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(DefaultWorkers().value(), 1u);
  ASSERT_EQ(::sched_setaffinity(0, sizeof(before), &before), 0);
}

}  // namespace
}  // namespace home::scheduler_internal
