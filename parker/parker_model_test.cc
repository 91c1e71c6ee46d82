// Parker under the model checker: every interleaving and every value that a weak memory may
// return, with a futex that returns for no reason and deadlines that come at any time.

#include <atomic>
#include <cstdint>
#include <memory>

#include "gtest/gtest.h"
#include "home/parker/futex.h"
#include "home/parker/model_policy_testing.h"
#include "home/parker/parker.h"
#include "home/tools/model/atomic.h"
#include "home/tools/model/checker.h"
#include "home/tools/model/weakening.h"

namespace home {
namespace {

using model::Access;
using model::CheckExhaustively;
using model::CheckRandomly;
using model::Exhaustively;
using model::Expect;
using model::ExpectFound;
using model::Weakening;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;

using ModelParker = BasicParker<ModelPolicy>;

// What comes before the Unpark() is seen after the Park().
struct ParkUnpark : ModelScenario {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index == 0) {
      parker.Park();
      Expect(payload == 1, "the payload came with the token");
      Expect(!parker.TryPark(), "one token");
    } else {
      payload = 1;
      parker.Unpark();
    }
  }
  ModelParker parker;
  model::Data<int> payload{0};
};

TEST(ParkerModelTest, ParkUnpark) { CheckExhaustively<ParkUnpark>(); }

// The same with a look for the token before the sleep.
struct SpinningPolicy : ModelPolicy {
  static constexpr int kMinSpins = 1;
  static constexpr int kMaxSpins = 2;
};

struct SpinThenPark : ModelScenario {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index == 0) {
      parker.Park();
      Expect(payload == 1, "the payload came with the token");
    } else {
      payload = 1;
      parker.Unpark();
    }
  }
  BasicParker<SpinningPolicy> parker;
  model::Data<int> payload{0};
};

TEST(ParkerModelTest, SpinThenPark) { CheckExhaustively<SpinThenPark>(); }

// A token that comes with the deadline is either reported or kept.
struct Timeout : ModelScenario {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index == 0) {
      if (!parker.ParkUntil(ModelPolicy::kSomeDeadline)) parker.Park();
      Expect(payload == 1, "the payload came with the token");
      Expect(!parker.TryPark(), "one token");
    } else {
      payload = 1;
      parker.Unpark();
    }
  }
  ModelParker parker;
  model::Data<int> payload{0};
};

TEST(ParkerModelTest, Timeout) { CheckExhaustively<Timeout>(); }

// Several tokens may become one, and what came before each of them is seen: or the parked
// thread would sleep though both have called.
template <bool kTimed>
struct TwoUnparkers : ModelScenario {
  static constexpr int kThreads = 3;
  void Thread(int index) {
    if (index == 0) {
      while (calls.load(memory_order_relaxed) < 2) {
        if constexpr (kTimed) {
          if (parker.ParkUntil(ModelPolicy::kSomeDeadline)) continue;
        }
        parker.Park();
      }
    } else {
      calls.fetch_add(1, memory_order_relaxed);
      parker.Unpark();
    }
  }
  ModelParker parker;
  model::Atomic<int> calls{0};
};

TEST(ParkerModelTest, TwoUnparkers) { model::CheckWithPreemptions<TwoUnparkers<false>>(3); }
TEST(ParkerModelTest, TwoUnparkersRandomly) { CheckRandomly<TwoUnparkers<false>>(100'000); }
TEST(ParkerModelTest, TwoUnparkersAndTimeouts) { CheckRandomly<TwoUnparkers<true>>(100'000); }

// The object dies inside its own wake-up: the parked thread frees the parker the moment that
// it has the token.
struct Lifetime : ModelScenario {
  static constexpr int kThreads = 2;
  void Before() {
    owner = std::make_unique<ModelParker>();
    parker = owner.get();
  }
  void Thread(int index) {
    if (index == 0) {
      if (!owner->ParkUntil(ModelPolicy::kSomeDeadline)) owner->Park();
      owner.reset();
    } else {
      parker->Unpark();
    }
  }
  std::unique_ptr<ModelParker> owner;
  ModelParker* parker = nullptr;
};

TEST(ParkerModelTest, UnparkTouchesNothingAfterItsReleasingStore) { CheckExhaustively<Lifetime>(); }

// That the checker would see it: an Unpark() that looks once more.
struct LooksAgain : Lifetime {
  void Thread(int index) {
    Lifetime::Thread(index);
    if (index == 1) static_cast<void>(parker->TryPark());
  }
};

TEST(ParkerModelTest, TouchAfterTheReleasingStoreIsFound) {
  ExpectFound<LooksAgain>(Exhaustively());
}

// Two threads that hand a plain counter back and forth.
struct PingPong : ModelScenario {
  static constexpr int kThreads = 2;
  static constexpr int kRounds = 3;
  void Thread(int index) {
    for (int round = 0; round < kRounds; ++round) {
      if (index == 0) {
        counter = counter + 1;
        pong.Unpark();
        ping.Park();
        Expect(counter == 2 * (round + 1), "the other's turn is seen");
      } else {
        pong.Park();
        counter = counter + 1;
        ping.Unpark();
      }
    }
  }
  ModelParker ping;
  ModelParker pong;
  model::Data<int> counter{0};
};

TEST(ParkerModelTest, PingPong) { CheckRandomly<PingPong>(50'000); }

// -- Mutations -------------------------------------------------------------------

constexpr Weakening kUnpark{
    .function = "Unpark", .access = Access::kRmw, .from = memory_order_release};

TEST(ParkerModelTest, UnparkNeedsRelease) {
  ExpectFound<ParkUnpark>(Exhaustively(), kUnpark);
  ExpectFound<TwoUnparkers<false>>(model::Randomly(100'000), kUnpark);
}

TEST(ParkerModelTest, TokenThatIsThereNeedsAcquire) {
  ExpectFound<ParkUnpark>(
      Exhaustively(),
      {.function = "TakeOrAnnounce", .access = Access::kRmw, .from = memory_order_acquire});
}

TEST(ParkerModelTest, TokenAfterASleepNeedsAcquire) {
  ExpectFound<ParkUnpark>(
      Exhaustively(),
      {.function = "TryPark", .access = Access::kRmw, .from = memory_order_acquire});
}

TEST(ParkerModelTest, TokenAtTheLastMomentNeedsAcquire) {
  ExpectFound<Timeout>(
      Exhaustively(), {.function = "GiveUp", .access = Access::kRmw, .from = memory_order_acquire});
}

}  // namespace
}  // namespace home
