// The code that README.md shows, where such code may stand (home_readme_examples in
// tools/home_cc.bzl). It is compiled, and not run.

#include "absl/types/span.h"
#include "home/future/async.h"
#include "home/net/socket_address.h"
#include "home/net/tcp_listener.h"
#include "home/net/tcp_stream.h"

namespace home {
namespace {

[[maybe_unused]] home::Async<> Example() {
  char buffer[64];
#include "home/net/readme_1.inc"
}

}  // namespace
}  // namespace home
