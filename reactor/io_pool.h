// IoPool: the operations of an engine that may block, done by a pool of threads
// (IoOptions::offload) or, without one, by the thread that submits them.
//
// Thread-safety: from any thread at any time. Nothing of the user's runs under its lock.

#ifndef HOME_REACTOR_IO_POOL_H_
#define HOME_REACTOR_IO_POOL_H_

#include <memory>
#include <mutex>

#include "home/future/wake_list.h"
#include "home/reactor/io_engine.h"
#include "home/reactor/io_state.h"

namespace home::reactor_internal {

class IoPool : public std::enable_shared_from_this<IoPool> {
 public:
  explicit IoPool(IoOffload offload);
  IoPool(const IoPool&) = delete;
  IoPool& operator=(const IoPool&) = delete;

  // As IoEngine's: ends it with what PerformIo() says.
  void Submit(IoState* op);
  // Ends an operation that no thread has begun.
  void Cancel(IoState* op);
  // Ends those that no thread has begun, and from now on whatever is submitted.
  void Shutdown(WakeList& wakes);

 private:
  class Errand;

  // In a thread of the pool.
  void Perform(IoState* op);

  const IoOffload offload_;
  // Guards what is below, and the fields of operations.
  std::mutex mutex_;
  IoList queued_;
  bool shut_down_ = false;
};

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_IO_POOL_H_
