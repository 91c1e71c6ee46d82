#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "home/reactor/io_engine.h"

namespace home::reactor_internal {

std::shared_ptr<IoEngine> CreateIoEngine(std::shared_ptr<Registry> registry,
                                         const IoOptions& options) {
  if (options.backend == IoBackend::kBest) {
    // Why io_uring is not to be had is of no interest: all works as well without it.
    absl::StatusOr<std::shared_ptr<IoEngine>> uring = CreateUringEngine(registry, options);
    if (uring.ok()) return *std::move(uring);
  }
  return CreateReadinessEngine(std::move(registry), options);
}

}  // namespace home::reactor_internal
