// IoState: one operation on its way through an engine, with all that it uses.
//
// It is shared by the future that waits for it and the engine that carries it out, and
// it owns the buffers (in what derives from it). So a future that is dropped need not
// wait for the kernel: it abandons the operation, and the buffers live until the
// kernel's own word that it is done with them.
//
// The two meet in one word:
//
//   kDone       the result is there. Set once, by the engine.
//   kAbandoned  nobody will look at it. Set once, by the future.
//
//   I1  Whoever sets the second of the two discards the result: a descriptor that was
//       accepted for nobody is closed.
//   I2  The engine gives up its reference after it has set kDone, the future when it has
//       read the result or abandoned it. The last reference destroys the buffers.
//   I3  The request, the links and the phase are the engine's from Submit() on, under its
//       lock.
//
// Thread-safety: Finish() once, from any thread; the rest by the future's owner.

#ifndef HOME_REACTOR_IO_STATE_H_
#define HOME_REACTOR_IO_STATE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "home/future/atomic_waker.h"
#include "home/future/wake_list.h"
#include "home/future/waker.h"
#include "home/reactor/io_request.h"
#include "home/reactor/unique_fd.h"

namespace home::reactor_internal {

class IoEngine;
class IoState;

// An open descriptor that an engine works on, shared by handles (io_file.h). Closed with
// the last of them, and each operation on it has one.
struct IoFileState {
  IoFileState(std::shared_ptr<IoEngine> engine_in, UniqueFd fd_in, bool stream_in)
      : engine(std::move(engine_in)), fd(std::move(fd_in)), stream(stream_in) {}
  IoFileState(const IoFileState&) = delete;
  IoFileState& operator=(const IoFileState&) = delete;
  virtual ~IoFileState() = default;

  const std::shared_ptr<IoEngine> engine;
  UniqueFd fd;
  const bool stream;  // has no positions
  std::atomic<std::uint32_t> handles{1};
};

// What an engine needs for an operation besides, if anything. Lives as long as the operation.
struct IoEngineDetail {
  virtual ~IoEngineDetail() = default;
};

// What an engine keeps of an operation that it was given.
struct IoEngineFields {
  enum class Phase : std::uint8_t {
    kNew,       // not in the engine
    kQueued,    // in a queue of the engine's: the system has not heard of it
    kInFlight,  // the system, or a thread of the pool, has it
    kFinished,
  };

  Phase phase = Phase::kNew;
  bool again = false;                     // it was tried, and would have blocked
  bool cancel_asked = false;              // the system was asked to cancel it, or is about to be
  bool cancel_unsent = false;             // ... and there was no room for the question
  IoFileState* file = nullptr;            // what it works on, kept by the payload; or null
  std::unique_ptr<IoFileState> own_file;  // the same, made for it alone by the engine
  std::unique_ptr<IoEngineDetail> detail;
  IoState* next = nullptr;
  IoState* previous = nullptr;
};

class IoState {
 public:
  IoState() = default;
  IoState(const IoState&) = delete;
  IoState& operator=(const IoState&) = delete;

  // For the engine.
  IoRequest request;
  IoEngineFields engine_fields;

  // The engine: ends it with what the system said, gives up the engine's reference and
  // leaves it to the caller to wake who waits. Outside of the engine's locks: the last
  // reference destroys buffers of the user's.
  void Finish(std::int64_t result, WakeList& wakes) {
    result_ = result;
    // release: the result and what the kernel wrote, for the future's acquire. acquire:
    // pairs with Abandon(); what the future did before is before our discarding.
    if ((word_.fetch_or(kDone, std::memory_order_acq_rel) & kAbandoned) != 0) {
      Discard(result);  // I1
    } else if (Waker waker = waker_.Take()) {
      wakes.Push(std::move(waker));
    }
    Unref();
  }

