// System calls that fail when a test says so.
//
//   FailNext(SystemCall::kEpollCreate1, EMFILE);
//
// The linker does it: a test with these functions is linked with --wrap for each call
// (fault_test in BUILD), and what is called in its own objects and in our libraries comes
// by here. What is tested is the code that ships.
//
// Thread-safety: full.

#ifndef HOME_REACTOR_FAULT_TESTING_H_
#define HOME_REACTOR_FAULT_TESTING_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <thread>

namespace home::testing {

enum class SystemCall {
  kAccept4,
  kClose,
  kConnect,
  kEpollCreate1,
  kEpollCtl,
  kEpollPwait2,
  kEpollWait,
  kEventfd,
  kFdatasync,
  kFsync,
  kIoUringProbe,
  kIoUringRegisterBuffers,
  kIoUringSetup,
  kIoUringSubmit,
  kOpenat,
  kPread,
  kPreadv,
  kPwrite,
  kPwritev,
  kRead,
  kReadv,
  kRecv,
  kRecvmsg,
  kSend,
  kSendmsg,
  kSplice,
  kStatx,
  kTimerfdCreate,
  kWrite,
  kWritev,
};
inline constexpr std::size_t kSystemCalls = static_cast<std::size_t>(SystemCall::kWritev) + 1;

struct FaultPlan {
  std::atomic<int> failures{0};
  std::atomic<int> error{0};
  std::atomic<int> calls{0};  // since the last FailNext()
  std::atomic<bool> held{false};
};
inline std::array<FaultPlan, kSystemCalls> fault_plans;

// How many bytes a transfer moves at most; 0: as many as it will.
inline std::atomic<std::size_t> transfer_limit{0};

// Rings say that they know nothing that is younger than Linux 5.17.
inline std::atomic<bool> old_kernel{false};

inline FaultPlan& PlanOf(SystemCall call) { return fault_plans[static_cast<std::size_t>(call)]; }

// The next `times` calls fail with `error` and do nothing; later ones do what they do.
inline void FailNext(SystemCall call, int error, int times = 1) {
  PlanOf(call).calls.store(0);
  PlanOf(call).error.store(error);
  PlanOf(call).failures.store(times);
}
// How often it was called since the last FailNext().
inline int CallsOf(SystemCall call) { return PlanOf(call).calls.load(); }
// How many failures are left that nobody has met.
inline int FailuresLeft(SystemCall call) { return PlanOf(call).failures.load(); }

// Calls from now on wait at their beginning, and are counted from here.
inline void Hold(SystemCall call) {
  FailNext(call, 0, 0);
  PlanOf(call).held.store(true);
}
// Returns when one waits.
inline void AwaitHeld(SystemCall call) {
  while (CallsOf(call) == 0) std::this_thread::yield();
}
inline void Release(SystemCall call) { PlanOf(call).held.store(false); }

// Nothing fails or waits any more.
inline void ForgetFaults() {
  for (FaultPlan& plan : fault_plans) {
    plan.failures.store(0);
    plan.held.store(false);
  }
  transfer_limit.store(0);
  old_kernel.store(false);
}

// What the wrapped calls ask: whether this one fails, and with what. 0: it does not.
inline int TakeFault(SystemCall call) {
  FaultPlan& plan = PlanOf(call);
  plan.calls.fetch_add(1);
  while (plan.held.load()) std::this_thread::yield();
  int left = plan.failures.load();
  while (left > 0) {
    if (plan.failures.compare_exchange_weak(left, left - 1)) return plan.error.load();
  }
  return 0;
}

}  // namespace home::testing

#endif  // HOME_REACTOR_FAULT_TESTING_H_
