#include "home/http/response_writer.h"

#include <cassert>
#include <charconv>
#include <cstring>

namespace home::http {
namespace {

constexpr absl::string_view kOkLine = "HTTP/1.1 200 OK\r\nDate: ";

// Writes into space that was made large enough beforehand.
class Writer {
 public:
  explicit Writer(char* out) : out_(out) {}
  void Put(absl::string_view text) {
    if (text.empty()) return;
    std::memcpy(out_, text.data(), text.size());
    out_ += text.size();
  }
  void Put(std::uint64_t number) { out_ = std::to_chars(out_, out_ + 20, number).ptr; }
  char* end() const { return out_; }

 private:
  char* out_;
};

}  // namespace

void AppendResponse(Buffer& out, StatusCode status, absl::string_view date,
                    absl::string_view headers, const BodyFraming& framing,
                    ConnectionField connection, absl::string_view body) {
  // More than all that is of fixed size below.
  constexpr std::size_t kFixed = 256;
  absl::Span<char> space = out.Prepare(kFixed + date.size() + headers.size() + body.size());
  Writer writer(space.data());
  if (status == StatusCode::kOk) {
    writer.Put(kOkLine);
  } else {
    writer.Put("HTTP/1.1 ");
    writer.Put(static_cast<std::uint64_t>(status));
    writer.Put(" ");
    writer.Put(ReasonPhrase(status));
    writer.Put("\r\nDate: ");
  }
  writer.Put(date);
  writer.Put("\r\n");
  writer.Put(headers);
  switch (framing.kind()) {
    case BodyFraming::Kind::kLength:
      writer.Put("Content-Length: ");
      writer.Put(framing.length());
      writer.Put("\r\n");
      break;
    case BodyFraming::Kind::kChunked:
      writer.Put("Transfer-Encoding: chunked\r\n");
      break;
    case BodyFraming::Kind::kNone:
    case BodyFraming::Kind::kClose:
      break;
  }
  switch (connection) {
    case ConnectionField::kClose:
      writer.Put("Connection: close\r\n");
      break;
    case ConnectionField::kKeepAlive:
      writer.Put("Connection: keep-alive\r\n");
      break;
    case ConnectionField::kAbsent:
      break;
  }
  writer.Put("\r\n");
  writer.Put(body);
  out.Commit(static_cast<std::size_t>(writer.end() - space.data()));
}

void FillChunkHead(char* out, std::size_t chunk_bytes) {
  assert(chunk_bytes <= kMaxChunkBytes);
  for (int shift = 12; shift >= 0; shift -= 4) {
    *out++ = "0123456789abcdef"[(chunk_bytes >> shift) & 0xf];
  }
  *out++ = '\r';
  *out = '\n';
}

}  // namespace home::http
