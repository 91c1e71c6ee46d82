// Everything that a program on the runtime usually needs, in one header:
//
//   #include "home/runtime.h"
//
//   home::Async<int> AsyncMain() {
//     auto other = home::Spawn(Compute());
//     co_await home::Sleep(absl::Milliseconds(10));
//     absl::StatusOr<int> value = co_await other;
//     co_return value.value_or(0);
//   }
//
//   int main(int argc, char** argv) { return home::Main(argc, argv, AsyncMain); }
//
// Futures and coroutines, tasks, the runtime itself, Main, timers, readiness of
// descriptors, channels, synchronisation. What talks to the world has headers of its own:
// home/net, home/process, home/http. Programs that need one part only depend on
// its target instead of //:runtime.

#ifndef HOME_RUNTIME_H_
#define HOME_RUNTIME_H_

// IWYU pragma: begin_exports
#include "home/channel/broadcast.h"
#include "home/channel/mpmc.h"
#include "home/channel/mpsc.h"
#include "home/channel/oneshot.h"
#include "home/channel/watch.h"
#include "home/future/async.h"
#include "home/future/future.h"
#include "home/future/join.h"
#include "home/future/lazy.h"
#include "home/future/map.h"
#include "home/future/ready.h"
#include "home/future/select.h"
#include "home/process/main.h"
#include "home/reactor/registration.h"
#include "home/scheduler/runtime.h"
#include "home/sync/barrier.h"
#include "home/sync/blocking.h"
#include "home/sync/cancellation_token.h"
#include "home/sync/condvar.h"
#include "home/sync/event.h"
#include "home/sync/latch.h"
#include "home/sync/mutex.h"
#include "home/sync/notify.h"
#include "home/sync/once_cell.h"
#include "home/sync/rw_lock.h"
#include "home/sync/semaphore.h"
#include "home/sync/wait_group.h"
#include "home/task/fork.h"
#include "home/task/join_handle.h"
#include "home/task/join_set.h"
#include "home/task/spawn.h"
#include "home/task/task_group.h"
#include "home/task/task_local.h"
#include "home/timer/interval.h"
#include "home/timer/sleep.h"
#include "home/timer/timeout.h"
// IWYU pragma: end_exports

#endif  // HOME_RUNTIME_H_
