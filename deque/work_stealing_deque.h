// WorkStealingDeque: one owner pushes and pops at will, any thread steals.
//
//   WorkStealingDeque<Task*> deque;
//   deque.Push(task);                                   // owner
//   if (std::optional<Task*> t = deque.PopFront()) ...  // owner, oldest first
//   if (std::optional<Task*> t = deque.Pop()) ...       // owner, newest first
//   StealResult<Task*> s = deque.Steal();               // any thread, oldest
//   StealResult<Task*> h = deque.StealHalf(mine);       // the owner of `mine`
//
// Thread-safety: Push, Pop, PopFront and the use as `into` of StealHalf belong
// to one thread at a time, the owner (handing ownership on needs a happens-
// before edge). Steal, StealHalf (as victim), SpillHalf, SizeHint and EmptyHint:
// any thread.
// The destructor assumes that nobody else uses the deque any more; it frees the
// buffers and leaves the elements alone, for they are values, not owned objects.
//
// Memory ordering: what the owner does before Push(x) happens before whatever
// follows the steal that returns x. A Push is no store-load barrier: who pushes
// and then asks "does anybody search?", and who stops searching and then asks
// "is this deque empty?", must each put a seq_cst RMW in between.
//
// Cost: Push one release store, for which it does not wait; Pop and PopFront one RMW, also for the
// last element and to find out that thieves took it (two, if thieves have come near what Pop takes
// for far), and none if the owner knows that the deque is empty; a steal of any size one CAS, and
// a hazard pointer while the deque holds a large buffer ("Memory" below), for which a thread
// allocates once (hazard_access.h). Push, Pop, PopFront are wait-free but for the allocator; a
// steal that fails with Retry does so because another claim succeeded (lock-free).
//
// Elements are copied bitwise, and a thief may read a slot that it then fails to
// claim. So T must be trivially copyable and fit an atomic word; anything that
// owns something goes in as a pointer (std::unique_ptr::release()).
//
// -- Algorithm -----------------------------------------------------------------
//
// The growable ring and the owner's unsynchronised Push are those of Chase and
// Lev, "Dynamic circular work-stealing deque" (SPAA 2005), with the release/
// acquire publication that Lê, Pop, Cohen and Zappa Nardelli showed to be needed
// ("Correct and efficient work-stealing for weak memory models", PPoPP 2013).
// Claims differ. In Chase-Lev the owner's Pop and the thieves meet in a Dekker
// pattern over two words, which costs a seq_cst fence a pop, a CAS on top of it
// for the last element, and allows to steal only one element a CAS: a thief
// cannot know whether the owner took from the other end meanwhile. Here, as in
// the first such deque (Arora, Blumofe, Plaxton, SPAA 1998), the head index
// shares a word with a tag, and every claim by which a thief and the owner could get the
// same element is one RMW on it:
//
//    claim_     63             32 31              0
//              +-----------------+-----------------+
//              |       tag       |      head       |
//              +-----------------+-----------------+
//    take n at the front (thief: CAS, owner: fetch_add)   claim_ += n
//    take 1 at the back, near head (owner: fetch_add)     claim_ += 2^32
//    take 1 at the back, far from it (owner)              an exchange of bottom_
//
//    buffer_   ... | free | head | ... | bottom - 1 | free | ...
//
// A wrap of head carries into the tag and one of the tag falls off the top; both
// are harmless, for nobody reads the tag but as a part of the whole.
//
// A thief takes kMaxBatch elements at the most, so it cannot mean one that is further from head.
// Those the owner takes without a word to the claims of thieves that are under way: it lowers
// bottom_, and then makes sure that head is still far. This is Chase and Lev's handshake
// with room to spare, and it has no case to decide: a thief that comes too late to be
// seen there sees bottom_ lowered (seq_cst on the exchange, the three loads and the thieves' CAS).
//
// Invariants
//  I1  Only the owner writes bottom_, buffer_ and slots.
//  I2  The elements are those with indices in [head, bottom). bottom may be
//      head - 1 for a moment in Pop or PopFront; that reads as empty.
//  I3  Claims are totally ordered: where there are thieves, claim_ is changed by RMWs alone.
//      A far pop is none: the index that it takes is kMaxBatch or more above every head from
//      which a thief that has not seen it can claim.
//  I4  A slot that holds a live element is not written. The owner reuses one only
//      after it has seen the claim that freed it: limit_ is where what it has seen
//      ends, and bottom does not pass it.
//  I5  A thief whose CAS succeeds has read live elements: claim_ did not change since it
//      read it, so none of the first kMaxBatch elements left, and I4 holds their slots.
//  I6  Growth and shrinking change neither claim_ nor bottom_. A buffer that was
//      replaced is written again only by Shrink(), which then puts the elements to
//      where they were: for a thief whose claim can still succeed its slots hold the
//      same as before. (It found the buffer in buffer_, so it has not synchronised
//      with the Push that replaced it, nor with a Pop after that: its bottom_ is from
//      before, and none of the first kMaxBatch elements below that was exchanged for another.)
//  I7  A buffer of more than base_ elements is read by a thief only under a hazard
//      pointer, and freed only when the owner has found none to it after buffer_ led
//      elsewhere.
//  I8  head_ <= head <= end_ = bottom_, but within Pop and PopFront, and end_ <= head_ +
//      capacity(). So if head_ is end_, the deque is empty.
//
// Memory. Buffers of up to base_ elements (Policy::kKeptCapacity, or what the
// constructor was given) stay until destruction, the smaller ones unused: together
// they are less than twice base_. So a thief needs no protection to read them,
// which is the usual case. Larger ones are freed, after growth as after a shrink,
// unless a thief is reading them just then: a thief that finds the mark of a large
// buffer in buffer_ announces it as its hazard (hazard_pointers.h) and then reads buffer_
// anew. The thief's announcement is a plain store, for the owner, who has to see it, pays
// for both with the heavy side of an asymmetric fence, some microseconds for each large
// buffer that was replaced. A thief that stands still keeps the one that it reads, no other.
// The owner shrinks where it is not in a hurry: each time that it has found the deque empty
// Policy::kEmptyPops times, and once in a capacity of pushes, when it has to look at
// head anyway.
//
// ABA. A thief that stalls between its load of claim_ and its CAS is deceived only
// if the owner and the other thieves bring the whole word back to the same value
// meanwhile: at least 2^32 claims on it, an exact count, within a stall of a window of
// some ten instructions. A test shows it with 8-bit indices.
//
// Rejected: Chase-Lev's Pop down to the last element (same cost without contention, one more
// CAS at the last element, element-wise steals); the RMW on claim_ for far elements too (a
// thief that is under way loses its claim for nothing: 1.2 to 1.5 times the time of steals by
// halves, up to 1.2 times that of single ones); claiming several elements
// at once for the owner (hides work behind a long-running task); a count of the thieves
// among large buffers instead of hazard pointers (two RMWs a steal).

