// That random histories find what is wrong with a channel. The failure of a seed is told by a
// process of its own (home/scheduler/seed_runner.h), so only where there are forks.

#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "home/channel/channel_spec_testing.h"
#include "home/future/async.h"
#include "home/future/waker.h"
#include "home/scheduler/runtime.h"
#include "home/sync/history_testing.h"

namespace home::sync_testing {
namespace {

using Kind = ChannelSpec::Kind;

constexpr int kRounds = 5;

// Hands a value to whoever sleeps: one that is dropped then loses it.
class LossyQueue {
 public:
  struct Place {
    std::optional<int> value;
    Waker waker;
  };

  void Push(int value) {
    if (sleepers_.empty()) return values_.push_back(value);
    Place* const place = sleepers_.front();
    sleepers_.pop_front();
    place->value = value;
    std::move(place->waker).Wake();
  }

  class PopFuture {
   public:
    using Output = int;
    explicit PopFuture(LossyQueue* queue) : queue_(queue) {}
    PopFuture(PopFuture&& other) noexcept : queue_(other.queue_) {}
    PopFuture& operator=(PopFuture&&) = delete;
    ~PopFuture() { std::erase(queue_->sleepers_, &place_); }

    home::Poll<int> Poll(Context& cx) {
      if (place_.value) return *place_.value;
      std::erase(queue_->sleepers_, &place_);
      if (!queue_->values_.empty()) {
        const int value = queue_->values_.front();
        queue_->values_.pop_front();
        return value;
      }
      place_.waker = cx.waker().Clone();
      queue_->sleepers_.push_back(&place_);
      return kPending;
    }

   private:
    LossyQueue* queue_;
    Place place_;
  };

 private:
  std::deque<int> values_;
  std::deque<Place*> sleepers_;
};

Async<void> PushSome(History<ChannelSpec>* history, std::shared_ptr<LossyQueue> queue) {
  for (int value = 1; value <= kRounds; ++value) {
    RecordNow(history, {.kind = Kind::kTrySend, .argument = value}, [=] {
      queue->Push(value);
      return value;
    });
    co_await Turns(Draw(3));
  }
}
Async<void> PopSome(History<ChannelSpec>* history, std::shared_ptr<LossyQueue> queue) {
  for (int round = 0; round < kRounds; ++round) {
    co_await Record(history, {.kind = Kind::kRecv}, LossyQueue::PopFuture(queue.get()),
                    [](int value) { return value; });
  }
}

TEST(QueueHistoryMutationTest, AValueThatIsLostIsFound) {
  const auto result = AgreesUnderEverySeed<ChannelSpec>(
      [](ChannelSpec& spec, History<ChannelSpec>* history, std::vector<JoinHandle<void>>& tasks) {
        spec.capacity = kUnlimited;
        const auto queue = std::make_shared<LossyQueue>();
        tasks.push_back(Spawn(PushSome(history, queue)));
        tasks.push_back(Spawn(PopSome(history, queue)));
      });
  ASSERT_FALSE(result);
  EXPECT_THAT(result.message(), ::testing::HasSubstr("no order explains this history"));
}

}  // namespace
}  // namespace home::sync_testing
