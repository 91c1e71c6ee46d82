// FrameObject<T>: one object in a block of its own from the recycling cache
// (frame_allocator.h), whatever its alignment.
//
// Thread-safety: an object may be deleted on another thread than made it. Cost:
// about 6 ns for both; operator new's for a T that is aligned more strictly than
// operator new aligns.

#ifndef HOME_FUTURE_FRAME_OBJECT_H_
#define HOME_FUTURE_FRAME_OBJECT_H_

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "home/future/frame_allocator.h"

namespace home::internal {

template <typename T>
class FrameObject {
 public:
  template <typename... Args>
  [[nodiscard]] static T* New(Args&&... args) {
    return NewFrom([&] { return T(std::forward<Args>(args)...); });
  }
  // Of what make() returns, built in place.
  template <typename Make>
  [[nodiscard]] static T* NewFrom(Make&& make) {
    Guard guard(Allocate());
    T* const object = ::new (guard.block()) T(std::forward<Make>(make)());
    guard.Release();
    return object;
  }
  static void Delete(T* object) noexcept {
    std::destroy_at(object);
    Free(object);
  }

 private:
  static constexpr bool kOverAligned = alignof(T) > __STDCPP_DEFAULT_NEW_ALIGNMENT__;

  static void* Allocate() {
    if constexpr (kOverAligned) {
      return ::operator new(sizeof(T), std::align_val_t{alignof(T)});
    } else {
      return AllocateFrame(sizeof(T));
    }
  }
  static void Free(void* block) noexcept {
    if constexpr (kOverAligned) {
      ::operator delete(block, std::align_val_t{alignof(T)});
    } else {
      FreeFrame(block, sizeof(T));
    }
  }

  // Should the making throw, the block must not be lost.
  class Guard {
   public:
    explicit Guard(void* block) : block_(block) {}
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() {
      if (block_ != nullptr) Free(block_);
    }
    void* block() const { return block_; }
    void Release() { block_ = nullptr; }

   private:
    void* block_;
  };
};

}  // namespace home::internal

#endif  // HOME_FUTURE_FRAME_OBJECT_H_