#ifndef HOME_DEQUE_WORK_STEALING_DEQUE_H_
#define HOME_DEQUE_WORK_STEALING_DEQUE_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "home/deque/deque_policy.h"
#include "home/deque/steal_result.h"

namespace home {

// A type that a slot can hold: read by a thief as one atomic word, and given up
// without a trace if the claim fails.
template <typename T>
concept DequeElement = std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T> &&
                       sizeof(T) <= sizeof(void*);

template <DequeElement T, typename Policy = DequePolicy>
class WorkStealingDeque {
 public:
  using value_type = T;

  // A deque with room for `capacity` elements before its first growth, rounded
  // up to a power of two and at least Policy::kMinCapacity. It never shrinks below.
  explicit WorkStealingDeque(std::size_t capacity = Policy::kMinCapacity)
      : claim_(Policy::kFirstIndex), bottom_(Policy::kFirstIndex), buffer_(nullptr) {
    std::size_t rounded = Policy::kMinCapacity;
    while (rounded < capacity) rounded *= 2;
    base_ = std::max(rounded, Policy::kKeptCapacity);
    Use(Buffer::New(rounded));
  }

  WorkStealingDeque(const WorkStealingDeque&) = delete;
  WorkStealingDeque& operator=(const WorkStealingDeque&) = delete;

