#include "home/future/child_set.h"

#include <array>
#include <cstddef>
#include <limits>
#include <utility>

namespace home::internal {
namespace {

// What a closed stack holds.
constinit ChildNode closed(nullptr);

ChildNode* Node(WakerTarget* target) { return static_cast<ChildNode*>(target); }

// S1. The caller's waker keeps the node, and with it the hub, alive throughout.
void WakeNode(ChildNode* node) {
  // release: what precedes this wake, for the poll that clears the flag. acquire:
  // that poll's end, in case it is we who queue the node next. pairs with: the
  // exchange in NextReady() and in Remove().
  if (!node->queued.exchange(true, std::memory_order_acq_rel)) node->hub->Push(node);
}

}  // namespace

WakerTarget* CloneChildWaker(WakerTarget* child) {
  Node(child)->AddReference();
  return child;
}

void WakeChild(WakerTarget* child) {
  WakeNode(Node(child));
  Node(child)->DropReference();
}

void WakeChildByRef(WakerTarget* child) { WakeNode(Node(child)); }

void DropChildWaker(WakerTarget* child) { Node(child)->DropReference(); }

// -- ChildHub ----------------------------------------------------------------

void ChildHub::DropReference() noexcept {
  // As a node's.
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void ChildHub::Push(ChildNode* node) {
  // acquire, here and on failure: `closed` is never followed, but what it tells
  // comes after the set's end.
  ChildNode* newest = pushed_.load(std::memory_order_acquire);
  do {
    if (newest == &closed) return node->DropReference();  // S3
    node->next_ready = newest;
    // release: the link, and what precedes the wake. pairs with: TakeAll() and
    // Close(). The nodes behind were published by their own pushes.
  } while (!pushed_.compare_exchange_weak(newest, node, std::memory_order_release,
                                          std::memory_order_acquire));
  if (newest == nullptr) task_.Wake();  // S4
}

ChildNode* ChildHub::Reverse(ChildNode* node) noexcept {
  ChildNode* reversed = nullptr;
  while (node != nullptr) reversed = std::exchange(node, std::exchange(node->next_ready, reversed));
  return reversed;
}

ChildNode* ChildHub::TakeAll() noexcept {
  // acquire: the nodes. pairs with: Push().
  return Reverse(pushed_.exchange(nullptr, std::memory_order_acquire));
}

ChildNode* ChildHub::Close() {
  // acquire: the nodes. release: our last use of them, for those who find it
  // closed.
  ChildNode* const left = pushed_.exchange(&closed, std::memory_order_acq_rel);
  const Waker dropped = task_.Take();
  return Reverse(left);
}

// -- ChildLists --------------------------------------------------------------

ChildLists::~ChildLists() {
  if (hub_ == nullptr) return;
  // The set has ended its children. What is queued still has its reference (S2).
  Append(hub_->Close());
  while (ChildNode* node = PopReady()) node->DropReference();
  hub_->DropReference();
}

void ChildLists::Append(ChildNode* list) noexcept {
  if (list == nullptr) return;
  if (first_ready_ == nullptr) {
    first_ready_ = list;
  } else {
    last_ready_->next_ready = list;
  }
  last_ready_ = list;
  while (last_ready_->next_ready != nullptr) last_ready_ = last_ready_->next_ready;
}

namespace {

ChildNode* MergeByIndex(ChildNode* one, ChildNode* other) noexcept {
  ChildNode* merged = nullptr;
  ChildNode** end = &merged;
  while (one != nullptr && other != nullptr) {
    ChildNode*& lesser = other->index < one->index ? other : one;
    *end = lesser;
    end = &lesser->next_ready;
    lesser = *end;
  }
  *end = one != nullptr ? one : other;
  return merged;
}

}  // namespace

// Merge sort from the bottom up (Knuth, vol. 3, 5.2.4, algorithm L): runs[i] is empty or of
// 2^i nodes.
void ChildLists::SortReady() noexcept {
  std::array<ChildNode*, std::numeric_limits<std::size_t>::digits> runs{};
  while (ChildNode* run = PopReady()) {
    std::size_t i = 0;
    for (; runs[i] != nullptr; ++i) run = MergeByIndex(std::exchange(runs[i], nullptr), run);
    runs[i] = run;
  }
  ChildNode* sorted = nullptr;
  for (ChildNode* run : runs) sorted = MergeByIndex(run, sorted);
  Append(sorted);
}

ChildNode* ChildLists::PopReady() noexcept {
  ChildNode* node = first_ready_;
  if (node != nullptr) first_ready_ = std::exchange(node->next_ready, nullptr);
  return node;
}

void ChildLists::Add(ChildNode* node) {
  if (hub_ == nullptr) hub_ = new ChildHub();
  hub_->AddReference();
  node->hub = hub_;
  node->next = all_;
  if (all_ != nullptr) all_->previous = node;
  all_ = node;
  ++size_;
  Append(node);
}

ChildNode* ChildLists::NextReady(Context& cx, bool& refilled, PollOrder order) {
  while (true) {
    if (first_ready_ == nullptr || (order == PollOrder::kIndex && !refilled)) {
      // Once a poll: a child that wakes itself whenever it is polled must not keep
      // this task running for ever. Those queued since then have woken it.
      if (refilled || hub_ == nullptr) return nullptr;
      refilled = true;
      hub_->Register(cx.waker());  // before the look (S4)
      Append(hub_->TakeAll());
      if (first_ready_ == nullptr) return nullptr;
      if (order == PollOrder::kIndex) SortReady();
    }
    // Who has no budget left would be told so by each of the children in turn.
    if (cx.turn() != nullptr && cx.turn()->budget == 0 && !cx.ConsumeBudget()) {
      return nullptr;
    }
    ChildNode* const node = PopReady();
    if (!node->live) {
      node->DropReference();  // S2
      continue;
    }
    // acquire: what precedes the wakes that found the flag set. An exchange, so
    // that none of them is missed. release: as the acquire in WakeNode().
    node->queued.exchange(false, std::memory_order_acq_rel);
    return node;
  }
}

void ChildLists::Remove(ChildNode* node) noexcept {
  if (node->previous != nullptr) node->previous->next = node->next;
  if (node->next != nullptr) node->next->previous = node->previous;
  if (all_ == node) all_ = node->next;
  --size_;
  // release, through the exchange: a waker that drops the last reference comes
  // after this.
  node->live = false;
  if (!node->queued.exchange(true, std::memory_order_acq_rel)) node->DropReference();  // S2
}

}  // namespace home::internal
