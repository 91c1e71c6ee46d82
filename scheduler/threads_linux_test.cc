// What a runtime's threads have of the system: stacks and processors.

#include <pthread.h>
#include <sched.h>

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/scheduler/runtime.h"

namespace home {
namespace {

// Windows would make it larger.
TEST(ThreadsTest, AStackThatIsTooSmallIsRefused) {
  const absl::Status tiny = RuntimeBuilder().WorkerThreads(1).ThreadStackSize(1).Build().status();
  EXPECT_TRUE(absl::IsInvalidArgument(tiny)) << tiny;
  EXPECT_NE(tiny.message().find("stack of 1 bytes"), std::string::npos) << tiny;
}

std::size_t StackSizeHere() {
  pthread_attr_t attributes;
  EXPECT_EQ(::pthread_getattr_np(::pthread_self(), &attributes), 0);
  std::size_t bytes = 0;
  ::pthread_attr_getstacksize(&attributes, &bytes);
  ::pthread_attr_destroy(&attributes);
  return bytes;
}

// More than the default, and so more than any stack that the C library has kept for reuse.
TEST(ThreadsTest, ThreadsHaveTheStackThatWasAskedFor) {
  constexpr std::size_t kBytes = std::size_t{40} << 20;
  absl::StatusOr<Runtime> runtime =
      RuntimeBuilder().WorkerThreads(1).ThreadStackSize(kBytes).Build();
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  const auto stack = []() -> Async<std::size_t> { co_return StackSizeHere(); };
  EXPECT_GE(*runtime->BlockOn(runtime->Spawn(stack)), kBytes);
  EXPECT_GE(*runtime->BlockOn(runtime->SpawnBlocking(StackSizeHere)), kBytes);
}

// What a debugger and `top -H` show.
TEST(ThreadsTest, ThreadsHaveNames) {
  const auto name_here = [] {
    char name[16] = "";
    EXPECT_EQ(::pthread_getname_np(::pthread_self(), name, sizeof(name)), 0);
    return std::string(name);
  };
  const auto task = [name_here]() -> Async<std::string> { co_return name_here(); };
  absl::StatusOr<Runtime> runtime = RuntimeBuilder().WorkerThreads(1).Build();
  EXPECT_EQ(*runtime->BlockOn(runtime->Spawn(task)), "home-worker-0");
  EXPECT_EQ(*runtime->BlockOn(runtime->SpawnBlocking(name_here)), "home-blocking");
  runtime = RuntimeBuilder().WorkerThreads(1).ThreadName("w\xc3\xb6rker").Build();
  EXPECT_EQ(*runtime->BlockOn(runtime->Spawn(task)), "w\xc3\xb6rker-0");
}

TEST(ThreadsTest, PinnedWorkersRunOnOneProcessorEach) {
  absl::StatusOr<Runtime> runtime = RuntimeBuilder().WorkerThreads(3).PinWorkers(true).Build();
  ASSERT_TRUE(runtime.ok());
  for (int i = 0; i < 20; ++i) {
    const auto processors = []() -> Async<int> {
      cpu_set_t set;
      CPU_ZERO(&set);
      EXPECT_EQ(::sched_getaffinity(0, sizeof(set), &set), 0);
      co_return CPU_COUNT(&set);
    };
    EXPECT_EQ(*runtime->BlockOn(runtime->Spawn(processors)), 1);
  }
}

}  // namespace
}  // namespace home
