#include <memory>
#include <utility>

#include "home/reactor/io_engine.h"

namespace home::reactor_internal {

std::shared_ptr<IoEngine> CreateIoEngine(std::shared_ptr<Registry> registry,
                                         const IoOptions& options) {
  return CreateReadinessEngine(std::move(registry), options, /*ring=*/nullptr);
}

}  // namespace home::reactor_internal
