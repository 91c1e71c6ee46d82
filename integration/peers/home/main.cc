// One workload of the race on Home Async; see ../README.md.

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/status/statusor.h"
#include "home/integration/peers/home/workloads.h"
#include "home/integration/peers/measure.h"
#include "home/runtime.h"
#include "mimalloc.h"

namespace {

// mimalloc gives memory back when it is asked for some, or for that.
home::Runtime MakeWorkers(std::size_t threads) {
  absl::StatusOr<home::Runtime> runtime =
      home::RuntimeBuilder().WorkerThreads(threads).OnMemoryFreed([] { mi_collect(true); }).Build();
  if (!runtime.ok()) {
    std::fprintf(stderr, "%s\n", runtime.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(runtime);
}

}  // namespace

int main(int argc, char** argv) {
  home::race::MakeRuntimesBy(&MakeWorkers);
  return home::race::Main(argc, argv, "home", home::race::Workloads());
}
