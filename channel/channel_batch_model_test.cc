// Batches under the model checker: several values in one go, against receivers, a close, and those
// who give up.

#include <atomic>
#include <cstddef>
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
using channel_testing::ModelChannelPolicy;
using channel_testing::Mpmc;
using channel_testing::Mpsc;
using channel_testing::RecvIsLazy;
using channel_testing::Scenario;
using channel_testing::Sparing;
using channel_testing::WideBlocks;
using model::Access;
using model::CheckRandomly;
using model::ExpectFound;
using model::Randomly;
using std::memory_order_release;
using Value = channel_testing::ModelValue;

// The thread with the last number receives: the only one that can of an MpscReceiver.

// Batches both ways, of other sizes than the room and the blocks.
template <typename Kind, std::size_t kCapacity>
struct BatchExchange : Scenario<Kind, 2, kCapacity> {
  void Thread(int index) {
    if (index == 0) return this->SendMany(0, 4);
    while (this->next[1][0] != 4) model::Expect(this->ReceiveMany(1, 2), "a value comes");
  }
};
// The same of two senders that wait, when a batch is taken.
template <typename Policy>
struct RoomForTwo : Scenario<Mpmc<Policy>, 3, 2> {
  using Base = Scenario<Mpmc<Policy>, 3, 2>;
  void Before() {
    Base::Before();
    for (int i = 0; i < 2; ++i) this->TrySend(2);
  }
  void Thread(int index) {
    if (index == 0) {
      lazy.emplace(this->senders[0]->Send(Value(0)));
      if (this->tasks[0].PollOnce(*lazy).ready()) ++this->sent[0];
    } else if (index == 1) {
      this->Send(1);
    } else {
      while (this->next[2][2] != 2) model::Expect(this->ReceiveMany(2, 2), "a value comes");
    }
  }
  void After() {
    lazy.reset();
    Base::After();
  }
  std::optional<typename Sender<Value, Policy>::SendFuture> lazy;
};
// What of the batch was sent before the close is received.
template <typename Kind, std::size_t kCapacity>
struct BatchAgainstClose : Scenario<Kind, 3, kCapacity> {
  void Thread(int index) {
    if (index == 0) return this->SendMany(0, 3);
    if (index == 1) return this->senders[1]->Close();
    while (this->ReceiveMany(2, 2)) {
    }
  }
  void After() {
    model::Expect(this->next[2][0] == this->sent[0], "all that was sent is received");
    Scenario<Kind, 3, kCapacity>::After();
  }
};
// A batch meets the end of the receiver.
template <typename Kind>
struct BatchAgainstTheEnd : Scenario<Kind, 2, 2> {
  void Thread(int index) {
    if (index == 0) {
      this->receivers[0].reset();
      this->SendMany(0, 4);
    } else {
      this->ReceiveManyBriefly(1, 2);
      this->receivers[1].reset();
    }
  }
};
// There is no room. A batch is given up, perhaps with a part of it sent: the other sender gets the
// room.
template <typename Kind>
struct BatchIsCancelled : Scenario<Kind, 3, 1> {
  void Before() {
    Scenario<Kind, 3, 1>::Before();
    this->TrySend(2);
  }
  void Thread(int index) {
    if (index == 0) return this->SendManyBriefly(0, 2);
    if (index == 1) return this->Send(1);
    while (this->next[2][1] == 0) model::Expect(this->Receive(2), "a value comes");
  }
};
// The same of a receipt: the other receiver gets the value.
template <typename Policy>
struct BatchReceiptIsCancelled : Scenario<Mpmc<Policy>, 3, 4> {
  void Thread(int index) {
    if (index == 0) return this->TrySend(0);
    if (index == 1) {
      if (this->ReceiveManyBriefly(1, 2)) this->TrySend(1);
    } else {
      model::Expect(this->Receive(2), "a value comes");
    }
  }
};
// The same of a sole receiver, who waits again.
struct SoleReceiptIsCancelled : Scenario<Mpsc<WideBlocks>, 2, 2> {
  void Thread(int index) {
    if (index == 0) return SendMany(0, 3);
    ReceiveManyBriefly(1, 2);
    while (next[1][0] != 3) model::Expect(ReceiveMany(1, 2), "a value comes");
  }
};

using MpmcNarrow = Mpmc<ModelChannelPolicy>;
using MpmcWide = Mpmc<WideBlocks>;
using MpscWide = Mpsc<WideBlocks>;

