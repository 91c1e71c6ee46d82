// The workloads of the race, for Home Async. ../README.md defines them. One file a subject;
// each function runs a workload once, on a runtime of its own.

#ifndef HOME_INTEGRATION_PEERS_HOME_WORKLOADS_H_
#define HOME_INTEGRATION_PEERS_HOME_WORKLOADS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "home/integration/peers/measure.h"
#include "home/runtime.h"

namespace home::race {

// All of them, by name.
std::span<const Workload> Workloads();

// Whether it serves until the process is killed.
inline bool IsServer(const Workload& workload) {
  return std::string_view(workload.name).starts_with("serve_");
}

// spawning.cc
Sample SpawnJoin(std::uint64_t n, std::size_t threads);
Sample SpawnJoinReady(std::uint64_t n, std::size_t threads);
Sample SpawnMany(std::uint64_t n, std::size_t threads);
Sample Yield(std::uint64_t n, std::size_t threads);
Sample Fib(std::uint64_t n, std::size_t threads);

// channels.cc
Sample OneshotRoundTrips(std::uint64_t n, std::size_t threads);
Sample PingPong(std::uint64_t n, std::size_t threads);
Sample PingPongOfOne(std::uint64_t n, std::size_t threads);
template <std::uint64_t kProducers, std::uint64_t kConsumers>
Sample Bounded(std::uint64_t n, std::size_t threads);
template <std::uint64_t kProducers, std::uint64_t kConsumers>
Sample BoundedForMany(std::uint64_t n, std::size_t threads);
template <std::uint64_t kProducers, std::uint64_t kConsumers>
Sample Unbounded(std::uint64_t n, std::size_t threads);
template <std::uint64_t kProducers, std::uint64_t kConsumers>
Sample UnboundedForMany(std::uint64_t n, std::size_t threads);
Sample IdleReceive(std::uint64_t n, std::size_t threads);
Sample IdleChannel(std::uint64_t n, std::size_t threads);
Sample ChannelDepth(std::uint64_t n, std::size_t threads);

// locks.cc
Sample LockInTurn(std::uint64_t n, std::size_t threads);
Sample AcquireInTurn(std::uint64_t n, std::size_t threads);
Sample NotifyInTurn(std::uint64_t n, std::size_t threads);

// fans.cc
Sample BroadcastToEight(std::uint64_t n, std::size_t threads);
Sample WatchedByEight(std::uint64_t n, std::size_t threads);

// timers.cc
Sample Timers(std::uint64_t n, std::size_t threads);
Sample Sleeps(std::uint64_t n, std::size_t threads);
Sample IdleSleep(std::uint64_t n, std::size_t threads);
Sample Burst(std::uint64_t n, std::size_t threads);

// servers.cc; they serve until the process is killed.
Sample ServeEcho(std::uint64_t n, std::size_t threads);
Sample ServeHttp(std::uint64_t n, std::size_t threads);

// Makes the workloads' runtimes. One with `threads` workers, unless a test says otherwise.
using RuntimeMaker = Runtime (*)(std::size_t threads);
void MakeRuntimesBy(RuntimeMaker maker);
Runtime MakeRuntime(std::size_t threads);

// Runs `body`, which returns an Async<Sample>, as a task, on a worker, of a runtime with
// `threads` workers.
template <typename Body>
Sample RunOnWorker(std::size_t threads, Body body) {
  Runtime runtime = MakeRuntime(threads);
  return *runtime.BlockOn(runtime.Spawn(std::move(body)));
}

}  // namespace home::race

#endif  // HOME_INTEGRATION_PEERS_HOME_WORKLOADS_H_
