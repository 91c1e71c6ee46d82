// CompletionPort: what the completion layer shares with the poller of Windows, so that one wait
// serves both: the port, and the time at which a wait is to end.
//
// Thread-safety: Drain() by whoever polls; the rest from any thread at any time.

#ifndef HOME_REACTOR_IOCP_WINDOWS_H_
#define HOME_REACTOR_IOCP_WINDOWS_H_

#include <winsock2.h>
//
#include <windows.h>

#include <chrono>

#include "home/reactor/afd_windows.h"

namespace home::reactor_internal {

// What the system is given for an operation, and gives back when that has ended: its packet on
// the port. It stays where it is between the two.
struct IocpPacket {
  // Both begin with the status.
  union {
    OVERLAPPED overlapped;
    AfdPoll poll;
  };
  // Run by whoever waits for the port, under no lock.
  void (*arrived)(IocpPacket& packet);

  explicit IocpPacket(void (*arrived_in)(IocpPacket&)) : overlapped(), arrived(arrived_in) {}
};
static_assert(sizeof(IO_STATUS_BLOCK) <= offsetof(OVERLAPPED, Offset));

class CompletionPort {
 public:
  using Clock = std::chrono::steady_clock;

  // Has operations on `handle` end here, each by an IocpPacket, for as long as that is open. The
  // system's error, or 0. ERROR_INVALID_PARAMETER: they end elsewhere, or it has none.
  virtual DWORD Attach(HANDLE handle) = 0;
  // A handle of AFD's device whose polls end here, each by an IocpPacket.
  virtual absl::StatusOr<HANDLE> OpenPolls() = 0;
  // Ends a wait at that time, at the latest. It replaces the one before.
  virtual void SetAlarm(Clock::time_point when) = 0;
  // Waits until something has arrived. What it says of readiness is lost.
  virtual void Drain() = 0;

 protected:
  ~CompletionPort() = default;
};

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_IOCP_WINDOWS_H_