  ~WorkStealingDeque() {
    // Whoever destroys the deque is ordered after all of its users.
    if (owned_->capacity() > base_) Buffer::Delete(owned_);
    DeleteAll(kept_);
    DeleteAll(retired_);
  }

  // Owner: appends `value` at the back. Grows if full; allocates only then.
  void Push(T value) {
    if (ABSL_PREDICT_FALSE(Distance(limit_, end_) < 1)) return PushSlowly(value);
    PushReserved(value);
  }

  // Owner: takes the newest element.
  [[nodiscard]] std::optional<T> Pop() {
    if (head_ == end_ || !ClaimLast()) {
      TrimEmpty();
      return std::nullopt;
    }
    // relaxed: a slot that we filled ourselves.
    return slot(end_).load(std::memory_order_relaxed);
  }

  // Owner: takes the newest element if it is `expected`, as if by Pop(). For who pushed it
  // and would like to have it back.
  [[nodiscard]] bool PopIf(T expected) { return IsLast(expected) && ClaimLast(); }
  // The same where there are no thieves: without the RMW.
  [[nodiscard]] bool PopIfUnshared(T expected) {
    // relaxed: nobody else is there now. Who was may have taken all.
    head_ = Head(claim_.load(std::memory_order_relaxed));
    if (!IsLast(expected)) return false;
    // relaxed: as above.
    bottom_.store(--end_, std::memory_order_relaxed);
    return true;
  }

  // Owner: takes the oldest element.
  [[nodiscard]] std::optional<T> PopFront() {
    if (head_ == end_) {
      TrimEmpty();
      return std::nullopt;
    }
    // The claim. relaxed: it gives nothing to thieves, and what it learns from them
    // (that slots are free) only Reserve() uses, whose acquire load of claim_ reads this
    // RMW or a later one and so synchronises with the thieves' CASes before it.
    const Index head = Head(claim_.fetch_add(1, std::memory_order_relaxed));
    head_ = static_cast<Index>(head + 1);
    if (ABSL_PREDICT_FALSE(head == end_)) {
      // Thieves took all before us, so that head is now bottom + 1. Follow it: the
      // index in between is never used. A thief that sees the new bottom with the old
      // head reads a slot without an element, and its CAS fails.
      // relaxed: as in ClaimLast().
      bottom_.store(++end_, std::memory_order_relaxed);
      TrimEmpty();
      return std::nullopt;
    }
    // relaxed: a slot that we filled ourselves.
    return slot(head).load(std::memory_order_relaxed);
  }

  // The same where there are no thieves: without the RMW.
  [[nodiscard]] std::optional<T> PopFrontUnshared() {
    // relaxed, all: as in PopIfUnshared().
    const Claim claim = claim_.load(std::memory_order_relaxed);
    head_ = Head(claim);
    if (head_ == end_) {
      TrimEmpty();
      return std::nullopt;
    }
    claim_.store(static_cast<Claim>(claim + 1), std::memory_order_relaxed);
    return slot(head_++).load(std::memory_order_relaxed);
  }

  // Any thread: takes the oldest element.
  StealResult<T> Steal() {
    return TakeFront([](std::size_t) -> std::size_t { return 1; }, [](std::size_t, T) {});
  }

  // Owner of `into`: takes the older half of the elements, rounded up, at most `most` (1
  // or more) and Policy::kMaxBatch. The oldest is returned, the others follow at the back
  // of `into` in their order. One CAS for all of them.
  StealResult<T> StealHalf(WorkStealingDeque& into, std::size_t most = Policy::kMaxBatch) {
    assert(&into != this && most >= 1);
    const Index end = into.end_;
    Slot* slots = nullptr;
    std::size_t mask = 0;
    const StealResult<T> result = TakeFront(
        [&](std::size_t size) {
          const std::size_t count = std::min({(size + 1) / 2, most, Policy::kMaxBatch});
          into.Reserve(count - 1);
          slots = into.slots_;
          mask = into.mask_;
          return count;
        },
        [&](std::size_t i, T value) {
          // Behind bottom_, hence invisible until the store below; overwritten by the
          // next attempt if this one fails. relaxed: published by that store.
          slots[static_cast<Index>(end + i - 1) & mask].store(value, std::memory_order_relaxed);
        });
    if (result.count() > 1) {
      // release: as in Push().
      into.end_ = static_cast<Index>(end + result.count() - 1);
      into.bottom_.store(into.end_, std::memory_order_release);
    }
    return result;
  }

