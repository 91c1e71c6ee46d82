// What each operation of the completion layer keeps, asks and makes of the result: the
// payloads of IoOperation (io_operation.h says what one is).

#ifndef HOME_REACTOR_IO_PAYLOAD_H_
#define HOME_REACTOR_IO_PAYLOAD_H_

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "home/reactor/io_file.h"
#include "home/reactor/io_operation.h"
#include "home/reactor/io_request.h"
#include "home/reactor/io_state.h"
#include "home/reactor/io_stats.h"
#include "home/reactor/io_system.h"
#include "home/reactor/io_types.h"
#include "home/reactor/ready.h"
#include "home/reactor/unique_fd.h"

namespace home::reactor_internal {

// The parts that the system asks for, of buffers that stay where they are.
template <typename Buffer>
std::vector<iovec> IoParts(std::vector<Buffer>& buffers) {
  std::vector<iovec> parts;
  parts.reserve(buffers.size());
  for (Buffer& buffer : buffers) {
    // Those that are sent from are not written to.
    parts.push_back(
        iovec{const_cast<void*>(static_cast<const void*>(buffer.data())), buffer.size()});
  }
  return parts;
}

// Closes the descriptors that a message brought along.
void CloseReceivedDescriptors(msghdr& header);

inline absl::Status IoError(IoKind kind, std::int64_t result, absl::string_view object) {
  return absl::ErrnoToStatus(static_cast<int>(-result), absl::StrCat(IoName(kind), " ", object));
}

// An operation on a file, and what they have in common.
struct IoFilePayload {
  IoFilePayload(IoKind kind_in, IoFile handle_in) : kind(kind_in), handle(std::move(handle_in)) {}

  IoFileState* file() const { return handle.state(); }
  void Prepare(IoRequest& request) const {
    request.kind = kind;
    request.fd = handle.fd();
  }
  absl::Status Error(std::int64_t result) const {
    return IoError(kind, result, absl::StrCat("descriptor ", handle.fd()));
  }
  absl::StatusOr<std::size_t> Count(std::int64_t result) const {
    if (result < 0) return Error(result);
    return static_cast<std::size_t>(result);
  }
  void Discard(std::int64_t) {}

  IoKind kind;
  IoFile handle;
};

// Reads, writes, receives, sends.
template <typename Buffer>
struct IoTransferPayload : IoFilePayload {
  using Output = IoResult<Buffer>;

  IoTransferPayload(IoKind kind_in, IoFile handle_in, Buffer buffer_in, std::int64_t offset_in,
                    int flags_in)
      : IoFilePayload(kind_in, std::move(handle_in)),
        buffer(std::move(buffer_in)),
        offset(offset_in),
        flags(flags_in) {}

  void Prepare(IoRequest& request) {
    IoFilePayload::Prepare(request);
    // One that is sent from is not written to.
    request.buffer = const_cast<void*>(static_cast<const void*>(buffer.data()));
    request.size = buffer.size();
    request.offset = handle.state()->stream ? kIoCurrentPosition : offset;
    request.flags = static_cast<std::uint32_t>(flags);
  }
  Output Finish(std::int64_t result) { return Output(Count(result), std::move(buffer)); }

  Buffer buffer;
  std::int64_t offset;
  int flags;
};

// The same with several buffers.
template <typename Buffer>
struct IoVectorPayload : IoFilePayload {
  using Output = IoResult<std::vector<Buffer>>;

  IoVectorPayload(IoKind kind_in, IoFile handle_in, std::vector<Buffer> buffers_in,
                  std::int64_t offset_in)
      : IoFilePayload(kind_in, std::move(handle_in)),
        buffers(std::move(buffers_in)),
        offset(offset_in) {}

  void Prepare(IoRequest& request) {
    IoFilePayload::Prepare(request);
    parts = IoParts(buffers);
    request.buffer = parts.data();
    request.size = parts.size();
    request.offset = handle.state()->stream ? kIoCurrentPosition : offset;
  }
  Output Finish(std::int64_t result) { return Output(Count(result), std::move(buffers)); }

  std::vector<Buffer> buffers;
  std::vector<iovec> parts;
  std::int64_t offset;
};

template <typename Buffer>
struct IoMessagePayload : IoFilePayload {
  using Output = IoMessageResult<Buffer>;

  IoMessagePayload(IoKind kind_in, IoFile handle_in, IoMessage<Buffer> message_in, int flags_in)
      : IoFilePayload(kind_in, std::move(handle_in)),
        message(std::move(message_in)),
        flags(flags_in) {}

