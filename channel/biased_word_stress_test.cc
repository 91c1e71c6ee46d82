// A biased word between threads of the machine, with a bias after each block: with stores that a
// real light fence leaves where they are, no change is lost and what it hands over is whole.

#include <atomic>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "home/channel/biased_word.h"
#include "home/channel/channel_policy.h"

namespace home::channel_internal {
namespace {

struct EagerPolicy : ChannelPolicy {
  static constexpr std::uint8_t kTurnsToBias = 1;
  static constexpr std::uint8_t kMostTurnsToBias = 1;
};
using Word = BiasedWord<EagerPolicy>;

// Even numbers are cells, odd ones gaps, as in biased_word_model_test.
constexpr std::uint64_t kOne = Word::kBiased << 1;

class Counter {
 public:
  void Change() {
    int attempt = 0;
    std::uint64_t at = word_.Load(std::memory_order_acquire);
    while (true) {
      if ((at / kOne) % 2 == 1) {
        EagerPolicy::Relax(attempt++);
        at = word_.Load(std::memory_order_acquire);
      } else if (word_.CompareExchange(at, at + kOne)) {
        break;
      }
    }
    ++in_gap_;
    word_.PassGap(kOne, true);
  }
  // One who waits: what it does not see after this sees it.
  std::uint64_t Look() {
    word_.BeforeLook();
    return word_.Load(std::memory_order_seq_cst) / kOne / 2;
  }
  [[nodiscard]] std::uint64_t in_gap() const { return in_gap_; }

 private:
  Word word_;
  std::uint64_t in_gap_ = 0;
};

TEST(BiasedWordStressTest, NoChangeIsLost) {
  constexpr int kThreads = 3;
  constexpr int kRuns = 300;
  Counter counter;
  std::atomic<std::uint64_t> changes{0};
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&counter, &changes, i] {
      std::minstd_rand random(static_cast<unsigned>(i) + 1);
      std::uint64_t mine = 0;
      for (int run = 0; run < kRuns; ++run) {
        const unsigned length = 1 + random() % 64;
        for (unsigned step = 0; step < length; ++step) counter.Change();
        mine += length;
      }
      changes += mine;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.Look(), changes);
  EXPECT_EQ(counter.in_gap(), changes);
}

// As a channel's waiters: who announces itself and then does not see a change is seen by it.
TEST(BiasedWordStressTest, NoneWaitsForAChangeThatWasThere) {
  constexpr int kRounds = 300;
  Counter counter;
  std::atomic<int> waits{0};    // The round in which one waits.
  std::atomic<int> noticed{0};  // The last one that a change has seen.
  std::atomic<bool> ends{false};
  std::atomic<std::uint64_t> changed{0};
  std::thread owner([&] {
    while (!ends) {
      counter.Change();
      noticed = waits.load(std::memory_order_seq_cst);
      ++changed;
    }
  });
  for (int round = 1; round <= kRounds; ++round) {
    // An RMW, as WaitQueue's.
    waits.exchange(round, std::memory_order_seq_cst);
    const std::uint64_t seen = counter.Look();
    // Each change after that one looks for who waits; the first at the latest has noticed it.
    while (changed.load() < seen + 1) std::this_thread::yield();
    EXPECT_EQ(noticed.load(), round);
  }
  ends = true;
  owner.join();
}

}  // namespace
}  // namespace home::channel_internal
