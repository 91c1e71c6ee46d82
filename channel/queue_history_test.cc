// Random histories of Sender and MpscSender channels, with sends and receipts that are given up
// and tasks that are aborted, against a specification: see home/sync/history_testing.h.

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

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

TYPED_TEST(QueueHistoryTest, Rendezvous) { CheckChannel<TypeParam>(0, 0); }
TYPED_TEST(QueueHistoryTest, Bounded) { CheckChannel<TypeParam>(1, 3); }
TYPED_TEST(QueueHistoryTest, Unbounded) { CheckChannel<TypeParam>(kUnlimited, kUnlimited); }

}  // namespace
}  // namespace home::sync_testing
