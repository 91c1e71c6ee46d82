// Parker: behaviour, with the system's futex and with scripted ones.

#include "home/parker/parker.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace home {
namespace {

TEST(ParkerTest, ParkTakesATokenThatIsThere) {
  Parker parker;
  parker.Unpark();
  parker.Park();
  EXPECT_FALSE(parker.TryPark());
}

TEST(ParkerTest, Park) {
  Parker parker;
  int published = 0;
  std::thread peer([&] {
    absl::SleepFor(absl::Milliseconds(1));  // The sleeper most likely sleeps by then.
    published = 1;
    parker.Unpark();
  });
  parker.Park();
  EXPECT_EQ(published, 1);
  peer.join();
}

TEST(ParkerTest, RepeatedUnparks) {
  Parker parker;
  for (int i = 0; i < 10; ++i) parker.Unpark();
  parker.Park();
  EXPECT_FALSE(parker.ParkFor(absl::Milliseconds(1)));
}

TEST(ParkerTest, Timeout) {
  Parker parker;
  for (const absl::Duration timeout : {absl::Nanoseconds(1), absl::Nanoseconds(1) / 4,
                                       absl::Microseconds(3), absl::Milliseconds(20)}) {
    const std::int64_t start = ParkerPolicy::Now();
    EXPECT_FALSE(parker.ParkFor(timeout));
    EXPECT_GE(absl::Nanoseconds(ParkerPolicy::Now() - start), timeout) << "ended early";
  }
  // It is as good as new.
  parker.Unpark();
  EXPECT_TRUE(parker.ParkFor(absl::Seconds(60)));
}

TEST(ParkerTest, TimeoutOfNothingOnlyLooks) {
  Parker parker;
  for (const absl::Duration timeout :
       {absl::ZeroDuration(), absl::Seconds(-1), -absl::InfiniteDuration()}) {
    EXPECT_FALSE(parker.ParkFor(timeout));
    parker.Unpark();
    EXPECT_TRUE(parker.ParkFor(timeout));
  }
}

TEST(ParkerTest, TimeoutBeyondTheClockIsEndless) {
  for (const absl::Duration timeout :
       {absl::InfiniteDuration(), absl::Hours(24) * 365 * 292, absl::Hours(24) * 365 * 10'000,
        absl::Nanoseconds(INT64_MAX), absl::Seconds(INT64_MAX)}) {
    Parker parker;
    std::thread unparker([&] {
      absl::SleepFor(absl::Milliseconds(2));
      parker.Unpark();
    });
    EXPECT_TRUE(parker.ParkFor(timeout));
    unparker.join();
  }
}

TEST(ParkerTest, Handle) {
  Parker parker;
  Parker other;
  const Unparker handle = parker.unparker();
  const Unparker copy = handle;
  EXPECT_EQ(handle, copy);
  EXPECT_FALSE(handle == other.unparker());
  std::thread peer([copy] { copy.Unpark(); });
  parker.Park();
  peer.join();
  EXPECT_FALSE(parker.TryPark());
  EXPECT_FALSE(other.TryPark());
}

TEST(ParkerTest, ConcurrentUnpark) {
  // Every unpark that finds no token yields one park: with several unparkers the tokens taken
  // are at least one, at most as many as the calls, and the last call is never lost.
  Parker parker;
  constexpr int kUnparkers = 4;
  constexpr int kRounds = 2'000;
  std::atomic<int> finished = 0;
  std::vector<std::thread> unparkers;
  for (int u = 0; u < kUnparkers; ++u) {
    unparkers.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) parker.Unpark();
      ++finished;
      parker.Unpark();
    });
  }
  int tokens = 0;
  while (finished.load() < kUnparkers) {
    parker.Park();
    ++tokens;
  }
  for (std::thread& unparker : unparkers) unparker.join();
  tokens += parker.TryPark() ? 1 : 0;
  EXPECT_GE(tokens, 1);
  EXPECT_LE(tokens, kUnparkers * (kRounds + 1));
  EXPECT_FALSE(parker.TryPark());
}

