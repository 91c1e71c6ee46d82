// What operations of the completion layer (io.h) take and give: buffers and their results,
// addresses, messages.
//
// Thread-safety: plain values.

#ifndef HOME_REACTOR_IO_TYPES_H_
#define HOME_REACTOR_IO_TYPES_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "home/reactor/io_request.h"
#include "home/reactor/io_system.h"
#include "home/reactor/unique_fd.h"

namespace home {

// What owns bytes: std::string, std::vector<char>, and so on. A view owns nothing.
template <typename B>
concept IoBuffer = std::movable<B> && !std::is_trivially_copyable_v<B> && requires(B& buffer) {
  { buffer.data() } -> std::convertible_to<const void*>;
  { buffer.size() } -> std::convertible_to<std::size_t>;
  requires sizeof(*buffer.data()) == 1;
};
template <typename B>
concept IoMutableBuffer = IoBuffer<B> && requires(B& buffer) {
  { buffer.data() } -> std::convertible_to<void*>;
};

// A count of bytes or an error, and the buffer in any case.
template <typename Buffer>
struct [[nodiscard]] IoResult {
  IoResult(absl::StatusOr<std::size_t> count_in, Buffer buffer_in)
      : count(std::move(count_in)), buffer(std::move(buffer_in)) {}

  // May be less than the buffer's size. 0 bytes read: the end.
  absl::StatusOr<std::size_t> count;
  Buffer buffer;
};

// The place of a read or write where the last one ended. The only one of a stream, where
// others are ignored.
inline constexpr std::int64_t kIoCurrentPosition = reactor_internal::IoRequest::kCurrentPosition;

// An address of any family, as the system has it.
struct IoAddress {
  IoAddress() = default;
  IoAddress(const sockaddr* address, socklen_t length) : size(length) {
    std::memcpy(&storage, address, length);
  }

  sockaddr_storage storage = {};
  socklen_t size = 0;
};

// A connection, and who made it.
struct IoAccepted {
  IoAccepted(UniqueFd socket_in, const IoAddress& peer_in)
      : socket(std::move(socket_in)), peer(peer_in) {}

  UniqueFd socket;
  IoAddress peer;
};

// A message: what recvmsg(2) and sendmsg(2) move.
template <typename Buffer>
struct IoMessage {
  // `buffers_in`: the data, or room for it. `control_in`: control messages as cmsg(3) has
  // them, or room for them.
  explicit IoMessage(std::vector<Buffer> buffers_in, std::string control_in = "",
                     const IoAddress& peer_in = IoAddress())
      : buffers(std::move(buffers_in)), control(std::move(control_in)), peer(peer_in) {}

  std::vector<Buffer> buffers;
  std::string control;  // of a received one: what was received
  IoAddress peer;       // whom to send to, or who sent; of size 0 if connected
  int flags = 0;        // of a received one: MSG_TRUNC and so on
};

// A count of bytes or an error, and the message in any case.
template <typename Buffer>
struct [[nodiscard]] IoMessageResult {
  IoMessageResult(absl::StatusOr<std::size_t> count_in, IoMessage<Buffer> message_in)
      : count(std::move(count_in)), message(std::move(message_in)) {}

  absl::StatusOr<std::size_t> count;
  IoMessage<Buffer> message;
};

}  // namespace home

#endif  // HOME_REACTOR_IO_TYPES_H_