  // Any thread: takes the older half of the elements, rounded up, at most
  // Policy::kMaxBatch, and gives them to `sink(T)`, oldest first. Returns how many; 0 if
  // the deque is empty or another claim came first. For an owner whose deque may not get
  // longer, and for thieves without a deque. The sink must not throw: the deque has given
  // all of them up by then.
  template <typename Sink>
  std::size_t SpillHalf(Sink&& sink) {
    std::array<T, Policy::kMaxBatch> batch;
    const StealResult<T> result =
        TakeFront([](std::size_t size) { return std::min((size + 1) / 2, Policy::kMaxBatch); },
                  [&](std::size_t i, T value) { batch[i] = value; });
    if (!result.ok()) return 0;
    sink(result.value());
    for (std::size_t i = 1; i < result.count(); ++i) sink(batch[i]);
    return result.count();
  }

  // Any thread: about how many elements there are. Exact for the owner while
  // nobody steals; never negative.
  [[nodiscard]] std::size_t SizeHint() const {
    // relaxed: a hint, ordered with nothing.
    const Index head = Head(claim_.load(std::memory_order_relaxed));
    const auto size = Distance(bottom_.load(std::memory_order_relaxed), head);
    return size > 0 ? static_cast<std::size_t>(size) : 0;
  }

  // Any thread: whether the deque seems empty. If it says so to the owner, it is.
  [[nodiscard]] bool EmptyHint() const { return SizeHint() == 0; }

  // Owner: how many elements fit before the next growth.
  [[nodiscard]] std::size_t capacity() const { return mask_ + 1; }
  // Owner: how often it was full and grew.
  [[nodiscard]] std::size_t growths() const { return growths_; }

  // Owner: gives memory back that the elements do not need, as far as no thief is reading
  // it at this moment. A deque that is found empty again and again does so by itself.
  void ShrinkToFit() {
    // relaxed: how much there is at the most.
    head_ = Head(claim_.load(std::memory_order_relaxed));
    Shrink(static_cast<std::size_t>(Distance(end_, head_)));
  }

 private:
  using Index = typename Policy::Index;
  using SignedIndex = std::make_signed_t<Index>;
  static_assert(std::is_unsigned_v<Index>);
  static constexpr int kIndexBits = std::numeric_limits<Index>::digits;

  // The claim word: tag in the upper half, head in the lower.
  using Claim =
      std::conditional_t<kIndexBits == 8, std::uint16_t,
                         std::conditional_t<kIndexBits == 16, std::uint32_t, std::uint64_t>>;
  static_assert(std::numeric_limits<Claim>::digits == 2 * kIndexBits);
  static constexpr Claim kTagUnit = static_cast<Claim>(Claim{1} << kIndexBits);

  // The difference of two indices must have a sign.
  static constexpr std::size_t kMaxCapacity = std::size_t{1} << (kIndexBits - 2);
  static_assert((Policy::kMinCapacity & (Policy::kMinCapacity - 1)) == 0);
  static_assert((Policy::kKeptCapacity & (Policy::kKeptCapacity - 1)) == 0);
  static_assert(Policy::kMinCapacity >= 1 && Policy::kMinCapacity <= kMaxCapacity);
  static_assert(Policy::kMaxBatch >= 1);

  // A buffer that holds this many times its elements is too large.
  static constexpr std::size_t kShrinkFactor = 8;

