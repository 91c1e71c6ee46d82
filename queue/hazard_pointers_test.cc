// Hazard pointers: what is kept, what is freed, and when.

#include "home/queue/hazard_pointers.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "home/queue/hazard_access.h"

namespace home {
namespace {

// Counts those that live.
struct Counted : HazardDomain::Object {
  explicit Counted(std::atomic<int>& counter) : live(counter) { ++live; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() {
    value = -1;
    --live;
  }
  std::atomic<int>& live;
  std::atomic<int> value = 42;
};

class HazardPointersTest : public testing::Test {
 protected:
  Counted* New() { return new Counted(live_); }

  std::atomic<int> live_ = 0;
  HazardDomain domain_;
};

TEST_F(HazardPointersTest, WhatNobodyProtectsIsFreed) {
  HazardDomain::Participant self(domain_);
  self.Retire(New());
  EXPECT_EQ(live_.load(), 1);
  EXPECT_EQ(self.retired_count(), 1u);
  self.Reclaim();
  EXPECT_EQ(live_.load(), 0);
  EXPECT_EQ(self.retired_count(), 0u);
}

TEST_F(HazardPointersTest, WhatIsProtectedIsKept) {
  HazardDomain::Participant self(domain_);
  HazardDomain::Participant other(domain_);
  std::atomic<Counted*> source = New();
  {
    HazardDomain::HazardPointer hazard(other);
    Counted* const object = hazard.Protect(source);
    EXPECT_EQ(object, source.load());
    self.Retire(source.exchange(nullptr));
    self.Reclaim();
    EXPECT_EQ(object->value.load(), 42);
    EXPECT_EQ(self.retired_count(), 1u);
  }
  self.Reclaim();
  EXPECT_EQ(live_.load(), 0);
}

TEST_F(HazardPointersTest, TellsWhetherAnObjectIsProtected) {
  HazardDomain::Participant self(domain_);
  std::atomic<Counted*> source = New();
  const std::unique_ptr<Counted> other(New());
  const std::unique_ptr<Counted> object(source.load());
  EXPECT_FALSE(domain_.IsProtected(object.get()));
  HazardDomain::HazardPointer hazard(self);
  EXPECT_EQ(hazard.Protect(source), object.get());
  EXPECT_TRUE(domain_.IsProtected(object.get()));
  EXPECT_FALSE(domain_.IsProtected(other.get()));
  hazard.Clear();
  EXPECT_FALSE(domain_.IsProtected(object.get()));
}

TEST_F(HazardPointersTest, ProtectionOfAnotherObjectEndsTheFirst) {
  HazardDomain::Participant self(domain_);
  HazardDomain::HazardPointer hazard(self);
  std::atomic<Counted*> source = New();
  ASSERT_NE(hazard.Protect(source), nullptr);
  self.Retire(source.exchange(New()));
  ASSERT_NE(hazard.Protect(source), nullptr);
  self.Reclaim();
  EXPECT_EQ(live_.load(), 1);
  self.Retire(source.exchange(nullptr));
  hazard.Clear();
  self.Reclaim();
  EXPECT_EQ(live_.load(), 0);
}

TEST_F(HazardPointersTest, ANullPointerNeedsNoProtection) {
  HazardDomain::Participant self(domain_);
  HazardDomain::HazardPointer hazard(self);
  const std::atomic<Counted*> source = nullptr;
  EXPECT_EQ(hazard.Protect(source), nullptr);
}

// A participant that stops for ever, protecting as much as it can, holds up no more than that.
TEST_F(HazardPointersTest, GarbageIsBounded) {
  HazardDomain::Participant stuck(domain_);
  HazardDomain::Participant self(domain_);
  std::array<std::atomic<Counted*>, HazardPolicy::kSlots> sources{};
  std::array<std::optional<HazardDomain::HazardPointer>, HazardPolicy::kSlots> hazards;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    sources[i] = New();
    ASSERT_NE(hazards[i].emplace(stuck).Protect(sources[i]), nullptr);
    self.Retire(sources[i].exchange(nullptr));
  }
  for (int i = 0; i < 100'000; ++i) {
    self.Retire(New());
    ASSERT_LE(static_cast<std::size_t>(live_.load()), domain_.Bound());
    ASSERT_LE(self.retired_count(), domain_.Batch());
  }
  self.Reclaim();
  EXPECT_EQ(live_.load(), static_cast<int>(HazardPolicy::kSlots));
  for (auto& hazard : hazards) hazard.reset();
}

TEST_F(HazardPointersTest, AParticipantThatGoesHandsOnWhatItCannotFree) {
  HazardDomain::Participant other(domain_);
  HazardDomain::HazardPointer hazard(other);
  std::atomic<Counted*> source = New();
  Counted* const object = hazard.Protect(source);
  std::thread([&] {
    HazardDomain::Participant self(domain_);
    self.Retire(source.exchange(nullptr));
    for (int i = 0; i < 10; ++i) self.Retire(New());
  }).join();
  EXPECT_EQ(live_.load(), 1);
  other.Reclaim();
  EXPECT_EQ(object->value.load(), 42);
  EXPECT_EQ(other.retired_count(), 1u);
  hazard.Clear();
  other.Reclaim();
  EXPECT_EQ(live_.load(), 0);
}

TEST_F(HazardPointersTest, ADomainThatGoesFreesWhatIsLeft) {
  auto domain = std::make_unique<HazardDomain>();
  {
    HazardDomain::Participant holder(*domain);
    HazardDomain::HazardPointer hazard(holder);
    std::atomic<Counted*> source = New();
    ASSERT_NE(hazard.Protect(source), nullptr);
    // Ends before the one that protects.
    HazardDomain::Participant(*domain).Retire(source.exchange(nullptr));
    EXPECT_EQ(live_.load(), 1);
  }
  domain.reset();
  EXPECT_EQ(live_.load(), 0);
}

// The destructor of what is freed retires the next, through the same participant.
TEST_F(HazardPointersTest, DestructorsMayRetire) {
  struct Chain : HazardDomain::Object {
    Chain(HazardDomain::Participant& participant, Chain* chain_next, std::atomic<int>& counter)
        : self(participant), next(chain_next), live(counter) {
      ++live;
    }
    Chain(const Chain&) = delete;
    Chain& operator=(const Chain&) = delete;
    ~Chain() {
      --live;
      if (next != nullptr) self.Retire(next);
    }
    HazardDomain::Participant& self;
    Chain* next;
    std::atomic<int>& live;
  };
  HazardDomain::Participant self(domain_);
  Chain* chain = nullptr;
  for (int i = 0; i < 200; ++i) chain = new Chain(self, chain, live_);
  self.Retire(chain);
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(live_.load(), 200 - i);
    self.Reclaim();
  }
  EXPECT_EQ(live_.load(), 0);
}

TEST_F(HazardPointersTest, RecordsAreReused) {
  const std::size_t batch_of_one = [&] {
    HazardDomain::Participant self(domain_);
    return domain_.Batch();
  }();
  for (int i = 0; i < 100; ++i) HazardDomain::Participant self(domain_);
  EXPECT_EQ(domain_.Batch(), batch_of_one);
}

TEST_F(HazardPointersTest, DomainsAreIndependent) {
  HazardDomain other_domain;
  HazardDomain::Participant self(domain_);
  HazardDomain::Participant in_other(other_domain);
  HazardDomain::HazardPointer hazard(in_other);
  std::atomic<Counted*> source = New();
  ASSERT_NE(hazard.Protect(source), nullptr);  // Of no effect in `domain_`.
  self.Retire(source.exchange(nullptr));
  self.Reclaim();
  EXPECT_EQ(live_.load(), 0);
}

// Readers chase a pointer that writers replace all the time.
TEST_F(HazardPointersTest, NothingIsFreedUnderAReader) {
  constexpr int kRounds = 20'000;
  std::atomic<Counted*> source = New();
  std::atomic<int> writers = 2;
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      HazardDomain::Participant self(domain_);
      for (int i = 0; i < kRounds; ++i) self.Retire(source.exchange(New()));
      --writers;
    });
    threads.emplace_back([&] {
      HazardDomain::Participant self(domain_);
      while (writers.load() > 0) {
        HazardDomain::HazardPointer hazard(self);
        const Counted* const object = hazard.Protect(source);
        if (object->value.load() % 2 == 0) std::this_thread::yield();
        ASSERT_EQ(object->value.load(), 42);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  HazardDomain::Participant(domain_).Retire(source.load());
  HazardDomain::Participant(domain_).Reclaim();
  EXPECT_EQ(live_.load(), 0);
}

using HazardPointersDeathTest = HazardPointersTest;

TEST_F(HazardPointersDeathTest, TooManyAtOnceSaySo) {
  HazardDomain::Participant self(domain_);
  std::array<std::optional<HazardDomain::HazardPointer>, HazardPolicy::kSlots> hazards;
  for (auto& hazard : hazards) hazard.emplace(self);
  EXPECT_DEATH(HazardDomain::HazardPointer one_more(self), "too many hazard pointers at once");
}

TEST_F(HazardPointersDeathTest, ADomainOutlivesItsParticipants) {
  EXPECT_DEATH(
      {
        auto domain = std::make_unique<HazardDomain>();
        HazardDomain::Participant self(*domain);
        domain.reset();
      },
      "destroyed before one of its participants");
}

// -- HazardAccess --------------------------------------------------------------------------

TEST(HazardAccessTest, AThreadKeepsItsParticipant) {
  const HazardAccess first;
  const HazardAccess second;
  EXPECT_EQ(&first.participant(), &second.participant());
  std::thread([&] {
    const HazardAccess other;
    EXPECT_NE(&other.participant(), &first.participant());
  }).join();
}

// A thread-local object that is destroyed after the thread's participant, as it was made before.
TEST(HazardAccessTest, WorksWhileThreadLocalsAreDestroyed) {
  static std::atomic<int> live = 0;
  struct Late {
    ~Late() {
      const HazardAccess access;
      std::atomic<Counted*> source = new Counted(live);
      {
        HazardDomain::HazardPointer hazard(access.participant());
        EXPECT_EQ(hazard.Protect(source)->value.load(), 42);
      }
      access.participant().Retire(source.exchange(nullptr));
    }
  };
  std::thread([] {
    thread_local Late late;
    static_cast<void>(&late);
    const HazardAccess access;
    access.participant().Retire(new Counted(live));
  }).join();
  HazardAccess().participant().Reclaim();
  EXPECT_EQ(live.load(), 0);
}

}  // namespace
}  // namespace home
