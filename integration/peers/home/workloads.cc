#include "home/integration/peers/home/workloads.h"

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <utility>

#include "absl/status/statusor.h"
#include "home/integration/peers/measure.h"
#include "home/runtime.h"

namespace home::race {
namespace {

Runtime MakeWorkers(std::size_t threads) {
  absl::StatusOr<Runtime> runtime = RuntimeBuilder().WorkerThreads(threads).Build();
  if (!runtime.ok()) {
    std::fprintf(stderr, "%s\n", runtime.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(runtime);
}

RuntimeMaker make_runtime = &MakeWorkers;

}  // namespace

void MakeRuntimesBy(RuntimeMaker maker) { make_runtime = maker; }
Runtime MakeRuntime(std::size_t threads) { return make_runtime(threads); }

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
      {"chan_b_1x1", Bounded<1, 1>},
      {"chan_b_1x4", Bounded<1, 4>},
      {"chan_b_2x2", Bounded<2, 2>},
      {"chan_b_4x1", Bounded<4, 1>},
      {"chan_b_4x4", Bounded<4, 4>},
      {"home-mpmc/chan_b_1x1", BoundedForMany<1, 1>},
      {"home-mpmc/chan_b_4x1", BoundedForMany<4, 1>},
      {"chan_u_1x1", Unbounded<1, 1>},
      {"chan_u_1x4", Unbounded<1, 4>},
      {"chan_u_2x2", Unbounded<2, 2>},
      {"chan_u_4x1", Unbounded<4, 1>},
      {"chan_u_4x4", Unbounded<4, 4>},
      {"home-mpmc/chan_u_1x1", UnboundedForMany<1, 1>},
      {"home-mpmc/chan_u_4x1", UnboundedForMany<4, 1>},
      {"broadcast_1x8", BroadcastToEight},
      {"watch_1x8", WatchedByEight},
      {"mutex", LockInTurn},
      {"semaphore", AcquireInTurn},
      {"notify", NotifyInTurn},
      {"timers", Timers},
      {"sleeps", Sleeps},
      {"idle_sleep", IdleSleep},
      {"idle_recv", IdleReceive},
      {"idle_channel", IdleChannel},
      {"burst", Burst},
      {"chan_depth", ChannelDepth},
      {"serve_echo", ServeEcho},
      {"serve_http", ServeHttp},
  };
  return kWorkloads;
}

}  // namespace home::race
