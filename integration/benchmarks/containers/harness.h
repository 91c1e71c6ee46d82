// What every measurement of this folder shares: the list of peers, the clock, threads
// that start together, and how a thread waits while a queue is empty or full.
//
// One process measures one workload with one peer, once: so that no peer inherits the
// heap or the threads of another, and one that hangs or crashes spoils nothing else.
// compare.py calls the program once for each measurement, all peers in turn.

#ifndef HOME_INTEGRATION_BENCHMARKS_CONTAINERS_HARNESS_H_
#define HOME_INTEGRATION_BENCHMARKS_CONTAINERS_HARNESS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace home::containers {

// What is asked for. A workload's name is KIND_A or KIND_AxB ("queue_2x2"): the numbers
// are its threads, and for the kinds that end in "1t" the length of a burst.
struct Load {
  std::uint64_t n = 0;  // elements, or round trips
  int a = 0;
  int b = 0;
};

// What came of it.
struct Sample {
  double wall_ns = 0;        // from the first thread's start to the last one's end
  double cpu_ns = 0;         // of all threads together
  bool correct = false;      // every element came out once
  std::int64_t stolen = -1;  // elements that thieves got; -1 where there is no thief
  int threads = 1;
};

struct Entry {
  std::string kind;
  std::string peer;
  std::function<Sample(const Load&)> run;
};

// Filled by static objects of the peers' files before main().
std::vector<Entry>& Entries();
bool AddEntry(std::string kind, std::string peer, std::function<Sample(const Load&)> run);

std::uint64_t WallNanos();
std::uint64_t CpuNanos();  // of the process

// Pins the calling thread to one of the processors that it may use, counted from 0.
void PinTo(int index);

// Says "I am in a loop that waits" to the processor.
inline void Relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

// How all peers wait for an element, or for room: some looks, then the processor is given
// away at each further one. One object a wait.
class Backoff {
 public:
  void Wait() {
    if (looks_ < kLooks) {
      ++looks_;
      Relax();
    } else {
      std::this_thread::yield();
    }
  }

 private:
  static constexpr int kLooks = 32;
  int looks_ = 0;
};

// Runs body(0) to body(threads - 1), each in a thread of its own, and fills in the times.
// The clock runs from the first body's start to the last one's end.
void RunTogether(int threads, const std::function<void(int)>& body, Sample& sample);

// Keeps `value` and what it was computed from.
template <typename T>
inline void Keep(const T& value) {
  asm volatile("" ::"r,m"(value) : "memory");
}

// 1 + 2 + ... + n.
inline std::uint64_t SumTo(std::uint64_t n) { return n * (n + 1) / 2; }

}  // namespace home::containers

#endif  // HOME_INTEGRATION_BENCHMARKS_CONTAINERS_HARNESS_H_
