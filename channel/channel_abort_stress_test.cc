// Channels of values whose tasks are aborted in the middle of sending and receiving. What was
// accepted is received, or undelivered, once. On threads, and on the simulated flavour, where
// channel_simulation_test runs it under many seeds.

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "home/channel/channel_stress_testing.h"
#include "home/future/async.h"
#include "home/future/stream.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"

namespace home {
namespace {

using channel_testing::kReceivers;
using channel_testing::Share;
using channel_testing::Tally;

template <typename Case>
class ChannelAbortStressTest : public ::testing::Test {
 protected:
  Runtime runtime_ = testing::MakeRuntime(Case::kFlavour);
};
TYPED_TEST_SUITE(ChannelAbortStressTest, channel_testing::Cases, channel_testing::CaseName);

using Value = std::unique_ptr<int>;

// Values to send. What is left in it at the end was not sent.
class Batch {
 public:
  explicit Batch(Tally* tally) : tally_(tally) {
    for (int i = 1; i <= 40; ++i) {
      values_.push_back(std::make_unique<int>(i));
      tally_->sent += i;
    }
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  ~Batch() {
    for (const Value& value : values_) {
      if (value != nullptr) tally_->sent -= *value;
    }
  }
  [[nodiscard]] absl::Span<Value> values() { return absl::MakeSpan(values_); }

 private:
  Tally* tally_;
  std::vector<Value> values_;
};

template <typename Sender>
Async<void> SendForEver(Sender sender, Tally* tally) {
  for (int i = 1;; ++i) {
    // The count must not lose what an abort comes between, so the value is counted by the
    // permit that can't fail.
    auto permit = co_await sender.Reserve();
    if (!permit.ok()) co_return;
    tally->sent.fetch_add(i);
    permit->Send(std::make_unique<int>(i));
  }
}
template <typename Sender>
Async<void> SendBatchesForEver(Sender sender, Tally* tally) {
  while (true) {
    Batch batch(tally);
    const auto sent = co_await sender.SendMany(batch.values());
    if (sent < batch.values().size()) co_return;
    co_await YieldNow();  // nothing else ends its turn where there is always room
  }
}
// By a sender that comes from a weak one each time.
template <typename WeakSender>
Async<void> SendWeaklyForEver(WeakSender weak, Tally* tally) {
  for (int i = 1;; ++i) {
    auto sender = weak.Upgrade();
    if (!sender) co_return;
    auto permit = co_await sender->Reserve();
    if (!permit.ok()) co_return;
    tally->sent.fetch_add(i);
    permit->Send(std::make_unique<int>(i));
    sender.reset();
    co_await YieldNow();
  }
}
// With room that is kept for a while, in which an abort has to give it back.
template <typename Sender>
Async<void> SendLateForEver(Sender sender, Tally* tally) {
  for (int i = 1;; ++i) {
    auto permit = co_await sender.Reserve();
    if (!permit.ok()) co_return;
    co_await YieldNow();
    tally->sent.fetch_add(i);
    permit->Send(std::make_unique<int>(i));
  }
}
template <typename Sender>
Async<void> SendSomehow(int how, Sender sender, Tally* tally) {
  switch (how % 4) {
    case 0:
      return SendBatchesForEver(std::move(sender), tally);
    case 1:
      return SendWeaklyForEver(sender.Downgrade(), tally);
    case 2:
      return SendLateForEver(std::move(sender), tally);
    default:
      return SendForEver(std::move(sender), tally);
  }
}

template <typename Receiver>
Async<void> ReceiveForEver(Receiver receiver, Tally* tally) {
  while (true) {
    const auto value = co_await receiver.Recv();
    if (!value.has_value()) co_return;
    tally->received.fetch_add(**value);
  }
}
template <typename Receiver>
Async<void> ReceiveBatchesForEver(Receiver receiver, Tally* tally) {
  std::vector<Value> batch;
  while (true) {
    const auto received = co_await receiver.RecvMany(batch, 30);
    if (received == 0) co_return;
    for (const Value& value : batch) tally->received.fetch_add(*value);
    batch.clear();
  }
}
template <typename Receiver>
Async<void> ReceiveByStreamForEver(Receiver receiver, Tally* tally) {
  auto stream = std::move(receiver).AsStream();
  while (true) {
    const auto value = co_await Next(stream);
    if (!value.has_value()) co_return;
    tally->received.fetch_add(**value);
  }
}
template <typename Receiver>
Async<void> ReceiveSomehow(int how, Receiver receiver, Tally* tally) {
  switch (how % 3) {
    case 0:
      return ReceiveBatchesForEver(std::move(receiver), tally);
    case 1:
      return ReceiveByStreamForEver(std::move(receiver), tally);
    default:
      return ReceiveForEver(std::move(receiver), tally);
  }
}

// Without a capacity, unbounded.
template <typename Kind>
Async<void> Abortive(std::optional<std::size_t> capacity) {
  Tally tally;
  // Nobody holds up those who send into an unbounded one: less of it.
  const int yields = capacity ? 10 : 1;
  for (int round = 0; round < Kind::kRounds; ++round) {
    {
      const auto count = [&tally](const Value& value) { tally.undelivered += *value; };
      auto ends = capacity ? Kind::template Make<Value>(*capacity, count)
                           : Kind::template MakeUnbounded<Value>(count);
      std::vector<JoinHandle<void>> tasks;
      for (int i = 0; i < 3; ++i) {
        tasks.push_back(Spawn(SendSomehow(i + round, ends.first, &tally)));
      }
      for (int i = 0; i < kReceivers<Kind>; ++i) {
        tasks.push_back(Spawn(ReceiveSomehow(i + round, Share(ends.second), &tally)));
      }
      for (int i = 0; i < round % 7 * yields; ++i) co_await YieldNow();
      for (std::size_t i = 0; i < tasks.size(); ++i) {
        JoinHandle<void>& task = tasks[(i + static_cast<std::size_t>(round)) % tasks.size()];
        task.Abort();
        if (round % 2 == 0) co_await YieldNow();
      }
      for (auto& task : tasks) {
        const auto ended = co_await task;
        static_cast<void>(ended.ok());
      }
    }
    EXPECT_EQ(tally.received + tally.undelivered, tally.sent);
  }
}

TYPED_TEST(ChannelAbortStressTest, AbortedTasks) {
  for (const std::size_t capacity : {0u, 1u, 5u, 64u}) {
    this->runtime_.BlockOn(Abortive<TypeParam>(capacity));
  }
  this->runtime_.BlockOn(Abortive<TypeParam>(std::nullopt));
}

}  // namespace
}  // namespace home
