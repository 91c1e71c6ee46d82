// Streams of what keeps coming: the connections of a listener, the bytes of a connection.
//
//   IoAcceptSource connections = IoAcceptAll(listener);
//   for (;;) {
//     std::optional<absl::StatusOr<UniqueFd>> connection = co_await Next(connections);
//     ...
//   }
//
// Where io_uring has the socket and can, one submission serves for all (multishot), and the kernel
// picks a buffer when data arrive. Elsewhere a source starts one operation after the other.
//
// What has come and was not asked for waits in a queue. If that grows long, the system is told to
// stop, and told to go on when it is empty: a listener's connections then wait in its backlog, and
// bytes with their sender.
//
// Cancellation: dropping a source closes what was accepted and gives back the buffers of what
// was received and not yet asked for: those connections and bytes are lost. Dropping a Next()
// loses nothing. When the reactor is destroyed a source yields kCancelled, and ends.
// Errors: absl::Status with the operation, the descriptor, and the system's word. One of a
// listener does not end its source: the next may succeed.
// Thread-safety: as any stream. Cost: of a multishot, a lock an item, and no allocation but what
// the queue grows by; elsewhere, one allocation an item.

#ifndef HOME_REACTOR_IO_SOURCE_H_
#define HOME_REACTOR_IO_SOURCE_H_

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "home/future/context.h"
#include "home/future/fatal.h"
#include "home/future/poll.h"
#include "home/future/wake_list.h"
#include "home/reactor/io_buffers.h"
#include "home/reactor/io_engine.h"
#include "home/reactor/io_file.h"
#include "home/reactor/io_payload.h"
#include "home/reactor/io_request.h"
#include "home/reactor/io_state.h"
#include "home/reactor/unique_fd.h"

namespace home {
namespace reactor_internal {

// A result that came while more are to come.
struct IoDelivery {
  std::int64_t result;
  int buffer;
};

// What the sources ask for and make of results. Copied into each operation.
struct IoAcceptAllPayload : IoFilePayload {
  using Value = UniqueFd;
  static constexpr bool kErrorsEnd = false;

  explicit IoAcceptAllPayload(IoFile listener)
      : IoFilePayload(IoKind::kAccept, std::move(listener)) {}

  absl::Status Check() const { return absl::OkStatus(); }
  void Prepare(IoRequest& request) const {
    IoFilePayload::Prepare(request);
    request.multishot = handle.engine()->multishot();
  }
  Value Make(const IoDelivery& delivery) const {
    return UniqueFd(static_cast<int>(delivery.result));
  }
  void Drop(const IoDelivery& delivery) const {
    if (delivery.result >= 0) UniqueFd(static_cast<int>(delivery.result)).Reset();
  }
};

struct IoReceiveAllPayload : IoFilePayload {
  using Value = IoChunk;
  static constexpr bool kErrorsEnd = true;

  IoReceiveAllPayload(IoFile socket, std::shared_ptr<IoBufferGroup> buffers_in)
      : IoFilePayload(IoKind::kRecv, std::move(socket)), buffers(std::move(buffers_in)) {}

  absl::Status Check() const {
    if (buffers->engine() == handle.engine().get()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(IoName(kind), " descriptor ", handle.fd(),
                     ": it and the pool of buffers belong to different reactors"));
  }
  void Prepare(IoRequest& request) const {
    IoFilePayload::Prepare(request);
    request.multishot = buffers->kernel_id() != IoBufferGroup::kOurs;
    request.buffers = buffers.get();
  }
  Value Make(const IoDelivery& delivery) const {
    return IoChunk(buffers, delivery.buffer, static_cast<std::size_t>(delivery.result));
  }
  void Drop(const IoDelivery& delivery) const {
    if (delivery.buffer < 0) return;
    WakeList wakes;
    buffers->Give(delivery.buffer, wakes);
    wakes.WakeAll();
  }

  std::shared_ptr<IoBufferGroup> buffers;
};

}  // namespace reactor_internal

template <typename Payload>
class [[nodiscard]] IoSource {
 public:
  using Item = absl::StatusOr<typename Payload::Value>;

  // Nothing is started before the first poll.
  explicit IoSource(Payload payload) : payload_(std::move(payload)) {}
  // Of one that was not polled: what it waits in knows its address.
  IoSource(IoSource&& other) noexcept : payload_(std::move(other.payload_)) {
    if (other.polled_) Fatal("an I/O source was moved after its first poll");
  }
  IoSource& operator=(IoSource&&) = delete;
  ~IoSource() {
    if constexpr (kBuffered) {
      if (payload_.buffers != nullptr) payload_.buffers->Forget(waiter_);
    }
    if (state_ == nullptr) return;
    if (state_->Abandon()) state_->payload.handle.engine()->Cancel(state_);
    state_->Unref();
  }

