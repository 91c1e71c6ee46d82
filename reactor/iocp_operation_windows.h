// IocpOperation: an operation as Windows is asked for it. Sockets and files have overlapped calls,
// which end on the completion port; what waits for readiness is a poll of AFD, which ends there,
// too.
//
// Some are made of several steps, each with a packet of its own: a read into several buffers of a
// file; a receive whose buffer is taken from a pool when there are data.
//
// Thread-safety: Ask() and Answer() by whoever has the operation; Cancel() while it is under way.

#ifndef HOME_REACTOR_IOCP_OPERATION_WINDOWS_H_
#define HOME_REACTOR_IOCP_OPERATION_WINDOWS_H_

#include "home/reactor/io_system.h"
//
#include <mswsock.h>
#include <windows.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "home/reactor/io_engine.h"
#include "home/reactor/io_state.h"
#include "home/reactor/iocp_windows.h"
#include "home/reactor/unique_fd.h"

namespace home::reactor_internal {

// A handle of AFD's device, for the polls of one socket: the driver looks through all polls of a
// handle when one ends.
class AfdPolls {
 public:
  explicit AfdPolls(HANDLE handle) : handle_(handle) {}
  AfdPolls(const AfdPolls&) = delete;
  AfdPolls& operator=(const AfdPolls&) = delete;
  ~AfdPolls() { CloseHandle(handle_); }
  HANDLE get() const { return handle_; }

 private:
  const HANDLE handle_;
};

// A handle that is attached.
struct IocpFile final : IoFileState {
  // `type`: of a socket, as SO_TYPE has it; 0: it is none. `base`: what AFD knows the socket as.
  IocpFile(std::shared_ptr<IoEngine> engine_in, UniqueFd fd_in, bool stream_in, int type_in,
           SOCKET base_in)
      : IoFileState(std::move(engine_in), std::move(fd_in), stream_in),
        type(type_in),
        base(base_in) {}

  HANDLE handle() const { return reinterpret_cast<HANDLE>(static_cast<std::intptr_t>(fd.get())); }
  SOCKET socket() const { return static_cast<SOCKET>(fd.get()); }

  const int type;
  const SOCKET base;
  // Of a socket: made for its first poll, under the engine's lock, and then left alone.
  std::optional<AfdPolls> polls;
  // Of a file that has positions: where the last operation that gave none ended, and those of the
  // kind that wait for the one that is under way. Under the engine's lock.
  std::int64_t position = 0;
  bool moving = false;
  IoList waiting;
};

class IocpOperation final : public IoEngineDetail {
 public:
  // What Ask() and Answer() return if a packet will come.
  static constexpr std::int64_t kOnItsWay = std::numeric_limits<std::int64_t>::min();

  IocpOperation(IoState* op_in, void (*arrived)(IocpPacket&));

  // Asks the system for the first step. The result, and no packet will come; or kOnItsWay.
  std::int64_t Ask();
  // The packet of a step has come: the result of the whole, or kOnItsWay if it goes on and that
  // was asked for. `wanted`: false if it is not to go on.
  std::int64_t Answer(bool wanted);
  // Tries to end the step that is under way; its packet comes all the same.
  void Cancel();

  static IocpOperation& Of(IocpPacket& packet) {
    return *reinterpret_cast<Carrier&>(packet).operation;
  }
  IoState* op() const { return op_; }

  // Whether it waits for readiness, at first or only: the file's `polls` are to be there.
  static bool Polls(const IoRequest& request) {
    return request.kind == IoKind::kPoll || request.buffers != nullptr;
  }

  // Where to read or write; set before Ask().
  std::int64_t offset = 0;

 private:
  // How a packet finds its operation.
  struct Carrier {
    IocpPacket packet;
    IocpOperation* operation;
  };
  static_assert(offsetof(Carrier, packet) == 0);

  // AcceptEx() writes there: an address each needs 16 bytes more.
  static constexpr DWORD kAddressRoom = sizeof(sockaddr_storage) + 16;
  struct Accepting {
    UniqueFd socket;
    char addresses[2 * kAddressRoom];
  };

  const IoRequest& request() const { return op_->request; }
  const IocpFile& file() const { return *static_cast<IocpFile*>(op_->engine_fields.file); }

  std::int64_t AskPoll(ULONG events);
  std::int64_t AskTransfer();
  std::int64_t AskFile();
  std::int64_t AskMessage();
  std::int64_t AskAccept();
  std::int64_t AskConnect();
  // What a call said: `succeeded` or the last error.
  std::int64_t Asked(bool succeeded, unsigned long error);

  std::int64_t AnswerTransfer(std::int64_t count, bool wanted);
  std::int64_t AnswerAccept();
  void AnswerMessage(bool truncated);
  void Gather(const iovec* parts, std::size_t count);

  IoState* const op_;
  Carrier carrier_;
  bool polling_ = false;    // the step under way is a poll
  std::size_t part_ = 0;    // of a file's buffers, the one that is under way
  std::int64_t moved_ = 0;  // through those before
  DWORD flags_ = 0;
  std::vector<WSABUF> parts_;
  WSAMSG message_ = {};
  std::unique_ptr<Accepting> accepting_;
};

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_IOCP_OPERATION_WINDOWS_H_
