#include "home/reactor/iocp_operation_windows.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "home/reactor/afd_windows.h"
#include "home/reactor/error_windows.h"
#include "home/reactor/io_buffers.h"
#include "home/reactor/io_request.h"

namespace home::reactor_internal {
namespace {

// More at once than a count of Windows's has room for is left for the next time.
constexpr std::uint64_t kMostBytes = 1 << 30;

// Statuses of packets. The first is no error: the packet comes whatever the call said.
constexpr NTSTATUS kTruncated = static_cast<NTSTATUS>(0x80000005);
constexpr NTSTATUS kEndOfFile = static_cast<NTSTATUS>(0xC0000011);
constexpr NTSTATUS kPipeBroken = static_cast<NTSTATUS>(0xC000014B);

DWORD Clamp(std::uint64_t size) { return static_cast<DWORD>(std::min(size, kMostBytes)); }

std::int64_t ErrorOf(unsigned long error) { return -ErrnoOfWindows(error); }
std::int64_t LastSocketError() { return ErrorOf(static_cast<unsigned long>(WSAGetLastError())); }

bool IsRead(IoKind kind) {
  return kind == IoKind::kRead || kind == IoKind::kReadV || kind == IoKind::kRecv ||
         kind == IoKind::kRecvMsg;
}
bool IsVector(IoKind kind) { return kind == IoKind::kReadV || kind == IoKind::kWriteV; }

// Of what Winsock has no name for.
template <typename Function>
bool FindExtension(SOCKET socket, GUID id, Function& function) {
  DWORD bytes;
  return WSAIoctl(socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof(id), &function,
                  sizeof(function), &bytes, nullptr, nullptr) == 0;
}

// Gives a socket an address of the system's choice, which ConnectEx() wants, unless it has one.
bool BindToAny(SOCKET socket, int family) {
  sockaddr_storage any = {};
  any.ss_family = static_cast<decltype(any.ss_family)>(family);
  const int size = family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  return bind(socket, reinterpret_cast<sockaddr*>(&any), size) == 0 ||
         WSAGetLastError() == WSAEINVAL;
}

}  // namespace

IocpOperation::IocpOperation(IoState* op_in, void (*arrived)(IocpPacket&))
    : op_(op_in), carrier_{IocpPacket(arrived), this} {
  const IoRequest& asked = op_->request;
  flags_ = asked.flags;
  if (IsVector(asked.kind)) {
    Gather(static_cast<const iovec*>(asked.buffer), asked.size);
  } else if (asked.kind == IoKind::kRecvMsg || asked.kind == IoKind::kSendMsg) {
    const auto& header = *static_cast<const msghdr*>(asked.buffer);
    Gather(header.msg_iov, header.msg_iovlen);
  } else {
    const iovec one = {asked.buffer, asked.size};
    Gather(&one, 1);
  }
}

void IocpOperation::Gather(const iovec* parts, std::size_t count) {
  parts_.clear();
  for (std::size_t i = 0; i < count; ++i) {
    parts_.push_back(WSABUF{Clamp(parts[i].iov_len), static_cast<char*>(parts[i].iov_base)});
  }
}

std::int64_t IocpOperation::Ask() {
  const IoKind kind = request().kind;
  if (file().type == 0) {
    return kind == IoKind::kRead || kind == IoKind::kWrite || IsVector(kind) ? AskFile()
                                                                             : -ENOTSOCK;
  }
  // Who waits for data keeps no buffer.
  if (request().buffers != nullptr) {
    return AskPoll(AfdEvents(Interest::Read(), Direction::kRead));
  }
  switch (kind) {
    case IoKind::kPoll:
      return AskPoll(request().flags);
    case IoKind::kAccept:
      return AskAccept();
    case IoKind::kConnect:
      return AskConnect();
    case IoKind::kRecvMsg:
    case IoKind::kSendMsg:
      return AskMessage();
    default:
      return AskTransfer();
  }
}

std::int64_t IocpOperation::Asked(bool succeeded, unsigned long error) {
  if (succeeded || error == ERROR_IO_PENDING) return kOnItsWay;
  // A packet comes of whatever is no error to the system's own layer; that has written a status
  // then.
  const auto status = static_cast<NTSTATUS>(carrier_.packet.overlapped.Internal);
  if ((error == WSAEMSGSIZE || error == ERROR_MORE_DATA) && status == kTruncated) return kOnItsWay;
  if (error == ERROR_HANDLE_EOF || (error == ERROR_BROKEN_PIPE && IsRead(request().kind))) {
    return moved_;
  }
  return moved_ > 0 ? moved_ : ErrorOf(error);
}

std::int64_t IocpOperation::AskPoll(ULONG events) {
  polling_ = true;
  const NTSTATUS status =
      StartAfdPoll(file().polls->get(), file().base, events, carrier_.packet.poll);
  return NT_SUCCESS(status) ? kOnItsWay : ErrorOf(RtlNtStatusToDosError(status));
}

std::int64_t IocpOperation::AskTransfer() {
  OVERLAPPED& overlapped = carrier_.packet.overlapped;
  overlapped = {};
  const auto count = static_cast<DWORD>(parts_.size());
  const int result =
      IsRead(request().kind)
          ? WSARecv(file().socket(), parts_.data(), count, nullptr, &flags_, &overlapped, nullptr)
          : WSASend(file().socket(), parts_.data(), count, nullptr, flags_, &overlapped, nullptr);
  return Asked(result == 0, static_cast<unsigned long>(WSAGetLastError()));
}

std::int64_t IocpOperation::AskFile() {
  // Empty ones move nothing, and would end as if the file did.
  while (part_ + 1 < parts_.size() && parts_[part_].len == 0) ++part_;
  if (parts_.empty()) return 0;
  OVERLAPPED& overlapped = carrier_.packet.overlapped;
  overlapped = {};
  const auto at = static_cast<std::uint64_t>(offset + moved_);
  overlapped.Offset = static_cast<DWORD>(at);
  overlapped.OffsetHigh = static_cast<DWORD>(at >> 32);
  const WSABUF& part = parts_[part_];
  const BOOL succeeded = IsRead(request().kind)
                             ? ReadFile(file().handle(), part.buf, part.len, nullptr, &overlapped)
                             : WriteFile(file().handle(), part.buf, part.len, nullptr, &overlapped);
  return Asked(succeeded != FALSE, GetLastError());
}

std::int64_t IocpOperation::AskMessage() {
  auto& header = *static_cast<msghdr*>(request().buffer);
  if (file().type == SOCK_STREAM) {
    // Neither the one nor the other goes with the bytes of a connection.
    if (request().kind == IoKind::kSendMsg && header.msg_controllen > 0) return -ENOTSUP;
    return AskTransfer();
  }
  OVERLAPPED& overlapped = carrier_.packet.overlapped;
  overlapped = {};
  message_.name = static_cast<sockaddr*>(header.msg_name);
  message_.namelen = static_cast<INT>(header.msg_namelen);
  message_.lpBuffers = parts_.data();
  message_.dwBufferCount = static_cast<ULONG>(parts_.size());
  message_.Control = {static_cast<ULONG>(header.msg_controllen),
                      static_cast<char*>(header.msg_control)};
  message_.dwFlags = flags_;
  int result;
  if (request().kind == IoKind::kRecvMsg) {
    LPFN_WSARECVMSG receive;
    if (!FindExtension(file().socket(), WSAID_WSARECVMSG, receive)) return LastSocketError();
    result = receive(file().socket(), &message_, nullptr, &overlapped, nullptr);
  } else if (header.msg_controllen > 0) {
    message_.dwFlags = 0;
    result = WSASendMsg(file().socket(), &message_, flags_, nullptr, &overlapped, nullptr);
  } else {
    result = WSASendTo(file().socket(), parts_.data(), message_.dwBufferCount, nullptr, flags_,
                       message_.name, message_.namelen, &overlapped, nullptr);
  }
  return Asked(result == 0, static_cast<unsigned long>(WSAGetLastError()));
}

std::int64_t IocpOperation::AskAccept() {
  // Wine's AcceptEx() waits for ever on a socket that does not listen; Windows's says so.
  int listens = 0;
  int size = sizeof(listens);
  if (getsockopt(file().socket(), SOL_SOCKET, SO_ACCEPTCONN, reinterpret_cast<char*>(&listens),
                 &size) != 0) {
    return LastSocketError();
  }
  if (listens == 0) return -EINVAL;
  // It wants a socket of the same kind to make the connection of.
  WSAPROTOCOL_INFOW kind;
  size = sizeof(kind);
  if (getsockopt(file().socket(), SOL_SOCKET, SO_PROTOCOL_INFOW, reinterpret_cast<char*>(&kind),
                 &size) != 0) {
    return LastSocketError();
  }
  const SOCKET fresh = WSASocketW(kind.iAddressFamily, kind.iSocketType, kind.iProtocol, nullptr, 0,
                                  WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
  if (fresh == INVALID_SOCKET) return LastSocketError();
  accepting_ = std::make_unique<Accepting>();
  accepting_->socket.Reset(static_cast<int>(fresh));
  OVERLAPPED& overlapped = carrier_.packet.overlapped;
  overlapped = {};
  DWORD bytes;
  const BOOL accepted = AcceptEx(file().socket(), fresh, accepting_->addresses, 0, kAddressRoom,
                                 kAddressRoom, &bytes, &overlapped);
  return Asked(accepted != FALSE, static_cast<unsigned long>(WSAGetLastError()));
}

std::int64_t IocpOperation::AskConnect() {
  const auto* const peer = static_cast<const sockaddr*>(request().buffer);
  const auto size = static_cast<int>(request().size);
  const SOCKET socket = file().socket();
  // Of datagrams, it only says where they go to.
  if (file().type != SOCK_STREAM) return connect(socket, peer, size) == 0 ? 0 : LastSocketError();
  LPFN_CONNECTEX connect_ex;
  if (!BindToAny(socket, peer->sa_family) || !FindExtension(socket, WSAID_CONNECTEX, connect_ex)) {
    return LastSocketError();
  }
  OVERLAPPED& overlapped = carrier_.packet.overlapped;
  overlapped = {};
  const BOOL connected = connect_ex(socket, peer, size, nullptr, 0, nullptr, &overlapped);
  return Asked(connected != FALSE, static_cast<unsigned long>(WSAGetLastError()));
}

std::int64_t IocpOperation::Answer(bool wanted) {
  const OVERLAPPED& overlapped = carrier_.packet.overlapped;
  const auto status = static_cast<NTSTATUS>(overlapped.Internal);
  const IoKind kind = request().kind;
  if (polling_) {
    polling_ = false;
    if (!NT_SUCCESS(status)) return ErrorOf(RtlNtStatusToDosError(status));
    const AfdPollInfo& info = carrier_.packet.poll.info;
    const ULONG events = info.number_of_handles == 0 ? 0 : info.handle.events;
    if ((events & kAfdLocalClose) != 0 || !wanted) return -ECANCELED;
    if (kind == IoKind::kPoll) return events;
    if (!SelectBuffer(op_->request)) return -ENOBUFS;
    const iovec taken = {request().buffer, request().size};
    Gather(&taken, 1);
    return AskTransfer();
  }
  const bool truncated = status == kTruncated;
  const auto count = static_cast<std::int64_t>(overlapped.InternalHigh);
  if (!NT_SUCCESS(status) && !truncated) {
    const bool end = status == kEndOfFile || (status == kPipeBroken && IsRead(kind));
    if (end || moved_ > 0) return moved_;
    return ErrorOf(RtlNtStatusToDosError(status));
  }
  switch (kind) {
    case IoKind::kAccept:
      return AnswerAccept();
    case IoKind::kConnect:
      // Else it has no peer for other calls.
      if (setsockopt(file().socket(), SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr, 0) != 0) {
        return LastSocketError();
      }
      return 0;
    case IoKind::kRecvMsg:
      AnswerMessage(truncated);
      return count;
    default:
      return AnswerTransfer(count, wanted);
  }
}

std::int64_t IocpOperation::AnswerTransfer(std::int64_t count, bool wanted) {
  moved_ += count;
  if (file().type != 0) return moved_;
  // Of a file, one buffer after the other, up to the first that is not filled.
  if (!wanted || count < static_cast<std::int64_t>(parts_[part_].len)) return moved_;
  if (++part_ == parts_.size()) return moved_;
  return AskFile();
}

std::int64_t IocpOperation::AnswerAccept() {
  const SOCKET listener = file().socket();
  const auto socket = static_cast<SOCKET>(accepting_->socket.get());
  // Else it has no address for other calls.
  if (setsockopt(socket, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                 reinterpret_cast<const char*>(&listener), sizeof(listener)) != 0) {
    return LastSocketError();
  }
  // A source does not ask who it is.
  if (request().buffer != nullptr) {
    sockaddr* here;
    sockaddr* peer;
    int here_size;
    int peer_size;
    GetAcceptExSockaddrs(accepting_->addresses, 0, kAddressRoom, kAddressRoom, &here, &here_size,
                         &peer, &peer_size);
    auto& room = *static_cast<socklen_t*>(request().extra);
    room = std::min(room, static_cast<socklen_t>(peer_size));
    std::memcpy(request().buffer, peer, static_cast<std::size_t>(room));
  }
  return accepting_->socket.Release();
}

void IocpOperation::AnswerMessage(bool truncated) {
  auto& header = *static_cast<msghdr*>(request().buffer);
  const bool stream = file().type == SOCK_STREAM;
  header.msg_namelen = stream ? 0 : static_cast<socklen_t>(message_.namelen);
  header.msg_controllen = stream ? 0 : message_.Control.len;
  header.msg_flags = static_cast<int>(stream ? flags_ : message_.dwFlags);
  if (truncated) header.msg_flags |= MSG_TRUNC;
}

void IocpOperation::Cancel() {
  // Which step it is at is not known here. Both fail where there is nothing to cancel.
  if (Polls(request())) CancelAfdPoll(file().polls->get(), carrier_.packet.poll);
  if (request().kind != IoKind::kPoll) CancelIoEx(file().handle(), &carrier_.packet.overlapped);
}

}  // namespace home::reactor_internal
