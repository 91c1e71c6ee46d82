// Random histories of Sender and MpscSender channels, with sends and receipts that are given up
// and tasks that are aborted, against a specification: see home/sync/history_testing.h.

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "home/channel/channel_spec_testing.h"
#include "home/channel/kinds_testing.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/scheduler/runtime.h"
#include "home/sync/history_testing.h"

namespace home::sync_testing {
namespace {

constexpr int kRounds = 5;

using Kind = ChannelSpec::Kind;

template <typename Sender>
using PermitOf = typename Sender::Permit;

template <typename Sender>
Async<void> UsePermit(History<ChannelSpec>* history, PermitOf<Sender> permit, int value) {
  Held<ChannelSpec, PermitOf<Sender>> held(history, std::move(permit), {.kind = Kind::kDropPermit});
  co_await Turns(Draw(3));
  if (Draw(3) != 0) {
    RecordNow(history, {.kind = Kind::kSendReserved, .argument = value}, [&] {
      held.Take().Send(value);
      return value;
    });
  }
}

template <typename Sender>
Async<void> SendSome(History<ChannelSpec>* history, Held<ChannelSpec, Sender> held, int first) {
  Sender& sender = held.guard();
  for (int value = first; value < first + kRounds; ++value) {
    const auto result = [value](const auto& sent) {
      return sent.ok() ? value : ChannelSpec::kClosed;
    };
    switch (Draw(9)) {
      case 0:
        if (Draw(3) != 0) break;
        RecordNow(history, {.kind = Kind::kClose}, [&] {
          sender.Close();
          return 0;
        });
        break;
      case 1: {
        std::optional<PermitOf<Sender>> permit;
        RecordNow(history, {.kind = Kind::kTryReserve, .argument = value}, [&] {
          permit = sender.TryReserve();
          if (permit) return value;
          return sender.IsClosed() ? ChannelSpec::kClosed : ChannelSpec::kNothing;
        });
        if (permit) co_await UsePermit<Sender>(history, *std::move(permit), value);
        break;
      }
      case 2: {
        auto permit = co_await Record(history, {.kind = Kind::kReserve, .argument = value},
                                      sender.Reserve(), result);
        if (permit && permit->ok()) {
          co_await UsePermit<Sender>(history, **std::move(permit), value);
        }
        break;
      }
      case 3:
      case 4:
        RecordNow(history, {.kind = Kind::kTrySend, .argument = value}, [&] {
          const TrySendResult sent = sender.TrySend(int{value});
          if (sent == TrySendResult::kSent) return value;
          return sent == TrySendResult::kClosed ? ChannelSpec::kClosed : ChannelSpec::kNothing;
        });
        break;
      case 5: {
        std::array<int, ChannelSpec::kSent> batch;
        for (int i = 0; i < ChannelSpec::kSent; ++i) {
          batch[static_cast<std::size_t>(i)] = ChannelSpec::ValueOf(value, i);
        }
        co_await Record(history, {.kind = Kind::kSendMany, .argument = value},
                        sender.SendMany(absl::MakeSpan(batch)),
                        [](std::size_t sent) { return static_cast<int>(sent); });
        break;
      }
      default:
        co_await Record(history, {.kind = Kind::kSend, .argument = value}, sender.Send(value),
                        result);
    }
    co_await Turns(Draw(2));
  }
}

// By a sender that comes from a weak one each time. `Sender`: what that is upgraded to.
template <typename Sender, typename Weak>
Async<void> SendWeakly(History<ChannelSpec>* history, Weak weak, int first) {
  for (int round = 0; round < 2; ++round) {
    std::optional<Sender> upgraded;
    RecordNow(history, {.kind = Kind::kUpgrade}, [&] {
      upgraded = weak.Upgrade();
      return upgraded ? 1 : 0;
    });
    if (upgraded) {
      Held<ChannelSpec, Sender> held(history, *std::move(upgraded), {.kind = Kind::kDropSender});
      upgraded.reset();
      const int value = first + round;
      const auto result = [value](const absl::Status& sent) {
        return sent.ok() ? value : ChannelSpec::kClosed;
      };
      co_await Record(history, {.kind = Kind::kSend, .argument = value}, held.guard().Send(value),
                      result);
      co_await Turns(Draw(2));
    }
    co_await Turns(Draw(4));
  }
}

template <typename Receiver>
Async<void> ReceiveSome(History<ChannelSpec>* history, Held<ChannelSpec, Receiver> held,
                        int rounds) {
  Receiver& receiver = held.guard();
  for (int round = 0; round < rounds; ++round) {
    switch (Draw(10)) {
      case 0:
        if (Draw(4) != 0) break;
        RecordNow(history, {.kind = Kind::kClose}, [&] {
          receiver.Close();
          return 0;
        });
        break;
      case 1:
        RecordNow(history, {.kind = Kind::kIsDrained},
                  [&] { return receiver.IsDrained() ? 1 : 0; });
        break;
      case 2:
        RecordNow(history, {.kind = Kind::kTryRecv},
                  [&] { return receiver.TryRecv().value_or(ChannelSpec::kNothing); });
        break;
      case 3:
      case 4: {
        std::vector<int> values;
        co_await Record(history, {.kind = Kind::kRecvMany},
                        receiver.RecvMany(values, ChannelSpec::kReceived), [&](std::size_t count) {
                          if (count == 0) return ChannelSpec::kClosed;
                          return ChannelSpec::Pack(values[0], count == 1 ? 0 : values[1]);
                        });
        break;
      }
      default:
        co_await Record(history, {.kind = Kind::kRecv}, receiver.Recv(),
                        [](const std::optional<int>& received) {
                          return received.value_or(ChannelSpec::kClosed);
                        });
    }
    co_await Turns(Draw(2));
  }
}

template <typename Kind>
class QueueHistoryTest : public ::testing::Test {};
TYPED_TEST_SUITE(QueueHistoryTest, channel_testing::Kinds);

// A channel of two senders and two receivers, or one that takes twice as much; with a capacity
// from `least` to `most`.
template <typename ChannelKind>
void CheckChannel(int least, int most) {
  EXPECT_TRUE(AgreesUnderEverySeed<ChannelSpec>([least, most](
                                                    ChannelSpec& spec,
                                                    History<ChannelSpec>* history,
                                                    std::vector<JoinHandle<void>>& tasks) {
    constexpr int kReceivers = ChannelKind::kManyReceivers ? 2 : 1;
    spec.capacity = least + Draw(most - least + 1);
    spec.senders = 2;
    spec.receivers = kReceivers;
    auto ends = spec.capacity == kUnlimited
                    ? ChannelKind::template MakeUnbounded<int>()
                    : ChannelKind::template Make<int>(static_cast<std::size_t>(spec.capacity));
    // Before the spawns: a task may be aborted before it begins.
    const auto hold = [history](auto end, Kind kind) {
      return Held<ChannelSpec, decltype(end)>(history, std::move(end), {.kind = kind});
    };
    tasks.push_back(Spawn(SendSome(history, hold(ends.first, Kind::kDropSender), 100)));
    tasks.push_back(Spawn(SendSome(history, hold(std::move(ends.first), Kind::kDropSender), 200)));
    if constexpr (ChannelKind::kManyReceivers) {
      tasks.push_back(Spawn(ReceiveSome(history, hold(ends.second, Kind::kDropReceiver), kRounds)));
    }
    tasks.push_back(Spawn(ReceiveSome(history, hold(std::move(ends.second), Kind::kDropReceiver),
                                      kRounds * 2 / kReceivers)));
  }));
}

// A channel with one sender, whose life decides, and two weak ones. `Keep`: what these are.
template <typename ChannelKind, typename Keep>
void UseWeakSenders(ChannelSpec& spec, History<ChannelSpec>* history,
                    std::vector<JoinHandle<void>>& tasks) {
  using Sender = typename ChannelKind::template Sender<int>;
  using Receiver = typename ChannelKind::template Receiver<int>;
  spec.capacity = 1 + Draw(2);
  spec.senders = 1;
  spec.receivers = 1;
  auto ends = ChannelKind::template Make<int>(static_cast<std::size_t>(spec.capacity));
  // Before the spawns, as above.
  for (int i = 0; i < 2; ++i) {
    tasks.push_back(Spawn(SendWeakly<Sender>(history, Keep()(ends.first), 200 + 100 * i)));
  }
  Held<ChannelSpec, Sender> sender(history, std::move(ends.first), {.kind = Kind::kDropSender});
  Held<ChannelSpec, Receiver> receiver(history, std::move(ends.second),
                                       {.kind = Kind::kDropReceiver});
  tasks.push_back(Spawn(SendSome(history, std::move(sender), 100)));
  tasks.push_back(Spawn(ReceiveSome(history, std::move(receiver), kRounds)));
}

struct Downgraded {
  template <typename Sender>
  auto operator()(const Sender& sender) {
    return sender.Downgrade();
  }
};
// A weak sender that keeps the channel open.
struct Kept {
  template <typename Sender>
  class Weak {
   public:
    explicit Weak(Sender sender) : sender_(std::move(sender)) {}
    std::optional<Sender> Upgrade() const { return sender_; }

   private:
    Sender sender_;
  };
  template <typename Sender>
  auto operator()(const Sender& sender) {
    return Weak<Sender>(sender);
  }
};

TYPED_TEST(QueueHistoryTest, WeakSenders) {
  EXPECT_TRUE(AgreesUnderEverySeed<ChannelSpec>(UseWeakSenders<TypeParam, Downgraded>));
}
TYPED_TEST(QueueHistoryTest, AWeakSenderThatKeepsTheChannelOpenIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<ChannelSpec>(UseWeakSenders<TypeParam, Kept>));
}

TYPED_TEST(QueueHistoryTest, Rendezvous) { CheckChannel<TypeParam>(0, 0); }
TYPED_TEST(QueueHistoryTest, Bounded) { CheckChannel<TypeParam>(1, 3); }
TYPED_TEST(QueueHistoryTest, Unbounded) { CheckChannel<TypeParam>(kUnlimited, kUnlimited); }

}  // namespace
}  // namespace home::sync_testing
