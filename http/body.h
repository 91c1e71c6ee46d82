// Bodies: what a handler reads of a request, and what it hands over to be sent.
//
// Reading. The body comes as it arrives, in views that hold until the next
// call, or as a whole:
//
//   absl::string_view piece = co_await Try(request.body().Read());  // empty: the end
//   std::string all = co_await Try(request.body().ReadAll(1 << 20));
//
// Sending. A string is sent as it is. What is large or made on the way is a
// BodySource, from which the server pulls pieces straight into its write
// buffer, at the pace of the client:
//
//   class Zeros : public BodySource {
//    public:
//     std::optional<std::uint64_t> size() const override { return 1000; }
//     Async<absl::StatusOr<std::size_t>> Read(absl::Span<char> out) override {
//       std::memset(out.data(), 0, out.size());
//       co_return out.size();
//     }
//   };
//
// Thread-safety: a body belongs to its connection's task.
// Cancellation: a dropped Read() of a request's body loses no bytes.

#ifndef HOME_HTTP_BODY_H_
#define HOME_HTTP_BODY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "home/future/async.h"

namespace home::http {

// Where the bytes of a request body come from: the connection, or a test.
class BodyReader {
 public:
  virtual ~BodyReader() = default;

  // The next piece, valid until the next call; empty at the end. Errors:
  // kResourceExhausted (larger than the server allows), kDeadlineExceeded (the
  // client is too slow), kInvalidArgument (bad framing), kDataLoss (the client
  // closed before the end).
  virtual Async<absl::StatusOr<absl::string_view>> Read() = 0;
};

// The body of a request. If reading fails, the server answers by itself (413,
// 408 or 400), whatever the handler returns afterwards.
class RequestBody {
 public:
  // A body without bytes.
  RequestBody() = default;
  // `reader` must outlive the body. `length` is the Content-Length, if known.
  RequestBody(BodyReader* reader, std::optional<std::uint64_t> length)
      : reader_(reader), length_(length) {}

  // Whether the request has a body at all (it may turn out to be empty).
  [[nodiscard]] bool present() const { return reader_ != nullptr; }
  // What the client announced; nothing for a chunked body.
  [[nodiscard]] std::optional<std::uint64_t> length() const { return length_; }

  // See BodyReader::Read().
  Async<absl::StatusOr<absl::string_view>> Read();
  // All that is left of the body; kResourceExhausted if it is more than `limit`.
  Async<absl::StatusOr<std::string>> ReadAll(std::size_t limit);

 private:
  BodyReader* reader_ = nullptr;
  std::optional<std::uint64_t> length_ = 0;
};

// A body that is made while it is sent.
class BodySource {
 public:
  virtual ~BodySource() = default;

  // How many bytes Read() will give in all. Without it the response is chunked
  // (or ends with the connection, for HTTP/1.0).
  [[nodiscard]] virtual std::optional<std::uint64_t> size() const { return std::nullopt; }

  // Writes the next bytes to `out`, which is not empty, and returns how many;
  // 0 at the end. An error, or an end before size(), cuts the response short
  // and closes the connection: that is how the client learns of it.
  // The server may drop the returned Async before it is done, and then `out`
  // goes away.
  virtual Async<absl::StatusOr<std::size_t>> Read(absl::Span<char> out) = 0;
};

}  // namespace home::http

#endif  // HOME_HTTP_BODY_H_
