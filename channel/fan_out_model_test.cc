// Broadcast and watch under the model checker: sending, waiting, giving up, receivers that come and
// go, and the last sender's end against one another.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "home/channel/broadcast.h"
#include "home/channel/model_policy_testing.h"
#include "home/channel/watch.h"
#include "home/sync/model_testing.h"
#include "home/tools/model/checker.h"

namespace home {
namespace {

using channel_testing::ModelChannelPolicy;
using model::Access;
using model::CheckRandomly;
using model::ExpectFound;
using model::Randomly;
using std::memory_order_acquire;
using std::memory_order_release;
using sync_testing::ModelTask;

constexpr int kSent = 2;

// One sends, and goes. Two receive.
template <typename Sender, typename Receiver>
struct Scenario {
  static constexpr int kThreads = 3;

  void Open(std::pair<Sender, Receiver> ends) {
    sender.emplace(std::move(ends.first));
    for (auto& receiver : receivers) receiver.emplace(ends.second);
  }

  void SendAll() {
    for (int i = 0; i < kSent; ++i) {
      sent[i] = i + 1;
      sender->Send(i + 1);
    }
    sender.reset();
  }
  // Whoever has got `value` sees what precedes its sending.
  void ExpectSeen(int value) { model::Expect(sent[value - 1] == value, "what precedes"); }
  void After() {
    for (auto& receiver : receivers) receiver.reset();
    for (ModelTask& task : tasks) model::Expect(task.wakers() == 0, "no waker is left");
  }

  std::optional<Sender> sender;
  std::optional<Receiver> receivers[2];
  ModelTask tasks[kThreads];
  model::Data<int> sent[kSent];
};

using ModelBroadcast =
    Scenario<BroadcastSender<int, ModelChannelPolicy>, BroadcastReceiver<int, ModelChannelPolicy>>;
template <std::size_t kCapacity>
struct Broadcast : ModelBroadcast {
  void Before() { Open(MakeBroadcast<int, ModelChannelPolicy>(kCapacity)); }

  void Thread(int index) {
    if (index == 0) return SendAll();
    auto& receiver = *receivers[index - 1];
    // One gives up once: it loses nothing by that.
    if (index == 1) {
      auto dropped = receiver.Recv();
      auto polled = tasks[1].PollOnce(dropped);
      if (polled.ready() && !Got(index, *polled)) return;
    }
    while (true) {
      auto receive = receiver.Recv();
      if (!Got(index, tasks[index].Run(receive))) return;
    }
  }
  // False at the end.
  bool Got(int index, const std::optional<Broadcasted<int>>& received) {
    int& last = lasts[index - 1];
    if (!received) {
      model::Expect(last == kSent, "the last one, too");
      return false;
    }
    model::Expect(received->value() == last + 1 + static_cast<int>(received->missed()), "in order");
    model::Expect(kCapacity == 1 || received->missed() == 0, "all");
    last = received->value();
    ExpectSeen(last);
    return true;
  }

  int lasts[2] = {};
};

// One sends; a receiver is made meanwhile, and one goes. What each Send() said is the number of
// receivers that it reached. `kLooksTooEarly`: the new one looks where it begins before it is
// counted, which is wrong.
template <std::size_t kCapacity, bool kLooksTooEarly = false>
struct BroadcastInPassing : ModelBroadcast {
  using State = channel_internal::BroadcastState<int, ModelChannelPolicy>;
  using Receiver = BroadcastReceiver<int, ModelChannelPolicy>;

  void Before() {
    state = std::make_shared<State>(kCapacity);
    sender.emplace(state);
    other_sender.emplace(*sender);
    receivers[0].emplace(state, 0);
  }

  void Thread(int index) {
    if (index == 0) {
      for (int i = 0; i < kSent; ++i) {
        sent[i] = i + 1;
        reached[i] = static_cast<int>(sender->Send(i + 1));
      }
      sender.reset();
    } else if (index == 1) {
      Receiver receiver = Subscribe();
      other_sender.reset();
      while (true) {
        auto receive = receiver.Recv();
        const auto received = tasks[1].Run(receive);
        if (!received) return;
        Note(*received, got_by_new);
      }
    } else {
      {
        auto receive = receivers[0]->Recv();
        auto polled = tasks[2].PollOnce(receive);
        if (polled.ready() && *polled) Note(**polled, got_by_old);
      }
      receivers[0].reset();
    }
  }
  Receiver Subscribe() {
    if (!kLooksTooEarly) return other_sender->Subscribe();
    const std::uint64_t position = state->AddReceiver();
    state->DropReceiver();
    static_cast<void>(state->AddReceiver());
    return Receiver(state, position);
  }
  // It got the value, or knows that it missed it.
  void Note(const Broadcasted<int>& received, bool (&got)[kSent]) {
    const int missed = static_cast<int>(received.missed());
    model::Expect(received.value() > missed, "no more is missed than was sent");
    for (int value = received.value() - missed; value <= received.value(); ++value) {
      model::Expect(!got[value - 1], "each once");
      got[value - 1] = true;
      ExpectSeen(value);
    }
  }
  void After() {
    int before = 1;
    for (int i = 0; i < kSent; ++i) {
      const int old = reached[i] - (got_by_new[i] ? 1 : 0);
      model::Expect(old == 0 || old == before, "it reaches whom it counts, until that one goes");
      model::Expect(old == 1 || !got_by_old[i], "it counts whom it reaches");
      before = old;
    }
    ModelBroadcast::After();
    state.reset();
  }

