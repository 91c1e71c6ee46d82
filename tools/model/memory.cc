// The operators new and delete of a model test. Relacy replaces the plain ones, by inline
// functions: a compiler that calls only others of the family leaves them out, and the
// program would allocate here and free there. So they are instantiated here, and the others
// are added.
//
// Over-aligned memory comes from the same place, so that leaks of it are seen too: a block
// starts with room for its alignment, and the address to free stands right before the part
// that the program gets.

#include <cstddef>
#include <cstdint>
#include <new>

#include "home/tools/model/relacy.h"

namespace home::model::model_internal {

// Uses of Relacy's operators.
[[gnu::used]] void* (*const kNew[])(std::size_t) = {&::operator new, &::operator new[] };
[[gnu::used]] void (*const kDelete[])(void*) = {&::operator delete, &::operator delete[] };

}  // namespace home::model::model_internal

void operator delete(void* block, std::size_t) noexcept { ::operator delete(block); }
void operator delete[](void* block, std::size_t) noexcept { ::operator delete[](block); }

void* operator new(std::size_t size, std::align_val_t alignment) {
  const auto unit = static_cast<std::size_t>(alignment);
  // Of at least two words, so that the address has its place.
  const std::size_t room = unit < 2 * sizeof(void*) ? 2 * sizeof(void*) : unit;
  void* const block = ::operator new(size + room);
  const auto address = reinterpret_cast<std::uintptr_t>(block);
  auto* const aligned = reinterpret_cast<void**>((address + room) & ~(unit - 1));
  aligned[-1] = block;
  return static_cast<void*>(aligned);
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return ::operator new(size, alignment);
}

void operator delete(void* aligned, std::align_val_t) noexcept {
  if (aligned != nullptr) ::operator delete(static_cast<void**>(aligned)[-1]);
}
void operator delete[](void* aligned, std::align_val_t alignment) noexcept {
  ::operator delete(aligned, alignment);
}
void operator delete(void* aligned, std::size_t, std::align_val_t alignment) noexcept {
  ::operator delete(aligned, alignment);
}
void operator delete[](void* aligned, std::size_t, std::align_val_t alignment) noexcept {
  ::operator delete(aligned, alignment);
}
