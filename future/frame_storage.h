// Where a coroutine's frame lies: in the recycling cache, or in memory from an
// allocator of the user's.
//
//   Async<int> Parse(std::allocator_arg_t, std::pmr::polymorphic_allocator<> memory,
//                    std::string_view text);
//
// A coroutine whose first two parameters (after the object, for a member or a
// lambda) are std::allocator_arg_t and an allocator has its frame, and nothing
// else, from a copy of that allocator, which is kept behind the frame and frees
// it. The caller sees to it that the memory outlives the coroutine. This is the
// convention of std::generator. A coroutine without them pays nothing for it.
//
// Alignment: what operator new gives, 16 bytes here, is enough for nearly all
// frames. A local variable that asks for more needs a compiler that tells:
//  - clang does with -fcoro-aligned-allocation; any alignment is honoured then,
//    up to kFrameLineBytes with an allocator. Without that flag it places such a
//    local as if the frame were aligned, and says nothing.
//  - g++ 12 never tells, but the size of a frame is a multiple of its alignment
//    there, so each is aligned to the greatest power of two that divides its
//    size, up to kFrameLineBytes. More is not honoured.
//
// Thread-safety: the recycling cache is for all threads; an allocator must
// allow what the coroutine does: its frame may be freed on the thread that
// destroys it.

#ifndef HOME_FUTURE_FRAME_STORAGE_H_
#define HOME_FUTURE_FRAME_STORAGE_H_

#include <coroutine>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>

#include "home/future/fatal.h"
#include "home/future/frame_allocator.h"

namespace home::frame_internal {

// A base of promises: frames come from the recycling cache.
struct RecycledFrame {
  static void* operator new(std::size_t bytes) { return AllocateFrame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { FreeFrame(frame, bytes); }

  // clang calls these with -fcoro-aligned-allocation.
  static void* operator new(std::size_t bytes, std::align_val_t alignment) {
    if (IsOrdinary(alignment)) return AllocateFrame(bytes);
    return ::operator new(bytes, alignment);
  }
  static void operator delete(void* frame, std::size_t bytes, std::align_val_t alignment) noexcept {
    if (IsOrdinary(alignment)) return FreeFrame(frame, bytes);
    ::operator delete(frame, bytes, alignment);
  }

 private:
  static constexpr bool IsOrdinary(std::align_val_t alignment) {
    return static_cast<std::size_t>(alignment) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__;
  }
};

// The promise P of a coroutine that brings its allocator. It adds no member, so
// that it lies where a P would and a handle to the one is a handle to the other.
template <typename P, typename Allocator>
class AllocatorPromise : public P {
 public:
  template <typename... Args>
  static void* operator new(std::size_t bytes, std::allocator_arg_t, const Allocator& allocator,
                            const Args&...) {
    return Allocate(bytes, Guess(bytes), allocator);
  }
  template <typename Object, typename... Args>
  static void* operator new(std::size_t bytes, const Object&, std::allocator_arg_t,
                            const Allocator& allocator, const Args&...) {
    return Allocate(bytes, Guess(bytes), allocator);
  }
  template <typename... Args>
  static void* operator new(std::size_t bytes, std::align_val_t alignment, std::allocator_arg_t,
                            const Allocator& allocator, const Args&...) {
    return Allocate(bytes, alignment, allocator);
  }
  template <typename Object, typename... Args>
  static void* operator new(std::size_t bytes, std::align_val_t alignment, const Object&,
                            std::allocator_arg_t, const Allocator& allocator, const Args&...) {
    return Allocate(bytes, alignment, allocator);
  }

  static void operator delete(void* frame, std::size_t bytes) noexcept {
    Free(frame, bytes, Guess(bytes));
  }
  static void operator delete(void* frame, std::size_t bytes, std::align_val_t alignment) noexcept {
    Free(frame, bytes, alignment);
  }

 private:
  template <std::size_t kAlignment>
  struct alignas(kAlignment) Block {
    std::byte bytes[kAlignment];
  };
  template <std::size_t kAlignment>
  using Traits =
      typename std::allocator_traits<Allocator>::template rebind_traits<Block<kAlignment>>;

  // The alignment of a frame whose compiler does not tell.
  static constexpr std::align_val_t Guess(std::size_t bytes) {
    constexpr std::size_t kOrdinary = __STDCPP_DEFAULT_NEW_ALIGNMENT__;
    return std::align_val_t{bytes % (2 * kOrdinary) == 0 ? kFrameLineBytes : kOrdinary};
  }

  // The allocator's copy lies behind the frame.
  static constexpr std::size_t OffsetOfCopy(std::size_t bytes) {
    return (bytes + alignof(Allocator) - 1) / alignof(Allocator) * alignof(Allocator);
  }
  template <std::size_t kAlignment>
  static constexpr std::size_t BlocksFor(std::size_t bytes) {
    return (OffsetOfCopy(bytes) + sizeof(Allocator) + kAlignment - 1) / kAlignment;
  }
  static Allocator* CopyOf(void* frame, std::size_t bytes) {
    return reinterpret_cast<Allocator*>(static_cast<std::byte*>(frame) + OffsetOfCopy(bytes));
  }

  static void* Allocate(std::size_t bytes, std::align_val_t alignment, const Allocator& allocator) {
    if (static_cast<std::size_t>(alignment) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
      return AllocateBlocks<__STDCPP_DEFAULT_NEW_ALIGNMENT__>(bytes, allocator);
    }
    if (static_cast<std::size_t>(alignment) > kFrameLineBytes) {
      Fatal("a coroutine with an allocator has a local variable aligned to more than 64 bytes");
    }
    return AllocateBlocks<kFrameLineBytes>(bytes, allocator);
  }
  template <std::size_t kAlignment>
  static void* AllocateBlocks(std::size_t bytes, const Allocator& allocator) {
    typename Traits<kAlignment>::allocator_type blocks(allocator);
    void* frame =
        std::to_address(Traits<kAlignment>::allocate(blocks, BlocksFor<kAlignment>(bytes)));
    std::construct_at(CopyOf(frame, bytes), allocator);
    return frame;
  }

  static void Free(void* frame, std::size_t bytes, std::align_val_t alignment) noexcept {
    if (static_cast<std::size_t>(alignment) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
      return FreeBlocks<__STDCPP_DEFAULT_NEW_ALIGNMENT__>(frame, bytes);
    }
    FreeBlocks<kFrameLineBytes>(frame, bytes);
  }
  template <std::size_t kAlignment>
  static void FreeBlocks(void* frame, std::size_t bytes) noexcept {
    Allocator* copy = CopyOf(frame, bytes);
    typename Traits<kAlignment>::allocator_type blocks(*copy);
    std::destroy_at(copy);
    Traits<kAlignment>::deallocate(blocks, static_cast<Block<kAlignment>*>(frame),
                                   BlocksFor<kAlignment>(bytes));
  }
};

// What std::coroutine_traits holds for a coroutine of promise P that brings an
// allocator.
template <typename P, typename Allocator>
struct AllocatorTraits {
  using promise_type = AllocatorPromise<P, std::remove_cvref_t<Allocator>>;
};

}  // namespace home::frame_internal

#endif  // HOME_FUTURE_FRAME_STORAGE_H_
