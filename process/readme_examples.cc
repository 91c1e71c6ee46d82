// The code that README.md shows, where such code may stand (home_readme_examples in
// tools/home_cc.bzl). It is compiled, and not run.

#include <csignal>

#include "absl/status/status.h"
#include "home/future/async.h"
#include "home/process/main.h"
#include "home/process/signal.h"

namespace home {
namespace {

[[maybe_unused]] home::Async<absl::Status> AsyncMain() { co_return absl::OkStatus(); }

#include "home/process/readme_1.inc"

[[maybe_unused]] home::Async<> Example() {
#include "home/process/readme_2.inc"
}

}  // namespace
}  // namespace home
