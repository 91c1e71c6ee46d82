// Where frames lie: allocators that a coroutine brings, and the alignment of
// its locals. Built with -fcoro-aligned-allocation where the compiler has it.

#include "home/future/frame_storage.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/async_testing.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::Gate;
using testing::PollOnce;

// Counts what passes through it.
class CountingResource : public std::pmr::memory_resource {
 public:
  int allocations() const { return allocations_; }
  std::size_t in_use() const { return in_use_; }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    ++allocations_;
    in_use_ += bytes;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
    in_use_ -= bytes;
    std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  int allocations_ = 0;
  std::size_t in_use_ = 0;
};

using Memory = std::pmr::polymorphic_allocator<>;

Async<int> Wait(std::allocator_arg_t, Memory, Gate& gate) {
  int value = co_await Gate::Wait(gate);
  co_return value;
}

TEST(FrameStorageTest, AFrameComesFromTheAllocatorAndGoesBack) {
  CountingResource resource;
  Gate gate;
  {
    Async<int> future = Wait(std::allocator_arg, &resource, gate);
    EXPECT_EQ(resource.allocations(), 1);
    EXPECT_TRUE(PollOnce(future).pending());
    gate.Open(7);
    EXPECT_EQ(*PollOnce(future), 7);
    EXPECT_EQ(resource.in_use(), 0u);
  }
  EXPECT_EQ(resource.allocations(), 1);
  EXPECT_EQ(resource.in_use(), 0u);
}

TEST(FrameStorageTest, DroppedFramesGoBack) {
  CountingResource resource;
  Gate gate;
  {
    Async<int> unstarted = Wait(std::allocator_arg, &resource, gate);
    Async<int> waiting = Wait(std::allocator_arg, &resource, gate);
    EXPECT_TRUE(PollOnce(waiting).pending());
    EXPECT_GT(resource.in_use(), 0u);
  }
  EXPECT_EQ(resource.in_use(), 0u);
}

Async<int> Sum(std::allocator_arg_t tag, const Memory& memory, int n) {
  if (n == 0) co_return 0;
  int rest = co_await Sum(tag, memory, n - 1);
  co_return n + rest;
}

TEST(FrameStorageTest, ChildrenTakeTheAllocatorThatTheyAreGiven) {
  CountingResource resource;
  std::pmr::monotonic_buffer_resource arena(&resource);
  const Memory memory(&arena);
  {
    Async<int> future = Sum(std::allocator_arg, memory, 100);
    EXPECT_EQ(*PollOnce(future), 5050);
  }
  EXPECT_GT(resource.allocations(), 0);
  EXPECT_LT(resource.allocations(), 20);
}

TEST(FrameStorageTest, LambdasAndMembersBringAllocatorsToo) {
  CountingResource resource;
  auto lambda = [](std::allocator_arg_t, Memory, int value) -> Async<int> { co_return value; };
  struct Object {
    Async<int> Get(std::allocator_arg_t, Memory) const { co_return member; }
    int member = 4;
  };
  const Object object;
  {
    Async<int> first = lambda(std::allocator_arg, &resource, 3);
    Async<int> second = object.Get(std::allocator_arg, &resource);
    EXPECT_EQ(resource.allocations(), 2);
    EXPECT_EQ(*PollOnce(first) + *PollOnce(second), 7);
  }
  EXPECT_EQ(resource.in_use(), 0u);
}

// An allocator of a type of its own, without state.
int stateless_blocks = 0;
template <typename T>
struct Stateless {
  using value_type = T;
  Stateless() = default;
  template <typename U>
  Stateless(const Stateless<U>&) {}  // NOLINT: allocators convert
  T* allocate(std::size_t n) {
    ++stateless_blocks;
    return std::allocator<T>().allocate(n);
  }
  void deallocate(T* blocks, std::size_t n) {
    --stateless_blocks;
    std::allocator<T>().deallocate(blocks, n);
  }
  bool operator==(const Stateless&) const = default;
};

Async<std::string> Greet(std::allocator_arg_t, Stateless<char>, std::string name) {
  co_return "hello " + name;
}

TEST(FrameStorageTest, AnyAllocatorWillDo) {
  {
    Async<std::string> future = Greet(std::allocator_arg, Stateless<char>(), "you");
    EXPECT_EQ(stateless_blocks, 1);
    EXPECT_EQ(*PollOnce(future), "hello you");
  }
  EXPECT_EQ(stateless_blocks, 0);
}

template <std::size_t kAlignment>
struct alignas(kAlignment) Aligned {
  char bytes[3] = {};
};

template <std::size_t kAlignment>
bool IsAligned(const Aligned<kAlignment>& object) {
  return reinterpret_cast<std::uintptr_t>(&object) % kAlignment == 0;
}

template <std::size_t kAlignment>
Async<bool> LocalIsAligned(Gate& gate, char padding) {
  Aligned<kAlignment> local;
  local.bytes[0] = padding;
  co_await Gate::Wait(gate);
  Aligned<kAlignment> later;
  later.bytes[0] = local.bytes[0];
  co_await Gate::Wait(gate);
  co_return IsAligned(local) && IsAligned(later) && later.bytes[0] == padding;
}

// Many at once, so that none is aligned by luck.
template <std::size_t kAlignment>
void ExpectAlignedLocals() {
  Gate gate;
  constexpr int kCount = 20;
  Async<bool> futures[kCount];
  for (int i = 0; i < kCount; ++i) {
    futures[i] = LocalIsAligned<kAlignment>(gate, static_cast<char>(i));
    EXPECT_TRUE(PollOnce(futures[i]).pending());
  }
  gate.Open(0);
  for (Async<bool>& future : futures) EXPECT_TRUE(*PollOnce(future)) << kAlignment;
}

TEST(FrameStorageTest, LocalsAlignedToALineAreAligned) {
  ExpectAlignedLocals<16>();
  ExpectAlignedLocals<32>();
  ExpectAlignedLocals<64>();
}

#if defined(__clang__)
TEST(FrameStorageTest, ACompilerThatTellsGivesAnyAlignment) {
  ExpectAlignedLocals<128>();
  ExpectAlignedLocals<4096>();
}
#endif

template <std::size_t kAlignment>
Async<bool> AllocatedIsAligned(std::allocator_arg_t, Memory, Gate& gate) {
  Aligned<kAlignment> local;
  local.bytes[0] = 1;
  co_await Gate::Wait(gate);
  co_return IsAligned(local) && local.bytes[0] == 1;
}

TEST(FrameStorageTest, LocalsAreAlignedInTheUsersMemoryToo) {
  CountingResource resource;
  {
    Gate gate;
    Async<bool> line = AllocatedIsAligned<64>(std::allocator_arg, &resource, gate);
    Async<bool> half = AllocatedIsAligned<32>(std::allocator_arg, &resource, gate);
    EXPECT_TRUE(PollOnce(line).pending());
    EXPECT_TRUE(PollOnce(half).pending());
    gate.Open(0);
    EXPECT_TRUE(*PollOnce(line));
    EXPECT_TRUE(*PollOnce(half));
  }
  EXPECT_EQ(resource.in_use(), 0u);
}

}  // namespace
}  // namespace home