TEST(MpmcBatchModelTest, Exchange) { CheckRandomly<BatchExchange<MpmcWide, 2>>(10'000); }
TEST(MpmcBatchModelTest, NarrowExchange) { CheckRandomly<BatchExchange<MpmcNarrow, 3>>(10'000); }
TEST(MpmcBatchModelTest, Rendezvous) { CheckRandomly<BatchExchange<MpmcWide, 0>>(10'000); }
TEST(MpmcBatchModelTest, ForTwo) { CheckRandomly<RecvIsLazy</*kBatch=*/true, WideBlocks>>(20'000); }
TEST(MpmcBatchModelTest, RoomForTwo) { CheckRandomly<RoomForTwo<WideBlocks>>(20'000); }
TEST(MpmcBatchModelTest, AgainstClose) { CheckRandomly<BatchAgainstClose<MpmcWide, 2>>(20'000); }
TEST(MpmcBatchModelTest, AgainstTheEnd) { CheckRandomly<BatchAgainstTheEnd<MpmcWide>>(20'000); }
TEST(MpmcBatchModelTest, IsCancelled) { CheckRandomly<BatchIsCancelled<MpmcWide>>(20'000); }
TEST(MpmcBatchModelTest, ReceiptIsCancelled) {
  CheckRandomly<BatchReceiptIsCancelled<WideBlocks>>(20'000);
}

TEST(MpscBatchModelTest, Exchange) { CheckRandomly<BatchExchange<MpscWide, 2>>(10'000); }
TEST(MpscBatchModelTest, CloseARendezvous) {
  CheckRandomly<BatchAgainstClose<MpscWide, 0>>(20'000);
}
TEST(MpscBatchModelTest, IsCancelled) { CheckRandomly<BatchIsCancelled<MpscWide>>(10'000); }
TEST(MpscBatchModelTest, ReceiptIsCancelled) { CheckRandomly<SoleReceiptIsCancelled>(10'000); }

// -- Mutations ------------------------------------------------------------------------------

// Says that it has sent one less than it did.
template <typename State>
struct Miscounting : State {
  using State::State;
  auto TryPushMany(Value* values, std::size_t count, std::size_t& pushed) {
    const auto result = State::TryPushMany(values, count, pushed);
    if (pushed > 1) --pushed;
    return result;
  }
};
// Takes all that was asked for, and gives one.
template <typename State>
struct Greedy : State {
  using State::State;
  template <typename Sink>
  bool TryTakeOrEnd(std::size_t wanted, Sink&& sink) {
    int taken = 0;
    return State::TryTakeOrEnd(wanted, [&](Value&& value) {
      if (++taken == 1) sink(std::move(value));
    });
  }
};
TEST(BatchMutationTest, ABatchThatWakesOneIsFound) {
  ExpectFound<RecvIsLazy</*kBatch=*/true, Sparing>>(Randomly(20'000));
}
TEST(BatchMutationTest, RoomForSeveralThatWakesOneIsFound) {
  ExpectFound<RoomForTwo<Sparing>>(Randomly(20'000));
}
TEST(BatchMutationTest, ABatchThatIsCountedWronglyIsFound) {
  ExpectFound<BatchExchange<Faulty<Miscounting, Mpsc>, 2>>(Randomly(20'000));
  ExpectFound<BatchAgainstTheEnd<Faulty<Miscounting, Mpmc>>>(Randomly(20'000));
}
TEST(BatchMutationTest, AReceiptThatLosesValuesIsFound) {
  ExpectFound<BatchAgainstClose<Faulty<Greedy, Mpmc>, 2>>(Randomly(20'000));
}
TEST(BatchMutationTest, AWakeUpThatIsLostIsFound) {
  ExpectFound<BatchIsCancelled<Mpmc<Forgetful>>>(Randomly(50'000));
  ExpectFound<BatchReceiptIsCancelled<Forgetful>>(Randomly(50'000));
}
TEST(BatchMutationTest, PutNeedsRelease) {
  const model::Weakening put{
      .function = "Put", .access = Access::kStore, .from = memory_order_release};
  ExpectFound<BatchExchange<MpmcWide, 2>>(Randomly(20'000), put);
  ExpectFound<SoleReceiptIsCancelled>(Randomly(20'000), put);
}

}  // namespace
}  // namespace home
