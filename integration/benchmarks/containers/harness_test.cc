// The workloads must find out a container that loses, doubles or invents elements: a wrong
// peer may not pass for a fast one.

#include "home/integration/benchmarks/containers/harness.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "gtest/gtest.h"
#include "home/integration/benchmarks/containers/deque_workloads.h"
#include "home/integration/benchmarks/containers/ping_pong.h"
#include "home/integration/benchmarks/containers/queue_workloads.h"

namespace home::containers {
namespace {

enum class Fault { kNone, kChanges, kDoubles };

// Right but for one element in a hundred, which comes out changed, or for another one.
template <Fault kFault>
class TestQueue {
 public:
  explicit TestQueue(std::size_t) {}
  bool Push(Element element) {
    const std::lock_guard lock(mutex_);
    elements_.push_back(element);
    return true;
  }
  bool Pop(Element* element) {
    const std::lock_guard lock(mutex_);
    if (elements_.empty()) return false;
    *element = elements_.front();
    elements_.pop_front();
    if (++count_ % 100 == 0) {
      if (kFault == Fault::kChanges) ++*element;
      if (kFault == Fault::kDoubles) *element = last_;
    }
    last_ = *element;
    return true;
  }

 private:
  std::mutex mutex_;
  std::deque<Element> elements_;
  Element last_ = 0;
  int count_ = 0;
};

// kDoubles: the owner's pop leaves one in a hundred to the thieves as well.
template <Fault kFault>
class TestDeque {
 public:
  void Push(Element element) {
    const std::lock_guard lock(mutex_);
    elements_.push_back(element);
  }
  bool Pop(Element* element) {
    const std::lock_guard lock(mutex_);
    if (elements_.empty()) return false;
    *element = elements_.back();
    ++count_;
    if (kFault != Fault::kDoubles || count_ % 100 != 0) elements_.pop_back();
    return true;
  }
  class Thief {
   public:
    explicit Thief(TestDeque& victim) : victim_(victim) {}
    Theft Steal(Element* element) {
      const std::lock_guard lock(victim_.mutex_);
      if (victim_.elements_.empty()) return Theft::kEmpty;
      *element = victim_.elements_.front();
      victim_.elements_.pop_front();
      return Theft::kTaken;
    }

   private:
    TestDeque& victim_;
  };

 private:
  std::mutex mutex_;
  std::deque<Element> elements_;
  int count_ = 0;
};

class TestParker {
 public:
  void Unpark() { token_.store(true, std::memory_order_release); }
  void Park() {
    for (Backoff backoff; !token_.load(std::memory_order_acquire);) backoff.Wait();
    token_.store(false, std::memory_order_relaxed);
  }

 private:
  std::atomic<bool> token_ = false;
};

TEST(HarnessTest, AcceptsARightQueue) {
  using Right = TestQueue<Fault::kNone>;
  EXPECT_TRUE(ProducersAndConsumers<Right>({.n = 10'000, .a = 2, .b = 2}).correct);
  EXPECT_TRUE(ProducersAndConsumers<Right>({.n = 10'001, .a = 3, .b = 1}).correct);
  EXPECT_TRUE(QueueBursts<Right>({.n = 10'000, .a = 64}).correct);
}

TEST(HarnessTest, FindsOutAQueueThatChangesElements) {
  using Wrong = TestQueue<Fault::kChanges>;
  EXPECT_FALSE(ProducersAndConsumers<Wrong>({.n = 10'000, .a = 2, .b = 2}).correct);
  EXPECT_FALSE(QueueBursts<Wrong>({.n = 10'000, .a = 64}).correct);
}

TEST(HarnessTest, FindsOutAQueueThatDoublesElements) {
  using Wrong = TestQueue<Fault::kDoubles>;
  EXPECT_FALSE(ProducersAndConsumers<Wrong>({.n = 10'000, .a = 2, .b = 2}).correct);
  EXPECT_FALSE(QueueBursts<Wrong>({.n = 10'000, .a = 64}).correct);
}

TEST(HarnessTest, AcceptsARightDeque) {
  using Right = TestDeque<Fault::kNone>;
  EXPECT_TRUE(DequeBursts<Right>({.n = 10'000, .a = 64}).correct);
  const Sample steal = WithThieves<Right, false>({.n = 10'000, .a = 3});
  EXPECT_TRUE(steal.correct);
  EXPECT_GE(steal.stolen, 0);
  EXPECT_TRUE((WithThieves<Right, true>({.n = 10'000, .a = 1}).correct));
}

TEST(HarnessTest, FindsOutADequeThatDoublesElements) {
  using Wrong = TestDeque<Fault::kDoubles>;
  EXPECT_FALSE(DequeBursts<Wrong>({.n = 10'000, .a = 64}).correct);
  EXPECT_FALSE((WithThieves<Wrong, false>({.n = 10'000, .a = 1}).correct));
}

TEST(HarnessTest, AcceptsAParkerThatWaits) {
  EXPECT_TRUE(PingPong<TestParker>({.n = 100, .a = 1}).correct);
}

TEST(HarnessTest, RunTogetherMeasuresAllThreads) {
  Sample sample;
  std::vector<int> ran(3);
  RunTogether(3, [&](int index) { ran[static_cast<std::size_t>(index)] = index + 1; }, sample);
  EXPECT_EQ(ran, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(sample.threads, 3);
  EXPECT_GT(sample.wall_ns, 0);
  EXPECT_GT(sample.cpu_ns, 0);
}

// Whatever is built in without a peer from outside.
TEST(HarnessTest, OurAdaptersAreRight) {
  int ran = 0;
  for (const Entry& entry : Entries()) {
    // These count nothing.
    if (entry.kind.rfind("limit", 0) == 0) continue;
    SCOPED_TRACE(entry.kind + " " + entry.peer);
    const Load load{.n = entry.kind == "ping_pong" ? 50u : 3'000u, .a = 1, .b = 1};
    const Sample sample = entry.run(load);
    EXPECT_TRUE(sample.correct);
    EXPECT_GT(sample.wall_ns, 0);
    ++ran;
  }
  EXPECT_GT(ran, 10);
}

}  // namespace
}  // namespace home::containers
