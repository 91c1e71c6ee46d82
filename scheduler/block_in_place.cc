#include "home/scheduler/block_in_place.h"

#include <optional>

#include "home/scheduler/context.h"
#include "home/scheduler/scheduler.h"
#include "home/scheduler/worker.h"

namespace home::scheduler_internal {

BlockInPlaceScope::BlockInPlaceScope() {
  Scheduler* const scheduler = CurrentScheduler();
  // A current-thread runtime can't do without its thread, and a closure of its that waits for
  // it might wait for ever.
  if (scheduler == nullptr || scheduler->options().current_thread) return;
  if (Worker* const worker = Worker::Current(); worker != nullptr) {
    const std::optional<WorkerOffer> offer = worker->MakeOffer();
    if (!offer) return;
    worker_ = worker;
    stint_ = offer->stint;
    offer_ = offer->number;
    scheduler->OfferWorker(*worker, offer->number);
  }
  may_block_.emplace();
}

BlockInPlaceScope::~BlockInPlaceScope() {
  may_block_.reset();
  if (worker_ == nullptr) return;
  // Else it is on its way to be the pool's.
  if (worker_->Withdraw({stint_, offer_})) worker_->scheduler()->EndInPlace();
}

}  // namespace home::scheduler_internal
