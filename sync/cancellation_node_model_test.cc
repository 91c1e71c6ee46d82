// The tree of cancellation tokens under the model checker: cancelling, making and dropping tokens
// and waiting for them against one another. Callbacks are not part of it.

#include <atomic>
#include <mutex>

#include "gtest/gtest.h"
#include "home/sync/cancellation_node.h"
#include "home/sync/event.h"
#include "home/sync/model_testing.h"
#include "home/tools/model/atomic.h"
#include "home/tools/model/checker.h"

namespace home::sync_internal {
namespace {

using model::Access;
using model::CheckRandomly;
using model::CheckWithPreemptions;
using model::ExpectFound;
using model::WithPreemptions;
using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_release;

struct Policy : sync_testing::ModelSyncPolicy {
  using Event = BasicEvent<sync_testing::ModelSyncPolicy>;
  template <typename U>
  using Plain = model::Data<U>;
  using NodeMutex = model::Mutex;
  // Nobody waits for callbacks here.
  struct Condition {
    static void wait(std::unique_lock<NodeMutex>&) {}
    static void notify_all() {}
  };

  template <typename T>
  static void Delete(T* node) noexcept {
    --alive;
    // All uses of it have to come before.
    node->first_child_ = nullptr;
    delete node;
  }
  // Nodes. Plain, as all threads of the checker are one.
  inline static int alive = 0;
};
using Node = BasicCancellationNode<Policy>;

// A search that finds an error leaves its run in the middle.
struct CountedAnew {
  CountedAnew() { Policy::alive = 0; }
};

template <int kThreadCount>
struct Scenario : CountedAnew {
  static constexpr int kThreads = kThreadCount;

  static Node* New(Node* parent) {
    ++Policy::alive;
    return new Node(parent);
  }
  // Cancels the root, and drops it.
  void CancelRoot() {
    guarded = 1;
    root->Cancel();
    root->Release();
  }
  // Until the node is cancelled with the root.
  void WaitFor(int thread, Node* node) {
    auto wait = node->cancelled().Wait();
    tasks[thread].Run(wait);
    model::Expect(guarded == 1, "what precedes the cancelling");
  }
  void After() {
    model::Expect(Policy::alive == 0, "no node is left");
    for (sync_testing::ModelTask& task : tasks) {
      model::Expect(task.wakers() == 0, "no waker is left");
    }
  }

  Node* root = New(nullptr);
  sync_testing::ModelTask tasks[kThreads];
  model::Data<int> guarded{0};
};

// A child that is made as its parent is cancelled is cancelled, too.
struct Born : Scenario<2> {
  void Before() { root->AddReference(); }
  void Thread(int index) {
    if (index == 0) return CancelRoot();
    Node* const child = New(root);
    root->Release();
    WaitFor(1, child);
    child->Release();
  }
};
// One child is dropped as its parent is cancelled, and its brother waits.
struct Dropped : Scenario<3> {
  void Thread(int index) {
    if (index == 0) return CancelRoot();
    if (index == 2) WaitFor(2, children[1]);
    children[index - 1]->Release();
  }
  Node* children[2] = {New(root), New(root)};
};
// The node in the middle of three is the lowest's alone, which is dropped, or waits.
template <bool kWaits>
struct Deep : Scenario<2> {
  void Before() { middle->Release(); }
  void Thread(int index) {
    if (index == 0) return CancelRoot();
    if (kWaits) WaitFor(1, lowest);
    lowest->Release();
  }
  Node* middle = New(root);
  Node* lowest = New(middle);
};
// Two that cancel, one above the other: who waits below learns of the first.
struct CancelledTwice : Scenario<3> {
  void Before() { guarded = 1; }
  void Thread(int index) {
    if (index == 2) {
      WaitFor(2, lowest);
      return lowest->Release();
    }
    Node* const node = index == 0 ? root : middle;
    node->Cancel();
    node->Release();
  }
  Node* middle = New(root);
  Node* lowest = New(middle);
};
// The last of two copies ends it, after all that the other has done with it.
struct Shared : Scenario<2> {
  void Before() { root->AddReference(); }
  void Thread(int index) {
    if (index == 0) root->Cancel();
    root->Release();
  }
};
// Whoever sees that it is cancelled sees what came before.
struct Looked : Scenario<2> {
  void Thread(int index) {
    if (index == 0) return CancelRoot();
    if (child->cancelled().IsSet()) model::Expect(guarded == 1, "what precedes the cancelling");
    child->Release();
  }
  Node* child = New(root);
};

TEST(CancellationNodeModelTest, Born) { CheckWithPreemptions<Born>(2); }
TEST(CancellationNodeModelTest, Dropped) { CheckRandomly<Dropped>(20'000); }
TEST(CancellationNodeModelTest, Deep) {
  CheckWithPreemptions<Deep<false>>(2);
  CheckWithPreemptions<Deep<true>>(2);
}
TEST(CancellationNodeModelTest, CancelledTwice) { CheckRandomly<CancelledTwice>(20'000); }
TEST(CancellationNodeModelTest, Shared) { CheckWithPreemptions<Shared>(2); }
TEST(CancellationNodeModelTest, Looked) { CheckWithPreemptions<Looked>(2); }

// -- Mutations ------------------------------------------------------------------------------

TEST(CancellationNodeMutationTest, DroppingNeedsAcquireAndRelease) {
  ExpectFound<Shared>(
      WithPreemptions(2),
      {.function = "Release", .access = Access::kRmw, .from = memory_order_acq_rel});
}
TEST(CancellationNodeMutationTest, CancellingNeedsRelease) {
  ExpectFound<Looked>(WithPreemptions(2),
                      {.function = "Set", .access = Access::kStore, .from = memory_order_release});
}
TEST(CancellationNodeMutationTest, LookingNeedsAcquire) {
  ExpectFound<Looked>(WithPreemptions(2),
                      {.function = "IsSet", .access = Access::kLoad, .from = memory_order_acquire});
}

}  // namespace
}  // namespace home::sync_internal
