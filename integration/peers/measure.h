// What the C++ programs of the race share: clocks, the command line, and the line that a
// program prints. README.md defines both. Nothing in here knows a runtime.

#ifndef HOME_INTEGRATION_PEERS_MEASURE_H_
#define HOME_INTEGRATION_PEERS_MEASURE_H_

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <span>
#include <utility>
#include <vector>

namespace home::race {

// What came of one measurement.
struct Sample {
  // Wall and processor time of all threads, in ns.
  double wall = 0;
  double cpu = 0;
  // By how many operations they are divided.
  std::uint64_t operations = 1;
  // Whether the results added up.
  bool correct = false;
  // More figures, by name.
  std::vector<std::pair<const char*, double>> more;
};

struct Workload {
  const char* name;
  Sample (*run)(std::uint64_t n, std::size_t threads);
};

// Measures from its making on.
class Watch {
 public:
  Watch() : cpu_(Nanos(CLOCK_PROCESS_CPUTIME_ID)), wall_(Nanos(CLOCK_MONOTONIC)) {}

  [[nodiscard]] Sample Stop(std::uint64_t operations, bool correct) const {
    Sample sample;
    sample.wall = Nanos(CLOCK_MONOTONIC) - wall_;
    sample.cpu = Nanos(CLOCK_PROCESS_CPUTIME_ID) - cpu_;
    sample.operations = operations;
    sample.correct = correct;
    return sample;
  }

 private:
  static double Nanos(clockid_t clock) {
    timespec now = {};
    ::clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
  }

  double cpu_;
  double wall_;
};

// Resident memory of this process, in bytes.
inline double Resident() {
  std::ifstream statm("/proc/self/statm");
  double size = 0;
  double pages = 0;
  statm >> size >> pages;
  return pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

// Numbers that look random, the same in every program (splitmix64).
inline std::uint64_t Scramble(std::uint64_t number) {
  std::uint64_t z = number + 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// 1 + 2 + ... + n.
inline std::uint64_t SumTo(std::uint64_t n) { return n * (n + 1) / 2; }

// `n` in whole batches: how many.
inline std::uint64_t Batches(std::uint64_t n, std::uint64_t batch) {
  return (n + batch - 1) / batch;
}

inline constexpr std::uint64_t kBatch = 1000;

// fib(n), and how many calls the recursion makes.
struct Fibonacci {
  explicit Fibonacci(std::uint64_t n) {
    std::uint64_t next = 1;
    for (std::uint64_t i = 0; i < n; ++i) value = std::exchange(next, value + next);
    calls = 2 * next - 1;
  }
  std::uint64_t value = 0;
  std::uint64_t calls = 0;
};

// 1 ms to 1 h: when timer `i` is due, in ms.
inline std::uint64_t FarMillis(std::uint64_t i) { return 1 + Scramble(i) % 3'600'000; }
// 0 to 2 s: how long task `i` sleeps, in us.
inline std::uint64_t SleepMicros(std::uint64_t i) { return Scramble(i) % 2'000'000; }

// Adds the median and the 99th percentile of `late_us`, which it sorts, in ms.
inline void AddLateness(std::vector<std::uint32_t>& late_us, Sample& sample) {
  std::sort(late_us.begin(), late_us.end());
  const auto at = [&](double share) {
    return late_us[static_cast<std::size_t>(share * static_cast<double>(late_us.size()))] / 1000.0;
  };
  sample.more.emplace_back("late_p50_ms", at(0.5));
  sample.more.emplace_back("late_p99_ms", at(0.99));
}

// Measures what the command line asks for. Returns the exit status.
inline int Main(int argc, char** argv, const char* peer, std::span<const Workload> workloads) {
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    for (const Workload& each : workloads) std::puts(each.name);
    return 0;
  }
  const std::uint64_t n = argc == 4 ? std::strtoull(argv[2], nullptr, 10) : 0;
  const std::size_t threads = argc == 4 ? std::strtoull(argv[3], nullptr, 10) : 0;
  if (n == 0 || threads == 0) {
    std::fprintf(stderr, "usage: %s --list | WORKLOAD N THREADS\n", argv[0]);
    return 2;
  }
  for (const Workload& each : workloads) {
    if (std::strcmp(each.name, argv[1]) != 0) continue;
    const Sample sample = each.run(n, threads);
    const auto operations = static_cast<double>(sample.operations);
    std::printf("%s %s %llu %zu %.2f cpu=%.2f", each.name, peer, static_cast<unsigned long long>(n),
                threads, sample.wall / operations, sample.cpu / operations);
    for (const auto& [name, value] : sample.more) std::printf(" %s=%.2f", name, value);
    std::printf(" check=%s\n", sample.correct ? "ok" : "wrong");
    return 0;
  }
  std::fprintf(stderr, "unknown workload: %s\n", argv[1]);
  return 2;
}

}  // namespace home::race

#endif  // HOME_INTEGRATION_PEERS_MEASURE_H_
