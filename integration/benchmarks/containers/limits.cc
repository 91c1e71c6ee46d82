// What the machine itself takes: the floor below every row of the tables.
//
// Kind: limit _T: T threads do the peer's operation at once, on the same word; ns an
// operation of one thread. limit_line _2: two pinned threads hand a cache line to and fro;
// ns one way.

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

#include "home/integration/benchmarks/containers/harness.h"

namespace home::containers {
namespace {

struct alignas(64) Word {
  std::atomic<std::uint64_t> value{0};
};

template <typename Operation>
Sample AllAtOnce(const Load& load, Operation operation) {
  Word word;
  Sample sample;
  RunTogether(
      load.a,
      [&](int) {
        for (std::uint64_t i = 0; i < load.n; ++i) operation(word.value);
      },
      sample);
  sample.correct = true;
  return sample;
}

Sample FetchAdd(const Load& load) {
  return AllAtOnce(load, [](std::atomic<std::uint64_t>& word) { Keep(word.fetch_add(1)); });
}

// Until it succeeds, as it is used.
Sample CompareExchange(const Load& load) {
  return AllAtOnce(load, [](std::atomic<std::uint64_t>& word) {
    std::uint64_t seen = word.load(std::memory_order_relaxed);
    while (!word.compare_exchange_weak(seen, seen + 1)) {
    }
  });
}

Sample Fence(const Load& load) {
  return AllAtOnce(load, [](std::atomic<std::uint64_t>& word) {
    word.store(1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
  });
}

Sample MallocAndFree(const Load& load) {
  return AllAtOnce(load, [](std::atomic<std::uint64_t>&) {
    void* block = std::malloc(48);
    Keep(block);
    std::free(block);
  });
}

Sample FutexWakeOfNobody(const Load& load) {
  return AllAtOnce(load, [](std::atomic<std::uint64_t>& word) {
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  });
}

Sample CacheLine(const Load& load) {
  Word word;
  Sample sample;
  RunTogether(
      2,
      [&](int side) {
        PinTo(side);
        const auto me = static_cast<std::uint64_t>(side);
        for (std::uint64_t i = 0; i < load.n / 2; ++i) {
          const std::uint64_t turn = 2 * i + me;
          while (word.value.load(std::memory_order_acquire) != turn) Relax();
          word.value.store(turn + 1, std::memory_order_release);
        }
      },
      sample);
  sample.correct = word.value == load.n / 2 * 2;
  return sample;
}

const bool kAdded = AddEntry("limit", "fetch_add", FetchAdd) &&
                    AddEntry("limit", "compare_exchange", CompareExchange) &&
                    AddEntry("limit", "store_and_fence", Fence) &&
                    AddEntry("limit", "malloc_and_free", MallocAndFree) &&
                    AddEntry("limit", "futex_wake_of_nobody", FutexWakeOfNobody) &&
                    AddEntry("limit_line", "cache_line_one_way", CacheLine);

}  // namespace
}  // namespace home::containers
