#include "home/scheduler/worker_count.h"

#include <cstdlib>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/scheduler/runtime.h"

namespace home {
namespace {

using scheduler_internal::DefaultWorkers;
using scheduler_internal::kMaxWorkers;
using scheduler_internal::kWorkerThreadsVariable;
using scheduler_internal::WorkersFor;

TEST(WorkerCountTest, TheLesserOfProcessorsAndLimitRoundedUp) {
  EXPECT_EQ(WorkersFor(8, std::nullopt), 8u);
  EXPECT_EQ(WorkersFor(8, 16.0), 8u);
  EXPECT_EQ(WorkersFor(8, 3.0), 3u);
  EXPECT_EQ(WorkersFor(8, 2.1), 3u);
  EXPECT_EQ(WorkersFor(8, 1.0), 1u);
  EXPECT_EQ(WorkersFor(8, 0.05), 1u);
  EXPECT_EQ(WorkersFor(1, 4.0), 1u);
  EXPECT_EQ(WorkersFor(4096, std::nullopt), kMaxWorkers);
  EXPECT_EQ(WorkersFor(4096, 1e18), kMaxWorkers);
}

class WorkerThreadsVariableTest : public ::testing::Test {
 protected:
  WorkerThreadsVariableTest() { ::unsetenv(kWorkerThreadsVariable); }
  ~WorkerThreadsVariableTest() override { ::unsetenv(kWorkerThreadsVariable); }
  static void Set(const char* value) { ::setenv(kWorkerThreadsVariable, value, 1); }
};

TEST_F(WorkerThreadsVariableTest, ReplacesTheDefault) {
  Set("3");
  EXPECT_EQ(DefaultWorkers().value(), 3u);
  const absl::StatusOr<Runtime> by_default = RuntimeBuilder().Build();
  ASSERT_TRUE(by_default.ok()) << by_default.status();
  EXPECT_EQ(by_default->Metrics().workers.size(), 3u);
  // What the program says, it means.
  EXPECT_EQ(RuntimeBuilder().WorkerThreads(2).Build()->Metrics().workers.size(), 2u);
}

TEST_F(WorkerThreadsVariableTest, IsRefusedByNameIfItIsNoNumberInRange) {
  for (const char* wrong : {"", "0", "-1", "1025", "many", "2.5", "99999999999999999999"}) {
    Set(wrong);
    const absl::Status status = RuntimeBuilder().Build().status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << wrong;
    EXPECT_NE(status.message().find(kWorkerThreadsVariable), std::string::npos) << status;
    EXPECT_TRUE(RuntimeBuilder().CurrentThread().Build().ok());
  }
}

}  // namespace
}  // namespace home
