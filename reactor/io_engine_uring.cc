// The engine over io_uring: one ring a reactor.
//
// Who submits. Any thread starts operations. They are queued under the lock, and whoever
// polls the reactor hands the queue to the kernel, all in one system call, before it waits.
// If it waits already, or if the queue is long, the thread that starts an operation hands
// it over itself. An operation that is cancelled in the queue never reaches the kernel.
//
// Who reaps. Only whoever polls the reactor. The ring's descriptor is one of those that
// the poller watches, so that one sleeping thread waits for readiness, completions and
// wake-ups at once. Looking for completions without sleeping costs no system call.
//
// Why one ring, without SINGLE_ISSUER and DEFER_TASKRUN: those want one thread to submit and
// to reap, and the thread that polls our reactor changes from one poll to the next; so do
// the threads that tasks run on. COOP_TASKRUN would leave completions lying as long as the
// thread that submitted them computes. Nor did any of them measure faster (docs/performance.md).
//
// Pitfalls, and where they are met:
//   - The kernel ends the operations of a thread that ends, with ECANCELED. Nobody asked for
//     that: they are queued anew (Reap). A connection that was under way goes on without its
//     operation; asked again, the kernel would say that it is (EALREADY). So that is asked when
//     the socket says that something has come of it (Prepare).
//   - A buffer is the kernel's until the completion of its very operation, whatever the
//     cancelling said (io_state.h keeps it).
//   - A cancellation names its operation by address. That can not hit a later operation that
//     has the same one: the kernel works through the submissions in order, and the later one
//     is submitted behind the cancellation.
//   - Submission queue full: the rest stays in our queue. Refused for want of memory or
//     because completions pile up: nothing is lost, and the poller sleeps only for moments
//     until it is accepted. Completion queue full: the kernel keeps what has no room
//     (IORING_FEAT_NODROP), and liburing fetches it.

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "home/reactor/io_engine.h"
#include "home/reactor/io_stats_linux.h"
#include "liburing.h"

