// The code that README.md shows, where such code may stand (home_readme_examples in
// tools/home_cc.bzl). It is compiled, and not run.

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "home/future/async.h"
#include "home/future/async_generator.h"
#include "home/future/map.h"
#include "home/future/pipe.h"
#include "home/future/stream_chunks.h"
#include "home/future/stream_consume.h"
#include "home/future/stream_map.h"

namespace home {
namespace {

struct Page {};

Async<absl::StatusOr<std::string>> Fetch(std::string url) { co_return url; }
Async<absl::StatusOr<std::string>> Parse(std::string body) { co_return body; }
absl::StatusOr<Page> Index(absl::StatusOr<std::string> parsed) {
  if (!parsed.ok()) return parsed.status();
  return Page();
}

#include "home/future/readme_1.inc"

struct Row {
  int value = 0;
};
struct Cursor {};

bool IsValid(const Row& row) { return row.value != 0; }
int Value(const Row& row) { return row.value; }
int Sum(const std::vector<int>& values) { return static_cast<int>(values.size()); }

[[maybe_unused]] void Example(Cursor& cursor) {
#include "home/future/readme_2.inc"
}
AsyncGenerator<Row> Rows(Cursor&) { co_yield Row(); }

}  // namespace
}  // namespace home
