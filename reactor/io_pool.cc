#include "home/reactor/io_pool.h"

#include <cerrno>
#include <memory>
#include <mutex>
#include <utility>

#include "home/reactor/io_request.h"

namespace home::reactor_internal {

using Phase = IoEngineFields::Phase;

// What the pool is given: performs an operation. Dropped unrun, as by a pool that closes, it
// cancels it.
class IoPool::Errand {
 public:
  Errand(std::shared_ptr<IoPool> pool, IoState* op) : pool_(std::move(pool)), op_(op) {
    op_->Ref();  // in case that the operation is cancelled first
  }
  Errand(Errand&& other) noexcept : pool_(std::move(other.pool_)), op_(other.op_) {}
  Errand& operator=(Errand&&) = delete;
  ~Errand() {
    if (pool_ == nullptr) return;
    pool_->Cancel(op_);
    op_->Unref();
  }
  void operator()() && {
    const std::shared_ptr<IoPool> pool = std::move(pool_);
    pool->Perform(op_);
    op_->Unref();
  }

 private:
  std::shared_ptr<IoPool> pool_;
  IoState* op_;
};

IoPool::IoPool(IoOffload offload) : offload_(std::move(offload)) {}

void IoPool::Submit(IoState* op) {
  bool refused;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    refused = shut_down_;
    op->engine_fields.phase = refused ? Phase::kFinished : Phase::kQueued;
    if (!refused) queued_.PushBack(op);
  }
  if (refused) {
    WakeList wakes;
    op->Finish(-ECANCELED, wakes);
    wakes.WakeAll();
    return;
  }
  Errand errand(shared_from_this(), op);
  if (offload_) {
    offload_(std::move(errand));
  } else {
    std::move(errand)();
  }
}

void IoPool::Cancel(IoState* op) {
  IoFinished finished;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (op->engine_fields.phase != Phase::kQueued) return;
    queued_.Remove(op);
    finished.Add(op, -ECANCELED);
  }
  WakeList wakes;
  finished.FinishAll(wakes);
  wakes.WakeAll();
}

void IoPool::Shutdown(WakeList& wakes) {
  IoFinished finished;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    shut_down_ = true;
    while (IoState* op = queued_.PopFront()) finished.Add(op, -ECANCELED);
  }
  finished.FinishAll(wakes);
}

void IoPool::Perform(IoState* op) {
  bool wanted;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    wanted = op->engine_fields.phase == Phase::kQueued;
    if (wanted) {
      queued_.Remove(op);
      op->engine_fields.phase = Phase::kInFlight;
    }
  }
  if (!wanted) return;
  const bool buffer = op->request.buffers == nullptr || SelectBuffer(op->request);
  const std::int64_t result = buffer ? PerformIo(op->request, /*again=*/false) : -ENOBUFS;
  WakeList wakes;
  op->Finish(result == kIoWouldBlock ? -EAGAIN : result, wakes);
  wakes.WakeAll();
}

}  // namespace home::reactor_internal