  static Index Head(Claim claim) { return static_cast<Index>(claim); }
  static SignedIndex Distance(Index to, Index from) {
    return static_cast<SignedIndex>(static_cast<Index>(to - from));
  }

  using Slot = typename Policy::template Atomic<T>;

  // A ring of slots behind its header, in one block. A slot is named by the index
  // of its element, whatever the capacity. The header has a cache line of its own, and thieves
  // do without it (Link).
  struct alignas(ABSL_CACHELINE_SIZE) Buffer : Policy::Domain::Object {
    explicit Buffer(std::size_t capacity) : mask(capacity - 1) {}

    // Null only if `when_possible` and there is no memory.
    static Buffer* New(std::size_t capacity, bool when_possible = false) {
      if (ABSL_PREDICT_FALSE(capacity > kMaxCapacity)) {
        std::fprintf(stderr, "WorkStealingDeque: cannot grow to %zu elements, the limit is %zu\n",
                     capacity, kMaxCapacity);
        std::abort();
      }
      const std::size_t bytes = sizeof(Buffer) + capacity * sizeof(Slot);
      void* const block = when_possible ? ::operator new(bytes, kAlignment, std::nothrow)
                                        : ::operator new(bytes, kAlignment);
      if (block == nullptr) return nullptr;
      Buffer* const buffer = ::new (block) Buffer(capacity);
      std::uninitialized_value_construct_n(buffer->slots(), capacity);
      return buffer;
    }
    static void Delete(Buffer* buffer) {
      std::destroy_n(buffer->slots(), buffer->capacity());
      buffer->~Buffer();
      ::operator delete(static_cast<void*>(buffer), kAlignment);
    }

    static constexpr std::align_val_t kAlignment{ABSL_CACHELINE_SIZE};

    std::size_t capacity() const { return mask + 1; }
    Slot* slots() { return reinterpret_cast<Slot*>(this + 1); }
    Slot& slot(Index index) { return slots()[index & mask]; }

    const std::size_t mask;
    Buffer* next = nullptr;  // In kept_ or retired_.
  };
  static_assert(alignof(Slot) <= alignof(Buffer));

  // What buffer_ holds: all that a thief has to know of the buffer. Were the mask read from
  // memory, it would be one more line to wait for between a thief's look at claim_ and its
  // claim: a sixth of a contended steal.
  //
  //   63                      6 5               1   0
  //  +-------------------------+-----------------+-------+
  //  |    address, in lines    | log2 (capacity) | large |
  //  +-------------------------+-----------------+-------+
  //
  // A large buffer must not be touched by a thief before it is protected.
  using Link = std::byte*;
  static constexpr std::uintptr_t kLargeBit = 1;
  static constexpr std::uintptr_t kLinkBits = 63;
  static_assert(alignof(Buffer) > kLinkBits && std::countr_zero(kMaxCapacity) < 32);
  static std::uintptr_t LinkBits(Link link) {
    return reinterpret_cast<std::uintptr_t>(link) & kLinkBits;
  }
  static Link LinkTo(Buffer* buffer, bool is_large) {
    const auto log2 = static_cast<std::size_t>(std::countr_zero(buffer->capacity()));
    return reinterpret_cast<Link>(buffer) + (log2 << 1) + (is_large ? kLargeBit : 0);
  }
  static bool IsLarge(Link link) { return (LinkBits(link) & kLargeBit) != 0; }
  static std::size_t MaskOf(Link link) { return (std::size_t{1} << (LinkBits(link) >> 1)) - 1; }
  static Buffer* BufferOf(Link link) { return reinterpret_cast<Buffer*>(link - LinkBits(link)); }

  static void DeleteAll(Buffer* buffer) {
    while (buffer != nullptr) {
      Buffer* const next = buffer->next;
      Buffer::Delete(buffer);
      buffer = next;
    }
  }

  // Owner: the slot of an element in the current buffer.
  Slot& slot(Index index) { return slots_[index & mask_]; }

  // Owner: makes room for `count` elements behind the last.
  void Reserve(std::size_t count) {
    if (ABSL_PREDICT_FALSE(Distance(limit_, end_) < static_cast<SignedIndex>(count))) {
      ReserveSlowly(count);
    }
  }

