// What the machine takes for the least that a workload needs: the floor below the rows of the
// race. ../README.md says what each is. Nothing here is a runtime: threads are pinned and spin,
// nobody is cancelled, and what a workload does not exercise is left out.

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "home/integration/peers/measure.h"

namespace home::race {
namespace {

constexpr std::size_t kCapacity = 1024;
constexpr std::size_t kCacheLine = 64;

// Runs work(0), ..., work(threads - 1), each on a processor of its own as far as there are some.
template <typename Work>
void RunPinned(std::size_t threads, Work work) {
  std::vector<std::thread> running;
  for (std::size_t i = 0; i < threads; ++i) {
    running.emplace_back([i, &work] {
      cpu_set_t only;
      CPU_ZERO(&only);
      CPU_SET(i % std::thread::hardware_concurrency(), &only);
      ::pthread_setaffinity_np(::pthread_self(), sizeof(only), &only);
      work(i);
    });
  }
  for (std::thread& thread : running) thread.join();
}

void Relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

// A coroutine that does not run before it is resumed, and is destroyed by hand.
struct Coroutine {
  struct promise_type {
    Coroutine get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
  std::coroutine_handle<> handle;
};

// Not inlined: a frame that nobody else can see is not allocated.
[[gnu::noinline]] Coroutine CountOnce(std::uint64_t& count) {
  ++count;
  co_return;
}

[[gnu::noinline]] Coroutine CountAndYield(std::uint64_t& count, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    ++count;
    co_await std::suspend_always{};
  }
}

// Each thread makes, runs and destroys its part of each thousand frames.
Sample SpawnJoin(std::uint64_t n, std::size_t threads) {
  const std::uint64_t rounds = Batches(n, kBatch);
  const std::uint64_t each = kBatch / threads;
  std::vector<std::uint64_t> counts(threads);
  const Watch watch;
  RunPinned(threads, [&](std::size_t me) {
    std::uint64_t count = 0;
    std::vector<std::coroutine_handle<>> tasks(each);
    for (std::uint64_t round = 0; round < rounds; ++round) {
      for (std::coroutine_handle<>& task : tasks) task = CountOnce(count).handle;
      for (const std::coroutine_handle<> task : tasks) task.resume();
      for (const std::coroutine_handle<> task : tasks) task.destroy();
    }
    counts[me] = count;
  });
  const std::uint64_t operations = rounds * each * threads;
  return watch.Stop(operations,
                    std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}) == operations);
}

// Each thread resumes its part of a thousand coroutines in turn.
Sample Yield(std::uint64_t n, std::size_t threads) {
  const std::uint64_t times = Batches(n, kBatch);
  const std::uint64_t each = kBatch / threads;
  std::vector<std::uint64_t> counts(threads);
  const Watch watch;
  RunPinned(threads, [&](std::size_t me) {
    std::uint64_t count = 0;
    std::vector<std::coroutine_handle<>> tasks(each);
    for (std::coroutine_handle<>& task : tasks) task = CountAndYield(count, times).handle;
    for (std::uint64_t i = 0; i < times; ++i) {
      for (const std::coroutine_handle<> task : tasks) task.resume();
    }
    for (const std::coroutine_handle<> task : tasks) task.destroy();
    counts[me] = count;
  });
  const std::uint64_t operations = times * each * threads;
  return watch.Stop(operations,
                    std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}) == operations);
}

// A number that is handed over.
struct alignas(kCacheLine) Word {
  std::atomic<std::uint64_t> value{0};
};

// Hands the thread's turn to the other coroutine.
struct SwitchTo {
  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<>) const noexcept { return *other; }
  void await_resume() const noexcept {}

  const std::coroutine_handle<>* other;
};

[[gnu::noinline]] Coroutine HandOver(Word& word, const std::coroutine_handle<>& other,
                                     std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    // relaxed: both run on one thread.
    word.value.store(word.value.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    co_await SwitchTo{&other};
  }
}

// One thread: two coroutines switch to each other. More: a cache line goes from one processor
// to another one, and back.
Sample PingPongOfOne(std::uint64_t n, std::size_t threads) {
  Word word;
  const Watch watch;
  if (threads == 1) {
    std::coroutine_handle<> ping;
    std::coroutine_handle<> pong;
    ping = HandOver(word, pong, n).handle;
    pong = HandOver(word, ping, n).handle;
    // Ends when ping has.
    ping.resume();
    ping.destroy();
    pong.destroy();
  } else {
    RunPinned(2, [&](std::size_t me) {
      for (std::uint64_t turn = me; turn < 2 * n; turn += 2) {
        // acquire, release: as of a channel, which hands over more than the number.
        while (word.value.load(std::memory_order_acquire) != turn) Relax();
        word.value.store(turn + 1, std::memory_order_release);
      }
    });
  }
  return watch.Stop(n, word.value.load() == 2 * n);
}

