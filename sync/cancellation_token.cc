#include "home/sync/cancellation_token.h"

namespace home::sync_internal {

template class BasicCancellationNode<CancellationPolicy>;

}  // namespace home::sync_internal
