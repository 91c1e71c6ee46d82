// ChildSet: many futures of one type of which a poll polls only those that were
// woken. What FuturesUnordered, FuturesOrdered, JoinAll and SelectAll are made of.
//
// Each child is a node of its own, and what its waker points to.
// Waking it puts the node on the set's ready list and wakes the task that polls
// the set, so that the cost of a wake does not depend on the number of children.
//
//   waker of a child --> ChildNode --> ChildHub: ready stack, the task's waker
//                            ^            ^
//                            |            |
//                        ChildSet --------+     (owns the futures)
//
// A waker may be kept, and woken, after its future has ended and after the set
// itself is gone. So nodes are counted, and each keeps the hub alive; the futures
// inside are destroyed by the set alone, at once, on the thread that uses it.
//
// Invariants:
//  S1  `queued` is set by whoever wakes, who puts the node on the ready stack if
//      it was clear. The set clears it before it polls the child: what happens
//      from then on queues the node again. So a node is on the stack, or in the
//      set's own list of those it has taken from there, once at most.
//  S2  The set holds one reference on each of its children's nodes. When a child
//      has ended, the set sets `queued` for good. If it was clear before, nobody
//      will ever queue the node again, and the set drops its reference. If it was
//      set, the node is queued, or about to be: the reference goes along, and
//      whoever meets the node (`live` is false) drops it.
//  S3  A set that goes away ends all its children and closes the stack. What is
//      on it is dropped; who comes too late finds it closed and drops the node's
//      reference itself.
//  S4  Who puts a node on an empty stack wakes the task. Others need not: the task
//      takes all nodes at once, after it has registered its waker.
//
// The scheme is that of Rust's FuturesUnordered; the ready stack is Treiber's
// (1986), taken whole and reversed, so that children are polled in the order in
// which they were woken.

#ifndef HOME_FUTURE_CHILD_SET_H_
#define HOME_FUTURE_CHILD_SET_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "home/future/atomic_waker.h"
#include "home/future/frame_object.h"
#include "home/future/frame_storage.h"
#include "home/future/future.h"
#include "home/future/join.h"
#include "home/future/waker.h"

namespace home::internal {

class ChildHub;

struct ChildNode;

// A waker's operations on a child; see waker.h.
WakerTarget* CloneChildWaker(WakerTarget* child);
void WakeChild(WakerTarget* child);
void WakeChildByRef(WakerTarget* child);
void DropChildWaker(WakerTarget* child);
inline constexpr WakerVTable kChildWakerVTable = {CloneChildWaker, WakeChild, WakeChildByRef,
                                                  DropChildWaker};

struct ChildVTable : WakerVTable {
  // Frees the node, whose future is gone.
  void (*free)(ChildNode* node) noexcept;
};

// A child, without its future. What its waker points to.
struct ChildNode : WakerTarget {
  constexpr explicit ChildNode(const ChildVTable* vtable) noexcept : WakerTarget(vtable) {}

  // One of the set's or the ready stack's, and one a waker.
  std::atomic<std::uint32_t> references{1};
  std::atomic<bool> queued{true};  // S1; a new child is queued by the set itself
  bool live = true;                // the set's own: the future is there
  ChildNode* next_ready = nullptr;
  ChildNode* previous = nullptr;  // the set's own list of all
  ChildNode* next = nullptr;
  ChildHub* hub = nullptr;
  std::size_t index = 0;  // what its set calls it

  void AddReference() noexcept {
    // relaxed: who has a reference may make another; it tells nobody anything.
    references.fetch_add(1, std::memory_order_relaxed);
  }
  void DropReference() noexcept {
    // release: our use of the node. acquire: that of all others, before it goes.
    if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      static_cast<const ChildVTable*>(waker_vtable())->free(this);
    }
  }
};

// Where wakers meet the set; lives as long as either.
class ChildHub : public frame_internal::RecycledFrame {
 public:
  ChildHub() = default;
  ChildHub(const ChildHub&) = delete;
  ChildHub& operator=(const ChildHub&) = delete;

  void AddReference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void DropReference() noexcept;

  // Any thread: puts `node`, which the caller has marked as queued, on the stack
  // and wakes the task if S4 says so. The caller keeps the node alive.
  void Push(ChildNode* node);

  // The set: `waker` is to be woken by the next Push() on an empty stack.
  void Register(const Waker& waker) { task_.Register(waker); }
  // The set: all that is on the stack, oldest first.
  [[nodiscard]] ChildNode* TakeAll() noexcept;
  // The set: the same, and the stack takes nothing any more. The task's waker is
  // dropped: wakers of children that are kept must not keep the task.
  [[nodiscard]] ChildNode* Close();

 private:
  static ChildNode* Reverse(ChildNode* node) noexcept;

