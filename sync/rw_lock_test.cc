#include "home/sync/rw_lock.h"

#include <memory>
#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "home/future/future.h"
#include "home/future/testing.h"
#include "home/sync/testing.h"

namespace home {
namespace {

using sync_testing::ExpectToStandAHostileWaker;
using testing::CountingWaker;
using testing::PollOnce;

static_assert(Future<RwLockFuture<RwLock<int>::ReadGuard, RwLock<int>*>>);

TEST(RwLockTest, ManyReadOrOneWrites) {
  RwLock<int> lock(RwLockMode::kFair, 1);
  auto first = lock.TryRead();
  auto second = lock.TryRead();
  EXPECT_EQ(**first + **second, 2);
  EXPECT_FALSE(lock.TryWrite().has_value());
  CountingWaker counter;
  auto write = lock.Write();
  EXPECT_TRUE(PollOnce(write, counter).pending());
  first.reset();
  EXPECT_EQ(counter.wakes(), 0);
  second.reset();
  EXPECT_EQ(counter.wakes(), 1);
  auto writing = std::move(PollOnce(write, counter)).value();
  *writing = 5;
  EXPECT_FALSE(lock.TryRead().has_value());
  EXPECT_FALSE(lock.TryWrite().has_value());
  EXPECT_FALSE(lock.TryUpgradableRead().has_value());
  {
    const auto gone = std::move(writing);
  }
  EXPECT_EQ(**lock.TryRead(), 5);
}

TEST(RwLockTest, ReadersThatComeDoNotPassAWriter) {
  RwLock<int> lock;
  CountingWaker counters[3];
  auto reading = lock.TryRead();
  auto write = lock.Write();
  auto read = lock.Read();
  auto also = lock.Read();
  EXPECT_TRUE(PollOnce(write, counters[0]).pending());
  EXPECT_FALSE(lock.TryRead().has_value());
  EXPECT_TRUE(PollOnce(read, counters[1]).pending());
  EXPECT_TRUE(PollOnce(also, counters[2]).pending());
  reading.reset();
  EXPECT_EQ(counters[1].wakes(), 0);
  {
    auto writing = PollOnce(write, counters[0]);
    EXPECT_TRUE(writing.ready());
  }
  // Readers come together.
  auto one = PollOnce(read, counters[1]);
  auto two = PollOnce(also, counters[2]);
  EXPECT_TRUE(one.ready() && two.ready());
}

TEST(RwLockTest, AWriterThatGivesUpLetsReadersIn) {
  RwLock<int> lock;
  CountingWaker counter;
  auto reading = lock.TryRead();
  auto read = lock.Read();
  {
    auto write = lock.Write();
    EXPECT_TRUE(PollOnce(write).pending());
    EXPECT_TRUE(PollOnce(read, counter).pending());
  }
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_TRUE(PollOnce(read, counter).ready());
}

TEST(RwLockTest, Modes) {
  for (const RwLockMode mode : {RwLockMode::kFair, RwLockMode::kPreferWriters}) {
    RwLock<int> lock(mode, 0);
    CountingWaker reader;
    CountingWaker writer;
    auto writing = lock.TryWrite();
    auto read = lock.Read();
    auto write = lock.Write();
    EXPECT_TRUE(PollOnce(read, reader).pending());
    EXPECT_TRUE(PollOnce(write, writer).pending());
    writing.reset();
    const bool prefers = mode == RwLockMode::kPreferWriters;
    EXPECT_EQ(reader.wakes(), prefers ? 0 : 1);
    EXPECT_EQ(writer.wakes(), prefers ? 1 : 0);
  }
}

TEST(RwLockTest, Downgrade) {
  RwLock<int> lock;
  CountingWaker reader;
  CountingWaker writer;
  auto writing = lock.TryWrite();
  auto read = lock.Read();
  auto write = lock.Write();
  EXPECT_TRUE(PollOnce(read, reader).pending());
  EXPECT_TRUE(PollOnce(write, writer).pending());
  **writing = 3;
  {
    auto reading = *std::move(writing);
    writing.reset();
    auto shared = std::move(reading).Downgrade();
    EXPECT_EQ(*shared, 3);
    EXPECT_EQ(reader.wakes(), 1);
    auto granted = PollOnce(read, reader);
    EXPECT_TRUE(granted.ready());
    EXPECT_EQ(writer.wakes(), 0);
  }
  EXPECT_EQ(writer.wakes(), 1);
}

TEST(RwLockTest, UpgradableReads) {
  RwLock<int> lock;
  auto looking = *lock.TryUpgradableRead();
  EXPECT_FALSE(lock.TryUpgradableRead().has_value());
  EXPECT_FALSE(lock.TryWrite().has_value());
  auto reading = lock.TryRead();
  ASSERT_TRUE(reading.has_value());
  CountingWaker upgrader;
  CountingWaker writer;
  auto write = lock.Write();
  EXPECT_TRUE(PollOnce(write, writer).pending());
  auto upgrade = std::move(looking).Upgrade();
  EXPECT_TRUE(PollOnce(upgrade, upgrader).pending());
  EXPECT_FALSE(lock.TryRead().has_value());
  reading.reset();
  // Before the writer that came before.
  EXPECT_EQ(upgrader.wakes(), 1);
  EXPECT_EQ(writer.wakes(), 0);
  {
    auto writing = std::move(PollOnce(upgrade, upgrader)).value();
    *writing = 4;
    auto again = std::move(writing).DowngradeToUpgradable();
    EXPECT_EQ(*again, 4);
    auto last = std::move(again).Downgrade();
    EXPECT_EQ(*last, 4);
  }
  EXPECT_EQ(writer.wakes(), 1);
  EXPECT_TRUE(PollOnce(write, writer).ready());
}

TEST(RwLockTest, AnUpgradeThatIsDroppedGivesEverythingUp) {
  for (const bool granted : {false, true}) {
    RwLock<int> lock;
    auto reading = lock.TryRead();
    {
      auto upgrade = (*lock.TryUpgradableRead()).Upgrade();
      EXPECT_TRUE(PollOnce(upgrade).pending());
      if (granted) reading.reset();
    }
    reading.reset();
    EXPECT_TRUE(lock.TryWrite().has_value());
  }
}

TEST(RwLockTest, OwnedGuardsKeepTheLock) {
  auto lock = std::make_shared<RwLock<int>>();
  const std::weak_ptr<RwLock<int>> weak = lock;
  auto upgradable = RwLock<int>::UpgradableReadOwned(lock);
  auto read = RwLock<int>::ReadOwned(lock);
  auto write = RwLock<int>::WriteOwned(std::move(lock));
  {
    auto looking = std::move(PollOnce(upgradable)).value();
    auto upgrade = std::move(looking).Upgrade();
    auto writing = std::move(PollOnce(upgrade)).value();
    EXPECT_EQ(*writing, 0);
    EXPECT_TRUE(PollOnce(write).pending());
    EXPECT_TRUE(PollOnce(read).pending());
  }
  {
    auto writing = PollOnce(write);
    EXPECT_TRUE(writing.ready());
  }
  {
    auto reading = PollOnce(read);
    EXPECT_TRUE(reading.ready());
    EXPECT_FALSE(weak.expired());
  }
  EXPECT_TRUE(weak.expired());
}

TEST(RwLockTest, OwnedTriesTakeWhatTheyAreFor) {
  const auto lock = std::make_shared<RwLock<int>>();
  {
    const auto reading = RwLock<int>::TryReadOwned(lock);
    EXPECT_TRUE(reading.has_value());
    EXPECT_FALSE(RwLock<int>::TryWriteOwned(lock).has_value());
    const auto looking = RwLock<int>::TryUpgradableReadOwned(lock);
    EXPECT_TRUE(looking.has_value());
    EXPECT_FALSE(RwLock<int>::TryUpgradableReadOwned(lock).has_value());
    EXPECT_EQ(lock.use_count(), 3);
  }
  const auto writing = RwLock<int>::TryWriteOwned(lock);
  EXPECT_TRUE(writing.has_value());
  EXPECT_FALSE(RwLock<int>::TryReadOwned(lock).has_value());
}

TEST(RwLockTest, AValueThatHasAnAddressOperator) {
  RwLock<testing::Unaddressable> lock;
  (*lock.TryWrite())->number = 7;
  EXPECT_EQ((*lock.TryRead())->number, 7);
  EXPECT_EQ((*lock.TryUpgradableRead())->number, 7);
}

TEST(RwLockTest, HostileWaker) {
  RwLock<int> lock;
  std::optional<RwLock<int>::ReadGuard> reading;
  std::optional<RwLock<int>::WriteGuard> writing;
  const auto release = [&] {
    reading.reset();
    writing.reset();
  };
  const auto intrude = [&lock] {
    auto read = lock.Read();
    static_cast<void>(PollOnce(read).ready());
    auto write = lock.Write();
    static_cast<void>(PollOnce(write).ready());
    auto upgradable = lock.UpgradableRead();
    static_cast<void>(PollOnce(upgradable).ready());
  };
  const auto read = [&] {
    writing = lock.TryWrite();
    return lock.Read();
  };
  const auto write = [&] {
    reading = lock.TryRead();
    return lock.Write();
  };
  const auto look = [&] {
    writing = lock.TryWrite();
    return lock.UpgradableRead();
  };
  const auto upgrade = [&] {
    reading = lock.TryRead();
    return lock.TryUpgradableRead().value().Upgrade();
  };
  ExpectToStandAHostileWaker(read, release, intrude);
  release();
  ExpectToStandAHostileWaker(write, release, intrude);
  release();
  ExpectToStandAHostileWaker(look, release, intrude);
  release();
  ExpectToStandAHostileWaker(upgrade, release, intrude);
  release();
  EXPECT_TRUE(lock.TryWrite().has_value());
}

}  // namespace
}  // namespace home
