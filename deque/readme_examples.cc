// The code that README.md shows, where such code may stand (home_readme_examples in
// tools/home_cc.bzl). It is compiled, and not run.

#include <optional>

#include "home/deque/work_stealing_deque.h"

namespace home {
namespace {

struct Task {};

void Run(Task*) {}

[[maybe_unused]] void Example(Task* task, home::WorkStealingDeque<Task*>& victim) {
#include "home/deque/readme_1.inc"
}

}  // namespace
}  // namespace home
