#include "home/http/response_writer.h"

#include <string>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "home/http/buffer.h"
#include "home/http/status.h"

namespace home::http {
namespace {

std::string Write(StatusCode status, absl::string_view headers, const BodyFraming& framing,
                  ConnectionField connection, absl::string_view body) {
  Buffer out;
  AppendResponse(out, status, "DATE", headers, framing, connection, body);
  return std::string(out.readable());
}

TEST(ResponseWriterTest, HeadsAndBodies) {
  EXPECT_EQ(
      Write(StatusCode::kOk, "A: b\r\n", BodyFraming::Length(2), ConnectionField::kAbsent, "hi"),
      "HTTP/1.1 200 OK\r\nDate: DATE\r\nA: b\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_EQ(Write(StatusCode::kNotFound, "", BodyFraming::Chunked(), ConnectionField::kClose, ""),
            "HTTP/1.1 404 Not Found\r\nDate: DATE\r\nTransfer-Encoding: chunked\r\n"
            "Connection: close\r\n\r\n");
  EXPECT_EQ(
      Write(StatusCode::kNotModified, "", BodyFraming::None(), ConnectionField::kKeepAlive, ""),
      "HTTP/1.1 304 Not Modified\r\nDate: DATE\r\nConnection: keep-alive\r\n\r\n");
}

TEST(ResponseWriterTest, ResponsesQueueUpInTheBuffer) {
  Buffer out;
  const std::string large(10'000, 'x');
  for (int i = 0; i < 3; ++i) {
    AppendResponse(out, StatusCode::kOk, "D", "", BodyFraming::Length(large.size()),
                   ConnectionField::kAbsent, large);
  }
  const std::string one = "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 10000\r\n\r\n" + large;
  EXPECT_EQ(out.readable(), one + one + one);
}

TEST(ResponseWriterTest, ChunkHeads) {
  char head[kChunkHeadSize];
  FillChunkHead(head, 0x1aF);
  EXPECT_EQ(absl::string_view(head, kChunkHeadSize), "01af\r\n");
  FillChunkHead(head, kMaxChunkBytes);
  EXPECT_EQ(absl::string_view(head, kChunkHeadSize), "ffff\r\n");
}

}  // namespace
}  // namespace home::http
