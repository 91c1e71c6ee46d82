#include "home/http/parser.h"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "home/http/status.h"

namespace home::http {
namespace {

using Kind = ParseStep::Kind;

// What became of a message, fed in pieces of `step` bytes. Every piece lies in
// memory of its own size, so that a sanitizer sees reads beyond it.
struct Outcome {
  Kind kind = Kind::kNeedMore;
  StatusCode error = StatusCode::kOk;
  std::string reason;
  std::string target;
  std::string method;
  std::string headers;  // "name=value;"
  std::string body;
  bool keep_alive = false;
  bool expects_continue = false;
  bool has_body = false;
  std::size_t consumed = 0;
};

Outcome Feed(RequestParser& parser, absl::string_view input, std::size_t step_size) {
  Outcome outcome;
  const auto fail = [&](const ParseStep& step) {
    outcome.kind = Kind::kError;
    outcome.error = step.error;
    outcome.reason = step.reason;
    return outcome;
  };
  std::size_t given = 0;
  std::string message;
  ParseStep step;
  do {
    if (given == input.size()) return outcome;
    given = std::min(input.size(), given + step_size);
    message = std::string(input.substr(0, given));  // elsewhere each time
    message.shrink_to_fit();
    step = parser.ParseHead(message);
    if (step.kind == Kind::kError) return fail(step);
  } while (step.kind == Kind::kNeedMore);
  EXPECT_EQ(step.kind, Kind::kHead);
  outcome.target = std::string(parser.Target(message.data()));
  outcome.method = std::string(parser.method_name());
  for (const HeaderField& field : parser.Headers(message.data())) {
    absl::StrAppend(&outcome.headers, field.name, "=", field.value, ";");
  }
  outcome.keep_alive = parser.keep_alive();
  outcome.expects_continue = parser.expects_continue();
  outcome.has_body = parser.has_body();
  outcome.consumed = step.consumed;
  if (!parser.has_body()) {
    outcome.kind = Kind::kEnd;
    return outcome;
  }
  while (true) {
    const std::string bytes(input.substr(outcome.consumed, given - outcome.consumed));
    step = parser.ParseBody(bytes);
    outcome.consumed += step.consumed;
    if (step.kind == Kind::kError) return fail(step);
    if (step.kind == Kind::kEnd) {
      outcome.kind = Kind::kEnd;
      return outcome;
    }
    outcome.body += std::string(step.body);
    if (step.kind == Kind::kNeedMore) {
      EXPECT_EQ(outcome.consumed, given);
      if (given == input.size()) return outcome;
      given = std::min(input.size(), given + step_size);
    }
  }
}

Outcome Feed(absl::string_view input, std::size_t step_size = 1 << 20,
             const ParserLimits& limits = ParserLimits()) {
  RequestParser parser(limits);
  return Feed(parser, input, step_size);
}

TEST(ParserTest, ASimpleRequestIsOneStep) {
  constexpr absl::string_view kText = "GET /x?y HTTP/1.1\r\nHost: a\r\nAccept:  b c \r\n\r\n";
  const Outcome outcome = Feed(absl::StrCat(kText, "GET /next"));
  EXPECT_EQ(outcome.kind, Kind::kEnd);
  EXPECT_EQ(outcome.method, "GET");
  EXPECT_EQ(outcome.target, "/x?y");
  EXPECT_EQ(outcome.headers, "Host=a;Accept=b c;");
  EXPECT_TRUE(outcome.keep_alive);
  EXPECT_FALSE(outcome.has_body);
  EXPECT_EQ(outcome.consumed, kText.size());
}

TEST(ParserTest, AnySplitGivesTheSame) {
  constexpr absl::string_view kText =
      "POST /upload HTTP/1.1\r\nHost: example.org\r\nX-Empty:\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nTrailer: yes\r\n\r\n";
  for (std::size_t step = 1; step <= kText.size(); ++step) {
    const Outcome outcome = Feed(absl::StrCat(kText, "GET"), step);
    ASSERT_EQ(outcome.kind, Kind::kEnd) << step << " " << outcome.reason;
    ASSERT_EQ(outcome.headers, "Host=example.org;X-Empty=;Transfer-Encoding=chunked;");
    ASSERT_EQ(outcome.body, "hello world");
    ASSERT_EQ(outcome.consumed, kText.size());
  }
}

TEST(ParserTest, ContentLengthBodies) {
  for (std::size_t step = 1; step < 80; ++step) {
    const Outcome outcome =
        Feed("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello worldGET /", step);
    ASSERT_EQ(outcome.kind, Kind::kEnd);
    ASSERT_EQ(outcome.body, "hello world");
  }
  const Outcome empty = Feed("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(empty.kind, Kind::kEnd);
  EXPECT_FALSE(empty.has_body);
}

TEST(ParserTest, OneParserTakesManyMessages) {
  RequestParser parser((ParserLimits()));
  for (int i = 0; i < 3; ++i) {
    Outcome post = Feed(parser, "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", 7);
    EXPECT_EQ(post.kind, Kind::kEnd);
    EXPECT_EQ(post.body, "hi");
    parser.Reset();
    Outcome get = Feed(parser, "GET /g HTTP/1.1\r\nHost: a\r\n\r\n", 7);
    EXPECT_EQ(get.kind, Kind::kEnd);
    EXPECT_EQ(get.target, "/g");
    EXPECT_EQ(get.headers, "Host=a;");
    parser.Reset();
  }
}

TEST(ParserTest, KeepAlive) {
  EXPECT_TRUE(Feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n").keep_alive);
  EXPECT_FALSE(Feed("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").keep_alive);
  EXPECT_FALSE(Feed("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(Feed("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
}

TEST(ParserTest, ExpectContinue) {
  EXPECT_TRUE(
      Feed("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\nx")
          .expects_continue);
  // Nothing to wait for.
  EXPECT_FALSE(Feed("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n").expects_continue);
  EXPECT_EQ(Feed("PUT / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n").error,
            StatusCode::kExpectationFailed);
}

TEST(ParserTest, UpgradesAreIgnored) {
  const Outcome outcome = Feed(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nGET /next");
  EXPECT_EQ(outcome.kind, Kind::kEnd);
  EXPECT_EQ(Feed("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n").kind, Kind::kEnd);
}

TEST(ParserTest, RefusesWithTheRightStatus) {
  struct {
    absl::string_view text;
    StatusCode error;
  } cases[] = {
      {"\x16\x03\x01\x02\x00\x01", StatusCode::kBadRequest},
      {"nonsense\r\n\r\n", StatusCode::kBadRequest},
      {"BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n", StatusCode::kNotImplemented},
      {"get / HTTP/1.1\r\nHost: a\r\n\r\n", StatusCode::kNotImplemented},
      {"GET / HTTP/1.1\r\n\r\n", StatusCode::kBadRequest},  // no Host
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", StatusCode::kBadRequest},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", StatusCode::kHttpVersionNotSupported},
      {"GET / HTTP/0.9\r\nHost: a\r\n\r\n", StatusCode::kHttpVersionNotSupported},
      {"GET / HTTP/3.7\r\nHost: a\r\n\r\n", StatusCode::kHttpVersionNotSupported},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", StatusCode::kHttpVersionNotSupported},
      {"GET / XTTP/1.1\r\nHost: a\r\n\r\n", StatusCode::kBadRequest},
      {"GET /\r\nHost: a\r\n\r\n", StatusCode::kHttpVersionNotSupported},  // HTTP/0.9's form
      {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", StatusCode::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\r\nB d: x\r\n\r\n", StatusCode::kBadRequest},
      {"GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", StatusCode::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\r\nB@d: x\r\n\r\n", StatusCode::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01\r\n\r\n", StatusCode::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", StatusCode::kBadRequest},  // folded
      {"GET / HTTP/1.1\nHost: a\n\n", StatusCode::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", StatusCode::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", StatusCode::kBadRequest},  // CVE-2023-30589
  };
  for (const auto& c : cases) {
    for (std::size_t step : {1000, 1, 3}) {
      const Outcome outcome = Feed(c.text, step);
      EXPECT_EQ(outcome.kind, Kind::kError) << c.text;
      EXPECT_EQ(outcome.error, c.error) << c.text << " " << outcome.reason;
    }
  }
}

// What two servers in a row may read differently.
TEST(ParserTest, RequestSmugglingIsRefused) {
  struct {
    absl::string_view headers, body;
    StatusCode error;
  } cases[] = {
      {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", StatusCode::kBadRequest},
      {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n", StatusCode::kBadRequest},
      {"Content-Length: 5\r\nContent-Length: 6\r\n", "hello", StatusCode::kBadRequest},
      {"Content-Length: +5\r\n", "hello", StatusCode::kBadRequest},
      {"Content-Length: 5, 5\r\n", "hello", StatusCode::kBadRequest},
      {"Content-Length: -1\r\n", "", StatusCode::kBadRequest},
      {"Content-Length: 0x5\r\n", "hello", StatusCode::kBadRequest},
      {"Content-Length: 99999999999999999999\r\n", "", StatusCode::kBadRequest},
      {"Transfer-Encoding: chunked, gzip\r\n", "", StatusCode::kBadRequest},
      {"Transfer-Encoding: gzip\r\n", "", StatusCode::kBadRequest},
      {"Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n", StatusCode::kNotImplemented},
      {"Transfer-Encoding: chunked\r\n", "zz\r\n", StatusCode::kBadRequest},
      {"Transfer-Encoding: chunked\r\n", "-1\r\n", StatusCode::kBadRequest},
      {"Transfer-Encoding: chunked\r\n", "5\r\nhelloX\r\n", StatusCode::kBadRequest},
      {"Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n", StatusCode::kBadRequest},
      {"Transfer-Encoding: chunked\r\n", "5\nhello\r\n0\r\n\r\n", StatusCode::kBadRequest},
      {"Transfer-Encoding: chunked\r\n", "5\rXhello\r\n0\r\n\r\n", StatusCode::kBadRequest},
      {"Transfer-Encoding: chunked\r\n", "5\r\nhello\r0\r\n\r\n", StatusCode::kBadRequest},
  };
  for (const auto& c : cases) {
    for (std::size_t step : {1000, 1, 3}) {
      const Outcome outcome =
          Feed(absl::StrCat("POST / HTTP/1.1\r\nHost: a\r\n", c.headers, "\r\n", c.body), step);
      EXPECT_EQ(outcome.kind, Kind::kError) << c.headers << c.body;
      EXPECT_EQ(outcome.error, c.error) << c.headers << c.body << outcome.reason;
    }
  }
  EXPECT_EQ(Feed("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").error,
            StatusCode::kBadRequest);
}

TEST(ParserTest, Limits) {
  ParserLimits limits;
  limits.header_bytes = 200;
  limits.header_count = 3;
  limits.target_bytes = 50;
  limits.body_bytes = 10;
  const std::string fifty(50, 'a');
  for (std::size_t step : {1000, 1}) {
    EXPECT_EQ(
        Feed(absl::StrCat("GET /", fifty, " HTTP/1.1\r\nHost: a\r\n\r\n"), step, limits).error,
        StatusCode::kUriTooLong);
    EXPECT_EQ(
        Feed(absl::StrCat("GET / HTTP/1.1\r\nHost: a\r\nX: ", std::string(200, 'a'), "\r\n\r\n"),
             step, limits)
            .error,
        StatusCode::kRequestHeaderFieldsTooLarge);
    EXPECT_EQ(Feed("GET / HTTP/1.1\r\nHost: a\r\nB: b\r\nC: c\r\nD: d\r\n\r\n", step, limits).error,
              StatusCode::kRequestHeaderFieldsTooLarge);
    EXPECT_EQ(Feed("GET / HTTP/1.1\r\nHost: a\r\nB: b\r\nC: c\r\n\r\n", step, limits).kind,
              Kind::kEnd);
    EXPECT_EQ(Feed("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", step, limits).error,
              StatusCode::kContentTooLarge);
    EXPECT_EQ(Feed("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "8\r\n12345678\r\n3\r\n123\r\n0\r\n\r\n",
                   step, limits)
                  .error,
              StatusCode::kContentTooLarge);
    EXPECT_EQ(Feed(std::string(300, '\n'), step, limits).kind, Kind::kError);
    EXPECT_EQ(Feed(absl::StrCat("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;",
                                std::string(1000, 'e')),
                   step, limits)
                  .error,
              StatusCode::kRequestHeaderFieldsTooLarge);
  }
}

TEST(ParserTest, NoInputMakesItReadBeyondItsEnd) {
  // Deterministic noise over the alphabet that matters; the sanitizers look on.
  constexpr absl::string_view kParts[] = {"GET ",
                                          "POST ",
                                          "/",
                                          " HTTP/1.1",
                                          " HTTP/1.0",
                                          "\r\n",
                                          "\r",
                                          "\n",
                                          "Host:",
                                          " a",
                                          ":",
                                          "\0",
                                          "Content-Length: 3",
                                          "Transfer-Encoding: chunked",
                                          "\t",
                                          "5",
                                          "hello",
                                          "0",
                                          ";",
                                          ",",
                                          "Connection: close",
                                          "\x80"};
  std::uint64_t state = 1;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = round % 2 == 0 ? "POST / HTTP/1.1\r\nHost: a\r\n" : "";
    for (int i = 0; i < 12; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      const absl::string_view part = kParts[(state >> 33) % std::size(kParts)];
      text.append(part.data(), part.size());
    }
    const Outcome whole = Feed(text);
    const Outcome split = Feed(text, 1 + round % 5);
    EXPECT_EQ(whole.kind, split.kind) << text;
    EXPECT_EQ(whole.body, split.body) << text;
    EXPECT_EQ(whole.consumed, split.consumed) << text;
  }
}

}  // namespace
}  // namespace home::http
