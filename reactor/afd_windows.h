// The readiness of sockets on Windows, as the driver below Winsock (AFD) tells it: one request
// asks for conditions of one socket, and completes on an I/O completion port as soon as one of
// them holds. It is what select() and WSAPoll() are made of. Undocumented, but used by many
// (wepoll, libuv, mio), whose authors found out what is written here.
//
// Requests are made on handles of the driver's device. The driver looks through all requests of
// a handle when one ends, so a handle serves a few sockets only.
//
// Thread-safety: as the system calls they are made of: from any thread at any time.

#ifndef HOME_REACTOR_AFD_WINDOWS_H_
#define HOME_REACTOR_AFD_WINDOWS_H_

#include <winsock2.h>
//
#include <windows.h>
#include <winternl.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "home/reactor/ready.h"

namespace home::reactor_internal {

// What a request asks for and answers.
inline constexpr ULONG kAfdReceive = 0x001;
inline constexpr ULONG kAfdReceiveExpedited = 0x002;
inline constexpr ULONG kAfdSend = 0x004;
inline constexpr ULONG kAfdDisconnect = 0x008;  // the peer will send no more
inline constexpr ULONG kAfdAbort = 0x010;       // the connection was reset
inline constexpr ULONG kAfdLocalClose = 0x020;  // the socket was closed, in this process
inline constexpr ULONG kAfdAccept = 0x080;
inline constexpr ULONG kAfdConnectFail = 0x100;

// The driver's own layout.
struct AfdPollInfo {
  LARGE_INTEGER timeout;
  ULONG number_of_handles;
  ULONG exclusive;
  struct {
    HANDLE handle;
    ULONG events;
    NTSTATUS status;
  } handle;
};

// One request. It stays where it is from StartAfdPoll() until its packet has arrived.
struct AfdPoll {
  IO_STATUS_BLOCK status;
  AfdPollInfo info;
};

// A new handle of the device, whose requests complete on `port` under `key`.
absl::StatusOr<HANDLE> OpenAfd(HANDLE port, ULONG_PTR key);

// What the driver knows `socket` as: the socket below those of layered providers. An error
// (kPermissionDenied) if it is no socket.
absl::StatusOr<SOCKET> AfdSocket(int socket);

// Asks for `events` of a socket that AfdSocket() gave. If that succeeds, a packet will arrive on
// the port of `device` whose OVERLAPPED is `poll`, also if the answer is known at once; if not,
// none will.
NTSTATUS StartAfdPoll(HANDLE device, SOCKET socket, ULONG events, AfdPoll& poll);
// Ends a request early: its packet arrives all the same.
void CancelAfdPoll(HANDLE device, AfdPoll& poll);

// The conditions to ask for to serve one direction of `interest`; none: it is not of interest.
ULONG AfdEvents(Interest interest, Direction direction);
ReadySet ReadySetOfAfd(ULONG events);

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_AFD_WINDOWS_H_
