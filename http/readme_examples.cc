// The code that README.md shows, where such code may stand (home_readme_examples in
// tools/home_cc.bzl). It is compiled, and not run.

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "home/future/async.h"
#include "home/http/request.h"
#include "home/http/response.h"
#include "home/http/server.h"
#include "home/net/socket_address.h"

namespace home {
namespace {

#include "home/http/readme_1.inc"

}  // namespace
}  // namespace home
