// Hazard pointers under the model checker: the production headers, with the checker's atomics and
// fences, which free as early as they may. Use of what is freed the checker sees by itself.

#include <atomic>
#include <cstddef>

#include "gtest/gtest.h"
#include "home/queue/hazard_pointers.h"
#include "home/queue/michael_scott_queue.h"
#include "home/queue/queue_test_scenario.h"
#include "home/tools/model/checker.h"

namespace home {
namespace {

using model::Access;
using model::CheckRandomly;
using model::CheckWithPreemptions;
using model::ExpectFound;
using model::Randomly;
using queue_testing::Modelled;
using queue_testing::QueueScenario;
using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_release;
using std::memory_order_seq_cst;

struct Policy : Modelled<HazardPolicy> {
  static constexpr std::size_t kSlots = 2;
  static constexpr std::size_t kMinBatch = 1;
  static constexpr std::size_t kBatchFactor = 0;
};
using Domain = BasicHazardDomain<Policy>;

struct Object : Domain::Object {
  explicit Object(int v) : value(v) {}
  ~Object() { value = 0; }  // For the race with readers.
  model::Data<int> value;
};

// One thread reads what another replaces and retires.
struct ReaderAgainstRetirer {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    Domain::Participant self(domain);
    if (index == 0) {
      Domain::HazardPointer hazard(self);
      model::Expect(hazard.Protect(source)->value == 1, "the object is whole");
    } else {
      Object* const old = source.load(memory_order_acquire);
      source.store(new Object(1), memory_order_release);
      self.Retire(old);
    }
  }
  void After() { delete source.load(memory_order_acquire); }
  Domain domain;
  model::Atomic<Object*> source{new Object(1)};
};

// Whoever has to keep an object leaves it to the others.
struct TwoRetirersAndAReader {
  static constexpr int kThreads = 3;
  void Thread(int index) {
    Domain::Participant self(domain);
    if (index == 0) {
      Domain::HazardPointer hazard(self);
      for (int i = 0; i < 2; ++i) {
        model::Expect(hazard.Protect(source)->value == 1, "the object is whole");
      }
    } else {
      self.Retire(source.exchange(new Object(1), memory_order_acq_rel));
    }
  }
  void After() { delete source.load(memory_order_acquire); }
  Domain domain;
  model::Atomic<Object*> source{new Object(1)};
};

TEST(HazardPointersModelTest, ReaderAgainstRetirer) {
  CheckWithPreemptions<ReaderAgainstRetirer>(1);
  CheckRandomly<ReaderAgainstRetirer>(30'000);
}
TEST(HazardPointersModelTest, TwoRetirersAndAReader) {
  CheckRandomly<TwoRetirersAndAReader>(20'000);
}

TEST(HazardPointersModelTest, ProtectingNeedsAFence) {
  ExpectFound<ReaderAgainstRetirer>(
      Randomly(100'000),
      {.function = "LightFence", .access = Access::kFence, .from = memory_order_seq_cst});
}
TEST(HazardPointersModelTest, LookingNeedsAFence) {
  ExpectFound<ReaderAgainstRetirer>(
      Randomly(100'000),
      {.function = "HeavyFence", .access = Access::kFence, .from = memory_order_seq_cst});
}
TEST(HazardPointersModelTest, EndingAProtectionNeedsRelease) {
  ExpectFound<ReaderAgainstRetirer>(
      Randomly(100'000),
      {.function = "Clear", .access = Access::kStore, .from = memory_order_release});
}
TEST(HazardPointersModelTest, LookingNeedsAcquire) {
  ExpectFound<ReaderAgainstRetirer>(Randomly(100'000), {.function = "ForEachHazard",
                                                        .access = Access::kLoad,
                                                        .type = "Object",
                                                        .from = memory_order_acquire});
}

// -- MichaelScottQueue -------------------------------------------------------------------

// Participates for each operation: there are no thread-locals under the checker.
struct MichaelScott : Modelled<MichaelScottPolicy> {
  using Domain = home::Domain;

  class Access {
   public:
    Access() : participant_(*current) {}
    [[nodiscard]] Domain::Participant& participant() const { return participant_; }
    static inline Domain* current = nullptr;

   private:
    mutable Domain::Participant participant_;
  };
};

struct SetsDomain {
  SetsDomain() { MichaelScott::Access::current = &domain; }
  Domain domain;
};

// The domain has to be there before the queue and after it.
template <int kThreads = 2>
struct Scenario : SetsDomain,
                  QueueScenario<MichaelScottQueue<queue_testing::Handle, MichaelScott>, kThreads> {
};

struct PushAgainstPop : Scenario<> {
  void Thread(int index) { index == 0 ? Push(0) : static_cast<void>(Pop(1)); }
};
struct TwoPushes : Scenario<> {
  void Thread(int index) { Push(index); }
};
struct TwoPops : Scenario<> {
  void Before() {
    Push(kThreads);
    Push(kThreads);
  }
  void Thread(int index) { model::Expect(Pop(index), "there is one for each"); }
};
template <int kThreads, int kRounds>
struct Pairs : Scenario<kThreads> {
  void Thread(int index) {
    for (int i = 0; i < kRounds; ++i) {
      this->Push(index);
      // As every thread pushes before it pops, there is an element for each.
      model::Expect(this->Pop(index), "a completed push is not hidden");
    }
  }
};

TEST(MichaelScottQueueModelTest, PushAgainstPop) { CheckWithPreemptions<PushAgainstPop>(1); }
TEST(MichaelScottQueueModelTest, TwoPushes) { CheckWithPreemptions<TwoPushes>(1); }
TEST(MichaelScottQueueModelTest, TwoPops) { CheckRandomly<TwoPops>(10'000); }
TEST(MichaelScottQueueModelTest, Pairs) { CheckRandomly<Pairs<2, 3>>(10'000); }
TEST(MichaelScottQueueModelTest, ThreePairs) { CheckRandomly<Pairs<3, 2>>(10'000); }

// Its orders are hidden from the checker by the hazard pointers' fences, which are real ones
// here; without these it fails.
TEST(MichaelScottQueueModelTest, NeedsTheFencesOfTheHazardPointers) {
  ExpectFound<Pairs<3, 2>>(
      Randomly(100'000),
      {.function = "LightFence", .access = Access::kFence, .from = memory_order_seq_cst});
  ExpectFound<Pairs<3, 2>>(
      Randomly(100'000),
      {.function = "HeavyFence", .access = Access::kFence, .from = memory_order_seq_cst});
}

}  // namespace
}  // namespace home
