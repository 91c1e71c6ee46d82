// Runtimes and fork(): a child that uses its parent's runtime is told so.

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"

namespace home {
namespace {

using testing::Flavour;
using testing::MakeRuntime;

// What `body` does in a child process: its exit code.
template <typename Body>
int ExitCodeOfChild(const Body& body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(body());
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

constexpr char kForked[] = "used in a child process that fork\\(\\) has made";

// The child of this death test forks in turn: what the grandchild says is seen.
template <typename Use>
void DieInForkedChild(Flavour flavour, const Use& use) {
  Runtime runtime = MakeRuntime(flavour);
  runtime.BlockOn(YieldNow());
  if (ExitCodeOfChild([&] {
        use(runtime);
        return 0;
      }) != 0) {
    std::abort();
  }
}

TEST(ForkDeathTest, EachUseInAForkedChildIsNamed) {
  for (const Flavour flavour : {Flavour::kCurrentThread, Flavour::kTwoWorkers}) {
    EXPECT_DEATH(DieInForkedChild(flavour, [](Runtime& it) { it.Spawn(Ready()).Detach(); }),
                 kForked);
    EXPECT_DEATH(DieInForkedChild(flavour, [](Runtime& it) { it.SpawnBlocking([] {}).Detach(); }),
                 kForked);
    EXPECT_DEATH(DieInForkedChild(flavour, [](Runtime& it) { it.BlockOn(Ready()); }), kForked);
    EXPECT_DEATH(DieInForkedChild(flavour, [](Runtime& it) { it.Run(); }), kForked);
  }
}

TEST(ForkDeathTest, ATaskThatGoesOnInAForkedChildIsNamed) {
  const auto forks = []() -> Async<> {
    const pid_t pid = ::fork();
    if (pid != 0) {
      int status = 0;
      ::waitpid(pid, &status, 0);
      if (!WIFEXITED(status)) std::abort();
    }
    co_await YieldNow();
  };
  EXPECT_DEATH(static_cast<void>([&] {
                 Runtime runtime = MakeRuntime(Flavour::kOneWorker);
                 return runtime.BlockOn(runtime.Spawn(forks));
               }()),
               kForked);
  EXPECT_DEATH(MakeRuntime(Flavour::kCurrentThread).BlockOn(forks), kForked);
  EXPECT_DEATH(MakeRuntime(Flavour::kTwoWorkers).BlockOn([]() -> Async<> {
    const pid_t pid = ::fork();
    if (pid != 0) {
      int status = 0;
      ::waitpid(pid, &status, 0);
      if (!WIFEXITED(status)) std::abort();
      co_return;
    }
    co_await PendingForever<void>();
  }),
               kForked);
}

TEST(ForkTest, AChildMayDropTheRuntimeAndMakeItsOwn) {
  for (const Flavour flavour : {Flavour::kCurrentThread, Flavour::kTwoWorkers}) {
    Runtime runtime = MakeRuntime(flavour);
    runtime.Spawn(PendingForever<void>()).Detach();
    runtime.BlockOn(YieldNow());
    EXPECT_EQ(ExitCodeOfChild([&] {
                runtime = Runtime();
                Runtime own = MakeRuntime(flavour);
                return own.BlockOn([]() -> Async<int> {
                  auto other = Spawn(Ready(17));
                  absl::StatusOr<int> value = co_await other;
                  co_return *value;
                });
              }),
              17);
    // The parent's is as it was.
    EXPECT_EQ(*runtime.BlockOn(runtime.Spawn(Ready(3))), 3);
  }
}

}  // namespace
}  // namespace home