namespace home::reactor_internal {
namespace {

using Phase = IoEngineFields::Phase;

// So many operations in the queue are handed over before anybody asks.
constexpr std::size_t kLongQueue = 32;

// What the kernel must be able to do: all since 5.11.
constexpr unsigned kNeededFeatures = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE |
                                     IORING_FEAT_RW_CUR_POS | IORING_FEAT_FAST_POLL |
                                     IORING_FEAT_EXT_ARG;
constexpr int kNeededOperations[] = {
    IORING_OP_READ,         IORING_OP_WRITE,   IORING_OP_READV,    IORING_OP_WRITEV,
    IORING_OP_RECV,         IORING_OP_SEND,    IORING_OP_RECVMSG,  IORING_OP_SENDMSG,
    IORING_OP_ACCEPT,       IORING_OP_CONNECT, IORING_OP_FSYNC,    IORING_OP_OPENAT,
    IORING_OP_CLOSE,        IORING_OP_STATX,   IORING_OP_POLL_ADD, IORING_OP_TIMEOUT,
    IORING_OP_ASYNC_CANCEL, IORING_OP_SPLICE,
};

// The user data of cancellations: nobody waits for their own completions.
constexpr std::uint64_t kNobody = 0;

// Of a connect that was begun and given up by the kernel: first its end is waited for.
bool AwaitsConnection(const IoState* op) {
  return op->request.kind == IoKind::kConnect && op->engine_fields.again;
}

void Prepare(const IoRequest& request, io_uring_sqe* sqe) {
  const int flags = static_cast<int>(request.flags);
  const auto size = static_cast<unsigned>(std::min<std::uint64_t>(request.size, 0x7ffff000));
  const auto offset = static_cast<std::uint64_t>(request.offset);
  switch (request.kind) {
    case IoKind::kRead:
      io_uring_prep_read(sqe, request.fd, request.buffer, size, offset);
      return;
    case IoKind::kWrite:
      io_uring_prep_write(sqe, request.fd, request.buffer, size, offset);
      return;
    case IoKind::kReadV:
      io_uring_prep_readv(sqe, request.fd, static_cast<const iovec*>(request.buffer), size, offset);
      return;
    case IoKind::kWriteV:
      io_uring_prep_writev(sqe, request.fd, static_cast<const iovec*>(request.buffer), size,
                           offset);
      return;
    case IoKind::kRecv:
      if (request.multishot) {
        io_uring_prep_recv_multishot(sqe, request.fd, nullptr, 0, flags);
        sqe->flags |= IOSQE_BUFFER_SELECT;
        sqe->buf_group = static_cast<std::uint16_t>(request.buffers->kernel_id());
        return;
      }
      io_uring_prep_recv(sqe, request.fd, request.buffer, size, flags);
      return;
    case IoKind::kSend:
      io_uring_prep_send(sqe, request.fd, request.buffer, size, flags | MSG_NOSIGNAL);
      return;
    case IoKind::kRecvMsg:
      io_uring_prep_recvmsg(sqe, request.fd, static_cast<msghdr*>(request.buffer), request.flags);
      return;
    case IoKind::kSendMsg:
      io_uring_prep_sendmsg(sqe, request.fd, static_cast<const msghdr*>(request.buffer),
                            request.flags | MSG_NOSIGNAL);
      return;
    case IoKind::kAccept:
      if (request.multishot) {
        io_uring_prep_multishot_accept(sqe, request.fd, nullptr, nullptr, SOCK_CLOEXEC);
        return;
      }
      io_uring_prep_accept(sqe, request.fd, static_cast<sockaddr*>(request.buffer),
                           static_cast<socklen_t*>(request.extra), SOCK_CLOEXEC);
      return;
    case IoKind::kConnect:
      io_uring_prep_connect(sqe, request.fd, static_cast<const sockaddr*>(request.buffer),
                            static_cast<socklen_t>(request.size));
      return;
    case IoKind::kFsync:
      io_uring_prep_fsync(sqe, request.fd, request.flags != 0 ? IORING_FSYNC_DATASYNC : 0);
      return;
    case IoKind::kOpen:
      io_uring_prep_openat(sqe, request.fd, request.path, flags | O_CLOEXEC,
                           static_cast<mode_t>(request.size));
      return;
    case IoKind::kClose:
      io_uring_prep_close(sqe, request.fd);
      return;
    case IoKind::kStat:
      io_uring_prep_statx(sqe, request.fd, request.path, StatxFlags(request), kStatxMask,
                          StatxRoom(request));
      return;
    case IoKind::kPoll:
      io_uring_prep_poll_add(sqe, request.fd, request.flags);
      return;
    case IoKind::kTimeout:
      static_assert(sizeof(timespec) == sizeof(__kernel_timespec));
      io_uring_prep_timeout(sqe, static_cast<__kernel_timespec*>(request.buffer), 0,
                            IORING_TIMEOUT_ABS);
      return;
    case IoKind::kSplice:
      io_uring_prep_splice(sqe, request.fd, request.offset, request.to_fd, request.to_offset, size,
                           request.flags | SPLICE_F_NONBLOCK);
      return;
  }
}

// The kernel gave it up of its own accord, because the thread that submitted it has ended,
// and it may be submitted anew.
bool NothingHappened(IoKind kind, std::int64_t result) {
  if (result == -ECANCELED) return true;
  // Of these two something did happen.
  return result == -EINTR && kind != IoKind::kClose && kind != IoKind::kConnect;
}

// The kernel's own word for "interrupted", which slips out of a splice.
constexpr std::int64_t kRestartSys = -512;

// The result as PerformIo() would give it.
std::int64_t Outcome(IoKind kind, std::int64_t result) {
  if (kind == IoKind::kTimeout && result == -ETIME) return 0;
  if (result != -EINTR) return result;
  // The number is gone all the same.
  return kind == IoKind::kClose ? 0 : -ECANCELED;
}

class UringEngine final : public IoEngine {
 public:
  explicit UringEngine(std::shared_ptr<Registry> registry) : registry_(std::move(registry)) {}
  ~UringEngine() override {
    if (open_) CloseRing();
  }

  // Once, before all else.
  absl::Status Open(unsigned entries) {
    io_uring_params params = {};
    params.flags = IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL;
    int error = io_uring_queue_init_params(entries, &ring_, &params);
    if (error == -EINVAL) {
      // A kernel before 5.18: it stops at a submission that is wrong, and is asked again.
      params = {};
      params.flags = IORING_SETUP_CLAMP;
      error = io_uring_queue_init_params(entries, &ring_, &params);
    }
    if (error < 0) return absl::ErrnoToStatus(-error, "create a ring: io_uring_setup");
    open_ = true;
    if ((params.features & kNeededFeatures) != kNeededFeatures || !HasOperations()) {
      return absl::UnimplementedError("create a ring: this io_uring is too old");
    }
    watched_ = registry_->poller().Add(ring_.ring_fd, Interest::Read(), Poller::kReservedKey);
    return watched_;
  }

