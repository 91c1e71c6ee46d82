// What the scenarios of channels of values under the model checker have in common.

#ifndef HOME_CHANNEL_CHANNEL_SCENARIO_TESTING_H_
#define HOME_CHANNEL_CHANNEL_SCENARIO_TESTING_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "home/channel/kinds_testing.h"
#include "home/channel/model_policy_testing.h"
#include "home/channel/receiver.h"
#include "home/channel/sender.h"
#include "home/sync/model_testing.h"
#include "home/sync/wait_queue.h"
#include "home/tools/model/atomic.h"

namespace home::channel_testing {

// Two or more cells a block, for batches and for the agreement of several consumers.
struct WideBlocks : ModelChannelPolicy {
  static constexpr std::size_t BlockPositions(std::size_t) { return 4; }
};

// Each value that was accepted is received once, or undelivered; each sender's in order.
template <typename Kind, int kThreadCount, std::size_t kCapacity>
struct Scenario {
  static constexpr int kThreads = kThreadCount;
  static constexpr int kMost = 16;

  void Before() {
    ModelChannelPolicy::alive = 0;
    auto ends = Kind::template Make<ModelValue>(kCapacity,
                                                [this](const ModelValue& value) { Count(value); });
    for (int i = 0; i + 1 < kThreads; ++i) senders[i].emplace(ends.first);
    for (int i = 0; i < kThreads; ++i) {
      if constexpr (std::is_copy_constructible_v<typename Kind::template Receiver<ModelValue>>) {
        receivers[i].emplace(ends.second);
      }
    }
    senders[kThreads - 1].emplace(std::move(ends.first));
    if constexpr (!std::is_copy_constructible_v<typename Kind::template Receiver<ModelValue>>) {
      receivers[kThreads - 1].emplace(std::move(ends.second));
    }
  }
  // Awaited; thread and sequence make the value.
  void Send(int thread) {
    const int value = thread * kMost + sent[thread];
    auto send = senders[thread]->Send(ModelValue(value));
    if (tasks[thread].Run(send).ok()) ++sent[thread];
  }
  void TrySend(int thread) {
    ModelValue value(thread * kMost + sent[thread]);
    if (senders[thread]->TrySend(std::move(value)) == TrySendResult::kSent) ++sent[thread];
  }
  // A batch.
  void SendMany(int thread, int count) {
    auto batch = MakeBatch(thread, count);
    auto send = senders[thread]->SendMany(absl::MakeSpan(batch));
    sent[thread] += static_cast<int>(tasks[thread].Run(send));
  }
  bool Receive(int thread) {
    auto receive = receivers[thread]->Recv();
    const auto value = tasks[thread].Run(receive);
    if (value.has_value()) Take(thread, *value);
    return value.has_value();
  }
  bool TryReceive(int thread) {
    const auto value = receivers[thread]->TryRecv();
    if (value.has_value()) Take(thread, *value);
    return value.has_value();
  }
  // Up to `most` values; false at the end.
  bool ReceiveMany(int thread, std::size_t most) {
    std::vector<ModelValue> values;
    auto receive = receivers[thread]->RecvMany(values, most);
    const std::size_t count = tasks[thread].Run(receive);
    model::Expect(count == values.size() && count <= most, "as many as it says");
    for (const ModelValue& value : values) Take(thread, value);
    return count != 0;
  }
  // Waits, but gives up soon. Whether it was ready.
  bool ReceiveBriefly(int thread) {
    auto receive = receivers[thread]->Recv();
    auto polled = PollBriefly(thread, receive);
    if (polled.ready() && polled.value().has_value()) Take(thread, *polled.value());
    return polled.ready();
  }
  bool ReceiveManyBriefly(int thread, std::size_t most) {
    std::vector<ModelValue> values;
    auto receive = receivers[thread]->RecvMany(values, most);
    const bool ready = PollBriefly(thread, receive).ready();
    model::Expect(ready || values.empty(), "nothing comes before it is ready");
    for (const ModelValue& value : values) Take(thread, value);
    return ready;
  }
  void SendBriefly(int thread) {
    auto send = senders[thread]->Send(ModelValue(thread * kMost + sent[thread]));
    auto polled = PollBriefly(thread, send);
    if (polled.ready() && polled.value().ok()) ++sent[thread];
  }
  void SendManyBriefly(int thread, int count) {
    auto batch = MakeBatch(thread, count);
    auto send = senders[thread]->SendMany(absl::MakeSpan(batch));
    static_cast<void>(PollBriefly(thread, send).ready());
    sent[thread] += static_cast<int>(send.sent());
  }
  // Polls once, or once more: by then it may have been woken.
  template <typename F>
  auto PollBriefly(int thread, F& future) {
    auto polled = tasks[thread].PollOnce(future);
    if (polled.ready() || model::Choose(2) == 0) return polled;
    return tasks[thread].PollOnce(future);
  }
  void Leave(int thread) {
    senders[thread].reset();
    receivers[thread].reset();
  }
  void Take(int thread, const ModelValue& value) {
    const int sender = value.get() / kMost;
    model::Expect(value.get() % kMost >= next[thread][sender], "each sender's values in order");
    next[thread][sender] = value.get() % kMost + 1;
    Count(value);
  }
  void Count(const ModelValue& value) {
    // relaxed: a count.
    ended[value.get() / kMost].fetch_add(1, std::memory_order_relaxed);
  }
  std::vector<ModelValue> MakeBatch(int thread, int count) {
    std::vector<ModelValue> batch;
    batch.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) batch.emplace_back(thread * kMost + sent[thread] + i);
    return batch;
  }
  // After the threads, of a channel that is open: there is room for as many as at first.
  void ExpectRoom() {
    constexpr int kLast = kThreads - 1;
    while (TryReceive(kLast)) {
    }
    const int before = sent[kLast];
    for (std::size_t i = 0; i <= kCapacity; ++i) TrySend(kLast);
    model::Expect(sent[kLast] == before + static_cast<int>(kCapacity), "no room is lost, or new");
  }
  void After() {
    for (int i = 0; i < kThreads; ++i) Leave(i);
    for (int i = 0; i < kThreads; ++i) {
      model::Expect(ended[i].load(std::memory_order_seq_cst) == sent[i], "each value ends once");
      model::Expect(tasks[i].wakers() == 0, "no waker is left");
    }
    model::Expect(ModelChannelPolicy::alive == 0, "all memory is freed");
  }