  // The engine, under its lock: a result of a multishot operation that goes on. Leaves it to the
  // caller to wake who waits. False: it is to be cancelled, nobody keeps up with it.
  virtual bool Deliver(std::int64_t /*result*/, int /*buffer*/, WakeList& /*wakes*/) {
    return false;
  }

  // The future: has `waker` woken at the end, unless that has come already.
  void WakeAtEnd(const Waker& waker) { waker_.Register(waker); }
  // acquire: pairs with Finish().
  [[nodiscard]] bool done() const { return (word_.load(std::memory_order_acquire) & kDone) != 0; }
  // Once it is done.
  [[nodiscard]] std::int64_t result() const { return result_; }

  // The future: nobody will look at the result. True: it is still on its way, and the
  // engine is to be told; the caller keeps its reference until it has done so.
  [[nodiscard]] bool Abandon() {
    // acquire: pairs with Finish(), for the result. release: pairs with its acquire.
    if ((word_.fetch_or(kAbandoned, std::memory_order_acq_rel) & kDone) == 0) {
      const Waker dropped = waker_.Take();
      return true;
    }
    Discard(result_);  // I1
    return false;
  }

  // One more reference, for the engine.
  // relaxed: it is made from one that exists.
  void Ref() { references_.fetch_add(1, std::memory_order_relaxed); }
  void Unref() {
    // acq_rel: what everybody did with it is before its destruction.
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 protected:
  virtual ~IoState() = default;
  // Collects who waits, though it is not the end.
  void WakeForMore(WakeList& wakes) {
    if (Waker waker = waker_.Take()) wakes.Push(std::move(waker));
  }
  // The operation ended so, and nobody will know.
  virtual void Discard(std::int64_t result) = 0;

 private:
  static constexpr std::uint32_t kDone = 1;
  static constexpr std::uint32_t kAbandoned = 2;

  std::atomic<std::uint32_t> word_{0};
  std::atomic<std::uint32_t> references_{1};
  std::int64_t result_ = 0;
  AtomicWaker<> waker_;
};

// A list of operations, linked through their engine's fields. Owns nothing.
class IoList {
 public:
  IoList() = default;
  IoList(const IoList&) = delete;
  IoList& operator=(const IoList&) = delete;

  [[nodiscard]] bool empty() const { return first_ == nullptr; }
  [[nodiscard]] IoState* first() const { return first_; }
  [[nodiscard]] static IoState* Next(IoState* op) { return op->engine_fields.next; }

  void PushBack(IoState* op) {
    op->engine_fields.previous = last_;
    op->engine_fields.next = nullptr;
    (last_ == nullptr ? first_ : last_->engine_fields.next) = op;
    last_ = op;
  }
  void Remove(IoState* op) {
    IoEngineFields& fields = op->engine_fields;
    (fields.previous == nullptr ? first_ : fields.previous->engine_fields.next) = fields.next;
    (fields.next == nullptr ? last_ : fields.next->engine_fields.previous) = fields.previous;
    fields.next = fields.previous = nullptr;
  }
  IoState* PopFront() {
    IoState* op = first_;
    if (op != nullptr) Remove(op);
    return op;
  }

 private:
  IoState* first_ = nullptr;
  IoState* last_ = nullptr;
};

// Operations that have ended: collected under an engine's lock, finished outside of it.
class IoFinished {
 public:
  // `result` as PerformIo() gives it.
  void Add(IoState* op, std::int64_t result) {
    op->engine_fields.phase = IoEngineFields::Phase::kFinished;
    // Nothing of the request is needed any more: the place for the result until then.
    op->request.offset = result;
    list_.PushBack(op);
  }
  // Ends all, and returns how many.
  std::size_t FinishAll(WakeList& wakes) {
    std::size_t count = 0;
    while (IoState* op = list_.PopFront()) {
      op->Finish(op->request.offset, wakes);
      ++count;
    }
    return count;
  }

 private:
  IoList list_;
};

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_IO_STATE_H_
