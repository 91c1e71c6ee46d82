#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "home/reactor/io_engine.h"

namespace home::reactor_internal {

std::shared_ptr<IoEngine> CreateIoEngine(std::shared_ptr<Registry> registry,
                                         const IoOptions& options) {
  std::shared_ptr<IoEngine> ring;
  if (options.backend != IoBackend::kReadiness) {
    // Why io_uring is not to be had is of no interest: all works as well without it.
    absl::StatusOr<std::shared_ptr<IoEngine>> uring = CreateUringEngine(registry, options);
    if (uring.ok()) ring = *std::move(uring);
  }
  const bool sockets = options.backend == IoBackend::kUring || options.one_thread;
  if (ring != nullptr && sockets) return ring;
  return CreateReadinessEngine(std::move(registry), options, std::move(ring));
}

}  // namespace home::reactor_internal