// Two threads that hand a plain counter back and forth: no wake-up lost, each hand-over
// ordered.
TEST(ParkerTest, PingPong) {
  constexpr int kRounds = 20'000;
  Parker ping;
  Parker pong;
  int counter = 0;
  std::thread peer([&] {
    for (int i = 0; i < kRounds; ++i) {
      pong.Park();
      ++counter;
      ping.Unpark();
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    ++counter;
    pong.Unpark();
    ping.Park();
    ASSERT_EQ(counter, 2 * (i + 1));
  }
  peer.join();
}

// The same with sleepers that give up all the time, at random moments: a token that arrives
// with the deadline is either reported or kept.
TEST(ParkerTest, TokenIsNeverLostToATimeout) {
  constexpr int kRounds = 5'000;
  Parker ping;
  Parker pong;
  const auto park = [](Parker& parker, int i) {
    while (!parker.ParkFor(absl::Nanoseconds(1'000 + 977 * (i % 100)))) {
    }
  };
  std::thread peer([&] {
    for (int i = 0; i < kRounds; ++i) {
      park(pong, i);
      ping.Unpark();
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    pong.Unpark();
    park(ping, i);
    ASSERT_FALSE(ping.TryPark()) << "a token out of nothing";
  }
  peer.join();
}

// The parked thread frees the parker as soon as it is released, while Unpark() is still
// on its way out. AddressSanitizer watches.
TEST(ParkerTest, UnparkTouchesNothingAfterItsReleasingStore) {
  for (int i = 0; i < 2'000; ++i) {
    auto parker = std::make_unique<Parker>();
    Parker* const raw = parker.get();
    std::thread sleeper([owned = std::move(parker)]() mutable {
      owned->Park();
      owned.reset();
    });
    if (i % 2 == 0) std::this_thread::yield();
    raw->Unpark();
    sleeper.join();
  }
}

// -- Counted atomics ---------------------------------------------------------------

// Counts what is done to the word.
template <typename U>
class CountedAtomic : public std::atomic<U> {
 public:
  using std::atomic<U>::atomic;

  U exchange(U value, std::memory_order order) {
    ++accesses;
    return std::atomic<U>::exchange(value, order);
  }
  U load(std::memory_order order) const {
    ++accesses;
    return std::atomic<U>::load(order);
  }
  U fetch_sub(U value, std::memory_order order) {
    ++accesses;
    return std::atomic<U>::fetch_sub(value, order);
  }

  static inline int accesses;
};

struct CountingPolicy : ParkerPolicy {
  template <typename U>
  using Atomic = CountedAtomic<U>;

  static void Wake(const Atomic<std::uint32_t>*) { ++wakes; }

  static inline int wakes;
};

TEST(ParkerTest, UnparkOfARunningThreadIsOneAtomicAccess) {
  BasicParker<CountingPolicy> parker;
  for (int token = 0; token < 2; ++token) {
    CountedAtomic<std::uint32_t>::accesses = 0;
    parker.Unpark();
    EXPECT_EQ(CountedAtomic<std::uint32_t>::accesses, 1);
  }
  EXPECT_EQ(CountingPolicy::wakes, 0);
}

// -- Scripted futexes --------------------------------------------------------------

// Counts wake-ups, and lets a test decide what a wait does.
struct ScriptedPolicy {
  template <typename U>
  using Atomic = std::atomic<U>;

  static constexpr int kMinSpins = 2;
  static constexpr int kMaxSpins = 8;
  static void Relax() {
    ++relaxes;
    if (on_relax) on_relax();
  }
  static std::int64_t Now() { return 1'000; }
  static bool Wait(const Atomic<std::uint32_t>&, std::uint32_t, std::int64_t deadline) {
    ++waits;
    last_deadline = deadline;
    return on_wait();
  }
  static void Wake(const Atomic<std::uint32_t>*) { ++wakes; }

  static inline int relaxes;
  static inline int waits;
  static inline int wakes;
  static inline std::int64_t last_deadline;
  static inline std::function<void()> on_relax;
  static inline std::function<bool()> on_wait;
};

class ScriptedParkerTest : public testing::Test {
 protected:
  ScriptedParkerTest() {
    ScriptedPolicy::relaxes = ScriptedPolicy::waits = ScriptedPolicy::wakes = 0;
    ScriptedPolicy::on_relax = nullptr;
  }
  BasicParker<ScriptedPolicy> parker_;
};

TEST_F(ScriptedParkerTest, UnparkOfARunningThreadMakesNoSystemCall) {
  parker_.Unpark();
  parker_.Unpark();
  parker_.Park();
  EXPECT_EQ(ScriptedPolicy::wakes, 0);
  EXPECT_EQ(ScriptedPolicy::waits, 0);
}

TEST_F(ScriptedParkerTest, UnparkOfASleeperWakesOnce) {
  ScriptedPolicy::on_wait = [&] {
    parker_.Unpark();
    parker_.Unpark();
    return true;
  };
  parker_.Park();
  EXPECT_EQ(ScriptedPolicy::wakes, 1);
  EXPECT_FALSE(parker_.TryPark());
}

TEST_F(ScriptedParkerTest, SpuriousWakeUpsAreNotSeen) {
  ScriptedPolicy::on_wait = [&] {
    if (ScriptedPolicy::waits == 10) parker_.Unpark();
    return true;
  };
  parker_.Park();
  EXPECT_EQ(ScriptedPolicy::waits, 10);
}

TEST_F(ScriptedParkerTest, TokenThatComesWithTheDeadlineIsTaken) {
  ScriptedPolicy::on_wait = [&] {
    parker_.Unpark();
    return false;
  };
  EXPECT_TRUE(parker_.ParkFor(absl::Nanoseconds(5)));
  EXPECT_EQ(ScriptedPolicy::last_deadline, 1'005);
  EXPECT_FALSE(parker_.TryPark());
}

TEST_F(ScriptedParkerTest, AfterATimeoutNobodyIsTakenToSleep) {
  ScriptedPolicy::on_wait = [] { return false; };
  EXPECT_FALSE(parker_.ParkFor(absl::Nanoseconds(5)));
  parker_.Unpark();
  EXPECT_EQ(ScriptedPolicy::wakes, 0);
  EXPECT_TRUE(parker_.TryPark());
}

TEST_F(ScriptedParkerTest, FractionsOfANanosecondAreRoundedUp) {
  ScriptedPolicy::on_wait = [] { return false; };
  EXPECT_FALSE(parker_.ParkFor(absl::Nanoseconds(5) + absl::Nanoseconds(1) / 4));
  EXPECT_EQ(ScriptedPolicy::last_deadline, 1'006);
}

TEST_F(ScriptedParkerTest, SpinGrowsWhileItPaysAndShrinksWhileItDoesNot) {
  const auto spins_of_a_failed_park = [&] {
    ScriptedPolicy::on_relax = nullptr;
    ScriptedPolicy::on_wait = [] { return false; };
    ScriptedPolicy::relaxes = 0;
    EXPECT_FALSE(parker_.ParkFor(absl::Nanoseconds(5)));
    return ScriptedPolicy::relaxes;
  };
  EXPECT_EQ(spins_of_a_failed_park(), 2);
  for (int i = 0; i < 5; ++i) {
    ScriptedPolicy::on_relax = [&] { parker_.Unpark(); };
    parker_.Park();
  }
  EXPECT_EQ(spins_of_a_failed_park(), 8);
  EXPECT_EQ(spins_of_a_failed_park(), 4);
  // A token that is there already says nothing about spinning.
  parker_.Unpark();
  parker_.Park();
  EXPECT_EQ(spins_of_a_failed_park(), 2);
  EXPECT_EQ(spins_of_a_failed_park(), 2);
}

}  // namespace
}  // namespace home
