// The code that README.md shows, where such code may stand (home_readme_examples in
// tools/home_cc.bzl). It is compiled, and not run.

#include <fcntl.h>

#include <cstdint>
#include <string>
#include <utility>

#include "home/future/async.h"
#include "home/future/wake_list.h"
#include "home/reactor/io.h"
#include "home/reactor/reactor.h"

namespace home {
namespace {

[[maybe_unused]] void Example(int fd, std::int64_t timeout_ns) {
#include "home/reactor/readme_1.inc"
}

[[maybe_unused]] Async<> Example(Reactor* reactor, std::string path) {
#include "home/reactor/readme_2.inc"
}

}  // namespace
}  // namespace home
