#include "home/net/tcp_stream.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <utility>

namespace home {
namespace {

using net_internal::ReactorGone;
using net_internal::SocketError;

constexpr absl::string_view kConnect = "connect to";
constexpr absl::string_view kRead = "read from";
constexpr absl::string_view kWrite = "write to";

// A system call's result: a count, or -1 and the error.
struct Transfer {
  ssize_t count;
  int error;

  bool would_block() const { return count < 0 && (error == EAGAIN || error == EWOULDBLOCK); }
};

// Repeats a call that a signal interrupted.
template <typename Call>
Transfer Attempt(Call call) {
  for (;;) {
    const ssize_t count = call();
    if (count >= 0) return Transfer{count, 0};
    if (errno != EINTR) return Transfer{-1, errno};
  }
}

Transfer Receive(int fd, absl::Span<char> buffer) {
  return Attempt([&] { return net_internal::ReceiveCall(fd, buffer.data(), buffer.size()); });
}

Transfer Send(int fd, absl::string_view data) {
  return Attempt([&] { return net_internal::SendCall(fd, data.data(), data.size()); });
}

// Whether `transfer` emptied the queue (filled it, for writes), so that the
// readiness which led to it is used up. See the header for why that is sound.
// The end of the stream (a count of 0) is none: it stays readable.
bool UsedUp(const Transfer& transfer, std::size_t wanted, ReadySet seen, ReadySet::Bit only) {
  return transfer.count > 0 && static_cast<std::size_t>(transfer.count) < wanted &&
         seen == ReadySet(only);
}

// One step of a reading or writing future: waits until the direction is ready,
// spends budget and tries. `call` returns a Transfer and has `wanted` bytes to
// move. Ready with what the call said, unless that it would block.
template <typename Call>
home::Poll<Transfer> PollTransfer(ReadyWait& wait, Context& cx, ReadySet::Bit only,
                                  std::size_t wanted, Call call) {
  for (;;) {
    home::Poll<ReadyEvent> ready = wait.Poll(cx);
    if (ready.pending()) {
      return cx.PendingFor(only == ReadySet::kReadable ? "data to read" : "room to write");
    }
    if (!cx.ConsumeBudget()) return kPending;
    const Transfer transfer = call();
    if (transfer.would_block()) {
      if ((*ready).ready.shutdown()) return Transfer{-1, ECANCELED};
      wait.Clear(*ready);
      continue;
    }
    if (UsedUp(transfer, wanted, (*ready).ready, only)) wait.Clear(*ready);
    return transfer;
  }
}

// Marks a future as done, for the check that it isn't polled again.
template <typename Output>
Output Finish(bool& done, Output output) {
  done = true;
  return output;
}

absl::Status TransferError(int error, absl::string_view operation, const SocketAddress& peer) {
  if (error == ECANCELED) return ReactorGone(operation, peer);
  return SocketError(error, operation, peer);
}

// As PollTransfer, for the Try functions.
template <typename Call>
absl::StatusOr<std::optional<std::size_t>> TryTransfer(Registration& registration,
                                                       Direction direction, ReadySet::Bit only,
                                                       std::size_t wanted, Call call,
                                                       absl::string_view operation,
                                                       const SocketAddress& peer) {
  const ReadyEvent seen = registration.CurrentReady(direction);
  if (seen.ready.empty()) return std::nullopt;
  const Transfer transfer = call();
  if (transfer.would_block()) {
    if (seen.ready.shutdown()) return ReactorGone(operation, peer);
    registration.ClearReady(direction, seen);
    return std::nullopt;
  }
  if (UsedUp(transfer, wanted, seen.ready, only)) registration.ClearReady(direction, seen);
  if (transfer.count < 0) return SocketError(transfer.error, operation, peer);
  return static_cast<std::size_t>(transfer.count);
}

}  // namespace

absl::StatusOr<std::optional<std::size_t>> TcpStream::TryRead(absl::Span<char> buffer) {
  if (buffer.empty()) return std::size_t{0};
  return TryTransfer(
      socket_.registration(), Direction::kRead, ReadySet::kReadable, buffer.size(),
      [&] { return Receive(fd(), buffer); }, kRead, peer_);
}

absl::StatusOr<std::optional<std::size_t>> TcpStream::TryWrite(absl::string_view data) {
  if (data.empty()) return std::size_t{0};
  return TryTransfer(
      socket_.registration(), Direction::kWrite, ReadySet::kWritable, data.size(),
      [&] { return Send(fd(), data); }, kWrite, peer_);
}

absl::Status TcpStream::ShutdownWrite() {
  if (::shutdown(fd(), SHUT_WR) == 0) return absl::OkStatus();
  return SocketError(errno, "end writing to", peer_);
}

absl::Status TcpStream::SetNoDelay(bool on) {
  const int value = on ? 1 : 0;
  if (::setsockopt(fd(), IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value)) == 0) {
    return absl::OkStatus();
  }
  return SocketError(errno, "set TCP_NODELAY on the connection to", peer_);
}

absl::Status TcpStream::SetLingerReset() {
  linger value = {};
  value.l_onoff = 1;
  value.l_linger = 0;
  if (::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &value, sizeof(value)) == 0) {
    return absl::OkStatus();
  }
  return SocketError(errno, "set SO_LINGER on the connection to", peer_);
}

absl::StatusOr<SocketAddress> TcpStream::local_address() const {
  return net_internal::LocalAddressOf(fd());
}

