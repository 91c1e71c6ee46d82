// The tree of cancellation tokens under the model checker: cancelling, making and dropping tokens,
// waiting for them, and callbacks that come, are called and go, against one another.

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>

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
using model::Randomly;
using model::WithPreemptions;
using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_release;

// What is wrong with a policy on purpose.
enum class Fault {
  kNone,
  kUnseenEvent,       // nobody is seen to have cancelled when a callback is added
  kSilentEnd,         // nobody is told of the end of a call
  kAllThreadsAreOne,  // whoever ends a callback takes itself for the one that calls it
  kNoThreadIsKnown,   // whoever calls a callback takes itself for another one
  kOpenMutex,         // the mutex keeps nobody out
};

using ModelEvent = BasicEvent<sync_testing::ModelSyncPolicy>;
struct UnseenEvent : ModelEvent {
  static bool IsSet() { return false; }
};
struct SilentCondition : model::ConditionVariable {
  static void notify_all() {}
};
struct OpenMutex {
  static void lock() {}
  static void unlock() {}
};
struct OpenCondition {
  static void wait(std::unique_lock<OpenMutex>&) { model::Yield(); }
  static void notify_all() {}
};

template <Fault kFault>
struct PolicyWith : sync_testing::ModelSyncPolicy {
  template <Fault kOf, typename Faulty, typename Right>
  using FaultyIf = std::conditional_t<kFault == kOf, Faulty, Right>;

  using Event = FaultyIf<Fault::kUnseenEvent, UnseenEvent, ModelEvent>;
  template <typename U>
  using Plain = model::Data<U>;
  using NodeMutex = FaultyIf<Fault::kOpenMutex, OpenMutex, model::Mutex>;
  using Condition =
      FaultyIf<Fault::kOpenMutex, OpenCondition,
               FaultyIf<Fault::kSilentEnd, SilentCondition, model::ConditionVariable>>;

  using ThreadId = int;
  static ThreadId ThisThread() noexcept {
    if (kFault == Fault::kAllThreadsAreOne) return 0;
    if (kFault == Fault::kNoThreadIsKnown) return next_thread++;
    return model::ThreadIndex();
  }
  inline static ThreadId next_thread = 0;

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

// A search that finds an error leaves its run in the middle.
template <typename Policy>
struct CountedAnew {
  CountedAnew() { Policy::alive = 0; }
};

template <int kThreadCount, Fault kFault = Fault::kNone>
struct Scenario : CountedAnew<PolicyWith<kFault>> {
  static constexpr int kThreads = kThreadCount;
  using Policy = PolicyWith<kFault>;
  using Node = BasicCancellationNode<Policy>;

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

// -- Callbacks --------------------------------------------------------------------------------

// As CancellationCallback: the callback of a node, which it keeps alive.
template <Fault kFault>
class Callback : private BasicCancellationHook<PolicyWith<kFault>> {
 public:
  using Hook = BasicCancellationHook<PolicyWith<kFault>>;
  using Node = BasicCancellationNode<PolicyWith<kFault>>;

  // What all callbacks of a scenario know, and `calls`, how often this one has been called. It
  // drops `dropped`, if that is given.
  Callback(Node* node, model::Data<int>* guarded, model::Data<int>* calls,
           std::unique_ptr<Callback>* dropped = nullptr)
      : Hook(&Run), node_(node), guarded_(guarded), calls_(calls), dropped_(dropped) {
    node_->AddReference();
    node_->Link(*this);
  }
  ~Callback() {
    node_->Unlink(*this);
    node_->Release();
  }

 private:
  static void Run(Hook* hook) noexcept {
    auto* const self = static_cast<Callback*>(hook);
    model::Expect(*self->guarded_ == 1, "what precedes the cancelling");
    *self->calls_ = *self->calls_ + 1;
    // It may be this one.
    if (self->dropped_ != nullptr) self->dropped_->reset();
  }

  Node* const node_;
  model::Data<int>* const guarded_;
  model::Data<int>* const calls_;
  std::unique_ptr<Callback>* const dropped_;
};

template <int kThreadCount, Fault kFault>
struct CallbackScenario : Scenario<kThreadCount, kFault> {
  using typename Scenario<kThreadCount, kFault>::Node;

  // After the end of the callback, which comes after its call.
  void ExpectAtMostOnce(int index) {
    model::Expect(calls[index] <= 1, "a callback is called at most once");
  }
  void ExpectOnce(int index) { model::Expect(calls[index] == 1, "a callback is called once"); }
  void Add(std::optional<Callback<kFault>>& callback, Node* node, int index) {
    callback.emplace(node, &this->guarded, &calls[index]);
  }

  model::Data<int> calls[3] = {0, 0, 0};
};

// A callback comes, and perhaps goes, as its token or the one above is cancelled.
template <bool kOfChild, bool kGoes, Fault kFault = Fault::kNone>
struct Registered : CallbackScenario<2, kFault> {
  void Before() {
    if (!kOfChild) this->root->AddReference();
  }
  void Thread(int index) {
    if (index == 0) return this->CancelRoot();
    this->Add(callback, node, 0);
    node->Release();
    if (kGoes) {
      callback.reset();
      this->ExpectAtMostOnce(0);
    }
  }
  void After() {
    if (!kGoes) {
      callback.reset();
      this->ExpectOnce(0);
    }
    CallbackScenario<2, kFault>::After();
  }
  typename Registered::Node* node = kOfChild ? this->New(this->root) : this->root;
  std::optional<Callback<kFault>> callback;
};
// Of three callbacks the middle one, or all but that, go as they are called.
template <bool kMiddle, Fault kFault = Fault::kNone>
struct Deregistered : CallbackScenario<2, kFault> {
  static constexpr bool Goes(int i) { return (i == 1) == kMiddle; }

