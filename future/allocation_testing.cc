#include "home/future/allocation_testing.h"

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

namespace {

// Of this thread; tests run on one.
thread_local std::size_t allocations = 0;
thread_local std::size_t allocated_bytes = 0;

void Count(std::size_t bytes) {
  ++allocations;
  allocated_bytes += bytes;
}
void* Allocate(std::size_t bytes) {
  void* const block = std::malloc(bytes == 0 ? 1 : bytes);
  if (block == nullptr) std::abort();
  return block;
}
// Not std::aligned_alloc(): not every C library has it. The block that malloc() gave is noted in
// front of the one that is handed out.
void* Allocate(std::size_t bytes, std::align_val_t alignment) {
  std::size_t room = bytes + sizeof(void*) + static_cast<std::size_t>(alignment);
  void* const block = Allocate(room);
  void* aligned = static_cast<void*>(static_cast<void**>(block) + 1);
  room -= sizeof(void*);
  std::align(static_cast<std::size_t>(alignment), bytes, aligned, room);
  static_cast<void**>(aligned)[-1] = block;
  return aligned;
}
void FreeAligned(void* block) {
  if (block != nullptr) std::free(static_cast<void**>(block)[-1]);
}

}  // namespace

void* operator new(std::size_t bytes) {
  Count(bytes);
  return Allocate(bytes);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  Count(bytes);
  return Allocate(bytes, alignment);
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { FreeAligned(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { FreeAligned(block); }

namespace home::testing {

std::size_t Allocations() noexcept { return allocations; }
std::size_t AllocatedBytes() noexcept { return allocated_bytes; }

}  // namespace home::testing
