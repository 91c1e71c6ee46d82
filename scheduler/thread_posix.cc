#include <pthread.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "home/scheduler/thread.h"

namespace home::scheduler_internal {
namespace {

void* RunBody(void* argument) {
  const std::unique_ptr<std::function<void()>> body(static_cast<std::function<void()>*>(argument));
  (*body)();
  return nullptr;
}

absl::Status Failed(int error, std::size_t stack_bytes) {
  return absl::ErrnoToStatus(
      error, stack_bytes == 0
                 ? std::string("start a thread")
                 : absl::StrCat("start a thread with a stack of ", stack_bytes, " bytes"));
}

}  // namespace

absl::StatusOr<Thread> Thread::StartAs(int detach_state, std::size_t stack_bytes,
                                       std::function<void()> body) {
  pthread_attr_t attributes;
  int error = ::pthread_attr_init(&attributes);
  if (error != 0) return Failed(error, stack_bytes);
  pthread_t thread;
  error = ::pthread_attr_setdetachstate(&attributes, detach_state);
  if (error == 0 && stack_bytes != 0) error = ::pthread_attr_setstacksize(&attributes, stack_bytes);
  if (error == 0) {
    auto* const argument = new std::function<void()>(std::move(body));
    error = ::pthread_create(&thread, &attributes, &RunBody, argument);
    // Else the thread has it now.
    if (error != 0) delete argument;
  }
  ::pthread_attr_destroy(&attributes);
  if (error != 0) return Failed(error, stack_bytes);
  return Thread(thread);
}

absl::StatusOr<Thread> Thread::Start(std::size_t stack_bytes, std::function<void()> body) {
  return StartAs(PTHREAD_CREATE_JOINABLE, stack_bytes, std::move(body));
}

absl::Status Thread::StartDetached(std::size_t stack_bytes, std::function<void()> body) {
  return StartAs(PTHREAD_CREATE_DETACHED, stack_bytes, std::move(body)).status();
}

void Thread::Join() { ::pthread_join(thread_, nullptr); }
void Thread::Detach() { ::pthread_detach(thread_); }

}  // namespace home::scheduler_internal
