// The code that README.md shows, where such code may stand (home_readme_examples in
// tools/home_cc.bzl). It is compiled, and not run.

#include "home/future/async.h"
#include "home/sync/blocking.h"
#include "home/sync/mutex.h"
#include "home/sync/semaphore.h"

namespace home {
namespace {

struct Ledger {
  void Book(int) {}
};

[[maybe_unused]] Async<> Example(int order) {
#include "home/sync/readme_1.inc"
}

}  // namespace
}  // namespace home
