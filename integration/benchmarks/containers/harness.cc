#include "home/integration/benchmarks/containers/harness.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <barrier>  // lint: allow lost-wake
#include <cstdio>
#include <cstdlib>

namespace home::containers {
namespace {

std::uint64_t Nanos(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

std::vector<Entry>& Entries() {
  static std::vector<Entry> entries;
  return entries;
}

bool AddEntry(std::string kind, std::string peer, std::function<Sample(const Load&)> run) {
  Entries().push_back({std::move(kind), std::move(peer), std::move(run)});
  return true;
}

std::uint64_t WallNanos() { return Nanos(CLOCK_MONOTONIC); }
std::uint64_t CpuNanos() { return Nanos(CLOCK_PROCESS_CPUTIME_ID); }

void PinTo(int index) {
  // Those that the process may use: a container may have been given the last two of many.
  cpu_set_t allowed;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &allowed) && index-- == 0) CPU_SET(cpu, &set);
    }
  }
  if (CPU_COUNT(&set) != 1 || pthread_setaffinity_np(pthread_self(), sizeof set, &set) != 0) {
    std::fprintf(stderr, "cannot pin a thread: too few processors\n");
    std::exit(2);
  }
}

void RunTogether(int threads, const std::function<void(int)>& body, Sample& sample) {
  std::barrier start(threads);
  const auto count = static_cast<std::size_t>(threads);
  std::vector<std::uint64_t> begin(count);
  std::vector<std::uint64_t> end(count);
  const std::uint64_t cpu = CpuNanos();
  std::vector<std::thread> running;
  running.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    running.emplace_back([&, i] {
      start.arrive_and_wait();
      begin[i] = WallNanos();
      body(static_cast<int>(i));
      end[i] = WallNanos();
    });
  }
  for (std::thread& thread : running) thread.join();
  sample.cpu_ns = static_cast<double>(CpuNanos() - cpu);
  sample.wall_ns = static_cast<double>(*std::max_element(end.begin(), end.end()) -
                                       *std::min_element(begin.begin(), begin.end()));
  sample.threads = threads;
}

}  // namespace home::containers
