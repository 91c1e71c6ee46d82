// The model checker's atomics and a model of the futex, under the production headers.
//
// The futex is the system's at its worst: a wait may end for no reason at any time, and a
// deadline may be reached at once, or never. A wake-up is given an address that may have
// been freed since, and looks there only while somebody sleeps on it.

#ifndef HOME_PARKER_MODEL_POLICY_TESTING_H_
#define HOME_PARKER_MODEL_POLICY_TESTING_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "home/parker/futex.h"
#include "home/tools/model/atomic.h"

namespace home {

struct ModelPolicy {
  template <typename U>
  using Atomic = model::Atomic<U>;
  using Mutex = model::Mutex;
  using Word = Atomic<std::uint32_t>;

  static constexpr int kMinSpins = 0;
  static constexpr int kMaxSpins = 0;
  static constexpr int kMutexLooks = 0;
  static void Relax() {}
  static void BackOff() {}

  // For a mutation test a fence belongs to the line that calls this.
  static void Fence(model::Location where = model::Location::current()) {
    model::Fence(std::memory_order_seq_cst, where);
  }

  // No time passes; what a deadline means is for Wait().
  static std::int64_t Now() { return 0; }
  static constexpr std::int64_t kSomeDeadline = 1;

  static bool Wait(const Word& word, std::uint32_t expected, std::int64_t deadline) {
    Sleeper sleeper(&word);
    return word.Wait(expected, deadline != parker_internal::kNoDeadline) !=
           model::WakeReason::kTimeout;
  }

  static void Wake(const Word* word) {
    rl::context& context = rl::ctx();
    context.sched();
    // In one step: to see whether somebody sleeps there, and to wake it.
    const rl::preemption_disabler one_step(context);
    for (const Word* const asleep : sleepers) {
      if (asleep == word) {
        word->Wake(1);
        return;
      }
    }
  }

 private:
  friend struct ModelScenario;

  static constexpr std::size_t kMaxSleepers = 5;  // No scenario has more threads.

  // The kernel's own memory: which addresses are slept on.
  static inline std::array<const Word*, kMaxSleepers> sleepers{};

  class Sleeper {
   public:
    explicit Sleeper(const Word* word) {
      while (sleepers[slot_] != nullptr) ++slot_;
      sleepers[slot_] = word;
    }
    Sleeper(const Sleeper&) = delete;
    Sleeper& operator=(const Sleeper&) = delete;
    ~Sleeper() { sleepers[slot_] = nullptr; }

   private:
    std::size_t slot_ = 0;
  };
};

// The base of a scenario with futexes. A search that finds an error leaves its run in the
// middle, so each run starts with an empty kernel.
struct ModelScenario {
  ModelScenario() { ModelPolicy::sleepers = {}; }
};

}  // namespace home

#endif  // HOME_PARKER_MODEL_POLICY_TESTING_H_