  void Prepare(IoRequest& request) {
    IoFilePayload::Prepare(request);
    parts = IoParts(message.buffers);
    if (kind == IoKind::kRecvMsg) message.peer.size = sizeof(message.peer.storage);
    header.msg_name = message.peer.size == 0 ? nullptr : &message.peer.storage;
    header.msg_namelen = message.peer.size;
    header.msg_iov = parts.data();
    header.msg_iovlen = static_cast<decltype(header.msg_iovlen)>(parts.size());
    header.msg_control = message.control.empty() ? nullptr : message.control.data();
    header.msg_controllen = static_cast<decltype(header.msg_controllen)>(message.control.size());
    request.buffer = &header;
    request.flags = static_cast<std::uint32_t>(flags);
  }
  Output Finish(std::int64_t result) {
    if (kind == IoKind::kRecvMsg) {
      message.peer.size = result < 0 ? 0 : header.msg_namelen;
      message.control.resize(result < 0 ? 0 : header.msg_controllen);
      message.flags = header.msg_flags;
    }
    return Output(Count(result), std::move(message));
  }
  void Discard(std::int64_t result) {
    if (kind == IoKind::kRecvMsg && result >= 0) CloseReceivedDescriptors(header);
  }

  IoMessage<Buffer> message;
  std::vector<iovec> parts;
  msghdr header = {};
  int flags;
};

struct IoAcceptPayload : IoFilePayload {
  using Output = absl::StatusOr<IoAccepted>;

  explicit IoAcceptPayload(IoFile handle_in)
      : IoFilePayload(IoKind::kAccept, std::move(handle_in)) {}

  void Prepare(IoRequest& request) {
    IoFilePayload::Prepare(request);
    peer.size = sizeof(peer.storage);
    request.buffer = &peer.storage;
    request.extra = &peer.size;
  }
  Output Finish(std::int64_t result) {
    if (result < 0) return Error(result);
    return IoAccepted(UniqueFd(static_cast<int>(result)), peer);
  }
  void Discard(std::int64_t result) {
    if (result >= 0) UniqueFd(static_cast<int>(result)).Reset();
  }

  IoAddress peer;
};

struct IoConnectPayload : IoFilePayload {
  using Output = absl::Status;

  IoConnectPayload(IoFile handle_in, const IoAddress& peer_in)
      : IoFilePayload(IoKind::kConnect, std::move(handle_in)), peer(peer_in) {}

  void Prepare(IoRequest& request) {
    IoFilePayload::Prepare(request);
    request.buffer = &peer.storage;
    request.size = peer.size;
  }
  Output Finish(std::int64_t result) { return result < 0 ? Error(result) : absl::OkStatus(); }

  IoAddress peer;
};

// One try to move data between two files. -EAGAIN is no error: the waiting is
// left to whoever asks (io_splice.h).
struct IoSplicePayload : IoFilePayload {
  using Output = std::int64_t;  // a count or -errno

  IoSplicePayload(IoFile from_in, std::int64_t offset_in, IoFile to_in, std::int64_t to_offset_in,
                  std::size_t size_in)
      : IoFilePayload(IoKind::kSplice, std::move(from_in)),
        to(std::move(to_in)),
        offset(offset_in),
        to_offset(to_offset_in),
        size(size_in) {}

  // A file that may block is the ring's or the pool's, whichever end it is.
  IoFileState* file() const { return to.state()->stream ? handle.state() : to.state(); }
  void Prepare(IoRequest& request) const {
    IoFilePayload::Prepare(request);
    request.size = size;
    request.offset = handle.state()->stream ? kIoCurrentPosition : offset;
    request.to_fd = to.fd();
    request.to_offset = to.state()->stream ? kIoCurrentPosition : to_offset;
  }
  Output Finish(std::int64_t result) const { return result; }

  IoFile to;
  std::int64_t offset;
  std::int64_t to_offset;
  std::size_t size;
};

struct IoFsyncPayload : IoFilePayload {
  using Output = absl::Status;

  IoFsyncPayload(IoFile handle_in, bool data_only_in)
      : IoFilePayload(IoKind::kFsync, std::move(handle_in)), data_only(data_only_in) {}

  void Prepare(IoRequest& request) const {
    IoFilePayload::Prepare(request);
    request.flags = data_only ? 1 : 0;
  }
  Output Finish(std::int64_t result) { return result < 0 ? Error(result) : absl::OkStatus(); }

  bool data_only;
};

struct IoStatFilePayload : IoFilePayload {
  using Output = absl::StatusOr<IoStats>;