// Between one producer and one consumer. Each looks at the other's place only when it must.
class Ring {
 public:
  bool Push(std::uint64_t value) {
    const std::uint64_t at = written_.load(std::memory_order_relaxed);  // its own
    if (at - known_read_ == kCapacity) {
      // acquire: the consumer has taken what was in the place.
      known_read_ = read_.load(std::memory_order_acquire);
      if (at - known_read_ == kCapacity) return false;
    }
    values_[at % kCapacity] = value;
    written_.store(at + 1, std::memory_order_release);  // pairs with: Pop()
    return true;
  }

  bool Pop(std::uint64_t& value) {
    const std::uint64_t at = read_.load(std::memory_order_relaxed);  // its own
    if (at == known_written_) {
      known_written_ = written_.load(std::memory_order_acquire);
      if (at == known_written_) return false;
    }
    value = values_[at % kCapacity];
    read_.store(at + 1, std::memory_order_release);  // pairs with: Push()
    return true;
  }

 private:
  alignas(kCacheLine) std::atomic<std::uint64_t> written_{0};
  std::uint64_t known_read_ = 0;
  alignas(kCacheLine) std::atomic<std::uint64_t> read_{0};
  std::uint64_t known_written_ = 0;
  alignas(kCacheLine) std::array<std::uint64_t, kCapacity> values_;
};

// One thread fills a ring and empties it, in turn; two do so at once.
Sample OneToOne(std::uint64_t n, std::size_t threads) {
  const auto ring = std::make_unique<Ring>();
  std::uint64_t sum = 0;
  const Watch watch;
  if (threads == 1) {
    std::uint64_t value = 0;
    for (std::uint64_t next = 1; next <= n;) {
      while (next <= n && ring->Push(next)) ++next;
      while (ring->Pop(value)) sum += value;
    }
  } else {
    RunPinned(2, [&](std::size_t me) {
      if (me == 0) {
        for (std::uint64_t next = 1; next <= n; ++next) {
          while (!ring->Push(next)) Relax();
        }
      } else {
        std::uint64_t own = 0;
        std::uint64_t value = 0;
        for (std::uint64_t i = 0; i < n; ++i) {
          while (!ring->Pop(value)) Relax();
          own += value;
        }
        sum = own;
      }
    });
  }
  return watch.Stop(n, sum == SumTo(n));
}

// One atomic operation a turn, all threads on one word. acq_rel: as a lock and its release.
Sample Increment(std::uint64_t n, std::size_t threads) {
  const std::uint64_t each = Batches(n, threads);
  Word word;
  const Watch watch;
  RunPinned(threads, [&](std::size_t) {
    for (std::uint64_t i = 0; i < each; ++i) word.value.fetch_add(1, std::memory_order_acq_rel);
  });
  return watch.Stop(each * threads, word.value.load() == each * threads);
}

// A timer, in the list of its slot.
struct Node {
  void Link(Node& slot) {
    next = slot.next;
    previous = &slot;
    slot.next->previous = this;
    slot.next = this;
  }
  void Unlink() {
    previous->next = next;
    next->previous = previous;
  }

  Node* next = this;
  Node* previous = this;
};

// A wheel of 64 slots a level, told in ms: each timer is put into the slot of the highest digit
// by which it is not due at once, and taken out of it again.
Sample Timers(std::uint64_t n, std::size_t) {
  constexpr std::size_t kBits = 6;
  constexpr std::size_t kLevels = 4;
  std::array<Node, kLevels << kBits> slots;
  std::vector<Node> timers(n);
  const Watch watch;
  for (std::uint64_t i = 0; i < n; ++i) {
    const std::uint64_t due = FarMillis(i);
    const auto level = static_cast<std::size_t>(std::bit_width(due) - 1) / kBits;
    const std::size_t digit = (due >> (level * kBits)) % (std::size_t{1} << kBits);
    timers[i].Link(slots[(level << kBits) + digit]);
  }
  const double arming = watch.Stop(n, true).wall;
  for (Node& timer : timers) timer.Unlink();
  const bool empty =
      std::all_of(slots.begin(), slots.end(), [](const Node& slot) { return slot.next == &slot; });
  Sample sample = watch.Stop(n, empty);
  sample.more.emplace_back("arm", arming / static_cast<double>(n));
  sample.more.emplace_back("cancel", (sample.wall - arming) / static_cast<double>(n));
  return sample;
}

constexpr Workload kWorkloads[] = {
    {"spawn_join", SpawnJoin}, {"yield", Yield},     {"ping_pong1", PingPongOfOne},
    {"chan_b_1x1", OneToOne},  {"mutex", Increment}, {"timers", Timers},
};

}  // namespace
}  // namespace home::race

int main(int argc, char** argv) {
  return home::race::Main(argc, argv, "limit", home::race::kWorkloads);
}