  // Owner: whether the newest element, if thieves have left it, is `value`.
  bool IsLast(T value) {
    // relaxed: a slot that we filled ourselves.
    return head_ != end_ &&
           slot(static_cast<Index>(end_ - 1)).load(std::memory_order_relaxed) == value;
  }

  // Whether no claim that begins at `head` can reach the element `last`.
  static bool IsFar(Index last, Index head) {
    return Distance(last, head) >= static_cast<SignedIndex>(Policy::kMaxBatch);
  }

  // Owner: takes the newest element, which is at end_ afterwards, unless thieves have taken
  // it. There was one when head_ was read.
  [[nodiscard]] bool ClaimLast() {
    const Index last = static_cast<Index>(end_ - 1);
    // A guess at which way is the cheaper one.
    if (IsFar(last, head_)) {
      // seq_cst, both: a thief reads claim_, then bottom_. If it reads a claim that is newer
      // than ours here, it reads our bottom_ or a newer one, too, and leaves `last` alone; if
      // not, its claim fails or ends before `last` (I3). pairs with: TakeFront()'s loads.
      // The slots below stay visible, too: an RMW goes on with the release sequence of Push().
      bottom_.exchange(last, std::memory_order_seq_cst);
      head_ = Head(claim_.load(std::memory_order_seq_cst));
      if (ABSL_PREDICT_TRUE(IsFar(last, head_))) {
        end_ = last;
        return true;
      }
      // Thieves have come near since head_ was read.
    } else {
      // release: a thief that reads this value must still see the slots below it, which
      // the Push of another value published (a plain store ends its release sequence).
      // pairs with: TakeFront()'s load of bottom_.
      bottom_.store(last, std::memory_order_release);
    }
    // The claim. From here on every CAS of a thief that read claim_ before fails.
    // release: a thief that reads the new value also reads the lowered bottom_.
    // pairs with: TakeFront()'s load of claim_. No acquire: slots are reused by what
    // Reserve() has seen (I4).
    head_ = Head(claim_.fetch_add(kTagUnit, std::memory_order_release));
    if (ABSL_PREDICT_TRUE(head_ != end_)) {
      end_ = last;
      return true;
    }
    // Thieves took all, the last one too.
    // relaxed: who reads it has a head that reached it, and sees no element, or an older
    // one, and fails.
    bottom_.store(end_, std::memory_order_relaxed);
    return false;
  }

  void PushReserved(T value) {
    // relaxed: published by the store of bottom_ below.
    slot(end_).store(value, std::memory_order_relaxed);
    // release: publishes the slot, the buffer and what the element points to.
    // pairs with: TakeFront()'s load of bottom_.
    bottom_.store(++end_, std::memory_order_release);
  }

  ABSL_ATTRIBUTE_NOINLINE void PushSlowly(T value) {
    ReserveSlowly(1);
    PushReserved(value);
  }

  ABSL_ATTRIBUTE_NOINLINE void ReserveSlowly(std::size_t count) {
    // acquire: the reads of the thieves that freed a slot come before our next write to
    // it (I4). pairs with: TakeFront()'s CAS.
    head_ = Head(claim_.load(std::memory_order_acquire));
    limit_ = static_cast<Index>(head_ + capacity());
    const std::size_t needed = static_cast<std::size_t>(Distance(end_, head_)) + count;
    if (needed > capacity()) {
      Grow(needed);
    } else if (needed * kShrinkFactor <= capacity()) {
      Shrink(needed);
    } else {
      FreeRetired();
    }
  }

  void Grow(std::size_t needed) {
    ++growths_;
    std::size_t larger = capacity();
    while (larger < needed) larger *= 2;
    Replace(Buffer::New(larger));
  }

  // Owner: nothing is left in the deque, so a large buffer need not be either.
  void TrimEmpty() {
    if (ABSL_PREDICT_FALSE(capacity() > base_ || retired_ != nullptr)) TrimLarge();
  }

