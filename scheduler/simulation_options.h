// SimulationOptions: what decides a simulated runtime's schedule; see
// simulation.h.

#ifndef HOME_SCHEDULER_SIMULATION_OPTIONS_H_
#define HOME_SCHEDULER_SIMULATION_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "absl/time/time.h"

namespace home {

// How the next step is chosen among those that are possible.
enum class SimulationStrategy : std::uint8_t {
  // By the seed, one of the others.
  kBySeed,
  // Each with the same probability.
  kRandom,
  // By random priorities, of which a few are lowered on the way: finds what needs
  // one task to be slow for long.
  kPriorities,
};

// The same options and the same program give the same schedule.
struct SimulationOptions {
  std::uint64_t seed = 0;
  SimulationStrategy strategy = SimulationStrategy::kBySeed;
  // After one step in how many a future that nobody woke is polled, too; 0: never.
  // Default: by the seed, and never in every other one, as a spurious poll hides
  // that a wake was lost.
  std::optional<std::uint32_t> spurious_interval = std::nullopt;
  // A blocking closure takes up to this long, in virtual time.
  absl::Duration max_blocking_time = absl::Milliseconds(20);
  // A BlockOn that takes more steps dies with a list of its tasks.
  std::uint64_t max_steps = 10'000'000;
  // Told of each event, as one line without its end; see "The trace" in
  // simulation.h. It must not use the runtime.
  std::function<void(std::string_view line)> trace = nullptr;
};

}  // namespace home

#endif  // HOME_SCHEDULER_SIMULATION_OPTIONS_H_
