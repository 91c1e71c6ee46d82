// The checker checked: what it has to find, by litmus tests of the memory model, and what it
// must not. Some of them fail without the corrections of tools/third_party/relacy.bzl.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "gtest/gtest-spi.h"
#include "gtest/gtest.h"
#include "home/tools/model/atomic.h"
#include "home/tools/model/checker.h"

namespace home::model {
namespace {

using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

struct MessagePassing {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index == 0) {
      Send();
    } else if (Receive()) {
      Expect(data == 1, "the message is there");
    }
  }
  void Send() {
    data = 1;
    flag.store(true, memory_order_release);
  }
  bool Receive() { return flag.load(memory_order_acquire); }
  Data<int> data;
  Atomic<bool> flag{false};
};

constexpr Weakening kSend{
    .function = "Send", .access = Access::kStore, .from = memory_order_release};

TEST(ModelTest, MessagePassing) {
  CheckExhaustively<MessagePassing>();
  CheckRandomly<MessagePassing>(1000);
  CheckWithPreemptions<MessagePassing>(2);
  for (const Search& search : {Exhaustively(), Randomly(1000), WithPreemptions(2)}) {
    ExpectFound<MessagePassing>(search, kSend);
    ExpectFound<MessagePassing>(search, {.function = "Receive",
                                         .access = Access::kLoad,
                                         .type = "bool",
                                         .from = memory_order_acquire});
  }
}

TEST(ModelTest, TraceNamesTheLine) {
  const model_internal::ActiveWeakening active(kSend);
  const Outcome outcome = model_internal::RunSearch<MessagePassing>(Exhaustively());
  EXPECT_EQ(outcome.result, rl::test_result_data_race);
  EXPECT_NE(outcome.trace.find("DATA RACE"), std::string::npos) << outcome.trace;
  EXPECT_NE(outcome.trace.find("order=relaxed, in , model_test.cc("), std::string::npos)
      << outcome.trace;
}

TEST(ModelTest, WeakeningThatNamesNothingFails) {
  Weakening wrong = kSend;
  wrong.function = "Sen";
  EXPECT_NONFATAL_FAILURE(ExpectUnseen<MessagePassing>(Exhaustively(), wrong), "one access: {}");
  wrong = kSend;
  wrong.from = memory_order_acquire;
  EXPECT_NONFATAL_FAILURE(ExpectUnseen<MessagePassing>(Exhaustively(), wrong), "one access: {}");
  wrong = kSend;
  wrong.type = "double";
  EXPECT_NONFATAL_FAILURE(ExpectUnseen<MessagePassing>(Exhaustively(), wrong), "one access: {}");
}

struct TwoStores {
  static constexpr int kThreads = 1;
  void Thread(int) {
    x.store(1, memory_order_release);
    x.store(2, memory_order_release);
  }
  Atomic<int> x{0};
};

TEST(ModelTest, WeakeningThatNamesTwoAccessesFails) {
  EXPECT_NONFATAL_FAILURE(ExpectUnseen<TwoStores>(Exhaustively(), {.function = "Thread",
                                                                   .access = Access::kStore,
                                                                   .from = memory_order_release}),
                          "one access: { \"");
}

TEST(ModelTest, ErrorThatIsNotThereIsNotFound) {
  EXPECT_NONFATAL_FAILURE(ExpectFound<MessagePassing>(Exhaustively()), "no error in");
}

// A load may return what was stored several stores ago.
struct OldValue {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index == 0) {
      for (int i = 1; i <= 4; ++i) x.store(i, memory_order_relaxed);
      y.store(1, memory_order_relaxed);
    } else if (y.load(memory_order_relaxed) == 1) {
      Expect(x.load(memory_order_relaxed) != 0, "four stores later");
    }
  }
  Atomic<int> x{0};
  Atomic<int> y{0};
};

TEST(ModelTest, OldValues) {
  ExpectFound<OldValue>(Exhaustively());
  ExpectFound<OldValue>(Randomly(10'000));
}

// Coherence: two loads of one object never go back.
struct Coherence {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index == 0) {
      for (int i = 1; i <= 3; ++i) x.store(i, memory_order_relaxed);
    } else {
      const int first = x.load(memory_order_relaxed);
      Expect(x.load(memory_order_relaxed) >= first, "no way back");
    }
  }
  Atomic<int> x{0};
};

TEST(ModelTest, LoadsOfOneObjectDoNotGoBack) { CheckExhaustively<Coherence>(); }

// Since C++20 a plain store ends the release sequence, also one of the same thread.
struct EndOfReleaseSequence {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index == 0) {
      data = 1;
      x.store(1, memory_order_release);
      x.store(2, memory_order_relaxed);
    } else if (x.load(memory_order_acquire) == 2) {
      Expect(data == 1, "published");
    }
  }
  Data<int> data;
  Atomic<int> x{0};
};

