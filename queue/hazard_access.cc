#include "home/queue/hazard_access.h"

#include <optional>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "home/queue/hazard_pointers.h"

namespace home {
namespace {

// Trivially destructible, so that it can be read after the object below is gone.
enum class State { kUnused, kTakingPart, kEnded };
thread_local State state = State::kUnused;
thread_local HazardDomain::Participant* of_this_thread = nullptr;

struct Membership {
  Membership() : participant(HazardAccess::Domain()) {
    of_this_thread = &participant;
    state = State::kTakingPart;
  }
  ~Membership() {
    // First of all: what the participant frees may use an access.
    of_this_thread = nullptr;
    state = State::kEnded;
  }
  HazardDomain::Participant participant;
};

ABSL_ATTRIBUTE_NOINLINE HazardDomain::Participant* Join() {
  if (state == State::kEnded) return nullptr;
  thread_local Membership membership;
  return &membership.participant;
}

}  // namespace

HazardDomain& HazardAccess::Domain() {
  // Never destroyed: threads may outlive static objects.
  static HazardDomain* const kDomain = new HazardDomain;
  return *kDomain;
}

ABSL_ATTRIBUTE_NOINLINE HazardDomain::Participant* HazardAccess::OfThisThread() {
  if (ABSL_PREDICT_TRUE(of_this_thread != nullptr)) return of_this_thread;
  return Join();
}

}  // namespace home
