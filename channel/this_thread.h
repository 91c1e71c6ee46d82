// ThisThread(): tells threads that are alive from one another, by an address.
//
// It is inlined into coroutines, and a compiler that keeps the address of a thread_local across a
// suspension would have a task that has moved on take itself for its former thread. So it is read
// where no compiler may reuse it: by an instruction that is volatile, or out of line. Which, is a
// matter of the ABI, and inline for its cost.

#ifndef HOME_CHANNEL_THIS_THREAD_H_
#define HOME_CHANNEL_THIS_THREAD_H_

#include "absl/base/attributes.h"

namespace home::channel_internal {

#if defined(__ELF__) && defined(__x86_64__) && !defined(__ILP32__)

// The first word of a thread's control block is its own address (System V ABI, ELF TLS).
ABSL_ATTRIBUTE_ALWAYS_INLINE inline const void* ThisThread() {
  const void* thread;
  asm volatile("movq %%fs:0, %0" : "=r"(thread));
  return thread;
}

#elif defined(__ELF__) && defined(__aarch64__)

ABSL_ATTRIBUTE_ALWAYS_INLINE inline const void* ThisThread() {
  const void* thread;
  asm volatile("mrs %0, tpidr_el0" : "=r"(thread));
  return thread;
}

#else

ABSL_ATTRIBUTE_NOINLINE inline const void* ThisThread() {
  static thread_local char token = 0;
  asm volatile("");  // Lest calls of a function without effects are merged.
  return &token;
}

#endif

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_THIS_THREAD_H_
