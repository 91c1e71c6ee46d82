// Home Async's parker: as it is, and without its spin, which is what a bare futex is to be
// compared with.

#include "home/integration/benchmarks/containers/ping_pong.h"
#include "home/parker/parker.h"

namespace home::containers {
namespace {

struct NoSpinPolicy : ParkerPolicy {
  static constexpr int kMinSpins = 0;
  static constexpr int kMaxSpins = 0;
};

const bool kAdded =
    AddParker<Parker>("home") && AddParker<BasicParker<NoSpinPolicy>>("home_no_spin");

}  // namespace
}  // namespace home::containers
