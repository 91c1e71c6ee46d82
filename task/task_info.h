// TaskInfo: what tools are told of a task. Valid after the task's end, too.

#ifndef HOME_TASK_TASK_INFO_H_
#define HOME_TASK_TASK_INFO_H_

#include <source_location>

#include "home/task/task_header.h"
#include "home/task/task_id.h"

namespace home {

struct TaskInfo {
  TaskInfo() = default;
  explicit TaskInfo(const TaskHeader& task) : TaskInfo(task.id, task.name(), task.location) {}
  TaskInfo(TaskId task_id, const char* task_name, std::source_location spawned_at)
      : id(task_id), name(task_name), location(spawned_at) {}

  TaskId id;
  const char* name = nullptr;     // what the spawner calls it, or null
  std::source_location location;  // where it was spawned
};

}  // namespace home

#endif  // HOME_TASK_TASK_INFO_H_
