// HazardAccess: this thread's part in the hazard domain of the process.
//
//   HazardAccess access;
//   HazardDomain::HazardPointer hazard(access.participant());
//
// A thread takes part from its first access on until it ends, so that the ones after that cost
// a thread-local load. While thread-local objects are being destroyed an access still works: it
// then takes part on its own account, for as long as it lasts.
//
// Not to be kept across a suspension of a coroutine: it belongs to the thread.
//
// The domain lives as long as the process. What is retired when the last thread ends stays
// where the domain points to it.

#ifndef HOME_QUEUE_HAZARD_ACCESS_H_
#define HOME_QUEUE_HAZARD_ACCESS_H_

#include <optional>

#include "absl/base/optimization.h"
#include "home/queue/hazard_pointers.h"

namespace home {

class HazardAccess {
 public:
  HazardAccess() : participant_(OfThisThread()) {
    if (ABSL_PREDICT_FALSE(participant_ == nullptr)) participant_ = &late_.emplace(Domain());
  }
  HazardAccess(const HazardAccess&) = delete;
  HazardAccess& operator=(const HazardAccess&) = delete;

  [[nodiscard]] HazardDomain::Participant& participant() const { return *participant_; }

  // The domain of the process.
  static HazardDomain& Domain();

 private:
  // Null if the thread's own has been destroyed already. Never inlined into coroutines, whose
  // compilers may keep the address of a thread-local variable across a change of threads.
  static HazardDomain::Participant* OfThisThread();

  HazardDomain::Participant* participant_;
  std::optional<HazardDomain::Participant> late_;
};

}  // namespace home

#endif  // HOME_QUEUE_HAZARD_ACCESS_H_
