// The code that README.md shows, where such code may stand (home_readme_examples in
// tools/home_cc.bzl). It is compiled, and not run.

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "home/channel/mpmc.h"
#include "home/future/async.h"
#include "home/future/select.h"
#include "home/task/join_handle.h"
#include "home/task/spawn.h"

namespace home {
namespace {

struct Job {};
struct Order {};

Async<> Work(Receiver<Job> receiver) {
  static_cast<void>(receiver);
  co_return;
}

[[maybe_unused]] Async<> Example(Job job, Receiver<Job> jobs, Receiver<Order> orders) {
#include "home/channel/readme_1.inc"
}

}  // namespace
}  // namespace home
