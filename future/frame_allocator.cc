#include "home/future/frame_allocator.h"

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"

#if defined(__SANITIZE_ADDRESS__)
#define HOME_FRAMES_UNCACHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HOME_FRAMES_UNCACHED 1
#endif
#endif

namespace home {
namespace {

// clang tells a frame's alignment, or is not asked to. g++ never does, so the
// size must: a frame that must be aligned has a multiple of its alignment for
// its size. It costs memory, so it is done only where it has to be.
#if defined(__clang__)
constexpr bool kAlignsBySize = false;
#else
constexpr bool kAlignsBySize = true;
#endif

// The greatest power of two that divides `bytes`, up to kFrameLineBytes.
constexpr std::size_t AlignmentOf(std::size_t bytes) {
  return kAlignsBySize ? std::size_t{1} << std::countr_zero(bytes | kFrameLineBytes) : 1;
}

// Out of line, here and below: the ways that few calls take shall not cost the others the
// saving of registers.
ABSL_ATTRIBUTE_NOINLINE void* NewBlock(std::size_t bytes) {
  const std::size_t alignment = AlignmentOf(bytes);
  if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) return ::operator new(bytes);
  return ::operator new(bytes, std::align_val_t{alignment});
}

ABSL_ATTRIBUTE_NOINLINE void DeleteBlock(void* block, std::size_t bytes) noexcept {
  const std::size_t alignment = AlignmentOf(bytes);
  if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) return ::operator delete(block);
  ::operator delete(block, std::align_val_t{alignment});
}

// On a line of its own: no others shall pay for its writers.
struct ABSL_CACHELINE_ALIGNED Returned {
  std::atomic<std::uint64_t> bytes{0};
};
constinit Returned returned;

void CountReturned(std::uint64_t bytes) noexcept {
  // relaxed: a figure.
  returned.bytes.fetch_add(bytes, std::memory_order_relaxed);
}

}  // namespace

std::uint64_t FrameBytesReturned() noexcept {
  // relaxed: a figure.
  return returned.bytes.load(std::memory_order_relaxed);
}

#if defined(HOME_FRAMES_UNCACHED)

void* AllocateFrame(std::size_t bytes) { return NewBlock(bytes); }
void FreeFrame(void* frame, std::size_t bytes) noexcept {
  DeleteBlock(frame, bytes);
  CountReturned(bytes);
}
void ReleaseCachedFrames() noexcept {}

#else