  absl::string_view name() const override { return "io_uring"; }
  bool multishot() const override { return multishot_; }
  std::shared_ptr<IoBufferGroup> CreateBuffers(std::unique_ptr<char[]> bytes, unsigned count,
                                               std::size_t size) override;
  // Registers a ring of buffers, and returns its number; or kOurs, if that can not be.
  int RegisterBuffers(io_uring_buf_ring* ring, unsigned entries) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!open_ || !multishot_) return IoBufferGroup::kOurs;
    const auto free = std::find(groups_.begin(), groups_.end(), false);
    const auto group = static_cast<std::size_t>(free - groups_.begin());
    if (group > std::numeric_limits<std::uint16_t>::max()) return IoBufferGroup::kOurs;
    io_uring_buf_reg registration = {};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(ring);
    registration.ring_entries = entries;
    registration.bgid = static_cast<std::uint16_t>(group);
    if (io_uring_register_buf_ring(&ring_, &registration, 0) != 0) return IoBufferGroup::kOurs;
    if (free == groups_.end()) groups_.push_back(false);
    groups_[group] = true;
    return static_cast<int>(group);
  }
  // Once no operation uses it.
  void UnregisterBuffers(int group) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (open_) io_uring_unregister_buf_ring(&ring_, group);
    groups_[static_cast<std::size_t>(group)] = false;
  }

  absl::StatusOr<std::unique_ptr<IoFileState>> Attach(UniqueFd fd) override {
    // Of a nonblocking one the kernel would say that it would block.
    absl::Status mode = SetNonblocking(fd.get(), false);
    if (!mode.ok()) return mode;
    const bool stream = IsStream(fd.get());
    return std::make_unique<IoFileState>(shared_from_this(), std::move(fd), stream);
  }

  void Submit(IoState* op) override {
    std::int64_t refused = 0;
    bool stuck = false;
    // Where the kernel can not pick buffers, one waits for the data.
    const bool bare =
        op->request.buffers != nullptr && !op->request.multishot && !SelectBuffer(op->request);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      refused = shut_down_ ? -ECANCELED : bare ? -ENOBUFS : 0;
      if (refused == 0) {
        Enqueue(op);
        if (poller_waits_ || queued_count_ >= kLongQueue) stuck = !Flush() && poller_waits_;
      }
    }
    if (refused != 0) {
      WakeList wakes;
      op->engine_fields.phase = Phase::kFinished;
      op->Finish(refused, wakes);
      wakes.WakeAll();
    }
    if (stuck) WakePoller();
  }

  void Cancel(IoState* op) override {
    IoFinished finished;
    bool stuck = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (op->engine_fields.phase == Phase::kQueued) {
        queued_.Remove(op);
        --queued_count_;
        finished.Add(op, -ECANCELED);
      } else if (op->engine_fields.phase == Phase::kInFlight && !op->engine_fields.cancel_asked) {
        op->engine_fields.cancel_asked = true;
        AskToCancel(op);
        if (poller_waits_) stuck = !Flush();
      }
    }
    WakeList wakes;
    finished.FinishAll(wakes);
    wakes.WakeAll();
    if (stuck) WakePoller();
  }

  bool BeforeWait(bool blocking) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    poller_waits_ = blocking;
    return Flush();
  }

  bool HasCompletions() override {
    // Without the lock: only whoever polls the reactor takes them out.
    return io_uring_cq_ready(&ring_) > 0;
  }

  std::size_t AfterWait(WakeList& wakes) override {
    IoFinished finished;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      poller_waits_ = false;
      Reap(finished, wakes);
    }
    return finished.FinishAll(wakes);
  }

  void Shutdown(WakeList& wakes) override {
    IoFinished finished;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      shut_down_ = true;
      while (IoState* op = queued_.PopFront()) finished.Add(op, -ECANCELED);
      queued_count_ = 0;
      // A cancellation may come at a moment when the kernel does not find the operation: so
      // they are asked for again and again.
      while (!in_flight_.empty()) {
        for (IoState* op = in_flight_.first(); op != nullptr; op = IoList::Next(op)) {
          op->engine_fields.cancel_asked = true;
          AskToCancel(op);
        }
        Flush();
        io_uring_cqe* ignored = nullptr;
        __kernel_timespec moment = {.tv_sec = 0, .tv_nsec = 10'000'000};
        io_uring_wait_cqe_timeout(&ring_, &ignored, &moment);
        Reap(finished, wakes);
      }
      CloseRing();
    }
    finished.FinishAll(wakes);
  }

 private:
  bool HasOperations() {
    io_uring_probe* probe = io_uring_get_probe_ring(&ring_);
    if (probe == nullptr) return false;
    const bool all = std::all_of(std::begin(kNeededOperations), std::end(kNeededOperations),
                                 [&](int code) { return io_uring_opcode_supported(probe, code); });
    // Of one age with a multishot receive and rings of buffers, which no probe tells of.
    multishot_ = io_uring_opcode_supported(probe, IORING_OP_SEND_ZC) != 0;
    io_uring_free_probe(probe);
    return all;
  }

  void CloseRing() {
    if (watched_.ok()) registry_->poller().Remove(ring_.ring_fd);
    io_uring_queue_exit(&ring_);
    open_ = false;
  }

  // The poller sleeps, and something of ours was refused: it must try again. If it can not
  // be woken either, the next that is started comes by here again.
  void WakePoller() { static_cast<void>(registry_->poller().Notify()); }

  // -- Under the lock ------------------------------------------------------------

  void Enqueue(IoState* op) {
    op->engine_fields.phase = Phase::kQueued;
    queued_.PushBack(op);
    ++queued_count_;
  }

  void AskToCancel(IoState* op) {
    io_uring_sqe* sqe = NextSubmission();
    op->engine_fields.cancel_unsent = sqe == nullptr;
    if (sqe == nullptr) {
      cancels_unsent_ = true;
      return;
    }
    io_uring_prep_cancel(sqe, op, 0);
    io_uring_sqe_set_data64(sqe, kNobody);
  }

  // Room for one submission; null if the kernel takes none now.
  io_uring_sqe* NextSubmission() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe != nullptr) return sqe;
    return Enter() ? io_uring_get_sqe(&ring_) : nullptr;
  }

  // Hands all that we have to the kernel. False: something is left.
  bool Flush() {
    if (cancels_unsent_) {
      cancels_unsent_ = false;
      for (IoState* op = in_flight_.first(); op != nullptr; op = IoList::Next(op)) {
        if (op->engine_fields.cancel_unsent) AskToCancel(op);
        if (cancels_unsent_) return false;
      }
    }
    while (IoState* op = queued_.first()) {
      io_uring_sqe* sqe = NextSubmission();
      if (sqe == nullptr) return false;
      queued_.Remove(op);
      --queued_count_;
      if (AwaitsConnection(op)) {
        io_uring_prep_poll_add(sqe, op->request.fd, POLLOUT);
      } else {
        Prepare(op->request, sqe);
      }
      io_uring_sqe_set_data(sqe, op);
      op->engine_fields.phase = Phase::kInFlight;
      in_flight_.PushBack(op);
    }
    return Enter();
  }

  // Submits what is in the ring. False: the kernel refused for now.
  bool Enter() {
    while (io_uring_sq_ready(&ring_) > 0) {
      const int submitted = io_uring_submit(&ring_);
      if (submitted > 0 || submitted == -EINTR) continue;
      // Too many completions that nobody has fetched, or no memory.
      if (submitted == 0 || submitted == -EBUSY || submitted == -EAGAIN || submitted == -ENOMEM) {
        return false;
      }
      // Every other error means that the ring is not ours any more.
      std::fprintf(stderr, "home reactor: io_uring_enter: %s (was its descriptor closed?)\n",
                   std::strerror(-submitted));
      std::abort();
    }
    return true;
  }

  void Reap(IoFinished& finished, WakeList& wakes) {
    std::array<io_uring_cqe*, 64> completions;
    for (;;) {
      const unsigned count =
          io_uring_peek_batch_cqe(&ring_, completions.data(), completions.size());
      if (count == 0) return;
      for (unsigned i = 0; i < count; ++i) {
        if (io_uring_cqe_get_data64(completions[i]) == kNobody) continue;
        auto* op = static_cast<IoState*>(io_uring_cqe_get_data(completions[i]));
        const std::uint32_t flags = completions[i]->flags;
        std::int64_t result = completions[i]->res;
        if (result == kRestartSys) result = -EINTR;
        int buffer = -1;
        if ((flags & IORING_CQE_F_BUFFER) != 0) {
          buffer = static_cast<int>(flags >> IORING_CQE_BUFFER_SHIFT);
          op->request.buffers->Taken();
        }
        if ((flags & IORING_CQE_F_MORE) != 0) {
          if (!op->Deliver(result, buffer, wakes) && !op->engine_fields.cancel_asked) {
            op->engine_fields.cancel_asked = true;
            AskToCancel(op);
          }
          continue;
        }
        in_flight_.Remove(op);
        if (op->request.multishot) op->request.selected = buffer;
        const bool unasked = !op->engine_fields.cancel_asked;
        if (unasked && NothingHappened(op->request.kind, result)) {
          op->engine_fields.again = true;
          Enqueue(op);
        } else if (unasked && result > 0 && AwaitsConnection(op)) {
          op->engine_fields.again = false;
          Enqueue(op);
        } else {
          finished.Add(op, Outcome(op->request.kind, result));
        }
      }
      io_uring_cq_advance(&ring_, count);
    }
  }

  const std::shared_ptr<Registry> registry_;
  // Guards everything below, and the engine's fields of operations. Held during the system
  // call that submits: the kernel may do there and then what needs no waiting.
  std::mutex mutex_;
  io_uring ring_ = {};
  bool open_ = false;
  bool multishot_ = false;  // constant after Open()
  absl::Status watched_ = absl::UnknownError("not yet");
  IoList queued_;
  std::size_t queued_count_ = 0;
  IoList in_flight_;
  std::vector<bool> groups_;  // the numbers of rings of buffers that are in use
  bool cancels_unsent_ = false;
  bool shut_down_ = false;
  // Somebody is, or will be, asleep in the poller, and has flushed before. True in the
  // beginning: we may have come into being while somebody sleeps.
  bool poller_waits_ = true;
};

