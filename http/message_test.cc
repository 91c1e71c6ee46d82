#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/testing.h"
#include "home/http/body.h"
#include "home/http/request.h"
#include "home/http/response.h"

namespace home::http {
namespace {

using home::testing::PollOnce;

// A reader that gives one piece a call, then an end or an error.
class Pieces : public BodyReader {
 public:
  explicit Pieces(std::vector<std::string> pieces, absl::Status end = absl::OkStatus())
      : pieces_(std::move(pieces)), end_(std::move(end)) {}

  Async<absl::StatusOr<absl::string_view>> Read() override {
    if (next_ == pieces_.size()) {
      if (!end_.ok()) co_return end_;
      co_return absl::string_view();
    }
    co_return absl::string_view(pieces_[next_++]);
  }

 private:
  std::vector<std::string> pieces_;
  std::size_t next_ = 0;
  absl::Status end_;
};

absl::StatusOr<std::string> ReadAll(RequestBody& body, std::size_t limit) {
  auto reading = body.ReadAll(limit);
  auto polled = PollOnce(reading);
  return std::move(polled).value();
}

TEST(BodyTest, ARequestWithoutABodyReadsAsEmpty) {
  RequestBody body;
  EXPECT_FALSE(body.present());
  EXPECT_EQ(body.length(), 0u);
  auto reading = body.Read();
  auto piece = PollOnce(reading);
  ASSERT_TRUE(piece.ready());
  EXPECT_EQ(piece.value().value(), "");
  EXPECT_EQ(ReadAll(body, 0).value(), "");
}

TEST(BodyTest, ReadAllJoinsThePieces) {
  Pieces pieces({"one ", "two ", "three"});
  RequestBody body(&pieces, std::nullopt);
  EXPECT_TRUE(body.present());
  EXPECT_EQ(ReadAll(body, 13).value(), "one two three");
}

TEST(BodyTest, ReadAllStopsAtItsLimit) {
  Pieces pieces({"one ", "two ", "three"});
  RequestBody body(&pieces, std::nullopt);
  EXPECT_EQ(ReadAll(body, 12).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(BodyTest, ReadAllPassesErrorsOn) {
  Pieces pieces({"one"}, absl::DataLossError("gone"));
  RequestBody body(&pieces, std::nullopt);
  EXPECT_EQ(ReadAll(body, 100).status().code(), absl::StatusCode::kDataLoss);
}

TEST(RequestTest, PathAndQuery) {
  struct {
    absl::string_view target, path, query;
  } cases[] = {
      {"/", "/", ""},
      {"/a/b?x=1&y=2", "/a/b", "x=1&y=2"},
      {"/a?b?c", "/a", "b?c"},
      {"http://host:80/p/q?r", "/p/q", "r"},
      {"http://host", "/", ""},
      {"http://host?q", "/", "q"},
      {"*", "*", ""},
      {"host:443", "host:443", ""},
      {"/redirect?to=http://x/", "/redirect", "to=http://x/"},
  };
  for (const auto& c : cases) {
    Request request(Method::kGet, "GET", c.target, 1, HeaderView(), RequestBody());
    EXPECT_EQ(request.path(), c.path) << c.target;
    EXPECT_EQ(request.query(), c.query) << c.target;
  }
}

TEST(ResponseTest, Factories) {
  const Response text = Response::Text("hi");
  EXPECT_EQ(text.status(), StatusCode::kOk);
  EXPECT_EQ(text.body(), "hi");
  EXPECT_EQ(text.headers().Find("Content-Type"), "text/plain; charset=utf-8");
  const Response error = Response::Error(StatusCode::kNotFound);
  EXPECT_EQ(error.body(), "404 Not Found\n");
  EXPECT_FALSE(error.close());
}

TEST(StatusTest, ReasonsAndBodies) {
  EXPECT_EQ(ReasonPhrase(StatusCode::kRequestHeaderFieldsTooLarge),
            "Request Header Fields Too Large");
  EXPECT_EQ(ReasonPhrase(static_cast<StatusCode>(299)), "Unknown");
  EXPECT_FALSE(StatusAllowsBody(StatusCode::kContinue));
  EXPECT_FALSE(StatusAllowsBody(StatusCode::kNoContent));
  EXPECT_FALSE(StatusAllowsBody(StatusCode::kNotModified));
  EXPECT_TRUE(StatusAllowsBody(StatusCode::kOk));
}

}  // namespace
}  // namespace home::http
