// What parsing a request and writing a response cost, without any socket.

#include <string>

#include "absl/strings/string_view.h"
#include "benchmark/benchmark.h"
#include "home/http/buffer.h"
#include "home/http/parser.h"
#include "home/http/response_writer.h"

namespace home::http {
namespace {

constexpr absl::string_view kSmall = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";
constexpr absl::string_view kBrowser =
    "GET /static/app.js?version=12 HTTP/1.1\r\n"
    "Host: www.example.org\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Referer: https://www.example.org/index.html\r\n"
    "Connection: keep-alive\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
    "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    "\r\n";

void ParseHead(benchmark::State& state, absl::string_view text) {
  RequestParser parser((ParserLimits()));
  for (auto _ : state) {
    ParseStep step = parser.ParseHead(text);
    benchmark::DoNotOptimize(step);
    HeaderView headers = parser.Headers(text.data());
    benchmark::DoNotOptimize(headers);
    parser.Reset();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(text.size()) * state.iterations());
}
BENCHMARK_CAPTURE(ParseHead, small, kSmall);
BENCHMARK_CAPTURE(ParseHead, browser, kBrowser);

void ParseChunkedBody(benchmark::State& state) {
  constexpr absl::string_view kHead =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string body;
  for (int i = 0; i < 16; ++i) body += "1000\r\n" + std::string(4096, 'x') + "\r\n";
  body += "0\r\n\r\n";
  RequestParser parser((ParserLimits()));
  for (auto _ : state) {
    (void)parser.ParseHead(kHead);
    absl::string_view rest = body;
    ParseStep step;
    do {
      step = parser.ParseBody(rest);
      rest.remove_prefix(step.consumed);
    } while (step.kind == ParseStep::Kind::kBody);
    benchmark::DoNotOptimize(step);
    parser.Reset();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(body.size()) * state.iterations());
}
BENCHMARK(ParseChunkedBody);

void WriteResponse(benchmark::State& state) {
  Buffer out;
  for (auto _ : state) {
    AppendResponse(out, StatusCode::kOk, "Sun, 06 Nov 1994 08:49:37 GMT",
                   "Content-Type: text/plain; charset=utf-8\r\n", BodyFraming::Length(14),
                   ConnectionField::kAbsent, "Hello, World!\n");
    benchmark::DoNotOptimize(out.readable());
    out.Clear();
  }
}
BENCHMARK(WriteResponse);

}  // namespace
}  // namespace home::http
