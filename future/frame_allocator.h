// The allocator of coroutine frames and task cells: a recycling cache.
//
// A runtime allocates and frees blocks of a few sizes millions of times a
// second, often freeing on another thread than the one that allocated, which
// general allocators pay for with contended atomics. Here every thread keeps,
// for each size class, two magazines of free blocks; a full magazine goes to a
// shared depot and an empty one is exchanged there for a full one, one lock a
// kMagazineSize blocks, so a block freed far from home costs no more than any
// other. The scheme is Bonwick and Adams' magazine layer (Magazines and Vmem,
// USENIX 2001).
//
// Blocks of more than three cache lines are whole lines long, so that allocators whose size classes
// are multiples of a line there (mimalloc, jemalloc) put each on lines of its own: two tasks that
// run at the same time on two processors, and whose frames are neighbours, would else take the line
// in the middle from one another with every step. glibc's allocator has a word between its blocks,
// and neighbours share a line there all the same. Smaller blocks are kept small instead.
//
// The cache is bounded: a thread holds at most two magazines a class, the depot
// at most kDepotBytes a class, and what is over goes back to operator delete.
// A thread that ends returns its magazines. Blocks over kMaxCachedBytes are not
// cached at all. Under AddressSanitizer nothing is cached, so that every use
// after free is seen.
//
// Thread-safety: full. Cost: about 3 ns a call from the magazine.

#ifndef HOME_FUTURE_FRAME_ALLOCATOR_H_
#define HOME_FUTURE_FRAME_ALLOCATOR_H_

#include <cstddef>
#include <cstdint>

namespace home {

// Of what is not larger than three lines; else a line.
inline constexpr std::size_t kFrameSizeClassBytes = 32;
inline constexpr std::size_t kMaxCachedBytes = 2048;
inline constexpr std::size_t kMagazineSize = 32;
inline constexpr std::size_t kFrameLineBytes = 64;
inline constexpr std::size_t kDepotBytes = std::size_t{1} << 20;

// Returns `bytes` bytes aligned as operator new aligns. Built by a compiler that
// does not tell a frame's alignment (frame_storage.h), it aligns a block to the
// greatest power of two that divides its size, up to kFrameLineBytes. Never
// null: without memory it ends as operator new does.
[[nodiscard]] void* AllocateFrame(std::size_t bytes);

// Gives back what AllocateFrame(bytes) returned, on any thread.
void FreeFrame(void* frame, std::size_t bytes) noexcept;

// Gives back what is in the depot and with this thread, for a program that has done with many
// frames: blocks that are kept hold their neighbours' pages.
void ReleaseCachedFrames() noexcept;

// How many bytes all threads together have given back to operator delete, but by
// ReleaseCachedFrames(); of blocks that are not cached each thread counts the last 64 KiB later.
[[nodiscard]] std::uint64_t FrameBytesReturned() noexcept;

}  // namespace home

#endif  // HOME_FUTURE_FRAME_ALLOCATOR_H_