  void Before() {
    for (int i = 0; i < 3; ++i) this->Add(callbacks[i], this->root, i);
  }
  void Thread(int index) {
    if (index == 0) return this->CancelRoot();
    for (int i = 0; i < 3; ++i) {
      if (!Goes(i)) continue;
      callbacks[i].reset();
      this->ExpectAtMostOnce(i);
    }
  }
  void After() {
    for (int i = 0; i < 3; ++i) {
      if (Goes(i)) continue;
      callbacks[i].reset();
      this->ExpectOnce(i);
    }
    CallbackScenario<2, kFault>::After();
  }
  std::optional<Callback<kFault>> callbacks[3];
};
// Of two callbacks each ends itself, or the other, as a third one comes.
template <bool kItself, Fault kFault = Fault::kNone>
struct Dropping : CallbackScenario<2, kFault> {
  void Before() {
    this->root->AddReference();
    for (int i = 0; i < 2; ++i) {
      callbacks[i] = std::make_unique<Callback<kFault>>(this->root, &this->guarded, &this->calls[i],
                                                        &callbacks[kItself ? i : 1 - i]);
    }
  }
  void Thread(int index) {
    if (index == 0) return this->CancelRoot();
    this->Add(late, this->root, 2);
    this->root->Release();
  }
  void After() {
    late.reset();
    this->ExpectOnce(2);
    const int called = this->calls[0] + this->calls[1];
    model::Expect(called == (kItself ? 2 : 1), "each is called, but for one that has ended");
    for (auto& callback : callbacks) callback.reset();
    CallbackScenario<2, kFault>::After();
  }
  std::unique_ptr<Callback<kFault>> callbacks[2];
  std::optional<Callback<kFault>> late;
};
// A callback makes a further one of the token that is being cancelled, which is called at once.
struct Nested : CallbackScenario<2, Fault::kNone> {
  using Hook = BasicCancellationHook<Policy>;
  struct Outer : Hook {
    explicit Outer(Nested* made_in) : Hook(&Run), scenario(made_in) {}
    static void Run(Hook* hook) noexcept {
      Nested* const scenario = static_cast<Outer*>(hook)->scenario;
      scenario->Add(scenario->inner, scenario->root, 1);
      scenario->calls[0] = scenario->calls[0] + 1;
    }
    Nested* const scenario;
  };

  void Before() {
    root->AddReference();
    root->Link(outer);
  }
  void Thread(int index) {
    if (index == 0) return CancelRoot();
    root->Unlink(outer);
    root->Release();
    ExpectAtMostOnce(0);
    model::Expect(calls[1] == calls[0], "the inner one was called by the end of the outer one");
  }
  void After() {
    inner.reset();
    CallbackScenario::After();
  }
  Outer outer{this};
  std::optional<Callback<Fault::kNone>> inner;
};
// Two that cancel, one above the other, and one who ends the callback below.
template <Fault kFault = Fault::kNone>
struct CalledByOne : CallbackScenario<3, kFault> {
  void Before() {
    this->guarded = 1;
    this->Add(callback, child, 0);
  }
  void Thread(int index) {
    if (index == 2) {
      callback.reset();
      return this->ExpectAtMostOnce(0);
    }
    auto* const node = index == 0 ? this->root : child;
    node->Cancel();
    node->Release();
  }
  typename CalledByOne::Node* child = this->New(this->root);
  std::optional<Callback<kFault>> callback;
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

TEST(CancellationCallbackModelTest, Registered) {
  CheckWithPreemptions<Registered<false, false>>(3);
  CheckWithPreemptions<Registered<true, false>>(3);
}
TEST(CancellationCallbackModelTest, RegisteredAndDeregistered) {
  CheckWithPreemptions<Registered<false, true>>(3);
  CheckWithPreemptions<Registered<true, true>>(3);
}
TEST(CancellationCallbackModelTest, Deregistered) {
  CheckWithPreemptions<Deregistered<false>>(3);
  CheckWithPreemptions<Deregistered<true>>(3);
}
TEST(CancellationCallbackModelTest, Dropping) {
  CheckWithPreemptions<Dropping<false>>(3);
  CheckWithPreemptions<Dropping<true>>(3);
}
TEST(CancellationCallbackModelTest, Nested) { CheckWithPreemptions<Nested>(3); }
TEST(CancellationCallbackModelTest, CalledByOne) { CheckRandomly<CalledByOne<>>(20'000); }

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

// What callbacks rely on is no order, but what is done under the mutex.

TEST(CancellationCallbackMutationTest, AddingNeedsALookAtTheEvent) {
  ExpectFound<Registered<false, false, Fault::kUnseenEvent>>(WithPreemptions(2));
  ExpectFound<Registered<true, false, Fault::kUnseenEvent>>(WithPreemptions(2));
}
TEST(CancellationCallbackMutationTest, TheEndNeedsToWaitForACall) {
  ExpectFound<Deregistered<true, Fault::kAllThreadsAreOne>>(WithPreemptions(2));
  ExpectFound<CalledByOne<Fault::kAllThreadsAreOne>>(Randomly(20'000));
}
TEST(CancellationCallbackMutationTest, TheEndOfACallNeedsToBeTold) {
  ExpectFound<Deregistered<true, Fault::kSilentEnd>>(WithPreemptions(2));
}
TEST(CancellationCallbackMutationTest, ACallbackMustNotWaitForItself) {
  ExpectFound<Dropping<true, Fault::kNoThreadIsKnown>>(WithPreemptions(2));
}
TEST(CancellationCallbackMutationTest, CallbacksNeedTheMutex) {
  ExpectFound<Deregistered<true, Fault::kOpenMutex>>(WithPreemptions(2));
}

}  // namespace
}  // namespace home::sync_internal
