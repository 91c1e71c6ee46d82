// Thread: a thread of a runtime's. As std::thread, but with a stack of a chosen size, and
// with a Status where the system refuses.

#ifndef HOME_SCHEDULER_THREAD_H_
#define HOME_SCHEDULER_THREAD_H_

#include <pthread.h>

#include <cstddef>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace home::scheduler_internal {

class Thread {
 public:
  // Runs `body` on a new thread. `stack_bytes`: 0 for what the system gives. Errors:
  // kInvalidArgument (a stack too small for the system; Windows makes it larger),
  // kResourceExhausted and the like.
  static absl::StatusOr<Thread> Start(std::size_t stack_bytes, std::function<void()> body);
  // The same for one that nobody joins. Under mingw-w64, to Detach() one that comes to its end
  // meanwhile can cost another thread its start.
  static absl::Status StartDetached(std::size_t stack_bytes, std::function<void()> body);

  // Exactly one of the two is called, once.
  void Join();
  void Detach();

 private:
  explicit Thread(pthread_t thread) : thread_(thread) {}
  static absl::StatusOr<Thread> StartAs(int detach_state, std::size_t stack_bytes,
                                        std::function<void()> body);

  pthread_t thread_;
};

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_THREAD_H_
