// The rendezvous under the model checker: values that are handed over without room, against those
// who give up.

#include "gtest/gtest.h"
#include "home/channel/channel_scenario_testing.h"
#include "home/channel/kinds_testing.h"
#include "home/tools/model/checker.h"

namespace home {
namespace {

using channel_testing::Faulty;
using channel_testing::Forgetful;
using channel_testing::Mpmc;
using channel_testing::Mpsc;
using channel_testing::Scenario;
using channel_testing::WideBlocks;
using model::CheckRandomly;
using model::ExpectFound;
using model::Randomly;

// The thread with the last number receives: the only one that can of an MpscReceiver.

// One of two senders gives up: the receiver meets the other one.
template <typename Kind>
struct SendIsCancelled : Scenario<Kind, 3, 0> {
  void Thread(int index) {
    if (index == 0) return this->SendBriefly(0);
    if (index == 1) return this->Send(1);
    while (this->next[2][1] == 0) model::Expect(this->Receive(2), "a value comes");
  }
  void After() {
    this->ExpectRoom();
    Scenario<Kind, 3, 0>::After();
  }
};
// One of two receivers gives up, perhaps as a value is on its way to it: the other one gets that.
template <typename Kind>
struct RecvIsCancelled : Scenario<Kind, 3, 0> {
  void Thread(int index) {
    if (index == 0) return this->Send(0);
    if (index == 1) {
      if (this->ReceiveBriefly(1)) this->Send(1);
    } else {
      model::Expect(this->Receive(2), "a value comes");
    }
  }
  void After() {
    this->ExpectRoom();
    Scenario<Kind, 3, 0>::After();
  }
};
// A receiver gives up and waits again.
template <typename Kind>
struct RecvIsRepeated : Scenario<Kind, 2, 0> {
  void Thread(int index) {
    if (index == 0) return this->Send(0);
    this->ReceiveBriefly(1);
    if (this->next[1][0] == 0) model::Expect(this->Receive(1), "a value comes");
  }
  void After() {
    this->ExpectRoom();
    Scenario<Kind, 2, 0>::After();
  }
};
// Both give up.
template <typename Kind>
struct BothAreCancelled : Scenario<Kind, 2, 0> {
  void Thread(int index) {
    if (index == 0) {
      this->SendBriefly(0);
    } else {
      this->ReceiveBriefly(1);
    }
  }
  void After() {
    this->ExpectRoom();
    Scenario<Kind, 2, 0>::After();
  }
};

using MpmcWide = Mpmc<WideBlocks>;
using MpscWide = Mpsc<WideBlocks>;

TEST(RendezvousModelTest, SendIsCancelled) { CheckRandomly<SendIsCancelled<MpmcWide>>(20'000); }
TEST(RendezvousModelTest, SendToASoleReceiverIsCancelled) {
  CheckRandomly<SendIsCancelled<MpscWide>>(20'000);
}
TEST(RendezvousModelTest, RecvIsCancelled) { CheckRandomly<RecvIsCancelled<MpmcWide>>(20'000); }
TEST(RendezvousModelTest, RecvIsRepeated) { CheckRandomly<RecvIsRepeated<MpmcWide>>(20'000); }
TEST(RendezvousModelTest, RecvOfASoleReceiverIsRepeated) {
  CheckRandomly<RecvIsRepeated<MpscWide>>(20'000);
}
TEST(RendezvousModelTest, BothAreCancelled) { CheckRandomly<BothAreCancelled<MpmcWide>>(20'000); }
TEST(RendezvousModelTest, BothAreCancelledOfASoleReceiver) {
  CheckRandomly<BothAreCancelled<MpscWide>>(20'000);
}

// -- Mutations ------------------------------------------------------------------------------

// A receiver that has stopped waiting is still waited for.
template <typename State>
struct Lasting : State {
  using State::State;
  static void Withdraw() {}
};

TEST(RendezvousMutationTest, AWakeUpThatIsLostIsFound) {
  ExpectFound<SendIsCancelled<Mpmc<Forgetful>>>(Randomly(100'000));
  ExpectFound<RecvIsCancelled<Mpmc<Forgetful>>>(Randomly(50'000));
}
TEST(RendezvousMutationTest, AnOfferThatLastsIsFound) {
  ExpectFound<RecvIsRepeated<Faulty<Lasting, Mpsc>>>(Randomly(20'000));
  ExpectFound<BothAreCancelled<Faulty<Lasting, Mpmc>>>(Randomly(20'000));
}

}  // namespace
}  // namespace home
