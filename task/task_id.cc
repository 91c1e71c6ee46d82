#include "home/task/task_id.h"

#include <atomic>

namespace home {
namespace {

constexpr std::uint64_t kBlock = 1024;

// Where the next block begins; 0 is no id.
std::atomic<std::uint64_t> next_block{kBlock};

thread_local std::uint64_t next_id = 0;
thread_local std::uint64_t end_of_block = 0;

}  // namespace

TaskId TaskId::Next() noexcept {
  if (next_id == end_of_block) {
    // relaxed: only that no two threads get the same block matters.
    next_id = next_block.fetch_add(kBlock, std::memory_order_relaxed);
    end_of_block = next_id + kBlock;
  }
  return TaskId(next_id++);
}

}  // namespace home
