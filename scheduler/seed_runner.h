// RunSeeds: calls a function with many seeds, in processes of their own, so that one
// which crashes, hangs or ends the process fails alone and is named.
//
//   const std::optional<SeedFailure> failure =
//       RunSeeds(seeds, {}, [](std::uint64_t seed) { return Works(seed); });
//   if (failure) std::printf("seed %llu: %s\n", failure->seed, failure->how.c_str());
//
// Each process is a fork of the caller and takes a batch of seeds; as many run at once as
// there are processors. The caller must have no other threads: a fork has none of them, but
// their locks.
//
// Windows has no forks. There the seeds go one after the other, in this very process: the first
// that crashes or takes too long ends it, after a line that names the seed, and what seeds write
// goes where the process writes.
//
// Thread-safety: none. Cost: a fork a batch.

#ifndef HOME_SCHEDULER_SEED_RUNNER_H_
#define HOME_SCHEDULER_SEED_RUNNER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace home::testing {

// From `first` to `last`, both included.
struct SeedRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

// What "N" (seeds 0 to N-1) or "A-B" says; kInvalidArgument for anything else.
[[nodiscard]] absl::StatusOr<SeedRange> ParseSeedRange(std::string_view text);
// What "N" says.
[[nodiscard]] absl::StatusOr<std::uint64_t> ParseSeed(std::string_view text);

struct SeedFailure {
  std::uint64_t seed = 0;
  // How its process ended: "exit status 3", "signal 6 (Aborted)", "it took more than 60 s".
  std::string how;
  // What it wrote to standard output and error while it worked on this seed; the middle is
  // left out if it is long.
  std::string output;
};

struct SeedRunnerOptions {
  // Seeds a process; 0: by their number.
  std::size_t batch = 0;
  // A seed that takes longer, in real time, has failed.
  unsigned limit_seconds = 60;
};

// Calls `run` with each seed, in no particular order. False fails the seed; so does a call
// that does not return. Nothing: all have passed. Otherwise the failure that came first; the
// other processes are killed then. Dies with a message if no process can be made.
[[nodiscard]] std::optional<SeedFailure> RunSeeds(
    SeedRange seeds, const SeedRunnerOptions& options,
    const std::function<bool(std::uint64_t seed)>& run);

}  // namespace home::testing

#endif  // HOME_SCHEDULER_SEED_RUNNER_H_
