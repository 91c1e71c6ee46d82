// Permits under the model checker: room that is promised, against a close, the end of the
// receivers, and those who give up.

#include <atomic>
#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "home/channel/channel_scenario_testing.h"
#include "home/channel/kinds_testing.h"
#include "home/channel/mpmc.h"
#include "home/tools/model/checker.h"

namespace home {
namespace {

using channel_testing::Faulty;
using channel_testing::Forgetful;
using channel_testing::Mpmc;
using channel_testing::Mpsc;
using channel_testing::Scenario;
using channel_testing::WideBlocks;
using model::Access;
using model::CheckRandomly;
using model::CheckWithPreemptions;
using model::ExpectFound;
using model::Randomly;
using model::WithPreemptions;
using std::memory_order_seq_cst;
using Value = channel_testing::ModelValue;

// The thread with the last number receives: the only one that can of an MpscReceiver.

template <typename Kind>
struct PermitScenario : Scenario<Kind, 3, 1> {
  using Base = Scenario<Kind, 3, 1>;
  using Permit = typename Kind::template Sender<Value>::Permit;

  // Uses a permit or gives it back.
  void Use(int thread, Permit permit) {
    if (model::Choose(2) == 0) return;
    permit.Send(Value(thread * Base::kMost + this->sent[thread]));
    ++this->sent[thread];
  }
};
// There is no room. One who waits for a permit gives up, or gets it as it does: no room is lost.
template <typename Kind>
struct ReserveIsCancelled : PermitScenario<Kind> {
  void Before() {
    PermitScenario<Kind>::Before();
    this->TrySend(2);
  }
  void Thread(int index) {
    if (index == 0) {
      auto reserve = this->senders[0]->Reserve();
      auto polled = this->PollBriefly(0, reserve);
      if (polled.ready()) this->Use(0, *std::move(polled).value());
    } else if (index == 1) {
      this->Send(1);
    } else {
      while (this->next[2][1] == 0) model::Expect(this->Receive(2), "a value comes");
    }
  }
  void After() {
    this->ExpectRoom();
    PermitScenario<Kind>::After();
  }
};
// Two wait for the same permit. Whoever gets it first gives it back.
template <typename Kind>
struct ReserveInTurn : PermitScenario<Kind> {
  void Before() {
    PermitScenario<Kind>::Before();
    this->TrySend(2);
  }
  void Thread(int index) {
    if (index == 2) {
      model::Expect(this->Receive(2), "the value is there");
      return;
    }
    auto reserve = this->senders[index]->Reserve();
    model::Expect(this->tasks[index].Run(reserve).ok(), "nobody closes it");
  }
  void After() {
    this->ExpectRoom();
    PermitScenario<Kind>::After();
  }
};
// A permit that was given before the close can be used, and the receiver waits for that.
template <typename Kind>
struct ReserveAgainstClose : PermitScenario<Kind> {
  void Before() {
    PermitScenario<Kind>::Before();
    this->TrySend(2);
  }
  void Thread(int index) {
    if (index == 0) {
      auto reserve = this->senders[0]->Reserve();
      auto permit = this->tasks[0].Run(reserve);
      if (permit.ok()) this->Use(0, *std::move(permit));
    } else if (index == 1) {
      this->senders[1]->Close();
    } else {
      while (this->Receive(2)) {
      }
    }
  }
  void After() {
    model::Expect(this->next[2][0] == this->sent[0], "what a permit sent is received");
    PermitScenario<Kind>::After();
  }
};
// A permit of a closed channel is used as the last receiver goes: one of the two finds the value,
// and hands it over.
struct PermitAgainstTheEnd : Scenario<Mpmc<WideBlocks>, 2, 1> {
  void Before() {
    Scenario::Before();
    permit = senders[0]->TryReserve();
    senders[0]->Close();
    receivers[0].reset();
  }
  void Thread(int index) {
    if (index == 1) return receivers[1].reset();
    permit->Send(Value(0));
    sent[0] = 1;
  }
  void After() {
    model::Expect(ended[0].load(memory_order_seq_cst) == sent[0], "before the senders go");
    permit.reset();
    Scenario::After();
  }
  std::optional<Permit<Value, WideBlocks>> permit;
};

using MpmcWide = Mpmc<WideBlocks>;
using MpscWide = Mpsc<WideBlocks>;

TEST(PermitModelTest, ReserveIsCancelled) { CheckRandomly<ReserveIsCancelled<MpmcWide>>(20'000); }
TEST(PermitModelTest, ReserveInTurn) { CheckRandomly<ReserveInTurn<MpmcWide>>(20'000); }
TEST(PermitModelTest, AgainstClose) { CheckRandomly<ReserveAgainstClose<MpmcWide>>(20'000); }
TEST(PermitModelTest, AgainstTheEnd) { CheckWithPreemptions<PermitAgainstTheEnd>(2); }
TEST(PermitModelTest, ReserveOfASoleReceiverIsCancelled) {
  CheckRandomly<ReserveIsCancelled<MpscWide>>(20'000);
}
TEST(PermitModelTest, SoleReceiverAgainstClose) {
  CheckRandomly<ReserveAgainstClose<MpscWide>>(20'000);
}

// -- Mutations ------------------------------------------------------------------------------

// Does not take a permit back.
template <typename State>
struct Stingy : State {
  using State::State;
  static void CancelReservation() {}
};

TEST(PermitMutationTest, AWakeUpThatIsLostIsFound) {
  ExpectFound<ReserveIsCancelled<Mpmc<Forgetful>>>(Randomly(50'000));
}
TEST(PermitMutationTest, APermitThatIsLostIsFound) {
  ExpectFound<ReserveInTurn<Faulty<Stingy, Mpmc>>>(Randomly(20'000));
  ExpectFound<ReserveAgainstClose<Faulty<Stingy, Mpsc>>>(Randomly(20'000));
}
TEST(PermitMutationTest, LookingForReceiversNeedsItsOrder) {
  ExpectFound<PermitAgainstTheEnd>(
      WithPreemptions(2),
      {.function = "PushReserved", .access = Access::kLoad, .from = memory_order_seq_cst});
}

}  // namespace
}  // namespace home
