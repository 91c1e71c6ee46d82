// Weak senders, and the last of each kind of handle, under the model checker.

#include <atomic>
#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "home/channel/channel_scenario_testing.h"
#include "home/channel/kinds_testing.h"
#include "home/tools/model/atomic.h"
#include "home/tools/model/checker.h"

namespace home {
namespace {

using channel_testing::Faulty;
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
using std::memory_order_acq_rel;
using Value = channel_testing::ModelValue;

// The thread with the last number receives: the only one that can of an MpscReceiver.

// The first thread has the only sender; all have weak ones.
template <typename Kind, int kThreadCount>
struct WeakScenario : Scenario<Kind, kThreadCount, 2> {
  using Base = Scenario<Kind, kThreadCount, 2>;
  using Weak = decltype(std::declval<typename Kind::template Sender<Value>>().Downgrade());

  void Before() {
    Base::Before();
    for (auto& weak : weaks) weak.emplace(this->senders[0]->Downgrade());
    for (int i = 1; i < kThreadCount; ++i) this->senders[i].reset();
  }
  // Whether it had a sender, with which it has sent.
  bool SendWeakly(int thread) {
    auto sender = weaks[thread]->Upgrade();
    if (!sender.has_value()) return false;
    this->senders[thread].emplace(*std::move(sender));
    const int before = this->sent[thread];
    this->TrySend(thread);
    model::Expect(this->sent[thread] == before + 1, "the channel is open, with room for each");
    this->senders[thread].reset();
    return true;
  }
  void Leave(int thread) {
    this->senders[thread].reset();
    weaks[thread].reset();
  }
  void After() {
    for (auto& weak : weaks) weak.reset();
    Base::After();
  }

  std::optional<Weak> weaks[kThreadCount];
};
// The only sender goes as another comes from a weak one: it gets through to an open channel, or
// there is none. The receiver gets all and sees the end, after which none comes.
template <typename Kind>
struct LastSenderGoes : WeakScenario<Kind, 3> {
  void Thread(int index) {
    if (index == 0) {
      this->TrySend(0);
    } else if (index == 1) {
      this->SendWeakly(1);
    } else {
      while (this->Receive(2)) {
      }
      model::Expect(!this->SendWeakly(2), "the end is one for ever");
      for (int i = 0; i < 2; ++i) seen += this->next[2][i];
    }
    this->Leave(index);
  }
  void After() {
    model::Expect(seen == this->sent[0] + this->sent[1], "all was received");
    WeakScenario<Kind, 3>::After();
  }
  int seen = 0;
};
// The same without a receiver that waits, through each step of the two.
template <typename Kind>
struct UpgradeAgainstDrop : WeakScenario<Kind, 2> {
  void Thread(int index) {
    if (index == 1) this->SendWeakly(1);
    this->Leave(index);
  }
  void After() {
    model::Expect(this->receivers[1]->IsClosed(), "nobody can send any more");
    WeakScenario<Kind, 2>::After();
  }
};
// The last sender, the last receiver and the last weak sender: one of them frees the memory.
template <typename Kind>
struct AllGo : WeakScenario<Kind, 3> {
  void Thread(int index) {
    if (index == 0) {
      this->TrySend(0);
      this->senders[0].reset();
    } else if (index == 1) {
      for (auto& weak : this->weaks) weak.reset();
    } else {
      for (auto& receiver : this->receivers) receiver.reset();
    }
  }
};
// Whoever sees the end sees what all senders did.
template <typename Kind>
struct EndIsSeen : Scenario<Kind, 3, 2> {
  void Before() {
    Scenario<Kind, 3, 2>::Before();
    this->senders[2].reset();
  }
  void Thread(int index) {
    if (index != 2) {
      notes[index] = 1;
      return this->senders[index].reset();
    }
    model::Expect(!this->Receive(2), "nothing was sent");
    model::Expect(notes[0] == 1 && notes[1] == 1, "what precedes the end");
  }
  model::Data<int> notes[2] = {0, 0};
};

using MpmcWide = Mpmc<WideBlocks>;
using MpscWide = Mpsc<WideBlocks>;

TEST(WeakModelTest, LastSenderGoes) { CheckRandomly<LastSenderGoes<MpmcWide>>(20'000); }
TEST(WeakModelTest, LastSenderGoesFromASoleReceiver) {
  CheckRandomly<LastSenderGoes<MpscWide>>(20'000);
}
TEST(WeakModelTest, UpgradeAgainstDrop) { CheckWithPreemptions<UpgradeAgainstDrop<MpmcWide>>(3); }
TEST(WeakModelTest, AllGo) { CheckRandomly<AllGo<MpmcWide>>(20'000); }
TEST(WeakModelTest, AllGoFromASoleReceiver) { CheckRandomly<AllGo<MpscWide>>(20'000); }
TEST(WeakModelTest, EndIsSeen) { CheckRandomly<EndIsSeen<MpmcWide>>(20'000); }

// -- Mutations ------------------------------------------------------------------------------

// Looks whether there is a sender, and then counts a further one.
template <typename State>
struct Rash : State {
  using State::State;
  bool TryAddSender() {
    if (this->IsClosed()) return false;
    this->AddSender();
    return true;
  }
};
TEST(WeakMutationTest, AnUpgradeInTwoStepsIsFound) {
  ExpectFound<LastSenderGoes<Faulty<Rash, Mpmc>>>(Randomly(200'000));
  ExpectFound<UpgradeAgainstDrop<Faulty<Rash, Mpmc>>>(WithPreemptions(3));
}
TEST(WeakMutationTest, DroppingASenderNeedsBoth) {
  ExpectFound<EndIsSeen<MpmcWide>>(
      Randomly(20'000),
      {.function = "DropSender", .access = Access::kRmw, .from = memory_order_acq_rel});
}
TEST(WeakMutationTest, ReleasingNeedsBoth) {
  ExpectFound<AllGo<MpscWide>>(
      Randomly(20'000),
      {.function = "Release", .access = Access::kRmw, .from = memory_order_acq_rel});
}

}  // namespace
}  // namespace home
