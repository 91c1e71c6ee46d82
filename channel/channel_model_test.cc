// The channels of values under the model checker: sending, receiving, waiting, closing and
// cancelling against one another. Blocks have one cell here, so that every value meets the end
// of a block.

#include <atomic>
#include <cstddef>
#include <optional>

#include "gtest/gtest.h"
#include "home/channel/block.h"
#include "home/channel/channel_scenario_testing.h"
#include "home/channel/kinds_testing.h"
#include "home/channel/model_policy_testing.h"
#include "home/tools/model/checker.h"

namespace home {
namespace {

using channel_testing::ModelChannelPolicy;
using channel_testing::Mpmc;
using channel_testing::Mpsc;
using channel_testing::RecvIsLazy;
using channel_testing::Scenario;
using channel_testing::WideBlocks;
using model::Access;
using model::CheckRandomly;
using model::ExpectFound;
using model::Randomly;
using std::memory_order_acquire;
using std::memory_order_release;
using std::memory_order_seq_cst;
using Value = channel_testing::ModelValue;

// A cell's reader, and whoever frees its block.
struct LeavingACell {
  static constexpr int kThreads = 2;

  void Before() {
    memory = 0;
    cell.Put(Value(1));
  }
  void Thread(int index) {
    if (index == 0) {
      static_cast<void>(cell.Take());
      memory = 1;
      cell.Leave();
    } else if (cell.WasLeft()) {
      memory = 2;
    }
  }
  void After() {}

