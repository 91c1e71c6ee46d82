// The operations of the completion layer: start one, await its result.
//
//   IoFile socket = IoFile::Attach(reactor.io(), std::move(fd)).value();
//   IoResult<std::string> received = co_await IoRecv(socket, std::string(4096, '\0'));
//   if (!received.count.ok()) co_return received.count.status();
//   received.buffer.resize(*received.count);
//
// Sockets and pipes are tried when the reactor says that they are ready, and files are io_uring's
// on Linux, or left to a pool of threads; or io_uring has them all (io_engine.h, IoBackend). On
// Windows they are overlapped. Each way the same operations give the same results, but for what
// Windows lacks: splices, descriptors in messages, control messages over connections
// (kUnimplemented). And by readiness IoConnect() to a Unix socket whose backlog is full is an
// error, and IoPoll() does not ask for urgent bytes.
//
// Buffers are owned by the operation and come back with its result. Several operations on
// one file may be under way at once; those of one direction on a socket or pipe are served
// in the order in which they were started only by readiness; on Windows, those of a file
// that give no offset are.
//
// Cancellation: dropping an operation that was not polled does nothing. Dropping it later
// asks the system to cancel it and does not wait: it may still happen, or have happened in
// part, and its data be lost. The buffer and the file live until the system is done with
// them. What it opened, accepted or received in a message for nobody is closed.
// When the reactor is destroyed, what is under way ends with kCancelled.
// Errors: absl::Status with the operation, the descriptor or path, and the system's word.
// Thread-safety: as any future.
// Memory ordering: what the kernel or another thread wrote happens before the poll that
// returns the result.
// Cost: one allocation an operation; and its system call, or, by io_uring, one for all that are
// started between two looks at the reactor.

#ifndef HOME_REACTOR_IO_H_
#define HOME_REACTOR_IO_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "home/reactor/io_engine.h"
#include "home/reactor/io_file.h"
#include "home/reactor/io_operation.h"
#include "home/reactor/io_payload.h"
#include "home/reactor/io_request.h"
#include "home/reactor/io_source.h"
#include "home/reactor/io_splice.h"
#include "home/reactor/io_stats.h"
#include "home/reactor/io_system.h"
#include "home/reactor/io_types.h"
#include "home/reactor/ready.h"
#include "home/reactor/unique_fd.h"