namespace {

constexpr std::size_t kClasses = kMaxCachedBytes / kFrameSizeClassBytes;
// What is larger is rounded up to whole lines (frame_allocator.h).
constexpr std::size_t kLargeBytes = 3 * kFrameLineBytes;

// A free block. A magazine is a chain of them; the first block of a magazine
// in the depot also links to the next magazine.
struct Block {
  Block* next;
  Block* next_magazine;
};
static_assert(sizeof(Block) <= kFrameSizeClassBytes);

// Those of large blocks are every other class.
constexpr std::size_t ClassOf(std::size_t bytes) {
  static_assert(kFrameLineBytes == 2 * kFrameSizeClassBytes);
  const std::size_t size_class = (bytes - 1) / kFrameSizeClassBytes;
  return bytes > kLargeBytes ? size_class | 1 : size_class;
}
constexpr std::size_t BytesOf(std::size_t size_class) {
  return (size_class + 1) * kFrameSizeClassBytes;
}

void FreeChain(Block* chain, std::size_t size_class) {
  while (chain != nullptr) DeleteBlock(std::exchange(chain, chain->next), BytesOf(size_class));
}

// The shared store of full magazines of one class.
class ABSL_CACHELINE_ALIGNED Depot {
 public:
  // A full magazine, or null.
  Block* Take() {
    // A program that grows finds nothing here, once a block: it shall not take a lock for that.
    // relaxed: a guess; at worst a new block is made although there is an old one.
    if (count_.load(std::memory_order_relaxed) == 0) return nullptr;
    const std::lock_guard lock(mutex_);
    Block* magazine = full_;
    if (magazine != nullptr) {
      full_ = magazine->next_magazine;
      // relaxed: read without the lock only as a guess.
      count_.store(count_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
    }
    return magazine;
  }

  void Give(Block* magazine, std::size_t size_class) {
    {
      const std::lock_guard lock(mutex_);
      // relaxed: written under the lock.
      const std::size_t count = count_.load(std::memory_order_relaxed);
      if ((count + 1) * kMagazineSize * BytesOf(size_class) <= kDepotBytes) {
        magazine->next_magazine = full_;
        full_ = magazine;
        count_.store(count + 1, std::memory_order_relaxed);
        return;
      }
    }
    FreeChain(magazine, size_class);
    CountReturned(kMagazineSize * BytesOf(size_class));
  }

  void Empty(std::size_t size_class) {
    Block* magazine = nullptr;
    {
      const std::lock_guard lock(mutex_);
      magazine = std::exchange(full_, nullptr);
      count_.store(0, std::memory_order_relaxed);  // relaxed: written under the lock
    }
    while (magazine != nullptr) {
      Block* const next = magazine->next_magazine;
      FreeChain(magazine, size_class);
      magazine = next;
    }
  }

 private:
  std::mutex mutex_;
  Block* full_ = nullptr;
  std::atomic<std::size_t> count_{0};
};

// Never destroyed: frames may be freed by threads that outlive static storage.
std::array<Depot, kClasses>& Depots() {
  static auto* depots = new std::array<Depot, kClasses>();
  return *depots;
}

// One thread's magazines of one class. `loaded` is the one in use, `spare` is
// either empty or full (invariant), so a thread that swings around a magazine's
// boundary does not go to the depot each time.
struct Magazines {
  Block* loaded = nullptr;
  Block* spare = nullptr;
  std::uint32_t loaded_count = 0;
};

struct ThreadCache {
  std::array<Magazines, kClasses> classes;
  // Given back as blocks that are not cached, and not counted yet.
  std::uint64_t uncounted = 0;
};

enum class CacheState : std::uint8_t { kUnborn, kAlive, kDead };

// Trivially destructible on purpose: it stays readable while other
// thread-locals are destroyed, when frames may still be freed.
thread_local ThreadCache* thread_cache = nullptr;
thread_local CacheState thread_cache_state = CacheState::kUnborn;

// Returns this thread's magazines when the thread ends.
struct ThreadCacheOwner {
  ThreadCache cache;
  ~ThreadCacheOwner() {
    thread_cache = nullptr;
    thread_cache_state = CacheState::kDead;
    for (std::size_t c = 0; c < kClasses; ++c) {
      FreeChain(cache.classes[c].loaded, c);
      if (cache.classes[c].spare != nullptr) Depots()[c].Give(cache.classes[c].spare, c);
    }
  }
};

// The cache of a thread that has none yet; null once the thread is ending.
ABSL_ATTRIBUTE_NOINLINE ThreadCache* BirthOfCache() {
  if (thread_cache_state == CacheState::kDead) return nullptr;
  thread_local ThreadCacheOwner owner;
  thread_cache = &owner.cache;
  thread_cache_state = CacheState::kAlive;
  return thread_cache;
}

ABSL_ATTRIBUTE_NOINLINE void* AllocateSlow(Magazines* magazines, std::size_t size_class) {
  if (magazines != nullptr) {
    magazines->loaded = std::exchange(magazines->spare, nullptr);
    if (magazines->loaded == nullptr) magazines->loaded = Depots()[size_class].Take();
    if (magazines->loaded != nullptr) {
      Block* block = magazines->loaded;
      magazines->loaded = block->next;
      magazines->loaded_count = kMagazineSize - 1;
      return block;
    }
  }
  return NewBlock(BytesOf(size_class));
}

// Takes `block`, for which `magazines` has no room.
ABSL_ATTRIBUTE_NOINLINE void FreeSlow(Magazines& magazines, Block* block, std::size_t size_class) {
  if (magazines.spare != nullptr) Depots()[size_class].Give(magazines.spare, size_class);
  magazines.spare = std::exchange(magazines.loaded, block);
  block->next = nullptr;
  magazines.loaded_count = 1;
}

// Frees a block that is not cached.
ABSL_ATTRIBUTE_NOINLINE void FreeLarge(void* frame, std::size_t bytes) noexcept {
  constexpr std::uint64_t kCountedAtOnce = std::uint64_t{1} << 16;
  DeleteBlock(frame, bytes);
  ThreadCache* const cache = thread_cache;
  if (cache == nullptr) return CountReturned(bytes);
  cache->uncounted += bytes;
  if (cache->uncounted >= kCountedAtOnce) CountReturned(std::exchange(cache->uncounted, 0));
}

// Frees a block of a thread that has no cache: as yet, or any more.
ABSL_ATTRIBUTE_NOINLINE void FreeWithoutCache(void* frame, std::size_t bytes) noexcept {
  if (BirthOfCache() != nullptr) return FreeFrame(frame, bytes);
  DeleteBlock(frame, BytesOf(ClassOf(bytes)));
}

}  // namespace

void* AllocateFrame(std::size_t bytes) {
  if (ABSL_PREDICT_FALSE(bytes > kMaxCachedBytes || bytes == 0)) return NewBlock(bytes);
  const std::size_t size_class = ClassOf(bytes);
  ThreadCache* cache = thread_cache;
  if (ABSL_PREDICT_FALSE(cache == nullptr)) {
    cache = BirthOfCache();
    if (cache == nullptr) return AllocateSlow(nullptr, size_class);
  }
  Magazines& magazines = cache->classes[size_class];
  Block* block = magazines.loaded;
  if (ABSL_PREDICT_FALSE(block == nullptr)) return AllocateSlow(&magazines, size_class);
  magazines.loaded = block->next;
  --magazines.loaded_count;
  return block;
}

void FreeFrame(void* frame, std::size_t bytes) noexcept {
  if (ABSL_PREDICT_FALSE(bytes > kMaxCachedBytes || bytes == 0)) return FreeLarge(frame, bytes);
  const std::size_t size_class = ClassOf(bytes);
  ThreadCache* cache = thread_cache;
  if (ABSL_PREDICT_FALSE(cache == nullptr)) return FreeWithoutCache(frame, bytes);
  Magazines& magazines = cache->classes[size_class];
  Block* block = static_cast<Block*>(frame);
  if (ABSL_PREDICT_FALSE(magazines.loaded_count == kMagazineSize)) {
    return FreeSlow(magazines, block, size_class);
  }
  block->next = magazines.loaded;
  magazines.loaded = block;
  ++magazines.loaded_count;
}

void ReleaseCachedFrames() noexcept {
  for (std::size_t c = 0; c < kClasses; ++c) {
    if (thread_cache != nullptr) {
      Magazines& magazines = thread_cache->classes[c];
      FreeChain(magazines.loaded, c);
      FreeChain(magazines.spare, c);
      magazines = Magazines();
    }
    Depots()[c].Empty(c);
  }
}

#endif  // HOME_FRAMES_UNCACHED

}  // namespace home