// Buffers that the kernel picks from: a ring in memory that it shares, in which it looks for the
// next while we put back what was used. We write behind the tail and then move it, with a
// release; how far the kernel has come it need not say, as there is room for all. If the kernel
// refuses the ring, they are buffers like any others.
class UringBuffers final : public IoBufferGroup {
 public:
  UringBuffers(std::shared_ptr<UringEngine> engine, std::unique_ptr<char[]> bytes, unsigned count,
               std::size_t size)
      : IoBufferGroup(engine.get(), std::move(bytes), count, size),
        engine_(std::move(engine)),
        entries_(std::bit_ceil(count)),
        ring_(static_cast<io_uring_buf_ring*>(
            ::operator new(entries_ * sizeof(io_uring_buf), kPage))) {
    io_uring_buf_ring_init(ring_);
    for (unsigned i = 0; i < count; ++i) PutIntoRing(static_cast<int>(i));
    id_ = engine_->RegisterBuffers(ring_, entries_);
  }
  ~UringBuffers() override {
    if (id_ != kOurs) engine_->UnregisterBuffers(id_);
    ::operator delete(ring_, kPage);
  }

  int kernel_id() const override { return id_; }

 private:
  // What the kernel asks of its address.
  static constexpr std::align_val_t kPage{4096};

