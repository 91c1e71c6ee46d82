// What a runtime's threads have of the system: stacks, processors and names.

#include <windows.h>

#include <bit>
#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/scheduler/runtime.h"

// Of kernel32.dll since Windows 10, and not in mingw-w64's headers.
extern "C" HRESULT WINAPI GetThreadDescription(HANDLE thread, PWSTR* description);

namespace home {
namespace {

std::size_t StackSizeHere() {
  ULONG_PTR low = 0;
  ULONG_PTR high = 0;
  GetCurrentThreadStackLimits(&low, &high);
  return high - low;
}

// More than the default.
TEST(ThreadsTest, ThreadsHaveTheStackThatWasAskedFor) {
  constexpr std::size_t kBytes = std::size_t{40} << 20;
  absl::StatusOr<Runtime> runtime =
      RuntimeBuilder().WorkerThreads(1).ThreadStackSize(kBytes).Build();
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  const auto stack = []() -> Async<std::size_t> { co_return StackSizeHere(); };
  EXPECT_GE(*runtime->BlockOn(runtime->Spawn(stack)), kBytes);
  EXPECT_GE(*runtime->BlockOn(runtime->SpawnBlocking(StackSizeHere)), kBytes);
}

TEST(ThreadsTest, PinnedWorkersRunOnOneProcessorEach) {
  absl::StatusOr<Runtime> runtime = RuntimeBuilder().WorkerThreads(3).PinWorkers(true).Build();
  ASSERT_TRUE(runtime.ok());
  for (int i = 0; i < 20; ++i) {
    const auto processors = []() -> Async<int> {
      GROUP_AFFINITY affinity = {};
      EXPECT_TRUE(GetThreadGroupAffinity(GetCurrentThread(), &affinity));
      co_return std::popcount(affinity.Mask);
    };
    EXPECT_EQ(*runtime->BlockOn(runtime->Spawn(processors)), 1);
  }
}

TEST(ThreadsTest, ThreadsHaveNames) {
  absl::StatusOr<Runtime> runtime =
      RuntimeBuilder().WorkerThreads(1).ThreadName("w\xc3\xb6rker").Build();
  ASSERT_TRUE(runtime.ok());
  const auto name = []() -> Async<std::wstring> {
    PWSTR text = nullptr;
    EXPECT_GE(GetThreadDescription(GetCurrentThread(), &text), 0);
    std::wstring copy(text == nullptr ? L"" : text);
    LocalFree(text);
    co_return copy;
  };
  EXPECT_EQ(*runtime->BlockOn(runtime->Spawn(name)), L"w\u00f6rker-0");
}

}  // namespace
}  // namespace home