  // The next; nullopt, and from then on always, at the end.
  home::Poll<std::optional<Item>> PollNext(Context& cx) {
    polled_ = true;
    bool armed = false;
    while (!ended_) {
      if (state_ == nullptr) {
        absl::Status status = payload_.Check();
        if (!status.ok()) return End(std::move(status));
        Start(cx);
        armed = true;
      }
      // Looked at first: what came before the end is in the queue then.
      const bool done = state_->done();
      if (!done && !state_->HasDelivery()) {
        if (armed) return cx.PendingFor("I/O");
        state_->WakeAtEnd(cx.waker());
        armed = true;
        continue;
      }
      if (!cx.ConsumeBudget()) return kPending;
      if (std::optional<Delivery> delivery = state_->TakeDelivery()) {
        return std::optional<Item>(payload_.Make(*delivery));
      }
      if (!done) continue;
      const Delivery last{state_->result(), state_->request.selected};
      const bool paused = state_->paused();
      std::exchange(state_, nullptr)->Unref();
      if (last.result > 0 || (last.result == 0 && !kBuffered)) {
        return std::optional<Item>(payload_.Make(last));
      }
      payload_.Drop(last);
      if (last.result == 0) {
        ended_ = true;
      } else if (kBuffered && last.result == -ENOBUFS) {
        if (AwaitBuffer(cx)) return cx.PendingFor("a buffer");
      } else if (last.result != -ECANCELED || !paused) {
        absl::Status error = payload_.Error(last.result);
        if (Payload::kErrorsEnd || last.result == -ECANCELED) return End(std::move(error));
        return std::optional<Item>(std::move(error));
      }
    }
    return std::optional<Item>();
  }

 private:
  using Delivery = reactor_internal::IoDelivery;
  static constexpr bool kBuffered = std::is_same_v<typename Payload::Value, IoChunk>;
  // So many wait at most before the system is told to stop.
  static constexpr std::size_t kEnough = 32;

  struct State final : reactor_internal::IoState {
    explicit State(Payload payload_in) : payload(std::move(payload_in)) {
      payload.Prepare(request);
      engine_fields.file = payload.file();
    }
    ~State() override {
      for (const Delivery& delivery : deliveries) payload.Drop(delivery);
    }

    bool Deliver(std::int64_t result, int buffer, WakeList& wakes) override {
      bool more;
      {
        const std::lock_guard<std::mutex> lock(mutex);
        deliveries.push_back(Delivery{result, buffer});
        more = deliveries.size() < kEnough;
        if (!more) is_paused = true;
      }
      WakeForMore(wakes);
      return more;
    }
    void Discard(std::int64_t result) override { payload.Drop(Delivery{result, request.selected}); }

    bool HasDelivery() {
      const std::lock_guard<std::mutex> lock(mutex);
      return !deliveries.empty();
    }
    std::optional<Delivery> TakeDelivery() {
      const std::lock_guard<std::mutex> lock(mutex);
      if (deliveries.empty()) return std::nullopt;
      const Delivery delivery = deliveries.front();
      deliveries.pop_front();
      return delivery;
    }
    bool paused() {
      const std::lock_guard<std::mutex> lock(mutex);
      return is_paused;
    }

    Payload payload;
    // Guards what is below. Nothing else is locked under it.
    std::mutex mutex;
    std::deque<Delivery> deliveries;
    bool is_paused = false;  // it was told to stop
  };

  void Start(Context& cx) {
    state_ = new State(payload_);
    state_->WakeAtEnd(cx.waker());
    state_->Ref();
    payload_.handle.engine()->Submit(state_);
  }
  std::optional<Item> End(absl::Status error) {
    ended_ = true;
    return std::optional<Item>(std::move(error));
  }
  bool AwaitBuffer(Context& cx) {
    if constexpr (kBuffered) {
      return payload_.buffers->Await(waiter_, cx.waker());
    } else {
      return false;
    }
  }

  Payload payload_;
  State* state_ = nullptr;
  reactor_internal::IoBufferGroup::Waiter waiter_;
  bool polled_ = false;
  bool ended_ = false;
};

using IoAcceptSource = IoSource<reactor_internal::IoAcceptAllPayload>;
using IoRecvSource = IoSource<reactor_internal::IoReceiveAllPayload>;

// The connections of a listening socket, one after another. (IoAccept says who made one.)
inline IoAcceptSource IoAcceptAll(IoFile listener) {
  return IoAcceptSource(reactor_internal::IoAcceptAllPayload(std::move(listener)));
}

// The bytes that come in over a socket, in chunks as they come, up to the end or an error.
// Nobody else receives from it meanwhile.
inline IoRecvSource IoReceiveAll(IoFile socket, const IoBufferPool& pool) {
  return IoRecvSource(reactor_internal::IoReceiveAllPayload(std::move(socket), pool.group()));
}

}  // namespace home

#endif  // HOME_REACTOR_IO_SOURCE_H_
