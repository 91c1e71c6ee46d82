#include "home/future/allocation_testing.h"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

// Of this thread; tests run on one.
thread_local std::size_t allocations = 0;

void* Allocate(std::size_t bytes) {
  ++allocations;
  void* const block = std::malloc(bytes == 0 ? 1 : bytes);
  if (block == nullptr) std::abort();
  return block;
}
void* Allocate(std::size_t bytes, std::align_val_t alignment) {
  ++allocations;
  const auto align = static_cast<std::size_t>(alignment);
  void* const block = std::aligned_alloc(align, (bytes + align - 1) / align * align);
  if (block == nullptr) std::abort();
  return block;
}

}  // namespace

void* operator new(std::size_t bytes) { return Allocate(bytes); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return Allocate(bytes, alignment);
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }

namespace home::testing {

std::size_t Allocations() noexcept { return allocations; }

}  // namespace home::testing
