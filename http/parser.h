// RequestParser: llhttp, fed with a connection's bytes as they come, turned
// into steps: a head, pieces of body, the end of the message, or an error with
// the status code that answers it.
//
//   RequestParser parser(limits);
//   ParseStep step = parser.ParseHead(buffer.readable());   // until kHead
//   ... parser.Target(base), parser.Headers(base) ...
//   step = parser.ParseBody(bytes);                         // until kEnd
//   parser.Reset();
//
// The parser keeps no bytes. It remembers the parts of the head as offsets from
// the message's first byte, so the caller may move its buffer between calls.
//
// What is refused beyond what llhttp refuses: line breaks that are not CR LF, folded header lines,
// a missing or double Host in HTTP/1.1, and Transfer-Encoding in HTTP/1.0 or other than "chunked".
// These are gaps through which requests are smuggled past a proxy in front.
//
// Thread-safety: one thread at a time. Cost: linear in the bytes; no allocation
// once the lists of fields have their capacity.

#ifndef HOME_HTTP_PARSER_H_
#define HOME_HTTP_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "home/http/headers.h"
#include "home/http/request.h"
#include "home/http/status.h"
#include "llhttp.h"

namespace home::http {

class ParserLimits {
 public:
  ParserLimits() {}

  // Request line and header section together, and again the framing of a
  // chunked body with its trailer section.
  std::size_t header_bytes = 16 << 10;
  std::size_t header_count = 100;
  std::size_t target_bytes = 8 << 10;
  std::uint64_t body_bytes = 8 << 20;
};

class ParseStep {
 public:
  enum class Kind : std::uint8_t {
    kNeedMore,  // the message goes on with bytes that are not there yet
    kHead,      // the head is complete
    kBody,      // `body` holds a piece of the body
    kEnd,       // the message is complete
    kError,     // `error` and `reason` say what is wrong; nothing may follow
  };

  Kind kind = Kind::kNeedMore;
  // Of the bytes that were given; 0 for an incomplete head.
  std::size_t consumed = 0;
  absl::string_view body;
  StatusCode error = StatusCode::kBadRequest;
  const char* reason = "";
};

class RequestParser {
 public:
  explicit RequestParser(const ParserLimits& limits);
  // llhttp points back at this object.
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Begins a new message.
  void Reset();

  // `message` is all there is from the message's first byte on: what was given
  // to the last call, perhaps elsewhere in memory, and more. kNeedMore, kHead
  // or kError.
  ParseStep ParseHead(absl::string_view message);
  // Goes on behind the head, only if has_body(). `bytes` is what the last step
  // did not consume, and more. kNeedMore, kBody, kEnd or kError.
  ParseStep ParseBody(absl::string_view bytes);

  // -- Of the message, from kHead on ----------------------------------------

  // False: the message ends with its head.
  [[nodiscard]] bool has_body() const { return has_body_; }
  // Nothing for a chunked body.
  [[nodiscard]] std::optional<std::uint64_t> content_length() const;
  [[nodiscard]] bool keep_alive() const { return keep_alive_; }
  // The client waits for "100 Continue" before it sends the body.
  [[nodiscard]] bool expects_continue() const { return expects_continue_; }
  [[nodiscard]] int minor_version() const { return llhttp_.http_minor; }
  [[nodiscard]] Method method() const;
  [[nodiscard]] absl::string_view method_name() const;
  // Views into the message, whose first byte is at `base` now.
  [[nodiscard]] absl::string_view Target(const char* base) const;
  // The view's list stays in this object until the next call or Reset().
  [[nodiscard]] HeaderView Headers(const char* base);

 private:
  struct Piece {
    std::uint32_t offset = 0;
    std::uint32_t size = 0;
    absl::string_view At(const char* base) const { return absl::string_view(base + offset, size); }
  };
  struct Field {
    Piece name;
    Piece value;
  };
  struct Callbacks;

  // For callbacks: remembers what is wrong and makes llhttp stop.
  int Fail(StatusCode status, const char* reason);
  // Appends to a piece that may have begun in an earlier call.
  int Extend(Piece& piece, const char* at, std::size_t size);
  int OnTarget(const char* at, std::size_t size);
  int OnFieldName(const char* at, std::size_t size);
  int OnFieldValue(const char* at, std::size_t size);
  int OnHeadersComplete();
  int OnBody(const char* at, std::size_t size);

  ParseStep Error(StatusCode status, const char* reason) const;
  ParseStep ErrorOf(llhttp_errno_t error, absl::string_view message) const;
  // llhttp, unless it was built strict, takes a lone CR or LF for a line break.
  bool FramingIsClean(absl::string_view bytes);
  static absl::string_view ValueAt(const Field& field, const char* base);
  // What the head must satisfy as a whole; null, or the reason why not.
  const char* CheckHead(absl::string_view head, StatusCode& status);

  enum class Phase : std::uint8_t { kHead, kHeadComplete, kBody, kEnd };

  const ParserLimits limits_;
  llhttp_t llhttp_;
  Phase phase_ = Phase::kHead;
  bool last_was_value_ = true;
  bool has_body_ = false;
  bool keep_alive_ = false;
  bool expects_continue_ = false;
  bool failed_ = false;  // by a callback: failure_ says why
  StatusCode failure_ = StatusCode::kBadRequest;
  const char* failure_reason_ = "";
  const char* base_ = nullptr;  // the message's first byte, during ParseHead()
  std::size_t fed_ = 0;         // bytes of the head that llhttp has seen
  absl::string_view piece_;     // of the body, from OnBody()
  std::uint64_t body_bytes_ = 0;
  std::uint64_t framing_bytes_ = 0;
  bool framing_cr_ = false;  // the last byte of the framing was a CR
  Piece target_;
  std::vector<Field> fields_;
  std::vector<HeaderField> views_;
};

}  // namespace home::http

#endif  // HOME_HTTP_PARSER_H_