// A read-modify-write goes on with it, whatever its order and its thread.
struct ReleaseSequence {
  static constexpr int kThreads = 3;
  void Thread(int index) {
    if (index == 0) {
      data = 1;
      x.store(1, memory_order_release);
    } else if (index == 1) {
      x.fetch_add(1, memory_order_relaxed);
    } else if (x.load(memory_order_acquire) == 2) {
      Expect(data == 1, "published");
    }
  }
  Data<int> data;
  Atomic<int> x{0};
};

TEST(ModelTest, ReleaseSequences) {
  ExpectFound<EndOfReleaseSequence>(Exhaustively());
  CheckExhaustively<ReleaseSequence>();
}

template <std::memory_order kStoreOrder, std::memory_order kLoadOrder, bool kFences>
struct StoreBuffering {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    (index == 0 ? x : y).store(1, kStoreOrder);
    if (kFences) Fence(memory_order_seq_cst);
    seen[index] = (index == 0 ? y : x).load(kLoadOrder);
  }
  void After() { Expect(seen[0] == 1 || seen[1] == 1, "one sees the other"); }
  Atomic<int> x{0};
  Atomic<int> y{0};
  int seen[2] = {};
};

TEST(ModelTest, StoreBuffering) {
  using Weak = StoreBuffering<memory_order_release, memory_order_acquire, false>;
  using Strong = StoreBuffering<memory_order_seq_cst, memory_order_seq_cst, false>;
  using Fenced = StoreBuffering<memory_order_relaxed, memory_order_relaxed, true>;
  ExpectFound<Weak>(Exhaustively());
  // A seq_cst load after a release store is no barrier (PITFALLS: seastar 788c46cb3).
  ExpectFound<StoreBuffering<memory_order_release, memory_order_seq_cst, false>>(Exhaustively());
  CheckExhaustively<Strong>();
  CheckExhaustively<Fenced>();
}

// The order of a compare-exchange that fails is the one for failure, also where it is the
// stronger one.
template <std::memory_order kFailure>
struct FailedExchange {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index == 0) {
      data = 1;
      x.store(1, memory_order_release);
    } else {
      int expected = 0;
      if (!x.compare_exchange_strong(expected, 2, memory_order_relaxed, kFailure)) {
        Expect(expected == 1, "the value that was there");
        Expect(data == 1, "published");
      }
    }
  }
  Data<int> data;
  Atomic<int> x{0};
};

TEST(ModelTest, FailedCompareExchange) {
  CheckExhaustively<FailedExchange<memory_order_acquire>>();
  ExpectFound<FailedExchange<memory_order_relaxed>>(Exhaustively());
}

struct WeakExchange {
  static constexpr int kThreads = 1;
  void Thread(int) {
    int expected = 0;
    Expect(x.compare_exchange_weak(expected, 1, memory_order_acq_rel), "at the first attempt");
  }
  Atomic<int> x{0};
};

TEST(ModelTest, WeakCompareExchangeFailsForNoReason) {
  ExpectFound<WeakExchange>(Exhaustively());
  ExpectFound<WeakExchange>(Randomly(1000));
}

enum class Color : std::uint8_t { kRed, kBlue };
struct Pair {
  std::uint16_t a = 0;
  std::uint16_t b = 0;
};

struct Types {
  static constexpr int kThreads = 1;
  void Thread(int) {
    color.store(Color::kBlue, memory_order_relaxed);
    Expect(color.exchange(Color::kRed, memory_order_relaxed) == Color::kBlue, "enum");
    pair.store({1, 2}, memory_order_relaxed);
    Expect(pair.load(memory_order_relaxed).b == 2, "struct");
    Pair* expected = nullptr;
    Pair other;
    Expect(pointer.compare_exchange_strong(expected, &other), "pointer");
    Expect(pointer.load() == &other, "pointer");
    Expect(bits.fetch_or(6) == 1 && bits.fetch_and(3) == 7 && bits.fetch_xor(1) == 3, "bits");
    Expect(bits.fetch_add(5) == 2 && bits.fetch_sub(1) == 7 && bits.load() == 6, "numbers");
    const Data<Color> copy = data;
    Expect(copy == Color::kBlue, "data");
  }
  Atomic<Color> color;
  Atomic<Pair> pair;
  Atomic<Pair*> pointer{nullptr};
  Atomic<std::uint8_t> bits{1};
  Data<Color> data{Color::kBlue};
};

TEST(ModelTest, Types) { CheckExhaustively<Types>(); }

