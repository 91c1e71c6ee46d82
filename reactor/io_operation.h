// IoOperation: the future of one operation of the completion layer, whatever it is. The
// operations themselves are in io.h.
//
// A payload says what the operation is: it keeps what the operation uses, writes the
// request once it has its final address, and makes the output of the result.
//
//   struct Payload {
//     using Output = ...;
//     void Prepare(IoRequest& request);       // addresses of its own are good
//     IoFileState* file() const;              // what it works on, or null
//     Output Finish(std::int64_t result);     // 0 or more, or -errno
//     void Discard(std::int64_t result);      // nobody will see it: close what it made
//   };
//
// Thread-safety: as any future.

#ifndef HOME_REACTOR_IO_OPERATION_H_
#define HOME_REACTOR_IO_OPERATION_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "home/future/context.h"
#include "home/future/fatal.h"
#include "home/future/poll.h"
#include "home/reactor/io_engine.h"
#include "home/reactor/io_state.h"

namespace home {

template <typename Payload>
class [[nodiscard]] IoOperation {
 public:
  using Output = typename Payload::Output;

  // Nothing is started before the first poll.
  IoOperation(std::shared_ptr<reactor_internal::IoEngine> engine, Payload payload)
      : state_(new State(std::move(engine), std::move(payload))) {}
  IoOperation(IoOperation&& other) noexcept
      : state_(std::exchange(other.state_, nullptr)), started_(other.started_) {}
  IoOperation& operator=(IoOperation&&) = delete;
  ~IoOperation() {
    if (state_ == nullptr) return;
    if (started_ && state_->Abandon()) state_->engine->Cancel(state_);
    state_->Unref();
  }

  home::Poll<Output> Poll(Context& cx) {
    if (state_ == nullptr) Fatal("an I/O operation was polled after it was ready");
    if (!started_) {
      started_ = true;
      state_->WakeAtEnd(cx.waker());
      state_->Ref();
      state_->engine->Submit(state_);
    } else if (!state_->done()) {
      state_->WakeAtEnd(cx.waker());
    }
    if (!state_->done()) return cx.PendingFor("I/O");
    if (!cx.ConsumeBudget()) return kPending;
    State* state = std::exchange(state_, nullptr);
    Output output = state->payload.Finish(state->result());
    state->Unref();
    return output;
  }

 private:
  struct State final : reactor_internal::IoState {
    State(std::shared_ptr<reactor_internal::IoEngine> engine_in, Payload payload_in)
        : engine(std::move(engine_in)), payload(std::move(payload_in)) {
      payload.Prepare(request);
      engine_fields.file = payload.file();
    }
    void Discard(std::int64_t result) override { payload.Discard(result); }

    const std::shared_ptr<reactor_internal::IoEngine> engine;
    Payload payload;
  };

  State* state_;
  bool started_ = false;
};

}  // namespace home

#endif  // HOME_REACTOR_IO_OPERATION_H_
