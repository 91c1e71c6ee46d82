#include "home/http/body.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace home::http {
namespace {

Async<absl::StatusOr<absl::string_view>> ReadNothing() { co_return absl::string_view(); }

Async<absl::StatusOr<std::string>> Collect(BodyReader* reader, std::size_t limit) {
  std::string all;
  while (reader != nullptr) {
    const absl::string_view piece = co_await Try(reader->Read());
    if (piece.empty()) break;
    if (piece.size() > limit - all.size()) {
      co_return absl::ResourceExhaustedError(
          absl::StrCat("reading a request body: more than ", limit, " bytes"));
    }
    all.append(piece.data(), piece.size());
  }
  co_return std::move(all);
}

}  // namespace

Async<absl::StatusOr<absl::string_view>> RequestBody::Read() {
  return reader_ == nullptr ? ReadNothing() : reader_->Read();
}

Async<absl::StatusOr<std::string>> RequestBody::ReadAll(std::size_t limit) {
  return Collect(reader_, limit);
}

}  // namespace home::http
