// The poller of Windows: an I/O completion port, and requests to AFD (afd_windows.h) whose packets
// say that a socket is ready. Only sockets have readiness here.
//
// AFD knows levels, not edges, and answers once. So there is one request a direction of each
// socket: it asks for all that the direction is interested in, and when it is answered the
// direction is silent until Rearm(), which asks again. Between the two its owner is busy with
// what it was told, and finds out for itself whatever happens meanwhile.
//
//   I1  A request that was made has its memory until its packet is taken from the port, whatever
//       became of the socket and the registration. (`pending`)
//   I2  A socket is in the table until Remove(), or until AFD says that it was closed. One that is
//       not is freed with its last request.
//
// Operations of the completion layer end on the same port (iocp_windows.h).
//
// The port counts time in milliseconds, by the system's tick: a wait ends up to 15.6 ms late
// unless the process has asked for a finer tick.

#include <winsock2.h>
//
#include <windows.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "home/reactor/afd_windows.h"
#include "home/reactor/error_windows.h"
#include "home/reactor/iocp_windows.h"
#include "home/reactor/poller.h"

namespace home::reactor_internal {
namespace {

using Clock = CompletionPort::Clock;

constexpr std::int64_t kNanosPerMilli = 1'000'000;
// More than a day in one call gains nothing, and it keeps sums from overflowing.
constexpr std::int64_t kLongestWait = 86'400'000'000'000;
// Sockets a handle of AFD's device: what others found to be good.
constexpr int kSocketsPerDevice = 32;

constexpr ULONG_PTR kAfdKey = 0;
constexpr ULONG_PTR kNotifyKey = 1;
constexpr ULONG_PTR kPacketKey = 2;

// Statuses of requests.
constexpr NTSTATUS kCancelled = static_cast<NTSTATUS>(0xC0000120);
constexpr NTSTATUS kInvalidHandle = static_cast<NTSTATUS>(0xC0000008);

class Handle {
 public:
  explicit Handle(HANDLE handle) : handle_(handle) {}
  Handle(Handle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (handle_ != nullptr) CloseHandle(handle_);
  }
  HANDLE get() const { return handle_; }

 private:
  HANDLE handle_;
};

struct Device {
  explicit Device(HANDLE handle_in) : handle(handle_in) {}

  const Handle handle;
  int sockets = 0;
};

struct WatchedSocket;

// The request of one direction.
struct Request {
  AfdPoll poll;
  WatchedSocket* socket = nullptr;
  ULONG events = 0;      // what it asks for; 0: the direction is not of interest
  bool pending = false;  // I1
};

struct WatchedSocket {
  std::uint64_t key = 0;
  int fd = -1;
  SOCKET base = INVALID_SOCKET;
  Device* device = nullptr;
  bool removed = false;  // from the table (I2)
  Request requests[2];
};

class IocpPoller final : public Poller, public CompletionPort {
 public:
  explicit IocpPoller(HANDLE port) : port_(port) {}

  ~IocpPoller() override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      while (!sockets_.empty()) Forget(*sockets_.begin()->second);
    }
    // I1: the system writes into requests until it has said that it will not.
    std::array<Event, kBatch> none;
    while (pending_ > 0) Take(INFINITE, absl::MakeSpan(none));
  }

  absl::Status Add(int fd, Interest interest, std::uint64_t key) override {
    absl::StatusOr<SOCKET> base = AfdSocket(fd);
    if (!base.ok()) return base.status();
    const std::lock_guard<std::mutex> lock(mutex_);
    if (sockets_.contains(fd)) {
      return absl::AlreadyExistsError(absl::StrCat("register descriptor ", fd, " twice"));
    }
    absl::StatusOr<Device*> device = DeviceWithRoom();
    if (!device.ok()) return device.status();
    auto* const socket = new WatchedSocket;
    socket->key = key;
    socket->fd = fd;
    socket->base = *base;
    socket->device = *device;
    sockets_.emplace(fd, socket);
    for (const Direction direction : {Direction::kRead, Direction::kWrite}) {
      Request& request = socket->requests[static_cast<int>(direction)];
      request.socket = socket;
      request.events = AfdEvents(interest, direction);
      const NTSTATUS status = Start(request);
      if (NT_SUCCESS(status)) continue;
      Forget(*socket);
      return WindowsErrorToStatus(RtlNtStatusToDosError(status),
                                  absl::StrCat("register descriptor ", fd, " with AFD"));
    }
    return absl::OkStatus();
  }

