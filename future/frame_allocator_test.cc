#include "home/future/frame_allocator.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "gtest/gtest.h"

namespace home {
namespace {

TEST(FrameAllocatorTest, BlocksAreWritableAlignedAndDistinct) {
  std::vector<std::pair<void*, std::size_t>> blocks;
  for (std::size_t bytes : {1u, 31u, 32u, 33u, 64u, 500u, 2047u, 2048u, 2049u, 100000u}) {
    void* block = AllocateFrame(bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignof(std::max_align_t), 0u);
    std::memset(block, 0xab, bytes);
    blocks.emplace_back(block, bytes);
  }
  std::vector<void*> addresses;
  for (auto& [block, bytes] : blocks) addresses.push_back(block);
  std::sort(addresses.begin(), addresses.end());
  EXPECT_EQ(std::unique(addresses.begin(), addresses.end()), addresses.end());
  for (auto& [block, bytes] : blocks) FreeFrame(block, bytes);
}

TEST(FrameAllocatorTest, ManyBlocksOverMagazineBoundaries) {
  std::vector<void*> blocks;
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < 5 * kMagazineSize + 3; ++i) {
      blocks.push_back(AllocateFrame(96));
      std::memset(blocks.back(), round, 96);
    }
    for (void* block : blocks) FreeFrame(block, 96);
    blocks.clear();
  }
}

#if !defined(ABSL_HAVE_ADDRESS_SANITIZER)
// What was freed last is the next of its class.
TEST(FrameAllocatorTest, LargeBlocksAreWholeLines) {
  const auto share = [](std::size_t one, std::size_t other) {
    void* const block = AllocateFrame(one);
    FreeFrame(block, one);
    void* const again = AllocateFrame(other);
    FreeFrame(again, other);
    return again == block;
  };
  for (const std::size_t lines : {4u, 5u, 20u, 32u}) {
    const std::size_t bytes = lines * kFrameLineBytes;
    EXPECT_TRUE(share(bytes - kFrameLineBytes + 1, bytes)) << bytes;
    EXPECT_TRUE(share(bytes, bytes - kFrameSizeClassBytes)) << bytes;
    EXPECT_FALSE(share(bytes, bytes - kFrameLineBytes)) << bytes;
  }
  EXPECT_FALSE(share(3 * kFrameLineBytes, 3 * kFrameLineBytes - kFrameSizeClassBytes));
}
#endif

TEST(FrameAllocatorTest, WhatIsCachedCanBeReleased) {
  constexpr std::size_t kBlocks = 5 * kMagazineSize + 3;
  for (int round = 0; round < 2; ++round) {
    std::vector<void*> blocks;
    for (std::size_t i = 0; i < kBlocks; ++i) {
      blocks.push_back(AllocateFrame(96));
      std::memset(blocks.back(), round, 96);
    }
    for (void* block : blocks) FreeFrame(block, 96);
    const std::uint64_t before = FrameBytesReturned();
    ReleaseCachedFrames();
    ReleaseCachedFrames();
    EXPECT_EQ(FrameBytesReturned(), before);
  }
}

TEST(FrameAllocatorTest, WhatIsGivenBackIsCounted) {
  constexpr std::size_t kBlocks = 4'000;
  for (const std::size_t bytes : {std::size_t{1024}, std::size_t{4096}}) {
    std::vector<void*> blocks;
    for (std::size_t i = 0; i < kBlocks; ++i) blocks.push_back(AllocateFrame(bytes));
    const std::uint64_t before = FrameBytesReturned();
    for (void* block : blocks) FreeFrame(block, bytes);
    const std::uint64_t returned = FrameBytesReturned() - before;
    // All but what the depot and two magazines keep, or what is counted later.
    EXPECT_LE(returned, kBlocks * bytes);
    EXPECT_GE(returned + kDepotBytes + 2 * kMagazineSize * bytes, kBlocks * bytes);
  }
}

// Blocks that are freed by another thread come back through the depot.
TEST(FrameAllocatorTest, BlocksFreedOnOtherThreadsAreIntact) {
  constexpr int kRounds = 200;
  constexpr std::size_t kBlocks = 3 * kMagazineSize;
  std::atomic<std::vector<std::uint64_t*>*> mailbox{nullptr};
  std::thread consumer([&mailbox] {
    for (int round = 0; round < kRounds; ++round) {
      std::vector<std::uint64_t*>* blocks;
      while ((blocks = mailbox.exchange(nullptr)) == nullptr) std::this_thread::yield();
      for (std::uint64_t* block : *blocks) {
        EXPECT_EQ(block[0], reinterpret_cast<std::uintptr_t>(block));
        FreeFrame(block, 64);
      }
      delete blocks;
    }
  });
  for (int round = 0; round < kRounds; ++round) {
    auto* blocks = new std::vector<std::uint64_t*>();
    for (std::size_t i = 0; i < kBlocks; ++i) {
      auto* block = static_cast<std::uint64_t*>(AllocateFrame(64));
      block[0] = reinterpret_cast<std::uintptr_t>(block);
      blocks->push_back(block);
    }
    std::vector<std::uint64_t*>* expected = nullptr;
    while (!mailbox.compare_exchange_weak(expected, blocks)) {
      expected = nullptr;
      std::this_thread::yield();
    }
  }
  consumer.join();
}

// A thread-local that frees its frame while the thread ends, after the
// thread's cache may be gone already.
struct FreesAtThreadExit {
  void* block = nullptr;
  ~FreesAtThreadExit() {
    if (block != nullptr) FreeFrame(block, 128);
  }
};

TEST(FrameAllocatorTest, ThreadsThatEndReturnTheirBlocks) {
  for (int i = 0; i < 20; ++i) {
    std::thread([] {
      thread_local FreesAtThreadExit late;
      late.block = AllocateFrame(128);
      for (int j = 0; j < 100; ++j) FreeFrame(AllocateFrame(256), 256);
    }).join();
  }
}

}  // namespace
}  // namespace home
