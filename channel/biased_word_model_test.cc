// A biased word under the model checker: it excludes, hands over what belongs to it, and nobody
// sleeps past a change, while biases come and are revoked.

#include <atomic>
#include <cstdint>

#include "gtest/gtest.h"
#include "home/channel/biased_word.h"
#include "home/channel/model_policy_testing.h"
#include "home/tools/model/checker.h"

namespace home::channel_internal {
namespace {

using channel_testing::ModelChannelPolicy;
using model::Access;
using model::CheckRandomly;
using model::CheckWithPreemptions;
using model::ExpectFound;
using model::Randomly;
using model::WithPreemptions;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_seq_cst;

// The word as a channel uses it: even numbers are cells, which a change claims, odd ones gaps.
template <int kThreadCount>
struct Scenario {
  static constexpr int kThreads = kThreadCount;
  static constexpr std::uint64_t kOne = BiasedWord<ModelChannelPolicy>::kBiased << 1;

  void Change() {
    std::uint64_t at = word.Load(memory_order_acquire);
    while (true) {
      if ((at / kOne) % 2 == 1) {
        model::Yield();
        at = word.Load(memory_order_acquire);
      } else if (word.CompareExchange(at, at + kOne)) {
        break;
      }
    }
    in_gap = in_gap + 1;
    word.PassGap(kOne, true);
  }
  [[nodiscard]] std::uint64_t Changes() const { return word.Load(memory_order_seq_cst) / kOne / 2; }
  void ExpectChanges(int changes) {
    model::Expect(Changes() == static_cast<std::uint64_t>(changes), "each change counts");
    model::Expect(in_gap == changes, "one at a time has the gap");
  }

  BiasedWord<ModelChannelPolicy> word;
  model::Data<int> in_gap{0};
};

template <int kThreads, int kRounds>
struct AllChange : Scenario<kThreads> {
  void Before() {
    // Biased to a thread that only revokes, or to nobody.
    if (model::Choose(2) == 0) this->Change();
    before = static_cast<int>(this->Changes());
  }
  void Thread(int /*index*/) {
    for (int i = 0; i < kRounds; ++i) this->Change();
  }
  void After() { this->ExpectChanges(kThreads * kRounds + before); }

  int before = 0;
};

// A bit that others set, as senders' permits are, is not lost.
struct OthersSetBits : Scenario<2> {
  void Thread(int index) {
    if (index == 0) {
      for (int i = 0; i < 3; ++i) this->Change();
      return;
    }
    std::uint64_t at = this->word.Load(memory_order_relaxed);
    while (!this->word.CompareExchange(at, at | 1)) {
    }
  }
  void After() {
    this->ExpectChanges(3);
    model::Expect((this->word.Load(memory_order_seq_cst) & 1) == 1, "the bit is there");
  }
};

// The last thread waits for changes of the others: each that its look does not see sees it.
template <int kThreads>
struct OneWaits : Scenario<kThreads> {
  static constexpr int kChanges = (kThreads - 1) * 2;

  void Thread(int index) {
    if (index == kThreads - 1) {
      waits.exchange(true, memory_order_seq_cst);
      this->word.BeforeLook();
      seen = static_cast<int>(this->Changes());
      return;
    }
    for (int i = 0; i < 2; ++i) {
      this->Change();
      if (waits.load(memory_order_seq_cst)) woken.store(true, memory_order_relaxed);
    }
  }
  void After() {
    this->ExpectChanges(kChanges);
    model::Expect(seen == kChanges || woken.load(memory_order_relaxed), "nobody sleeps past one");
  }

  model::Atomic<bool> waits{false};
  model::Atomic<bool> woken{false};
  int seen = 0;
};

// The same with the fewest writes that have a bias: the checker knows no value for long.
struct OneWaitsBriefly {
  static constexpr int kThreads = 2;

  void Thread(int index) {
    if (index == 1) {
      waits.exchange(true, memory_order_seq_cst);
      word.BeforeLook();
      seen = word.Load(memory_order_seq_cst) & ~BiasedWord<ModelChannelPolicy>::kBiased;
      return;
    }
    for (int i = 0; i < 2; ++i) {
      word.PassGap(1, true);
      if (waits.load(memory_order_seq_cst)) woken.store(true, memory_order_relaxed);
    }
  }
  void After() {
    model::Expect(seen == 2 || woken.load(memory_order_relaxed), "nobody sleeps past one");
  }

  BiasedWord<ModelChannelPolicy> word;
  model::Atomic<bool> waits{false};
  model::Atomic<bool> woken{false};
  std::uint64_t seen = 0;
};

TEST(BiasedWordModelTest, TwoChange) { CheckWithPreemptions<AllChange<2, 2>>(2); }
TEST(BiasedWordModelTest, TwoChangeOften) { CheckRandomly<AllChange<2, 4>>(50'000); }
TEST(BiasedWordModelTest, TwoChangeAlternately) { CheckWithPreemptions<AllChange<2, 3>>(2); }
TEST(BiasedWordModelTest, ThreeChange) { CheckRandomly<AllChange<3, 3>>(100'000); }
TEST(BiasedWordModelTest, OthersSetBits) { CheckWithPreemptions<OthersSetBits>(2); }
TEST(BiasedWordModelTest, OneWaits) { CheckWithPreemptions<OneWaits<2>>(3); }
TEST(BiasedWordModelTest, OneWaitsForTwo) { CheckRandomly<OneWaits<3>>(100'000); }
TEST(BiasedWordModelTest, OneWaitsBriefly) { CheckWithPreemptions<OneWaitsBriefly>(3); }

// -- Mutations ------------------------------------------------------------------------------

// Not seen are the release of an owner's change, as the light fence, which is none, is an ordinary
// one here, and so does for it; nor the orders of busy_ and of what Revoke() returns, as this
// checker has writes to one word in the order in which they are made.

TEST(BiasedWordMutationTest, TheFencesAreNeeded) {
  for (const char* function : {"LightFence", "HeavyFence"}) {
    ExpectFound<AllChange<2, 2>>(
        Randomly(50'000),
        {.function = function, .access = Access::kFence, .from = memory_order_seq_cst});
  }
}
TEST(BiasedWordMutationTest, AChangeNeedsItsOrder) {
  ExpectFound<OneWaits<3>>(
      Randomly(50'000),
      {.function = "TryCompareExchange", .access = Access::kRmw, .from = memory_order_seq_cst});
}
TEST(BiasedWordMutationTest, TheLookForABiasNeedsItsOrder) {
  ExpectFound<OneWaitsBriefly>(
      WithPreemptions(3),
      {.function = "BeforeLook", .access = Access::kLoad, .from = memory_order_seq_cst});
}

}  // namespace
}  // namespace home::channel_internal
