#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "home/scheduler/seed_runner.h"

namespace home::testing {
namespace {

// The seed at work, for whoever has to name it.
std::atomic<std::uint64_t> current_seed{0};

void NameSeed(const char* what) {
  std::fprintf(stderr, "home: seed %llu %s\n", static_cast<unsigned long long>(current_seed.load()),
               what);
  std::fflush(stderr);
}

void OnAbort(int) { NameSeed("was at work when the process ended"); }

// Ends the process when a seed takes too long.
class TimeLimit {
 public:
  explicit TimeLimit(unsigned seconds) : seconds_(seconds), thread_([this] { Run(); }) {}
  ~TimeLimit() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      done_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

  // A seed begins.
  void Restart() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++seeds_;
    changed_.notify_one();
  }

 private:
  void Run() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!done_) {
      const std::uint64_t before = seeds_;
      const bool changed = changed_.wait_for(lock, std::chrono::seconds(seconds_),
                                             [&] { return done_ || seeds_ != before; });
      if (changed) continue;
      NameSeed("took too long");
      std::_Exit(1);
    }
  }

  const unsigned seconds_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t seeds_ = 0;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace

std::optional<SeedFailure> RunSeeds(SeedRange seeds, const SeedRunnerOptions& options,
                                    const std::function<bool(std::uint64_t seed)>& run) {
  const auto previous = std::signal(SIGABRT, &OnAbort);
  TimeLimit limit(options.limit_seconds);
  std::optional<SeedFailure> failure;
  for (std::uint64_t seed = seeds.first; !failure; ++seed) {
    current_seed.store(seed);
    limit.Restart();
    if (!run(seed)) failure = SeedFailure{.seed = seed, .how = "it failed", .output = ""};
    if (seed == seeds.last) break;
  }
  std::signal(SIGABRT, previous);
  return failure;
}

}  // namespace home::testing
