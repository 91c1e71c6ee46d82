// The code that README.md shows, where such code may stand (home_readme_examples in
// tools/home_cc.bzl). It is compiled, and not run.

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/simulation_testing.h"
#include "home/task/spawn.h"

namespace home {
namespace {

using testing::PassesUnderEverySeed;

Async<int> Compute() { co_return 1; }

[[maybe_unused]] void Example() {
#include "home/scheduler/readme_1.inc"
}

Async<> UsePool() { co_return; }

#include "home/scheduler/readme_2.inc"

}  // namespace
}  // namespace home