absl::Status TcpConnect::Start() {
  absl::StatusOr<Reactor*> reactor = net_internal::RequireReactor(kConnect, address_);
  if (!reactor.ok()) return reactor.status();
  absl::StatusOr<UniqueFd> fd = net_internal::OpenTcpSocket(address_.family());
  if (!fd.ok()) return fd.status();
  // EINTR too means that it goes on in the background.
  if (::connect(fd->get(), address_.native(), address_.native_size()) != 0 &&
      errno != EINPROGRESS && errno != EINTR) {
    return SocketError(errno, kConnect, address_);
  }
  // Registered only now: epoll reports a hang-up for a socket that was never
  // asked to connect.
  absl::StatusOr<Registration> registration = (*reactor)->Register(fd->get(), TcpStream::kInterest);
  if (!registration.ok()) return registration.status();
  socket_ = net_internal::Socket(*std::move(fd), *std::move(registration));
  wait_.emplace(socket_.registration(), Direction::kWrite);
  return absl::OkStatus();
}

home::Poll<TcpConnect::Output> TcpConnect::Poll(Context& cx) {
  assert(!done_ && "a Connect was polled after it was ready");
  if (!wait_.has_value()) {
    absl::Status started = Start();
    if (!started.ok()) return Finish(done_, Output(std::move(started)));
  }
  for (;;) {
    home::Poll<ReadyEvent> ready = wait_->Poll(cx);
    if (ready.pending()) return cx.PendingFor("a connection to be made");
    if (!cx.ConsumeBudget()) return kPending;
    int error = 0;
    socklen_t length = sizeof(error);
    if (::getsockopt(socket_.fd(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
    if (error != 0) return Finish(done_, Output(SocketError(error, kConnect, address_)));
    // No error and no peer: still connecting, the event was for nothing.
    sockaddr_storage peer;
    length = sizeof(peer);
    if (::getpeername(socket_.fd(), reinterpret_cast<sockaddr*>(&peer), &length) == 0) break;
    if (errno != ENOTCONN) return Finish(done_, Output(SocketError(errno, kConnect, address_)));
    if ((*ready).ready.shutdown()) return Finish(done_, Output(ReactorGone(kConnect, address_)));
    wait_->Clear(*ready);
  }
  wait_.reset();
  return Finish(done_, Output(TcpStream(std::move(socket_), address_)));
}

home::Poll<TcpRead::Output> TcpRead::Poll(Context& cx) {
  assert(!done_ && "a Read was polled after it was ready");
  if (buffer_.empty()) return Finish(done_, Output(std::size_t{0}));
  home::Poll<Transfer> transfer = PollTransfer(wait_, cx, ReadySet::kReadable, buffer_.size(),
                                               [this] { return Receive(stream_->fd(), buffer_); });
  if (transfer.pending()) return kPending;
  if ((*transfer).count < 0) {
    return Finish(done_, Output(TransferError((*transfer).error, kRead, stream_->peer_)));
  }
  return Finish(done_, Output(static_cast<std::size_t>((*transfer).count)));
}

home::Poll<TcpWrite::Output> TcpWrite::Poll(Context& cx) {
  assert(!done_ && "a Write was polled after it was ready");
  if (data_.empty()) return Finish(done_, Output(std::size_t{0}));
  home::Poll<Transfer> transfer = PollTransfer(wait_, cx, ReadySet::kWritable, data_.size(),
                                               [this] { return Send(stream_->fd(), data_); });
  if (transfer.pending()) return kPending;
  if ((*transfer).count < 0) {
    return Finish(done_, Output(TransferError((*transfer).error, kWrite, stream_->peer_)));
  }
  return Finish(done_, Output(static_cast<std::size_t>((*transfer).count)));
}

home::Poll<TcpWriteAll::Output> TcpWriteAll::Poll(Context& cx) {
  assert(!done_ && "a WriteAll was polled after it was ready");
  while (!rest_.empty()) {
    home::Poll<Transfer> transfer = PollTransfer(wait_, cx, ReadySet::kWritable, rest_.size(),
                                                 [this] { return Send(stream_->fd(), rest_); });
    if (transfer.pending()) return kPending;
    if ((*transfer).count < 0) {
      return Finish(done_, Output(TransferError((*transfer).error, kWrite, stream_->peer_)));
    }
    rest_.remove_prefix(static_cast<std::size_t>((*transfer).count));
  }
  return Finish(done_, Output(absl::OkStatus()));
}

home::Poll<TcpWriteAllV::Output> TcpWriteAllV::Poll(Context& cx) {
  assert(!done_ && "a WriteAllV was polled after it was ready");
  Advance(0);
  while (!rest_.empty()) {
    std::array<iovec, 64> vectors;
    const std::size_t count = std::min(vectors.size(), rest_.size());
    std::size_t wanted = 0;
    for (std::size_t i = 0; i < count; ++i) {
      absl::string_view piece = rest_[i];
      if (i == 0) piece.remove_prefix(offset_);
      // The system's type has no const; it doesn't write.
      vectors[i].iov_base = const_cast<char*>(piece.data());
      vectors[i].iov_len = piece.size();
      wanted += piece.size();
    }
    msghdr message = {};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    home::Poll<Transfer> transfer = PollTransfer(wait_, cx, ReadySet::kWritable, wanted, [&] {
      return Attempt([&] { return ::sendmsg(stream_->fd(), &message, MSG_NOSIGNAL); });
    });
    if (transfer.pending()) return kPending;
    if ((*transfer).count < 0) {
      return Finish(done_, Output(TransferError((*transfer).error, kWrite, stream_->peer_)));
    }
    Advance(static_cast<std::size_t>((*transfer).count));
  }
  return Finish(done_, Output(absl::OkStatus()));
}

// Moves on by `written` bytes, and past pieces that are empty.
void TcpWriteAllV::Advance(std::size_t written) {
  offset_ += written;
  while (!rest_.empty() && offset_ >= rest_.front().size()) {
    offset_ -= rest_.front().size();
    rest_.remove_prefix(1);
  }
}

}  // namespace home