  ABSL_ATTRIBUTE_NOINLINE void TrimLarge() {
    if (++empty_pops_ < Policy::kEmptyPops) return;
    empty_pops_ = 0;
    Shrink(0);
  }

  // Owner: goes over to a buffer with room for twice `needed`, which is at least the size,
  // if that is a smaller one.
  ABSL_ATTRIBUTE_NOINLINE void Shrink(std::size_t needed) {
    std::size_t smaller = base_;
    while (smaller < 2 * needed) smaller *= 2;
    if (smaller >= capacity()) return FreeRetired();
    // acquire: as in ReserveSlowly(), for the buffer that is written next.
    head_ = Head(claim_.load(std::memory_order_acquire));
    const bool has_base = kept_ != nullptr && kept_->capacity() == base_;
    // To give memory back must not fail for want of memory.
    Buffer* const buffer =
        smaller == base_ && has_base ? kept_ : Buffer::New(smaller, /*when_possible=*/true);
    if (buffer != nullptr) Replace(buffer);
  }

  // Owner: goes over to `buffer`, with the elements from head_ on, which was just read.
  void Replace(Buffer* buffer) {
    // Elements that thieves take meanwhile are copied in vain, no more.
    for (Index i = head_; i != end_; ++i) {
      // relaxed: own slots, and a buffer that nobody else reads with success.
      buffer->slot(i).store(slot(i).load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
    if (owned_->capacity() > base_) {
      owned_->next = retired_;
      retired_ = owned_;
    }
    Use(buffer);
    FreeRetired();
  }

  // Owner: `buffer` is the current one.
  void Use(Buffer* buffer) {
    owned_ = buffer;
    slots_ = buffer->slots();
    mask_ = buffer->mask;
    limit_ = static_cast<Index>(head_ + buffer->capacity());
    empty_pops_ = 0;
    const bool is_large = buffer->capacity() > base_;
    if (!is_large && buffer != kept_) {
      buffer->next = kept_;
      kept_ = buffer;
    }
    // release: publishes the new slots. pairs with: the loads in TakeFront() and Protect().
    buffer_.store(LinkTo(buffer, is_large), std::memory_order_release);
  }

  // Owner: frees the large buffers that were replaced, but for those that thieves are reading
  // just now. These the next call frees.
  void FreeRetired() {
    for (Buffer** link = &retired_; *link != nullptr;) {
      Buffer* const buffer = *link;
      // buffer_ leads elsewhere already, as IsProtected() asks for (I7).
      if (Policy::Access::Domain().IsProtected(buffer)) {
        link = &buffer->next;
      } else {
        *link = buffer->next;
        Buffer::Delete(buffer);
      }
    }
  }

  // Thief: takes `choose(size)` elements, 1 to kMaxBatch, at the front; all but the first go to
  // `keep(i, element)`, i = 1, 2, ..., which must be ready to see them in vain.
  template <typename Choose, typename Keep>
  StealResult<T> TakeFront(Choose choose, Keep keep) {
    // acquire: then bottom_ and buffer_ are at least as new as any near pop that this value
    // contains, so no element that was popped seems to be there.
    // pairs with: ClaimLast()'s fetch_add. seq_cst, here and below: for far pops, see there.
    const Claim claim = claim_.load(std::memory_order_seq_cst);
    // acquire: the slots below bottom_ are filled, buffer_ is the one they are in or a
    // newer. pairs with: the stores of bottom_ in Push(), Pop(), StealHalf().
    const SignedIndex size = Distance(bottom_.load(std::memory_order_seq_cst), Head(claim));
    if (size <= 0) {
      // Below -1 (I2) there is no such state: the owner went half around the index space
      // since we read head.
      return size < -1 ? StealResult<T>::Retry() : StealResult<T>::Empty();
    }
    const std::size_t count = choose(static_cast<std::size_t>(size));
    assert(count >= 1 && count <= Policy::kMaxBatch);
    // acquire: the slots are constructed and copied. pairs with: Use(). An older buffer
    // than the current one serves as well: it was current when it held these elements
    // and was not written since (I6).
    Link link = buffer_.load(std::memory_order_acquire);
    if (ABSL_PREDICT_FALSE(IsLarge(link))) return ClaimProtected(link, claim, count, keep);
    return ClaimFront(link, claim, count, keep);
  }

  // Thief: ClaimFront(), of a large buffer.
  template <typename Keep>
  ABSL_ATTRIBUTE_NOINLINE StealResult<T> ClaimProtected(Link link, Claim claim, std::size_t count,
                                                        Keep keep) {
    const typename Policy::Access access;
    typename Policy::Domain::HazardPointer hazard(access.participant());
    return ClaimFront(Protect(link, hazard), claim, count, keep);
  }

  // Thief: protects the buffer that `link`, which was read from buffer_, leads to, and if
  // buffer_ leads elsewhere by now, the one there. Returns the link to it.
  Link Protect(Link link, typename Policy::Domain::HazardPointer& hazard) {
    while (IsLarge(link)) {
      hazard.Announce(BufferOf(link));
      // acquire: as in TakeFront(). If it leads there still, the owner sees the hazard before
      // it frees the buffer (I7): Announce() has a fence. pairs with: FreeRetired().
      Link again = buffer_.load(std::memory_order_acquire);
      if (ABSL_PREDICT_TRUE(again == link)) break;
      link = again;
    }
    return link;
  }

  // Thief: reads `count` elements from where `claim` has its head, and then claims them.
  template <typename Keep>
  ABSL_ATTRIBUTE_ALWAYS_INLINE StealResult<T> ClaimFront(Link link, Claim claim, std::size_t count,
                                                         Keep keep) {
    const Index head = Head(claim);
    Slot* const slots = BufferOf(link)->slots();
    const std::size_t mask = MaskOf(link);
    // relaxed: the acquire of bottom_ has ordered the fill before these loads; whether
    // they are still live the CAS tells.
    const T first = slots[head & mask].load(std::memory_order_relaxed);
    for (std::size_t i = 1; i < count; ++i) {
      keep(i, slots[static_cast<Index>(head + i) & mask].load(std::memory_order_relaxed));
    }
    // The claim (I5). release: our loads come before the owner's reuse of the slots.
    // pairs with: the acquire in ReserveSlowly() and Shrink(). No acquire: what the elements
    // point to came with bottom_. seq_cst: C++ before 2020 orders the loads of this word in
    // a far pop and here by what wrote it. relaxed on failure: all that was read is thrown away.
    if (!claim_.compare_exchange_strong(claim, static_cast<Claim>(claim + count),
                                        std::memory_order_seq_cst, std::memory_order_relaxed)) {
      return StealResult<T>::Retry();
    }
    return StealResult<T>::Success(first, count);
  }

  // One line for what thieves use: a thief needs all of it, and the owner has to own the
  // line for its next operation anyway.
  alignas(ABSL_CACHELINE_SIZE) typename Policy::template Atomic<Claim> claim_;
  typename Policy::template Atomic<Index> bottom_;
  typename Policy::template Atomic<Link> buffer_;

  // One for what is the owner's alone. Until it claims it needs no other, so that it seldom
  // waits for the line above while a thief has it: a Push never does.
  alignas(ABSL_CACHELINE_SIZE) Slot* slots_ = nullptr;
  std::size_t mask_ = 0;
  Index end_ = Policy::kFirstIndex;   // bottom_
  Index head_ = Policy::kFirstIndex;  // The last head that the owner has seen (I8).
  Index limit_ = 0;                   // The index before which slots are free (I4).
  int empty_pops_ = 0;                // How often the deque was empty since it was last trimmed.
  Buffer* owned_ = nullptr;           // The current buffer, which slots_ and mask_ belong to.
  std::size_t base_ = 0;              // Buffers of more elements than this are large.
  Buffer* kept_ = nullptr;            // All buffers that are not large, the largest first.
  Buffer* retired_ = nullptr;         // Large ones that were replaced and may still be read.
  std::size_t growths_ = 0;
};

}  // namespace home

#endif  // HOME_DEQUE_WORK_STEALING_DEQUE_H_
