#include "home/integration/peers/home/workloads.h"

#include <span>

#include "home/integration/peers/measure.h"

namespace home::race {

std::span<const Workload> Workloads() {
  static constexpr Workload kWorkloads[] = {
      {"spawn_join", SpawnJoin},
      {"spawn_join_ready", SpawnJoinReady},
      {"spawn_many", SpawnMany},
      {"yield", Yield},
      {"fib", Fib},
      {"oneshot", OneshotRoundTrips},
      {"ping_pong", PingPong},
      {"ping_pong1", PingPongOfOne},
      {"chan_b_1x1", BoundedToOne<1>},
      {"chan_b_4x1", BoundedToOne<4>},
      {"chan_b_4x4", BoundedToFour},
      {"chan_u_1x1", UnboundedToOne<1>},
      {"chan_u_4x1", UnboundedToOne<4>},
      {"chan_u_4x4", UnboundedToFour},
      {"broadcast_1x8", BroadcastToEight},
      {"watch_1x8", WatchedByEight},
      {"mutex", LockInTurn},
      {"semaphore", AcquireInTurn},
      {"notify", NotifyInTurn},
      {"timers", Timers},
      {"sleeps", Sleeps},
      {"idle_sleep", IdleSleep},
      {"idle_recv", IdleReceive},
      {"serve_echo", ServeEcho},
      {"serve_http", ServeHttp},
  };
  return kWorkloads;
}

}  // namespace home::race
