// IoRequest: one operation as the system is asked for it, for every engine: a kind
// and its arguments. It owns nothing.
//
// Thread-safety: a plain value. Cost: PerformIo() is one system call.

#ifndef HOME_REACTOR_IO_REQUEST_H_
#define HOME_REACTOR_IO_REQUEST_H_

#include <cstddef>
#include <cstdint>
#include <limits>

#include "home/reactor/ready.h"
#include "home/reactor/unique_fd.h"

namespace home::reactor_internal {

class IoBufferGroup;

enum class IoKind : std::uint8_t {
  kRead,     // buffer, size, offset
  kWrite,    // buffer, size, offset
  kReadV,    // buffer: iovec[size]; offset
  kWriteV,   // buffer: iovec[size]; offset
  kRecv,     // buffer, size, flags
  kSend,     // buffer, size, flags
  kRecvMsg,  // buffer: msghdr; flags
  kSendMsg,  // buffer: msghdr; flags
  kAccept,   // buffer: room for an address; extra: its socklen_t
  kConnect,  // buffer: an address, size
  kFsync,    // flags: 1, data only
  kOpen,     // fd: the folder; path; flags; size: the mode
  kClose,
  kStat,     // fd: the folder, or with an empty path the file; path; flags; extra: IoRawStats
  kPoll,     // flags: IoPollMask(); the result is for ReadySetOfIoPoll()
  kTimeout,  // buffer: timespec, when on the monotonic clock
  kSplice,   // offset, size, flags; to_fd, to_offset
};

// What PerformIo() returns if the operation has to wait.
inline constexpr std::int64_t kIoWouldBlock = std::numeric_limits<std::int64_t>::min();

struct IoRequest {
  // Reads and writes where the last one ended; the only place there is in a stream.
  static constexpr std::int64_t kCurrentPosition = -1;

  IoKind kind = IoKind::kRead;
  int fd = -1;
  std::uint32_t flags = 0;
  void* buffer = nullptr;
  void* extra = nullptr;
  const char* path = nullptr;
  std::uint64_t size = 0;
  std::int64_t offset = kCurrentPosition;
  int to_fd = -1;
  std::int64_t to_offset = kCurrentPosition;
  // It goes on after each result (IoState::Deliver). Of an engine that has said it can.
  bool multishot = false;
  // Where the buffer comes from, if not null, and which one it is; whoever sees the result
  // gives it back.
  IoBufferGroup* buffers = nullptr;
  int selected = -1;
};

// "read from", "open": the operation in a message. What follows is its object.
const char* IoName(IoKind kind);

// Which readiness of a socket or pipe an operation waits for.
Direction IoDirection(const IoRequest& request);

// What poll(2) is asked for on this system, and what its answer says of that direction.
unsigned IoPollMask(Direction direction);
ReadySet ReadySetOfIoPoll(Direction direction, unsigned events);

// Has sends to a socket whose peer is gone fail and raise no signal, as far as flags of the single
// send do not say so already.
void KeepFromRaisingSigpipe(int fd);

// Makes of a timeout an operation on a descriptor of its own, which becomes readable in
// time and never blocks. An empty one, and errno, if the system has none.
UniqueFd OpenIoTimer(IoRequest& request);

// Asks the system: what it says, 0 or more; an errno, negative; or, if the descriptor
// is nonblocking, kIoWouldBlock. Repeats what a signal interrupted. `again`: it would
// have blocked the last time. A splice that would block is -EAGAIN: which of its two
// descriptors it waits for is not said.
std::int64_t PerformIo(const IoRequest& request, bool again);

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_IO_REQUEST_H_