  channel_internal::Cell<Value, ModelChannelPolicy> cell;
  model::Data<int> memory;  // of the cell
};

// Two blocks of values, taken by three threads: a block is freed once and under nobody, by whoever
// was last or comes later.
struct FreeingABlock : Scenario<Mpmc<WideBlocks>, 3, 8> {
  void Before() {
    Scenario::Before();
    for (int i = 0; i < 6; ++i) TrySend(0);
  }
  void Thread(int index) {
    TryReceive(index);
    TryReceive(index);
  }
};

// The thread with the last number receives: the only one that can of an MpscReceiver.

// One sends, one receives, both wait: nothing may sleep for ever.
template <typename Kind, std::size_t kCapacity>
struct Exchange : Scenario<Kind, 2, kCapacity> {
  void Thread(int index) {
    if (index == 0) {
      for (int i = 0; i < 2; ++i) this->Send(0);
    } else {
      for (int i = 0; i < 2; ++i) model::Expect(this->Receive(1), "a value comes");
    }
  }
};
// Long enough for a bias of the receiver's, and its end.
template <typename Kind>
struct LongExchange : Scenario<Kind, 2, 1> {
  void Thread(int index) {
    for (int i = 0; i < 5; ++i) {
      if (index == 0) {
        this->Send(0);
      } else {
        model::Expect(this->Receive(1), "a value comes");
      }
    }
  }
};
// The sender goes; the receiver takes all and sees the end.
template <typename Kind, std::size_t kCapacity>
struct SenderGoes : Scenario<Kind, 2, kCapacity> {
  void Thread(int index) {
    if (index == 0) {
      this->Send(0);
      this->senders[0].reset();
    } else {
      this->senders[1].reset();
      model::Expect(this->Receive(1), "the value comes");
      model::Expect(!this->Receive(1), "then the end");
    }
  }
};
template <typename Kind, std::size_t kCapacity>
struct ReceiverGoes : Scenario<Kind, 2, kCapacity> {
  void Thread(int index) {
    if (index == 0) {
      this->receivers[0].reset();
      for (int i = 0; i < 2; ++i) this->Send(0);
      this->Leave(0);
    } else {
      this->ReceiveBriefly(1);
      this->Leave(1);
    }
  }
};
template <typename Kind, std::size_t kCapacity>
struct CloseAgainstAll : Scenario<Kind, 3, kCapacity> {
  void Thread(int index) {
    if (index == 0) return this->Send(0);
    if (index == 1) return this->senders[1]->Close();
    while (this->Receive(2)) {
    }
  }
};
// A permit is used or given back while others close and receive.
template <typename Kind>
struct Permits : Scenario<Kind, 3, 1> {
  void Thread(int index) {
    if (index == 0) {
      auto permit = this->senders[0]->TryReserve();
      if (!permit.has_value()) return;
      if (model::Choose(2) == 0) return;
      permit->Send(Value(0));
      ++this->sent[0];
      return;
    }
    if (index == 1) {
      this->TrySend(1);
      return this->senders[1]->Close();
    }
    while (this->Receive(2)) {
    }
  }
};
// Two senders want the same place.
template <typename Kind>
struct TwoSenders : Scenario<Kind, 3, 1> {
  void Thread(int index) {
    if (index < 2) return this->Send(index);
    for (int i = 0; i < 2; ++i) model::Expect(this->Receive(2), "a value comes");
  }
};
// One of two senders that wait gives up: the other one gets the room.
template <typename Kind>
struct SendIsCancelled : Scenario<Kind, 3, 1> {
  void Before() {
    Scenario<Kind, 3, 1>::Before();
    this->TrySend(2);
  }
  void Thread(int index) {
    if (index == 0) return this->SendBriefly(0);
    if (index == 1) return this->Send(1);
    while (this->next[2][1] == 0) model::Expect(this->Receive(2), "a value comes");
  }
};
// One of two receivers that wait gives up: the other one gets the value.
template <typename Policy>
struct RecvIsCancelled : Scenario<Mpmc<Policy>, 3, 4> {
  void Thread(int index) {
    if (index == 0) {
      for (int i = 0; i < 2; ++i) this->TrySend(0);
    } else if (index == 1) {
      this->ReceiveBriefly(1);
    } else {
      model::Expect(this->Receive(2), "a value comes");
    }
  }
};
// A burst of two for two that wait.
template <typename Policy>
struct TwoReceivers : Scenario<Mpmc<Policy>, 3, 4> {
  void Thread(int index) {
    if (index == 0) {
      for (int i = 0; i < 2; ++i) this->TrySend(0);
    } else {
      model::Expect(this->Receive(index), "a value comes");
    }
  }
};
template <typename Kind>
struct SendIsLazy : Scenario<Kind, 3, 2> {
  using Base = Scenario<Kind, 3, 2>;
  void Before() {
    Base::Before();
    for (int i = 0; i < 2; ++i) this->TrySend(2);
  }
  void Thread(int index) {
    if (index == 0) {
      lazy.emplace(this->senders[0]->Send(Value(0)));
      const auto polled = this->tasks[0].PollOnce(*lazy);
      if (polled.ready()) ++this->sent[0];
    } else if (index == 1) {
      this->Send(1);
    } else {
      for (int i = 0; i < 2; ++i) model::Expect(this->Receive(2), "a value comes");
    }
  }
  void After() {
    lazy.reset();
    Base::After();
  }
  std::optional<typename Kind::template Sender<Value>::SendFuture> lazy;
};
// Several at work in one block: who frees it?
template <typename Policy>
struct Crowd : Scenario<Mpmc<Policy>, 3, 8> {
  void Thread(int index) {
    for (int i = 0; i < 2; ++i) {
      this->TrySend(index);
      model::Expect(this->TryReceive(index), "a value that was sent is not hidden");
    }
  }
};

using MpmcNarrow = Mpmc<ModelChannelPolicy>;
using MpscNarrow = Mpsc<ModelChannelPolicy>;
using MpmcWide = Mpmc<WideBlocks>;
using MpscWide = Mpsc<WideBlocks>;

TEST(MpmcModelTest, Exchange) { CheckRandomly<Exchange<MpmcNarrow, 1>>(20'000); }
TEST(MpmcModelTest, LongExchange) { CheckRandomly<LongExchange<MpmcNarrow>>(20'000); }
TEST(MpmcModelTest, LongExchangeInWideBlocks) { CheckRandomly<LongExchange<MpmcWide>>(20'000); }
TEST(MpmcModelTest, ExchangeRandomly) { CheckRandomly<Exchange<MpmcWide, 1>>(20'000); }
TEST(MpmcModelTest, Rendezvous) { CheckRandomly<Exchange<MpmcNarrow, 0>>(20'000); }
TEST(MpmcModelTest, SenderGoes) { CheckRandomly<SenderGoes<MpmcNarrow, 1>>(20'000); }
TEST(MpmcModelTest, ReceiverGoes) { CheckRandomly<ReceiverGoes<MpmcNarrow, 1>>(20'000); }
TEST(MpmcModelTest, CloseAgainstAll) { CheckRandomly<CloseAgainstAll<MpmcNarrow, 1>>(20'000); }
TEST(MpmcModelTest, CloseARendezvous) { CheckRandomly<CloseAgainstAll<MpmcNarrow, 0>>(20'000); }
TEST(MpmcModelTest, Permits) { CheckRandomly<Permits<MpmcNarrow>>(20'000); }
TEST(MpmcModelTest, TwoSenders) { CheckRandomly<TwoSenders<MpmcNarrow>>(20'000); }
TEST(MpmcModelTest, SendIsCancelled) { CheckRandomly<SendIsCancelled<MpmcNarrow>>(20'000); }
TEST(MpmcModelTest, RecvIsCancelled) { CheckRandomly<RecvIsCancelled<WideBlocks>>(20'000); }
TEST(MpmcModelTest, TwoReceivers) { CheckRandomly<TwoReceivers<WideBlocks>>(20'000); }
TEST(MpmcModelTest, RecvIsLazy) { CheckRandomly<RecvIsLazy</*kBatch=*/false, WideBlocks>>(20'000); }
TEST(MpmcModelTest, SendIsLazy) { CheckRandomly<SendIsLazy<MpmcWide>>(20'000); }
TEST(MpmcModelTest, Crowd) { CheckRandomly<Crowd<WideBlocks>>(20'000); }
TEST(MpmcModelTest, LeavingACell) { model::CheckExhaustively<LeavingACell>(); }
TEST(MpmcModelTest, FreeingABlock) { CheckRandomly<FreeingABlock>(50'000); }
TEST(MpmcModelTest, CrowdInNarrowBlocks) { CheckRandomly<Crowd<ModelChannelPolicy>>(20'000); }

TEST(MpscModelTest, Exchange) { CheckRandomly<Exchange<MpscNarrow, 1>>(20'000); }
TEST(MpscModelTest, LongExchange) { CheckRandomly<LongExchange<MpscNarrow>>(40'000); }
TEST(MpscModelTest, LongExchangeInWideBlocks) { CheckRandomly<LongExchange<MpscWide>>(40'000); }
TEST(MpscModelTest, ExchangeRandomly) { CheckRandomly<Exchange<MpscWide, 1>>(20'000); }
TEST(MpscModelTest, Rendezvous) { CheckRandomly<Exchange<MpscNarrow, 0>>(20'000); }
TEST(MpscModelTest, SenderGoes) { CheckRandomly<SenderGoes<MpscNarrow, 1>>(20'000); }
TEST(MpscModelTest, CloseAgainstAll) { CheckRandomly<CloseAgainstAll<MpscNarrow, 1>>(20'000); }
TEST(MpscModelTest, Permits) { CheckRandomly<Permits<MpscNarrow>>(20'000); }
TEST(MpscModelTest, TwoSenders) { CheckRandomly<TwoSenders<MpscWide>>(20'000); }
TEST(MpscModelTest, SendIsCancelled) { CheckRandomly<SendIsCancelled<MpscNarrow>>(20'000); }
TEST(MpscModelTest, SendIsLazy) { CheckRandomly<SendIsLazy<MpscWide>>(20'000); }

// -- Mutations ------------------------------------------------------------------------------

TEST(ChannelMutationTest, PutNeedsRelease) {
  ExpectFound<Exchange<MpmcNarrow, 1>>(
      Randomly(20'000),
      {.function = "Put", .access = Access::kStore, .from = memory_order_release});
}
TEST(ChannelMutationTest, FullNeedsAcquire) {
  ExpectFound<Exchange<MpmcNarrow, 1>>(
      Randomly(20'000),
      {.function = "IsFull", .access = Access::kLoad, .from = memory_order_acquire});
}
TEST(ChannelMutationTest, AddingAWaiterNeedsItsOrder) {
  ExpectFound<Exchange<MpmcNarrow, 1>>(
      Randomly(50'000), {.function = "Add", .access = Access::kRmw, .from = memory_order_seq_cst});
}
TEST(ChannelMutationTest, NotifyNeedsItsOrder) {
  ExpectFound<Exchange<MpmcWide, 1>>(
      Randomly(50'000),
      {.function = "Notify", .access = Access::kLoad, .from = memory_order_seq_cst});
}
TEST(ChannelMutationTest, LeavingACellNeedsRelease) {
  ExpectFound<LeavingACell>(
      model::Exhaustively(),
      {.function = "Leave", .access = Access::kStore, .from = memory_order_release});
}
TEST(ChannelMutationTest, SeeingThatACellWasLeftNeedsAcquire) {
  ExpectFound<LeavingACell>(
      model::Exhaustively(),
      {.function = "WasLeft", .access = Access::kLoad, .from = memory_order_acquire});
}
TEST(ChannelMutationTest, PuttingABlockAsideNeedsRelease) {
  ExpectFound<FreeingABlock>(
      Randomly(50'000),
      {.function = "FreeOrPutAside", .access = Access::kRmw, .from = memory_order_release});
}
TEST(ChannelMutationTest, TakingWhatWasPutAsideNeedsAcquire) {
  ExpectFound<FreeingABlock>(
      Randomly(50'000), {.function = "Free", .access = Access::kRmw, .from = memory_order_acquire});
}
// biased_word.h, beside its own model test
TEST(ChannelMutationTest, ClaimsNeedTheirOrder) {
  ExpectFound<Crowd<ModelChannelPolicy>>(
      Randomly(50'000),
      {.function = "TryCompareExchange", .access = Access::kRmw, .from = memory_order_seq_cst});
}

}  // namespace
}  // namespace home
