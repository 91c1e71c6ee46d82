// Writing a response: its head, and the framing of a chunked body, as bytes in
// a buffer.
//
// Thread-safety: as the buffer. Cost: one pass of memcpy into memory that the
// connection keeps; no allocation once it is large enough.

#ifndef HOME_HTTP_RESPONSE_WRITER_H_
#define HOME_HTTP_RESPONSE_WRITER_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "home/http/buffer.h"
#include "home/http/headers.h"
#include "home/http/status.h"

namespace home::http {

// How the end of a body is marked.
class BodyFraming {
 public:
  enum class Kind : std::uint8_t {
    kNone,     // no body and no length: 1xx, 204, 304
    kLength,   // Content-Length
    kChunked,  // Transfer-Encoding: chunked
    kClose,    // the end of the connection
  };

  static BodyFraming None() { return BodyFraming(Kind::kNone, 0); }
  static BodyFraming Length(std::uint64_t length) { return BodyFraming(Kind::kLength, length); }
  static BodyFraming Chunked() { return BodyFraming(Kind::kChunked, 0); }
  static BodyFraming Close() { return BodyFraming(Kind::kClose, 0); }

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] std::uint64_t length() const { return length_; }

 private:
  BodyFraming(Kind kind, std::uint64_t length) : kind_(kind), length_(length) {}

  Kind kind_;
  std::uint64_t length_;
};

// What the Connection field says.
enum class ConnectionField : std::uint8_t { kAbsent, kClose, kKeepAlive };

// Appends status line, Date, `headers`, the framing's field and Connection, and
// the empty line. `body` follows at once (it may be empty).
void AppendResponse(Buffer& out, StatusCode status, absl::string_view date,
                    absl::string_view headers, const BodyFraming& framing,
                    ConnectionField connection, absl::string_view body);

// A chunk is written in place: its bytes go behind kChunkHeadSize bytes that
// are left free, and then the head is filled in, with leading zeros.
inline constexpr std::size_t kChunkHeadSize = 6;  // "ffff\r\n"
inline constexpr std::size_t kChunkTailSize = 2;  // "\r\n"
inline constexpr std::size_t kMaxChunkBytes = 0xffff;
void FillChunkHead(char* out, std::size_t chunk_bytes);

}  // namespace home::http

#endif  // HOME_HTTP_RESPONSE_WRITER_H_
