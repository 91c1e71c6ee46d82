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
      {"timers", Timers},
      {"sleeps", Sleeps},
      {"idle_sleep", IdleSleep},
  };
  return kWorkloads;
}

}  // namespace home::race
