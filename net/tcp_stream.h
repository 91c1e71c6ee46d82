// TcpStream: a TCP connection.
//
//   Async<absl::Status> Greet(SocketAddress server) {
//     TcpStream stream = co_await Try(TcpStream::Connect(server));
//     co_await Try(stream.WriteAll("hello\n"));
//     char buffer[256];
//     std::size_t n = co_await Try(stream.Read(absl::MakeSpan(buffer)));
//     ...
//   }
//
// The futures borrow the stream and the buffer: both must stay where they are
// until the future is done or destroyed. They allocate nothing and try the
// system call at once; only when it would block do they wait for the reactor.
// Each successful system call spends one step of the task's budget. Nothing
// here raises SIGPIPE.
//
// Thread-safety: one reader and one writer at a time, which may be different
// tasks on different threads. Two pending reads (or writes) of one stream are a
// programming error: one of them would wait for ever. Everything else only when
// neither is at work.
// Cost: an operation that need not wait is one system call. A wait adds one RMW
// here and the reactor's event.
//
// Why a short read or write may be taken as "would block" (which saves the call
// that says so): the kernel returns less than was asked from a TCP socket only
// when its queue was empty (full), and then arms the next edge itself. Only a
// peer's end, an error or urgent data could hide behind a short read; if such a
// condition was there when the edge was reported, it stands in the readiness,
// and we don't conclude anything; if it came later, it is an edge of its own
// with a newer tick. (This would be wrong for Unix sockets, which also stop at
// ancillary data.)

#ifndef HOME_NET_TCP_STREAM_H_
#define HOME_NET_TCP_STREAM_H_

#include <cstddef>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/net/socket.h"
#include "home/net/socket_address.h"
#include "home/reactor/registration.h"

namespace home {

class TcpConnect;
class TcpRead;
class TcpStream;
class TcpWrite;
class TcpWriteAll;
class TcpWriteAllV;

class TcpStream {
 public:
  // Connects to `address`. Needs Reactor::Current() when first polled.
  // Errors: kUnavailable (refused, unreachable), kFailedPrecondition (no
  // reactor), kResourceExhausted (no descriptors).
  // Cancellation: the attempt is given up and the socket closed.
  static TcpConnect Connect(const SocketAddress& address);

  TcpStream(TcpStream&&) noexcept = default;
  TcpStream& operator=(TcpStream&&) noexcept = default;
  // Closes the connection. What was written is still sent.
  ~TcpStream() = default;

  // Reads what is there, at most buffer.size() bytes. 0 means that the peer
  // will send no more (or that the buffer is empty).
  // Cancellation: nothing is lost; bytes leave the socket only in the poll that
  // returns them.
  TcpRead Read(absl::Span<char> buffer);

  // Writes some of `data` and returns how much.
  // Cancellation: nothing was written.
  TcpWrite Write(absl::string_view data);

  // Writes all of `data`.
  // Cancellation: an unknown part of `data` was written; the stream is of use
  // only for closing it.
  TcpWriteAll WriteAll(absl::string_view data);

  // Writes all of `pieces` in order, with few system calls. Borrows the span as
  // well as what it refers to.
  // Cancellation: as WriteAll().
  TcpWriteAllV WriteAllV(absl::Span<const absl::string_view> pieces);

  // Wait until a TryRead (TryWrite) may have something to say: for connections
  // that are idle for long and shouldn't hold a buffer meanwhile.
  // Cancellation: nothing is lost.
  ReadyWait Readable() { return ReadyWait(socket_.registration(), Direction::kRead); }
  ReadyWait Writable() { return ReadyWait(socket_.registration(), Direction::kWrite); }

  // Reads or writes if that needs no waiting; nullopt: it would block. They
  // believe the reactor's last word: after a nullopt they make no system call
  // until the reactor was polled and reported something new.
  absl::StatusOr<std::optional<std::size_t>> TryRead(absl::Span<char> buffer);
  absl::StatusOr<std::optional<std::size_t>> TryWrite(absl::string_view data);

  // Tells the peer that no more will be written; reading goes on.
  absl::Status ShutdownWrite();