  void Put(int buffer) override {
    if (id_ == kOurs) {
      IoBufferGroup::Put(buffer);
    } else {
      PutIntoRing(buffer);
    }
  }
  void PutIntoRing(int buffer) {
    io_uring_buf_ring_add(ring_, data(buffer), static_cast<unsigned>(buffer_size()),
                          static_cast<unsigned short>(buffer), io_uring_buf_ring_mask(entries_), 0);
    io_uring_buf_ring_advance(ring_, 1);
  }

  const std::shared_ptr<UringEngine> engine_;
  const unsigned entries_;
  io_uring_buf_ring* const ring_;
  int id_ = kOurs;
};

std::shared_ptr<IoBufferGroup> UringEngine::CreateBuffers(std::unique_ptr<char[]> bytes,
                                                          unsigned count, std::size_t size) {
  if (!multishot_) return IoEngine::CreateBuffers(std::move(bytes), count, size);
  auto self = std::static_pointer_cast<UringEngine>(shared_from_this());
  return std::make_shared<UringBuffers>(std::move(self), std::move(bytes), count, size);
}

}  // namespace

absl::StatusOr<std::shared_ptr<IoEngine>> CreateUringEngine(std::shared_ptr<Registry> registry,
                                                            const IoOptions& options) {
  auto engine = std::make_shared<UringEngine>(std::move(registry));
  absl::Status opened = engine->Open(options.ring_entries);
  if (!opened.ok()) return opened;
  return engine;
}

}  // namespace home::reactor_internal