struct UseAfterFree {
  static constexpr int kThreads = 2;
  void Before() { shared = new Atomic<int>(1); }
  void Thread(int index) {
    if (index == 0) {
      delete shared;
    } else {
      shared->load(memory_order_relaxed);
    }
  }
  Atomic<int>* shared = nullptr;
};

template <typename T>
struct Leak {
  static constexpr int kThreads = 1;
  void Thread(int) { leaked = new T{}; }
  T* leaked = nullptr;
};

struct Clean {
  static constexpr int kThreads = 2;
  struct alignas(64) Wide {
    char bytes[64];
  };
  void Thread(int) {
    const auto wide = std::make_unique<Wide>();
    Expect(reinterpret_cast<std::uintptr_t>(wide.get()) % 64 == 0, "aligned");
    const auto atomic = std::make_unique<Atomic<int>>(1);
    const auto array = std::make_unique<Data<int>[]>(3);
    array[2] = 1;
  }
};

TEST(ModelTest, Memory) {
  CheckExhaustively<Clean>();
  ExpectFound<UseAfterFree>(Exhaustively());
  ExpectFound<Leak<int>>(Exhaustively());
  ExpectFound<Leak<Atomic<int>>>(Exhaustively());
  ExpectFound<Leak<Clean::Wide>>(Exhaustively());
}

template <bool kWake, bool kTimed>
struct Sleep {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index == 0) {
      word.store(1, memory_order_release);
      if (kWake) word.Wake(1);
    } else {
      for (;;) {
        if (word.load(memory_order_acquire) == 1) return;
        if (word.Wait(0, kTimed) == WakeReason::kTimeout) return;
      }
    }
  }
  Atomic<std::uint32_t> word{0};
};

template <WakeReason kReason>
struct Woken : Sleep<true, true> {
  void Thread(int index) {
    if (index == 0) return Sleep<true, true>::Thread(index);
    Expect(word.Wait(0, true) != kReason, "not for this reason");
  }
};

TEST(ModelTest, Sleep) {
  CheckExhaustively<Sleep<true, false>>();
  CheckRandomly<Sleep<true, false>>(10'000);
  CheckExhaustively<Sleep<true, true>>();
  CheckExhaustively<Sleep<false, true>>();
  ExpectFound<Sleep<false, false>>(Exhaustively());  // A deadlock.
  ExpectFound<Sleep<false, false>>(Randomly(1000));
  ExpectFound<Woken<WakeReason::kWoken>>(Exhaustively());
  ExpectFound<Woken<WakeReason::kChanged>>(Exhaustively());
  ExpectFound<Woken<WakeReason::kTimeout>>(Exhaustively());
  ExpectFound<Woken<WakeReason::kSpurious>>(Randomly(1000));
}

template <bool kLocked>
struct Counter {
  static constexpr int kThreads = 2;
  void Thread(int) {
    if (kLocked) mutex.lock();
    count = count + 1;
    if (kLocked) mutex.unlock();
  }
  void After() { Expect(count == 2, "both counted"); }
  Mutex mutex;
  Data<int> count{0};
};

TEST(ModelTest, Mutex) {
  CheckExhaustively<Counter<true>>();
  ExpectFound<Counter<false>>(Exhaustively());
}

// One waits for the other, which then destroys what it waited with.
template <bool kNotified>
struct Condition {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    std::unique_lock lock(mutex);
    if (index == 0) {
      data = 1;
      done = true;
      if (kNotified && condition != nullptr) condition->notify_all();
      condition.reset();
    } else {
      while (!static_cast<bool>(done)) condition->wait(lock);
      Expect(data == 1, "what precedes the notification");
    }
  }
  Mutex mutex;
  std::unique_ptr<ConditionVariable> condition = std::make_unique<ConditionVariable>();
  Data<bool> done{false};
  Data<int> data{0};
};

TEST(ModelTest, ConditionVariable) {
  CheckExhaustively<Condition<true>>();
  CheckRandomly<Condition<true>>(1000);
  ExpectFound<Condition<false>>(Exhaustively());
}

struct Spin {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index == 0) {
      flag.store(true, memory_order_release);
    } else {
      while (!flag.load(memory_order_acquire)) Yield();
    }
  }
  Atomic<bool> flag{false};
};

struct SpinForever : Spin {
  void Thread(int index) {
    if (index == 1) Spin::Thread(index);
  }
};

TEST(ModelTest, Loops) {
  CheckExhaustively<Spin>();
  CheckRandomly<Spin>(1000);
  ExpectFound<SpinForever>(Exhaustively());
}

struct Choices {
  static constexpr int kThreads = 1;
  void Thread(int) { Expect(Choose(10) != 7, "each is tried"); }
};

TEST(ModelTest, Choices) { ExpectFound<Choices>(Exhaustively()); }

}  // namespace
}  // namespace home::model