  // Sends small writes at once instead of gathering them (TCP_NODELAY).
  absl::Status SetNoDelay(bool on);
  // Makes closing reset the connection and drop what is unsent (SO_LINGER 0).
  absl::Status SetLingerReset();

  const SocketAddress& peer_address() const { return peer_; }
  absl::StatusOr<SocketAddress> local_address() const;

  // The descriptor, for options that are not here. Still owned by the stream.
  int fd() const { return socket_.fd(); }

 private:
  friend class TcpAccept;
  friend class TcpConnect;
  friend class TcpRead;
  friend class TcpWrite;
  friend class TcpWriteAll;
  friend class TcpWriteAllV;

  // What a stream is registered for. Urgent data is watched only to know when a
  // short read proves nothing.
  static constexpr Interest kInterest = Interest::ReadWrite() | Interest::Priority();

  TcpStream(net_internal::Socket socket, const SocketAddress& peer)
      : socket_(std::move(socket)), peer_(peer) {}

  net_internal::Socket socket_;
  SocketAddress peer_;
};

// The futures of TcpStream. They are made by its functions; movable before
// their first poll.

class [[nodiscard]] TcpConnect {
 public:
  using Output = absl::StatusOr<TcpStream>;

  explicit TcpConnect(const SocketAddress& address) : address_(address) {}

  home::Poll<Output> Poll(Context& cx);

 private:
  // Opens the socket and starts to connect.
  absl::Status Start();

  SocketAddress address_;
  net_internal::Socket socket_;
  std::optional<ReadyWait> wait_;  // borrows socket_
  bool done_ = false;
};

class [[nodiscard]] TcpRead {
 public:
  using Output = absl::StatusOr<std::size_t>;

  TcpRead(TcpStream& stream, absl::Span<char> buffer)
      : stream_(&stream), buffer_(buffer), wait_(stream.socket_.registration(), Direction::kRead) {}

  home::Poll<Output> Poll(Context& cx);

 private:
  TcpStream* stream_;
  absl::Span<char> buffer_;
  ReadyWait wait_;
  bool done_ = false;
};

class [[nodiscard]] TcpWrite {
 public:
  using Output = absl::StatusOr<std::size_t>;

  TcpWrite(TcpStream& stream, absl::string_view data)
      : stream_(&stream), data_(data), wait_(stream.socket_.registration(), Direction::kWrite) {}

  home::Poll<Output> Poll(Context& cx);

 private:
  TcpStream* stream_;
  absl::string_view data_;
  ReadyWait wait_;
  bool done_ = false;
};

class [[nodiscard]] TcpWriteAll {
 public:
  using Output = absl::Status;

  TcpWriteAll(TcpStream& stream, absl::string_view data)
      : stream_(&stream), rest_(data), wait_(stream.socket_.registration(), Direction::kWrite) {}

  home::Poll<Output> Poll(Context& cx);

 private:
  TcpStream* stream_;
  absl::string_view rest_;
  ReadyWait wait_;
  bool done_ = false;
};

class [[nodiscard]] TcpWriteAllV {
 public:
  using Output = absl::Status;

  TcpWriteAllV(TcpStream& stream, absl::Span<const absl::string_view> pieces)
      : stream_(&stream), rest_(pieces), wait_(stream.socket_.registration(), Direction::kWrite) {}

  home::Poll<Output> Poll(Context& cx);

 private:
  void Advance(std::size_t written);

  TcpStream* stream_;
  absl::Span<const absl::string_view> rest_;
  // How much of rest_.front() is written.
  std::size_t offset_ = 0;
  ReadyWait wait_;
  bool done_ = false;
};

inline TcpConnect TcpStream::Connect(const SocketAddress& address) { return TcpConnect(address); }
inline TcpRead TcpStream::Read(absl::Span<char> buffer) { return TcpRead(*this, buffer); }
inline TcpWrite TcpStream::Write(absl::string_view data) { return TcpWrite(*this, data); }
inline TcpWriteAll TcpStream::WriteAll(absl::string_view data) { return TcpWriteAll(*this, data); }
inline TcpWriteAllV TcpStream::WriteAllV(absl::Span<const absl::string_view> pieces) {
  return TcpWriteAllV(*this, pieces);
}

}  // namespace home

#endif  // HOME_NET_TCP_STREAM_H_
