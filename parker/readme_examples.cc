// The code that README.md shows, where such code may stand (home_readme_examples in
// tools/home_cc.bzl). It is compiled, and not run.

#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "home/parker/event_count.h"
#include "home/parker/parker.h"

namespace home {
namespace {

struct Queue {
  void Push(int) {}
};

void Publish() {}
bool Published() { return true; }
bool TryTake() { return true; }

[[maybe_unused]] void Example(Queue queue, int item) {
#include "home/parker/readme_1.inc"
  peer.join();
}

}  // namespace
}  // namespace home