namespace home {

// Reads into `buffer` at `offset`, at most its size.
template <IoMutableBuffer Buffer>
auto IoRead(IoFile file, Buffer buffer, std::int64_t offset = kIoCurrentPosition) {
  return reactor_internal::StartOnFile(reactor_internal::IoTransferPayload<Buffer>(
      reactor_internal::IoKind::kRead, std::move(file), std::move(buffer), offset, 0));
}

// Writes `buffer` at `offset`, perhaps not all of it. To a pipe that nobody reads it raises
// SIGPIPE, as write(2) does.
template <IoBuffer Buffer>
auto IoWrite(IoFile file, Buffer buffer, std::int64_t offset = kIoCurrentPosition) {
  return reactor_internal::StartOnFile(reactor_internal::IoTransferPayload<Buffer>(
      reactor_internal::IoKind::kWrite, std::move(file), std::move(buffer), offset, 0));
}

// The same with several buffers, one after the other.
template <IoMutableBuffer Buffer>
auto IoReadV(IoFile file, std::vector<Buffer> buffers, std::int64_t offset = kIoCurrentPosition) {
  return reactor_internal::StartOnFile(reactor_internal::IoVectorPayload<Buffer>(
      reactor_internal::IoKind::kReadV, std::move(file), std::move(buffers), offset));
}
template <IoBuffer Buffer>
auto IoWriteV(IoFile file, std::vector<Buffer> buffers, std::int64_t offset = kIoCurrentPosition) {
  return reactor_internal::StartOnFile(reactor_internal::IoVectorPayload<Buffer>(
      reactor_internal::IoKind::kWriteV, std::move(file), std::move(buffers), offset));
}

// Receives from a socket; `flags` as recv(2) has them.
template <IoMutableBuffer Buffer>
auto IoRecv(IoFile socket, Buffer buffer, int flags = 0) {
  return reactor_internal::StartOnFile(reactor_internal::IoTransferPayload<Buffer>(
      reactor_internal::IoKind::kRecv, std::move(socket), std::move(buffer), kIoCurrentPosition,
      flags));
}

// Sends to a socket, perhaps not all of it; a peer that is gone is an error and no signal.
template <IoBuffer Buffer>
auto IoSend(IoFile socket, Buffer buffer, int flags = 0) {
  return reactor_internal::StartOnFile(reactor_internal::IoTransferPayload<Buffer>(
      reactor_internal::IoKind::kSend, std::move(socket), std::move(buffer), kIoCurrentPosition,
      flags));
}

// Receives a message, with its sender and control messages, or sends one.
// Descriptors that come along belong to the caller; add MSG_CMSG_CLOEXEC to `flags`.
template <IoMutableBuffer Buffer>
auto IoRecvMsg(IoFile socket, IoMessage<Buffer> room, int flags = 0) {
  return reactor_internal::StartOnFile(reactor_internal::IoMessagePayload<Buffer>(
      reactor_internal::IoKind::kRecvMsg, std::move(socket), std::move(room), flags));
}
template <IoBuffer Buffer>
auto IoSendMsg(IoFile socket, IoMessage<Buffer> message, int flags = 0) {
  return reactor_internal::StartOnFile(reactor_internal::IoMessagePayload<Buffer>(
      reactor_internal::IoKind::kSendMsg, std::move(socket), std::move(message), flags));
}

// The next connection of a listening socket. Yields absl::StatusOr<IoAccepted>.
inline auto IoAccept(IoFile listener) {
  return reactor_internal::StartOnFile(reactor_internal::IoAcceptPayload(std::move(listener)));
}

// Connects a socket. Dropped or failed, it leaves a socket that is good for nothing.
inline auto IoConnect(IoFile socket, const IoAddress& peer) {
  return reactor_internal::StartOnFile(reactor_internal::IoConnectPayload(std::move(socket), peer));
}

// Waits until a file can be read from or written to, or is hung up or in error, without
// doing either. Yields absl::StatusOr<ReadySet>.
inline auto IoPoll(IoFile file, Direction direction) {
  return reactor_internal::StartOnFile(reactor_internal::IoPollPayload(std::move(file), direction));
}

// Waits until `deadline`, never less. (Tasks have the timers of //timer, which cost less:
// this is for who waits for operations only.) Yields absl::Status.
inline auto IoTimeout(std::shared_ptr<IoEngine> engine,
                      std::chrono::steady_clock::time_point deadline) {
  using Payload = reactor_internal::IoTimeoutPayload;
  return IoOperation<Payload>(std::move(engine), Payload(deadline));
}

// Moves up to `size` bytes from one file to another without copying them through the process;
// one of the two is a pipe, and both are attached to the same engine. 0 bytes: the end of
// `from`. Yields absl::StatusOr<std::size_t>. To a pipe that nobody reads it raises SIGPIPE, as
// splice(2) does. Dropped, it may have moved data, which then are where they were moved to.
// Larger than the room in a socket's buffer, it keeps the pipe until the peer has made room: on
// io_uring whatever else is done with that pipe, by anybody, waits for as long.
inline IoSpliceFuture IoSplice(IoFile from, IoFile to, std::size_t size,
                               std::int64_t from_offset = kIoCurrentPosition,
                               std::int64_t to_offset = kIoCurrentPosition) {
  return IoSpliceFuture(std::move(from), from_offset, std::move(to), to_offset, size);
}

// Makes what was written last. `data_only`: not also what only statistics need.
inline auto IoFsync(IoFile file, bool data_only = false) {
  return reactor_internal::StartOnFile(
      reactor_internal::IoFsyncPayload(std::move(file), data_only));
}

// What the system knows of a file, or of a path. Yields absl::StatusOr<IoStats>.
inline auto IoStat(IoFile file) {
  return reactor_internal::StartOnFile(reactor_internal::IoStatFilePayload(std::move(file)));
}
inline auto IoStat(std::shared_ptr<IoEngine> engine, std::string path, bool follow = true) {
  using Payload = reactor_internal::IoStatPathPayload;
  return IoOperation<Payload>(std::move(engine), Payload(std::move(path), follow));
}

// Opens a file as open(2) does; O_CLOEXEC is added. Yields absl::StatusOr<UniqueFd>.
inline auto IoOpen(std::shared_ptr<IoEngine> engine, std::string path, int flags,
                   mode_t mode = 0666) {
  using Payload = reactor_internal::IoOpenPayload;
  return IoOperation<Payload>(std::move(engine), Payload(std::move(path), flags, mode));
}

// Closes a descriptor and says whether all that was written reached its place, as far as
// the system knows. The descriptor is closed in any case, also if this is dropped. One that
// is attached comes from IoFile::Detach().
inline auto IoClose(std::shared_ptr<IoEngine> engine, UniqueFd fd) {
  using Payload = reactor_internal::IoClosePayload;
  return IoOperation<Payload>(std::move(engine), Payload(std::move(fd)));
}

}  // namespace home

#endif  // HOME_REACTOR_IO_H_