  std::shared_ptr<State> state;
  std::optional<BroadcastSender<int, ModelChannelPolicy>> other_sender;
  int reached[kSent] = {};
  bool got_by_new[kSent] = {};
  bool got_by_old[kSent] = {};
};

using ModelWatch =
    Scenario<WatchSender<int, ModelChannelPolicy>, WatchReceiver<int, ModelChannelPolicy>>;
struct Watch : ModelWatch {
  void Before() { Open(MakeWatch<int, ModelChannelPolicy>(0)); }

  void Thread(int index) {
    if (index == 0) return SendAll();
    auto& receiver = *receivers[index - 1];
    int last = 0;
    if (index == 1) {
      auto dropped = receiver.Changed();
      auto polled = tasks[1].PollOnce(dropped);
      // Its value is not looked at.
      if (polled.ready()) last = *polled ? 0 : kSent;
    }
    while (true) {
      auto changed = receiver.Changed();
      if (!tasks[index].Run(changed)) break;
      // Before the look, which may take the mutex.
      ExpectSeen(1);
      last = *receiver.BorrowAndUpdate();
      ExpectSeen(last);
    }
    model::Expect(last == kSent || *receiver.Borrow() == kSent, "the last one");
  }
};

// One waits for the last value, one for none that comes: each is told of the end, and that one gets
// what it waits for. `kSeesTooMuch`: what came since its look counts as seen, which is wrong.
template <bool kSeesTooMuch = false>
struct WatchFor : ModelWatch {
  void Before() { Open(MakeWatch<int, ModelChannelPolicy>(0)); }

  void Thread(int index) {
    if (index == 0) return SendAll();
    auto& receiver = *receivers[index - 1];
    const int wanted = index == 1 ? kSent : kSent + 1;
    const auto is_wanted = [wanted](int value) { return value == wanted; };
    // One gives up once: it loses nothing by that.
    if (index == 1) {
      auto dropped = receiver.WaitFor(is_wanted);
      auto polled = tasks[1].PollOnce(dropped);
      if (polled.ready()) return ExpectFoundIf(true, *polled);
    }
    if (kSeesTooMuch) return ExpectFoundIf(index == 1, WaitForWrongly(index, wanted));
    auto wait = receiver.WaitFor(is_wanted);
    ExpectFoundIf(index == 1, tasks[index].Run(wait));
  }

  using Snapshot = WatchReceiver<int, ModelChannelPolicy>::Snapshot;
  void ExpectFoundIf(bool is_sent, const Snapshot& found) {
    model::Expect(static_cast<bool>(found) == is_sent, "the last one, or the end");
    for (int value = 1; value <= kSent; ++value) ExpectSeen(value);
  }
  Snapshot WaitForWrongly(int index, int wanted) {
    auto& receiver = *receivers[index - 1];
    while (true) {
      const Snapshot value = receiver.Borrow();
      if (*value == wanted) return value;
      static_cast<void>(receiver.BorrowAndUpdate());
      auto changed = receiver.Changed();
      if (!tasks[index].Run(changed)) return Snapshot();
    }
  }
};

TEST(BroadcastModelTest, WhoKeepsUp) { CheckRandomly<Broadcast<2>>(20'000); }
TEST(BroadcastModelTest, WhoMisses) { CheckRandomly<Broadcast<1>>(20'000); }
TEST(BroadcastModelTest, ReceiversComeAndGo) { CheckRandomly<BroadcastInPassing<2>>(20'000); }
TEST(BroadcastModelTest, ReceiversComeAndGoAndMiss) {
  CheckRandomly<BroadcastInPassing<1>>(20'000);
}
TEST(WatchModelTest, Versions) { CheckRandomly<Watch>(20'000); }
TEST(WatchModelTest, WaitFor) { CheckRandomly<WatchFor<>>(20'000); }

// -- Mutations ------------------------------------------------------------------------------

TEST(BroadcastMutationTest, AReceiverThatLooksBeforeItIsCountedIsFound) {
  ExpectFound<BroadcastInPassing<2, /*kLooksTooEarly=*/true>>(Randomly(20'000));
}
TEST(WatchMutationTest, SendingNeedsRelease) {
  ExpectFound<Watch>(Randomly(50'000),
                     {.function = "Send", .access = Access::kStore, .from = memory_order_release});
}
TEST(WatchMutationTest, LookingAtTheVersionNeedsAcquire) {
  ExpectFound<Watch>(
      Randomly(50'000),
      {.function = "version", .access = Access::kLoad, .from = memory_order_acquire});
}
TEST(WatchMutationTest, AValueThatCountsAsSeenBeforeTheLookIsFound) {
  ExpectFound<WatchFor</*kSeesTooMuch=*/true>>(Randomly(20'000));
}

}  // namespace
}  // namespace home