  std::atomic<ChildNode*> pushed_{nullptr};
  AtomicWaker<> task_;
  std::atomic<std::uint32_t> references_{1};  // the set's, and one a node
};

// Which of those that were woken is polled first.
enum class PollOrder : std::uint8_t {
  kWoken,  // who was woken first
  kIndex,  // who has the least index
};

// The part of a ChildSet that does not depend on the future.
class ChildLists {
 public:
  ChildLists() = default;
  ChildLists(ChildLists&& other) noexcept
      : hub_(std::exchange(other.hub_, nullptr)),
        all_(std::exchange(other.all_, nullptr)),
        first_ready_(std::exchange(other.first_ready_, nullptr)),
        last_ready_(std::exchange(other.last_ready_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  ChildLists& operator=(ChildLists&&) = delete;
  ~ChildLists();

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 protected:
  // Takes a new node in, to be polled next time.
  void Add(ChildNode* node);
  // The next node to poll, its `queued` clear. Null: nothing to do; the task of
  // `cx` will be woken when there is. `refilled` is false when a poll begins.
  [[nodiscard]] ChildNode* NextReady(Context& cx, bool& refilled, PollOrder order);
  // Lets go of a child whose future was just destroyed.
  void Remove(ChildNode* node) noexcept;
  [[nodiscard]] ChildNode* all() const noexcept { return all_; }

 private:
  void Append(ChildNode* list) noexcept;
  void SortReady() noexcept;
  ChildNode* PopReady() noexcept;

  ChildHub* hub_ = nullptr;  // made with the first child
  ChildNode* all_ = nullptr;
  ChildNode* first_ready_ = nullptr;
  ChildNode* last_ready_ = nullptr;
  std::size_t size_ = 0;
};

template <Future F>
class ChildSet : private ChildLists {
 public:
  using T = FutureOutput<F>;
  // A child that has finished: the number it was given, and its value.
  struct Finished {
    std::size_t index;
    NonVoid<T> value;
  };

  ChildSet() = default;
  ChildSet(ChildSet&&) = default;
  ChildSet& operator=(ChildSet&&) = delete;
  ~ChildSet() { Clear(); }

  using ChildLists::size;

  // Adds a child. The next poll polls it.
  void Push(F future, std::size_t index) { Add(FrameObject<Node>::New(std::move(future), index)); }

  // Ready with a child that has finished. Pending: none of those that were woken
  // has. Only while there are children. If a child throws, it is gone, and the
  // exception goes on; the set may be polled again.
  // `refilled` is false when the caller's own poll begins.
  Poll<Finished> PollChildren(Context& cx, bool& refilled, PollOrder order = PollOrder::kWoken) {
    while (ChildNode* ready = NextReady(cx, refilled, order)) {
      auto* node = static_cast<Node*>(ready);
      const BorrowedWaker waker(node);
      Context child_cx(waker.get(), cx.turn());
      last_polled_ = node->index;
      // Ends the child on the way out, unless it is pending.
      EndGuard end(this, node);
      auto polled = node->future.Poll(child_cx);
      if (polled.pending()) {
        end.Release();
        continue;
      }
      if constexpr (std::is_void_v<T>) {
        return Finished{node->index, {}};
      } else {
        return Finished{node->index, std::move(polled).value()};
      }
    }
    return kPending;
  }

  // The number of the child that was polled last.
  [[nodiscard]] std::size_t last_polled() const noexcept { return last_polled_; }

  // Destroys all children.
  void Clear() noexcept {
    while (all() != nullptr) End(static_cast<Node*>(all()));
  }

 private:
  struct Node : ChildNode {
    Node(F f, std::size_t i) : ChildNode(&kVTable), future(std::move(f)) { index = i; }
    ~Node() {}  // NOLINT: the set has destroyed the future
    union {
      F future;
    };
  };

  static void FreeNode(ChildNode* base) noexcept {
    auto* node = static_cast<Node*>(base);
    ChildHub* const hub = node->hub;
    FrameObject<Node>::Delete(node);
    hub->DropReference();
  }

  static constexpr ChildVTable kVTable = {kChildWakerVTable, FreeNode};

  class EndGuard {
   public:
    EndGuard(ChildSet* set, Node* node) : set_(set), node_(node) {}
    EndGuard(const EndGuard&) = delete;
    EndGuard& operator=(const EndGuard&) = delete;
    ~EndGuard() {
      if (node_ != nullptr) set_->End(node_);
    }
    void Release() { node_ = nullptr; }

   private:
    ChildSet* set_;
    Node* node_;
  };

  void End(Node* node) noexcept {
    std::destroy_at(std::addressof(node->future));
    Remove(node);
  }

  std::size_t last_polled_ = 0;
};

}  // namespace home::internal

#endif  // HOME_FUTURE_CHILD_SET_H_
