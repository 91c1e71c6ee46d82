#include "home/task/task_local.h"

#include <utility>

#include "absl/base/attributes.h"

namespace home::internal {
namespace {

// Reached through functions of this file alone, see spawn.cc.
thread_local TaskLocalFrame* innermost = nullptr;

ABSL_ATTRIBUTE_NOINLINE TaskLocalFrame* Exchange(TaskLocalFrame* frame) noexcept {
  return std::exchange(innermost, frame);
}

}  // namespace

TaskLocalFrame::TaskLocalFrame(const void* variable, void* value) noexcept
    : variable_(variable), value_(value), previous_(Exchange(this)) {}
TaskLocalFrame::~TaskLocalFrame() { Exchange(previous_); }

ABSL_ATTRIBUTE_NOINLINE void* TaskLocalFrame::Find(const void* variable) noexcept {
  for (const TaskLocalFrame* frame = innermost; frame != nullptr; frame = frame->previous_) {
    if (frame->variable_ == variable) return frame->value_;
  }
  return nullptr;
}

}  // namespace home::internal