  void Remove(int fd) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (const auto found = sockets_.find(fd); found != sockets_.end()) Forget(*found->second);
  }

  bool needs_rearm() const override { return true; }

  void Rearm(int fd, Direction direction) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = sockets_.find(fd);
    if (found != sockets_.end()) Restart(found->second->requests[static_cast<int>(direction)]);
  }

  std::size_t Wait(std::int64_t timeout_ns, absl::Span<Event> events) override {
    if (timeout_ns == 0) return Take(0, events);
    Clock::time_point deadline = Clock::time_point::max();
    if (timeout_ns > 0) {
      deadline = Clock::now() + std::chrono::nanoseconds(std::min(timeout_ns, kLongestWait));
    }
    // seq_cst: pairs with SetAlarm(); either this sees the alarm, or its packet ends this wait.
    deadline = std::min(deadline, alarm_.load());
    for (;;) {
      const DWORD left = MillisUntil(deadline);
      bool timed_out = false;
      const std::size_t count = Take(left, events, &timed_out);
      // By ticks, it may be early.
      if (!timed_out || Clock::now() >= deadline) return count;
    }
  }

  bool Notify() override {
    return PostQueuedCompletionStatus(port_.get(), 0, kNotifyKey, nullptr) != FALSE;
  }

  CompletionPort* completion_port() override { return this; }

  DWORD Attach(HANDLE handle) override {
    return CreateIoCompletionPort(handle, port_.get(), kPacketKey, 0) == nullptr ? GetLastError()
                                                                                 : 0;
  }

  absl::StatusOr<HANDLE> OpenPolls() override { return OpenAfd(port_.get(), kPacketKey); }

  void SetAlarm(Clock::time_point when) override {
    // seq_cst: pairs with Wait().
    const Clock::time_point before = alarm_.exchange(when);
    // Where the system refuses, the wait ends later.
    if (when < before) static_cast<void>(Notify());
  }

  void Drain() override {
    std::array<Event, kBatch> none;
    Take(INFINITE, absl::MakeSpan(none));
  }

 private:
  static constexpr std::size_t kBatch = 256;

  // Rounded up: a timer must not find that its time has not come.
  static DWORD MillisUntil(Clock::time_point deadline) {
    if (deadline == Clock::time_point::max()) return INFINITE;
    const std::int64_t left = std::chrono::nanoseconds(deadline - Clock::now()).count();
    return static_cast<DWORD>(
        (std::clamp<std::int64_t>(left, 0, kLongestWait) + kNanosPerMilli - 1) / kNanosPerMilli);
  }

  // Takes what has arrived, or arrives in time, and returns how many of `events` it made.
  std::size_t Take(DWORD milliseconds, absl::Span<Event> events, bool* timed_out = nullptr) {
    std::array<OVERLAPPED_ENTRY, kBatch> entries;
    ULONG taken = 0;
    if (!GetQueuedCompletionStatusEx(port_.get(), entries.data(),
                                     static_cast<ULONG>(std::min(events.size(), entries.size())),
                                     &taken, milliseconds, FALSE)) {
      if (GetLastError() != WAIT_TIMEOUT) Die();
      if (timed_out != nullptr) *timed_out = true;
      return 0;
    }
    for (ULONG i = 0; i < taken; ++i) {
      if (entries[i].lpCompletionKey != kPacketKey) continue;
      auto* const packet = reinterpret_cast<IocpPacket*>(entries[i].lpOverlapped);
      packet->arrived(*packet);
    }
    std::size_t reported = 0;
    const std::lock_guard<std::mutex> lock(mutex_);
    for (ULONG i = 0; i < taken; ++i) {
      if (entries[i].lpCompletionKey != kAfdKey) continue;
      const Event event = End(*reinterpret_cast<Request*>(entries[i].lpOverlapped));
      if (event.ready.empty() || event.key == kReservedKey) continue;
      events[reported++] = event;
    }
    return reported;
  }

  // -- All below under the lock ------------------------------------------------------

  NTSTATUS Start(Request& request) {
    if (request.events == 0) return 0;
    WatchedSocket& socket = *request.socket;
    const NTSTATUS status =
        StartAfdPoll(socket.device->handle.get(), socket.base, request.events, request.poll);
    if (NT_SUCCESS(status)) {
      request.pending = true;
      ++pending_;
    }
    return status;
  }

  // Asks once more. Where AFD refuses, the owner is to find out why: as if it had answered that
  // there is an error. A socket that is not there any more has no owner.
  void Restart(Request& request) {
    if (request.pending) return;
    const NTSTATUS status = Start(request);
    if (NT_SUCCESS(status) || status == kInvalidHandle) return;
    request.poll.status.Status = status;
    if (PostQueuedCompletionStatus(port_.get(), 0, kAfdKey,
                                   reinterpret_cast<OVERLAPPED*>(&request.poll))) {
      request.pending = true;
      ++pending_;
    }
  }

  // The packet of a request has arrived. What it is to be reported as, if anything.
  Event End(Request& request) {
    WatchedSocket& socket = *request.socket;
    request.pending = false;
    --pending_;
    if (socket.removed) {
      FreeIfUnused(socket);
      return Event();
    }
    const NTSTATUS status = request.poll.status.Status;
    const ULONG events = request.poll.info.handle.events;
    if (status == kCancelled) {
      Restart(request);
      return Event();
    }
    if (!NT_SUCCESS(status)) return Event{socket.key, ReadySetOfAfd(kAfdAbort)};
    if ((events & kAfdLocalClose) != 0) {
      Forget(socket);
      return Event();
    }
    const ReadySet ready =
        request.poll.info.number_of_handles == 0 ? ReadySet() : ReadySetOfAfd(events);
    if (ready.empty()) Restart(request);
    return Event{socket.key, ready};
  }

  // Takes a socket out of the table.
  void Forget(WatchedSocket& socket) {
    sockets_.erase(socket.fd);
    socket.removed = true;
    for (Request& request : socket.requests) {
      if (request.pending) CancelAfdPoll(socket.device->handle.get(), request.poll);
    }
    FreeIfUnused(socket);
  }

  void FreeIfUnused(WatchedSocket& socket) {
    if (socket.requests[0].pending || socket.requests[1].pending) return;
    if (socket.device->sockets-- == kSocketsPerDevice) with_room_.push_back(socket.device);
    delete &socket;
  }

  // One that has been given one more socket.
  absl::StatusOr<Device*> DeviceWithRoom() {
    if (with_room_.empty()) {
      absl::StatusOr<HANDLE> handle = OpenAfd(port_.get(), kAfdKey);
      if (!handle.ok()) return handle.status();
      devices_.push_back(std::make_unique<Device>(*handle));
      with_room_.push_back(devices_.back().get());
    }
    Device* const device = with_room_.back();
    if (++device->sockets == kSocketsPerDevice) with_room_.pop_back();
    return device;
  }

  // Nothing but a port that is not ours any more ends a wait so.
  [[noreturn]] static void Die() {
    std::fprintf(stderr,
                 "home reactor: GetQueuedCompletionStatusEx: Windows error %lu (was its port "
                 "closed?)\n",
                 GetLastError());
    std::abort();
  }

  const Handle port_;
  std::atomic<Clock::time_point> alarm_{Clock::time_point::max()};
  // Guards everything below and what it refers to.
  std::mutex mutex_;
  std::unordered_map<int, WatchedSocket*> sockets_;
  std::size_t pending_ = 0;  // requests whose packets have not come
  std::vector<std::unique_ptr<Device>> devices_;
  std::vector<Device*> with_room_;
};

// Once a process, and never undone: sockets may be in use until it ends.
int StartWinsock() {
  WSADATA ignored;
  return WSAStartup(MAKEWORD(2, 2), &ignored);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Poller>> CreatePoller() {
  static const int winsock = StartWinsock();
  if (winsock != 0) {
    return WindowsErrorToStatus(static_cast<unsigned long>(winsock), "start Winsock");
  }
  const HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 0);
  if (port == nullptr) {
    return WindowsErrorToStatus(GetLastError(), "create a reactor: CreateIoCompletionPort");
  }
  return std::make_unique<IocpPoller>(port);
}

}  // namespace home::reactor_internal
