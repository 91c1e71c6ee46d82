#include "home/reactor/afd_windows.h"

#include <mswsock.h>

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "home/reactor/error_windows.h"

// Of ntdll.dll since Windows Vista, in no header.
extern "C" NTSTATUS NTAPI NtCancelIoFileEx(HANDLE file, IO_STATUS_BLOCK* request,
                                           IO_STATUS_BLOCK* status);

namespace home::reactor_internal {
namespace {

constexpr ULONG kIoctlAfdPoll = 0x00012024;
// Of the status of a request that goes on.
constexpr NTSTATUS kPending = 0x00000103;
// Asked for in any case: whoever waits for anything is to know that it is in vain.
constexpr ULONG kAlways = kAfdAbort | kAfdConnectFail | kAfdLocalClose;

}  // namespace

absl::StatusOr<HANDLE> OpenAfd(HANDLE port, ULONG_PTR key) {
  // The driver takes any name below its own.
  UNICODE_STRING name;
  RtlInitUnicodeString(&name, L"\\Device\\Afd\\Home");
  OBJECT_ATTRIBUTES attributes;
  InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, nullptr, nullptr);
  HANDLE device;
  IO_STATUS_BLOCK status;
  const NTSTATUS opened =
      NtCreateFile(&device, SYNCHRONIZE, &attributes, &status, nullptr, 0,
                   FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_OPEN, 0, nullptr, 0);
  if (!NT_SUCCESS(opened)) {
    return WindowsErrorToStatus(RtlNtStatusToDosError(opened), "open \\Device\\Afd");
  }
  // Packets are all that is wanted, not the handle's event.
  if (CreateIoCompletionPort(device, port, key, 0) == nullptr ||
      !SetFileCompletionNotificationModes(device, FILE_SKIP_SET_EVENT_ON_HANDLE)) {
    const DWORD error = GetLastError();
    CloseHandle(device);
    return WindowsErrorToStatus(error, "attach \\Device\\Afd to a completion port");
  }
  return device;
}

absl::StatusOr<SOCKET> AfdSocket(int socket) {
  // Handles have 32 bits that count, and are extended by their sign.
  const auto handle = static_cast<SOCKET>(socket);
  // First, for Wine gives a base of files, too.
  int type;
  int size = sizeof(type);
  const bool is_socket =
      getsockopt(handle, SOL_SOCKET, SO_TYPE, reinterpret_cast<char*>(&type), &size) == 0;
  SOCKET base;
  DWORD bytes;
  if (!is_socket || WSAIoctl(handle, SIO_BASE_HANDLE, nullptr, 0, &base, sizeof(base), &bytes,
                             nullptr, nullptr) != 0) {
    const auto error = static_cast<unsigned long>(WSAGetLastError());
    const std::string operation = absl::StrCat("register descriptor ", socket, " with AFD");
    if (error == WSAENOTSOCK) {
      return absl::PermissionDeniedError(absl::StrCat(operation, ": it is no socket"));
    }
    return WindowsErrorToStatus(error, operation);
  }
  return base;
}

NTSTATUS StartAfdPoll(HANDLE device, SOCKET socket, ULONG events, AfdPoll& poll) {
  poll.info.timeout.QuadPart = INT64_MAX;
  poll.info.number_of_handles = 1;
  poll.info.exclusive = FALSE;
  poll.info.handle.handle = reinterpret_cast<HANDLE>(socket);
  poll.info.handle.events = events;
  poll.info.handle.status = 0;
  poll.status.Status = kPending;
  // A context makes the packet come to the port; it is what the packet has for an OVERLAPPED.
  return NtDeviceIoControlFile(device, nullptr, nullptr, &poll, &poll.status, kIoctlAfdPoll,
                               &poll.info, sizeof(poll.info), &poll.info, sizeof(poll.info));
}

void CancelAfdPoll(HANDLE device, AfdPoll& poll) {
  IO_STATUS_BLOCK status;
  // Fails only if it has ended already.
  NtCancelIoFileEx(device, &poll.status, &status);
}

ULONG AfdEvents(Interest interest, Direction direction) {
  ULONG events = 0;
  if (direction == Direction::kRead) {
    if (interest.read()) events |= kAfdReceive | kAfdAccept;
    if (interest.priority()) events |= kAfdReceiveExpedited;
    if (interest.read_hang_up()) events |= kAfdDisconnect;
  } else {
    if (interest.write()) events |= kAfdSend;
    if (interest.write_hang_up() || interest.error()) events |= kAlways;
  }
  return events == 0 ? 0 : events | kAlways;
}

ReadySet ReadySetOfAfd(ULONG events) {
  unsigned bits = 0;
  if ((events & (kAfdReceive | kAfdAccept)) != 0) bits |= ReadySet::kReadable;
  if ((events & kAfdReceiveExpedited) != 0) bits |= ReadySet::kPriority;
  if ((events & kAfdSend) != 0) bits |= ReadySet::kWritable;
  if ((events & kAfdDisconnect) != 0) bits |= ReadySet::kReadClosed;
  if ((events & (kAfdAbort | kAfdConnectFail)) != 0) {
    bits |= ReadySet::kReadClosed | ReadySet::kWriteClosed | ReadySet::kError;
  }
  return ReadySet(bits);
}

}  // namespace home::reactor_internal