  std::optional<typename Kind::template Sender<ModelValue>> senders[kThreads];
  std::optional<typename Kind::template Receiver<ModelValue>> receivers[kThreads];
  sync_testing::ModelTask tasks[kThreads];
  int sent[kThreads] = {};
  int next[kThreads][kThreads] = {};
  model::Atomic<int> ended[kThreads];
};

// Two values, sent at once or one by one, for two that wait, of which one is woken and does not
// look for the rest of the run: the other one is not held up.
template <bool kBatch, typename Policy>
struct RecvIsLazy : Scenario<Mpmc<Policy>, 3, 4> {
  using Base = Scenario<Mpmc<Policy>, 3, 4>;
  void Thread(int index) {
    if (index == 0) {
      if (kBatch) return this->SendMany(0, 2);
      for (int i = 0; i < 2; ++i) this->TrySend(0);
    } else if (index == 1) {
      lazy.emplace(this->receivers[1]->Recv());
      auto polled = this->tasks[1].PollOnce(*lazy);
      if (polled.ready()) this->Take(1, **polled);
    } else {
      model::Expect(this->Receive(2), "a value comes");
    }
  }
  void After() {
    lazy.reset();
    Base::After();
  }
  std::optional<typename Receiver<ModelValue, Policy>::RecvFuture> lazy;
};

// -- Channels that are wrong on purpose -------------------------------------------------------

// One that was woken and is dropped wakes no other.
struct Forgetful : WideBlocks {};
// What is published at one time wakes one, however much it is.
struct Sparing : WideBlocks {};

// A channel with a `Fault<State>`, which is a State but for what it does wrong. It has no members
// of its own, as it is deleted as what it is based on.
template <template <typename> typename Fault, template <typename> typename Right>
struct Faulty {
  template <typename T>
  using State = Fault<typename Right<WideBlocks>::template State<T>>;
  template <typename T>
  using Sender = BasicSender<State<T>>;
  template <typename T>
  using Receiver = BasicReceiver<State<T>>;

  template <typename T, typename... Args>
  static auto Make(std::size_t capacity, Args... args) {
    auto* const state = WideBlocks::New<State<T>>(std::uint64_t{capacity}, std::move(args)...);
    return std::pair(Sender<T>(state), Receiver<T>(state));
  }
};

}  // namespace home::channel_testing

namespace home::sync_internal {

template <>
class WaitQueue<channel_testing::Forgetful> : public WaitQueue<channel_testing::WideBlocks> {
 public:
  [[nodiscard]] bool Remove(Waiter& waiter) {
    static_cast<void>(WaitQueue<channel_testing::WideBlocks>::Remove(waiter));
    return false;
  }
};
template <>
class WaitQueue<channel_testing::Sparing> : public WaitQueue<channel_testing::WideBlocks> {
 public:
  void Notify(std::size_t = 1) { WaitQueue<channel_testing::WideBlocks>::Notify(1); }
};

}  // namespace home::sync_internal

#endif  // HOME_CHANNEL_CHANNEL_SCENARIO_TESTING_H_
