// RwLock, Mutex, Barrier and Condvar on the model checker's atomics. They take no policy: their
// headers are read here with the checker's in place of their own.

#ifndef HOME_SYNC_MODEL_HEADERS_TESTING_H_
#define HOME_SYNC_MODEL_HEADERS_TESTING_H_

#include "home/sync/model_testing.h"
#include "home/sync/sync_policy.h"

namespace home::sync_internal {
using sync_testing::ModelSyncPolicy;
}  // namespace home::sync_internal

#define SyncPolicy ModelSyncPolicy
#include "home/sync/barrier.h"
#include "home/sync/condvar.h"
#include "home/sync/mutex.h"
#include "home/sync/rw_lock.h"
#undef SyncPolicy

#endif  // HOME_SYNC_MODEL_HEADERS_TESTING_H_
