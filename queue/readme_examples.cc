// The code that README.md shows, where such code may stand (home_readme_examples in
// tools/home_cc.bzl). It is compiled, and not run.

#include <memory>
#include <optional>
#include <utility>

#include "home/queue/bounded_queue.h"
#include "home/queue/mpsc_queue.h"
#include "home/queue/segment_queue.h"

namespace home {
namespace {

struct Job {};
struct Consumer {
  void Unpark() {}
};

void Run(Job&) {}
void Refuse(std::unique_ptr<Job>) {}
template <typename Node>
void Handle(Node*) {}

[[maybe_unused]] void Example(std::unique_ptr<Job> job, Consumer consumer) {
#include "home/queue/readme_1.inc"
}

}  // namespace
}  // namespace home