  explicit IoStatFilePayload(IoFile handle_in)
      : IoFilePayload(IoKind::kStat, std::move(handle_in)) {}

  void Prepare(IoRequest& request) {
    IoFilePayload::Prepare(request);
    request.path = "";
    request.extra = &raw;
  }
  Output Finish(std::int64_t result) {
    if (result < 0) return Error(result);
    return IoStatsOf(raw);
  }

  IoRawStats raw;
};

struct IoPollPayload : IoFilePayload {
  using Output = absl::StatusOr<ReadySet>;

  IoPollPayload(IoFile handle_in, Direction direction_in)
      : IoFilePayload(IoKind::kPoll, std::move(handle_in)), direction(direction_in) {}

  void Prepare(IoRequest& request) const {
    IoFilePayload::Prepare(request);
    request.flags = IoPollMask(direction);
  }
  Output Finish(std::int64_t result) const {
    if (result < 0) return Error(result);
    return ReadySetOfIoPoll(direction, static_cast<unsigned>(result));
  }

  Direction direction;
};

// -- Operations on no open file ---------------------------------------------------

struct IoOpenPayload {
  using Output = absl::StatusOr<UniqueFd>;

  IoOpenPayload(std::string path_in, int flags_in, mode_t mode_in)
      : path(std::move(path_in)), flags(flags_in), mode(mode_in) {}

  IoFileState* file() const { return nullptr; }
  void Prepare(IoRequest& request) const {
    request.kind = IoKind::kOpen;
    request.fd = AT_FDCWD;
    request.path = path.c_str();
    request.flags = static_cast<std::uint32_t>(flags);
    request.size = mode;
  }
  Output Finish(std::int64_t result) const {
    if (result < 0) return IoError(IoKind::kOpen, result, path);
    return UniqueFd(static_cast<int>(result));
  }
  void Discard(std::int64_t result) const {
    if (result >= 0) UniqueFd(static_cast<int>(result)).Reset();
  }

  std::string path;
  int flags;
  mode_t mode;
};

struct IoStatPathPayload {
  using Output = absl::StatusOr<IoStats>;

  IoStatPathPayload(std::string path_in, bool follow_in)
      : path(std::move(path_in)), follow(follow_in) {}

  IoFileState* file() const { return nullptr; }
  void Prepare(IoRequest& request) {
    request.kind = IoKind::kStat;
    request.fd = AT_FDCWD;
    request.path = path.c_str();
    request.flags = follow ? 0 : AT_SYMLINK_NOFOLLOW;
    request.extra = &raw;
  }
  Output Finish(std::int64_t result) const {
    if (result < 0) return IoError(IoKind::kStat, result, path);
    return IoStatsOf(raw);
  }
  void Discard(std::int64_t) const {}

  std::string path;
  bool follow;
  IoRawStats raw;
};

struct IoClosePayload {
  using Output = absl::Status;

  explicit IoClosePayload(UniqueFd fd_in) : fd(std::move(fd_in)) {}

  IoFileState* file() const { return nullptr; }
  void Prepare(IoRequest& request) const {
    request.kind = IoKind::kClose;
    request.fd = fd.get();
  }
  Output Finish(std::int64_t result) {
    const int number = fd.get();
    Discard(result);
    if (result >= 0) return absl::OkStatus();
    return IoError(IoKind::kClose, result, absl::StrCat("descriptor ", number));
  }
  // Unless the closing was cancelled, the number is gone, and perhaps somebody else's.
  void Discard(std::int64_t result) {
    if (result != -ECANCELED) fd.Release();
  }

  UniqueFd fd;
};

struct IoTimeoutPayload {
  using Output = absl::Status;

  explicit IoTimeoutPayload(std::chrono::steady_clock::time_point deadline) {
    const auto since = std::max(deadline.time_since_epoch(), std::chrono::nanoseconds(0));
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
    when.tv_sec = seconds.count();
    when.tv_nsec = (since - seconds).count();
  }

  IoFileState* file() const { return nullptr; }
  void Prepare(IoRequest& request) {
    request.kind = IoKind::kTimeout;
    request.buffer = &when;
  }
  Output Finish(std::int64_t result) const {
    return result < 0 ? IoError(IoKind::kTimeout, result, "a point in time") : absl::OkStatus();
  }
  void Discard(std::int64_t) const {}

  timespec when = {};
};

template <typename Payload>
IoOperation<Payload> StartOnFile(Payload payload) {
  std::shared_ptr<IoEngine> engine = payload.handle.engine();
  return IoOperation<Payload>(std::move(engine), std::move(payload));
}

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_IO_PAYLOAD_H_
