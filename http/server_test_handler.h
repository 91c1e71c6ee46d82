// The handler that the server's tests talk to. What each path does:
//
//   /                 a short text
//   /echo             the request's body, read as a whole
//   /count            the number of bytes of the body, read piece by piece
//   /ignore           a short text; the body is left unread
//   /large            8 MiB in a string
//   /chunks?N         N chunks, from a source without a size
//   /sized?N          N bytes, from a source with a size
//   /short?N          as /sized, but the source ends one byte early
//   /broken, /throwing-source
//                     a source that fails, or throws, after its first bytes
//   /gate             answers when the test opens the gate
//   /gated-chunks     a chunk, then the gate, then another
//   /fail, /throw, /throw-early, /bad-header
//                     an error, an exception, one before there is a future, and
//                     a header that no message may contain
//   /close, /no-content, /created

#ifndef HOME_HTTP_SERVER_TEST_HANDLER_H_
#define HOME_HTTP_SERVER_TEST_HANDLER_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "home/future/async.h"
#include "home/http/body.h"
#include "home/http/options.h"
#include "home/http/request.h"
#include "home/http/response.h"
#include "home/sync/event.h"

namespace home::http::testing {

inline constexpr std::size_t kLargeBytes = 8 << 20;

// What a test and the handler share.
struct Gate {
  Event open;
  std::atomic<int> waiting{0};
};

class TestSource : public BodySource {
 public:
  enum class End { kNormal, kError, kException };

  TestSource(std::uint64_t bytes, std::optional<std::uint64_t> size, std::size_t piece, End end)
      : left_(bytes), size_(size), piece_(piece), end_(end) {}

  std::optional<std::uint64_t> size() const override { return size_; }
  Async<absl::StatusOr<std::size_t>> Read(absl::Span<char> out) override {
    if (left_ == 0 && end_ == End::kError) co_return absl::InternalError("no more");
    if (left_ == 0 && end_ == End::kException) throw std::runtime_error("no more");
    const std::size_t count = std::min({out.size(), piece_, static_cast<std::size_t>(left_)});
    std::memset(out.data(), 'x', count);
    left_ -= count;
    co_return count;
  }

 private:
  std::uint64_t left_;
  const std::optional<std::uint64_t> size_;
  const std::size_t piece_;
  const End end_;
};

class GatedSource : public BodySource {
 public:
  explicit GatedSource(std::shared_ptr<Gate> gate) : gate_(std::move(gate)) {}

  Async<absl::StatusOr<std::size_t>> Read(absl::Span<char> out) override {
    if (step_ == 1) {
      gate_->waiting.fetch_add(1);
      co_await gate_->open.Wait();
    }
    if (step_ == 2) co_return std::size_t{0};
    ++step_;
    out[0] = 'x';
    co_return std::size_t{1};
  }

 private:
  std::shared_ptr<Gate> gate_;
  int step_ = 0;
};

inline Async<absl::StatusOr<Response>> HandleTest(std::shared_ptr<Gate> gate, Request* request) {
  const absl::string_view path = request->path();
  std::uint64_t number = 0;
  (void)absl::SimpleAtoi(request->query(), &number);
  if (path == "/echo") {
    std::string body = co_await Try(request->body().ReadAll(1 << 20));
    co_return Response::Text(std::move(body));
  }
  if (path == "/count") {
    std::size_t count = 0;
    while (true) {
      const absl::string_view piece = co_await Try(request->body().Read());
      if (piece.empty()) break;
      count += piece.size();
    }
    co_return Response::Text(absl::StrCat(count));
  }
  if (path == "/large") co_return Response::Text(std::string(kLargeBytes, 'x'));
  Response response;
  using End = TestSource::End;
  if (path == "/chunks") {
    response.set_body(std::make_unique<TestSource>(number * 10, std::nullopt, 10, End::kNormal),
                      "text/plain");
    co_return std::move(response);
  }
  if (path == "/sized") {
    response.set_body(std::make_unique<TestSource>(number, number, 100'000, End::kNormal),
                      "text/plain");
    co_return std::move(response);
  }
  if (path == "/short") {
    response.set_body(std::make_unique<TestSource>(number - 1, number, 1000, End::kNormal),
                      "text/plain");
    co_return std::move(response);
  }
  if (path == "/broken") {
    response.set_body(std::make_unique<TestSource>(5, std::nullopt, 5, End::kError), "text/plain");
    co_return std::move(response);
  }
  if (path == "/throwing-source") {
    response.set_body(std::make_unique<TestSource>(5, std::nullopt, 5, End::kException),
                      "text/plain");
    co_return std::move(response);
  }
  if (path == "/gate") {
    gate->waiting.fetch_add(1);
    co_await gate->open.Wait();
    co_return Response::Text("open");
  }
  if (path == "/gated-chunks") {
    response.set_body(std::make_unique<GatedSource>(gate), "text/plain");
    co_return std::move(response);
  }
  if (path == "/fail") co_return absl::InternalError("as asked");
  if (path == "/throw") throw std::runtime_error("as asked");
  if (path == "/bad-header") {
    response.AddHeader("Location", "/\r\nSet-Cookie: evil=1");
    co_return std::move(response);
  }
  if (path == "/close") {
    response = Response::Text("bye");
    response.set_close();
    co_return std::move(response);
  }
  if (path == "/no-content") co_return Response(StatusCode::kNoContent);
  if (path == "/created") {
    response.set_status(StatusCode::kCreated);
    response.AddHeader("Location", "/new");
    co_return std::move(response);
  }
  co_return Response::Text(absl::StrCat("hello ", request->method_name(), " ", path));
}

inline Handler MakeTestHandler(std::shared_ptr<Gate> gate = std::make_shared<Gate>()) {
  return [gate](Request& request) {
    if (request.path() == "/throw-early") throw std::runtime_error("as asked");
    return HandleTest(gate, &request);
  };
}

}  // namespace home::http::testing

#endif  // HOME_HTTP_SERVER_TEST_HANDLER_H_
