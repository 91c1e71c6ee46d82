// Hazard pointers: when may an object that was taken out of a lock-free structure be freed?
//
//   struct Node : HazardDomain::Object { ... };
//   HazardDomain domain;
//   HazardDomain::Participant self(domain);              // a thread's, for as long as it likes
//   {
//     HazardDomain::HazardPointer hazard(self);
//     Node* node = hazard.Protect(head);                 // stays allocated until `hazard` ends
//     ...
//   }
//   self.Retire(node);                                   // nobody can find it any more
//
// hazard_access.h has a domain for the whole process in which threads take part by themselves.
//
// Guaranteed: an object is freed once after it was retired, and not while a HazardPointer
// protects it that began to do so while the object could still be found. At most
// `Bound()` retired objects exist for N participants, whatever any of them does, also if
// it stops for ever. A participant that goes leaves what it cannot free to the others; a domain
// that goes frees the rest.
//
// Thread-safety: the domain, by any thread; a Participant and its HazardPointers, by one thread
// at a time. Participants end before their domain.
// Memory ordering: what a thread does with an object under protection happens before its
// destruction.
// Cost: Protect a store, two loads and Policy::LightFence(); Retire a few plain stores, and once
// in `Batch()` times a look at all hazards of the domain with a Policy::HeavyFence().
// Progress: Protect is lock-free (it repeats when the source has changed), all else wait-free
// but for the allocator and the objects' own destructors. These may retire others.
//
// -- Algorithm -----------------------------------------------------------------------
//
// Michael, "Hazard pointers: safe memory reclamation for lock-free objects" (2004). A thread
// announces what it is about to touch in a slot that others read, then makes sure that the object
// is still where it found it. Who wants to free a batch reads all slots after the objects were
// taken out, and keeps those that are announced.
//
//   reader                                reclaimer
//    a  slot = p          (release)        c  source = other      (the user's, any order)
//       LightFence()                          HeavyFence()
//    b  source == p ?     (acquire)        d  slot == p ?         (acquire)
//
// This is the store-load pattern of two threads that both must not miss the other: the fences
// forbid that b reads the value before c while d reads the value before a. The reader's
// side is the frequent one, so the price is on the reclaimer's: asymmetric_fence.h.
//
//   records_ -> record -> record -> ...      one for each participant at the same time, reused,
//               | in_use                     freed with the domain
//               | hazards[kSlots]
//   orphans_ -> object -> object -> ...      retired by participants that have gone
//
// Invariants
//  I1  A hazard is written by the participant that holds its record, and read by all.
//  I2  Records are only added, so a list once read stays valid.
//  I3  An object is in one retired list, which one thread owns: a participant's, or the orphans,
//      which are pushed in whole lists and taken all at once (no ABA).

#ifndef HOME_QUEUE_HAZARD_POINTERS_H_
#define HOME_QUEUE_HAZARD_POINTERS_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/base/optimization.h"
#include "home/queue/asymmetric_fence.h"
#include "home/queue/queue_policy.h"

namespace home {

struct HazardPolicy : QueuePolicy {
  static void LightFence() { queue_internal::AsymmetricFence::Light(); }
  static void HeavyFence() { queue_internal::AsymmetricFence::Heavy(); }

  // How many objects a participant may protect at once.
  static constexpr std::size_t kSlots = 8;
  // A participant looks for what it can free no earlier than with so many retired objects.
  static constexpr std::size_t kMinBatch = 64;
  // Nor with less than so many times what can be protected at once: all but one part of them
  // are then freed, so that the cost of a look is constant for each.
  static constexpr std::size_t kBatchFactor = 3;
};

template <typename Policy>
class BasicHazardDomain {
 public:
  class Participant;
  class HazardPointer;

  // The base of what can be retired.
  class Object {
   protected:
    Object() = default;
    ~Object() = default;

   private:
    friend class BasicHazardDomain;
    using Reclaimer = void (*)(Object*);
    template <typename U>
    using Plain = typename Policy::template Plain<U>;

    Plain<Object*> next_retired_;
    Plain<Reclaimer> reclaim_;
  };

  BasicHazardDomain() = default;
  BasicHazardDomain(const BasicHazardDomain&) = delete;
  BasicHazardDomain& operator=(const BasicHazardDomain&) = delete;

  // Frees all that is still retired. A participant that is left is a programming error and dies.
  ~BasicHazardDomain() {
    // An object's destructor may retire others: by a participant of its own, that is to us.
    while (Object* object = TakeOrphans()) {
      while (object != nullptr) {
        Object* const next = object->next_retired_;
        Reclaim(object);
        object = next;
      }
    }
    // relaxed: whoever destroys the domain is ordered after all of its users.
    Record* record = records_.load(std::memory_order_relaxed);
    while (record != nullptr) {
      Check(!record->in_use.load(std::memory_order_relaxed),
            "a hazard domain is destroyed before one of its participants");
      delete std::exchange(record, record->next);
    }
  }

  // With how many retired objects a participant looks for what it can free.
  [[nodiscard]] std::size_t Batch() const {
    // relaxed: a number that only grows.
    return std::max(Policy::kMinBatch, Policy::kBatchFactor * Policy::kSlots *
                                           record_count_.load(std::memory_order_relaxed));
  }

  // The most objects that are retired and not freed: those that every participant collects, and
  // those that it keeps because they are protected.
  [[nodiscard]] std::size_t Bound() const {
    const std::size_t records = record_count_.load(std::memory_order_relaxed);
    return records * Batch() + records * records * Policy::kSlots;
  }

  // Whether some hazard pointer may protect `object`, which can no longer be found. If not, it may
  // be freed, for its uses are over: by who has few and large objects, and keeps them meanwhile.
  // Any thread. Cost: a look at all hazards of the domain with a Policy::HeavyFence().
  [[nodiscard]] bool IsProtected(const Object* object) const {
    // See "Algorithm". pairs with: HazardPointer.
    Policy::HeavyFence();
    bool found = false;
    ForEachHazard([&](const Object* hazard) { found |= hazard == object; });
    return found;
  }

 private:
  template <typename U>
  using Atomic = typename Policy::template Atomic<U>;
  template <typename U>
  using Plain = typename Policy::template Plain<U>;

  // A line or more of its own: written at every Protect().
  struct alignas(ABSL_CACHELINE_SIZE) Record {
    std::array<Atomic<const Object*>, Policy::kSlots> hazards{};
    Atomic<bool> in_use{true};
    Plain<Record*> next;
  };

  static void Check(bool holds, const char* message) {
    if (ABSL_PREDICT_TRUE(holds)) return;
    std::fprintf(stderr, "home: %s\n", message);
    std::abort();
  }

  static void Reclaim(Object* object) {
    const typename Object::Reclaimer reclaim = object->reclaim_;
    reclaim(object);
  }

  Record* AcquireRecord() {
    // acquire: the records' fields. pairs with: the CAS below.
    for (Record* record = records_.load(std::memory_order_acquire); record != nullptr;
         record = record->next) {
      bool in_use = record->in_use.load(std::memory_order_relaxed);
      // acquire: the last holder is done with it. pairs with: ReleaseRecord().
      if (!in_use && record->in_use.compare_exchange_strong(in_use, true, std::memory_order_acquire,
                                                            std::memory_order_relaxed)) {
        return record;
      }
    }
    auto* const record = new Record;
    // relaxed: counted before it is used; a batch that is a record too small does no harm.
    record_count_.fetch_add(1, std::memory_order_relaxed);
    Record* first = records_.load(std::memory_order_relaxed);
    do {
      record->next = first;
      // release: the record's fields. That a scan which has to see this record does so follows
      // from the fences, like for the hazards in it. relaxed on failure: a guess.
    } while (!records_.compare_exchange_weak(first, record, std::memory_order_release,
                                             std::memory_order_relaxed));
    return record;
  }

  void ReleaseRecord(Record* record) {
    // release: we are done. pairs with: AcquireRecord().
    record->in_use.store(false, std::memory_order_release);
  }

  void AddOrphans(Object* first, Object* last) {
    Object* rest = orphans_.load(std::memory_order_relaxed);
    do {
      last->next_retired_ = rest;
      // release: the objects, and that they could no longer be found. pairs with:
      // TakeOrphans(). relaxed on failure: a guess, behind which nothing is read.
    } while (!orphans_.compare_exchange_weak(rest, first, std::memory_order_release,
                                             std::memory_order_relaxed));
  }

  Object* TakeOrphans() {
    // relaxed: a look before the RMW.
    if (orphans_.load(std::memory_order_relaxed) == nullptr) return nullptr;
    // acquire: pairs with: AddOrphans(), every one of whose CASes continues the release
    // sequences of those before.
    return orphans_.exchange(nullptr, std::memory_order_acquire);
  }

  // What is protected at this moment, sorted.
  void CollectHazards(std::vector<const Object*>& hazards) const {
    hazards.clear();
    ForEachHazard([&](const Object* hazard) { hazards.push_back(hazard); });
    std::sort(hazards.begin(), hazards.end());
  }

  template <typename Visit>
  void ForEachHazard(Visit visit) const {
    // acquire: as in AcquireRecord().
    for (const Record* record = records_.load(std::memory_order_acquire); record != nullptr;
         record = record->next) {
      for (const auto& hazard : record->hazards) {
        // acquire: if it no longer holds an object, the uses of that are over. pairs with:
        // HazardPointer.
        const Object* const object = hazard.load(std::memory_order_acquire);
        if (object != nullptr) visit(object);
      }
    }
  }

  Atomic<Record*> records_{nullptr};
  Atomic<std::size_t> record_count_{0};
  Atomic<Object*> orphans_{nullptr};
};

// A thread's part in a domain.
template <typename Policy>
class BasicHazardDomain<Policy>::Participant {
 public:
  explicit Participant(BasicHazardDomain& domain)
      : domain_(domain), record_(domain.AcquireRecord()) {}
  Participant(const Participant&) = delete;
  Participant& operator=(const Participant&) = delete;

  // Hands on what it cannot free. A HazardPointer that is left is a programming error and dies.
  ~Participant() {
    Check(taken_ == 0, "a participant of a hazard domain is destroyed before its hazard pointers");
    Reclaim();
    if (first_ != nullptr) domain_.AddOrphans(first_, last_);
    domain_.ReleaseRecord(record_);
  }

  // Has `object` deleted when nobody uses it any more. It can no longer be found by others, and
  // is retired once.
  template <std::derived_from<Object> T>
  void Retire(T* object) noexcept {
    object->reclaim_ = +[](Object* retired) { delete static_cast<T*>(retired); };
    Add(object);
    if (ABSL_PREDICT_FALSE(count_ >= domain_.Batch())) Reclaim();
  }

  // Frees all retired objects, those of participants that have gone too, that nobody protects.
  void Reclaim() noexcept {
    // An object's destructor may retire others, which then wait for the next time.
    if (reclaiming_) return;
    reclaiming_ = true;
    Object* const lists[] = {std::exchange(first_, nullptr), domain_.TakeOrphans()};
    count_ = 0;
    // See "Algorithm". pairs with: HazardPointer.
    Policy::HeavyFence();
    domain_.CollectHazards(hazards_);
    for (Object* object : lists) {
      while (object != nullptr) {
        Object* const next = object->next_retired_;
        if (std::binary_search(hazards_.begin(), hazards_.end(), object)) {
          Add(object);
        } else {
          BasicHazardDomain::Reclaim(object);
        }
        object = next;
      }
    }
    reclaiming_ = false;
  }

  // How many objects it has retired, or taken over, and not freed yet.
  [[nodiscard]] std::size_t retired_count() const { return count_; }

 private:
  friend class HazardPointer;

  void Add(Object* object) {
    if (first_ == nullptr) last_ = object;
    object->next_retired_ = first_;
    first_ = object;
    ++count_;
  }

  std::size_t TakeSlot() {
    const auto slot = static_cast<std::size_t>(std::countr_one(taken_));
    Check(slot < Policy::kSlots, "a thread holds too many hazard pointers at once");
    taken_ |= std::uint32_t{1} << slot;
    return slot;
  }
  void GiveSlot(std::size_t slot) { taken_ &= ~(std::uint32_t{1} << slot); }

  BasicHazardDomain& domain_;
  Record* const record_;
  std::uint32_t taken_ = 0;  // The slots in use, a bit each.
  static_assert(Policy::kSlots < 32);

  Object* first_ = nullptr;  // The retired objects; last_ means something if there are any.
  Object* last_ = nullptr;
  std::size_t count_ = 0;
  bool reclaiming_ = false;
  std::vector<const Object*> hazards_;  // Reclaim()'s, kept for its memory.
};

// Protects one object at a time.
template <typename Policy>
class BasicHazardDomain<Policy>::HazardPointer {
 public:
  explicit HazardPointer(Participant& participant)
      : participant_(participant),
        slot_(participant.TakeSlot()),
        hazard_(participant.record_->hazards[slot_]) {}
  HazardPointer(const HazardPointer&) = delete;
  HazardPointer& operator=(const HazardPointer&) = delete;
  ~HazardPointer() {
    Clear();
    participant_.GiveSlot(slot_);
  }

  // Protects what `source` points to, and returns it.
  template <std::derived_from<Object> T>
  [[nodiscard]] T* Protect(const Atomic<T*>& source) {
    // relaxed: a guess, which is verified.
    T* object = source.load(std::memory_order_relaxed);
    for (;;) {
      Announce(object);
      // acquire: what the object holds. It still being there is what the protection starts
      // from: see "Algorithm".
      T* const again = source.load(std::memory_order_acquire);
      if (ABSL_PREDICT_TRUE(again == object)) return object;
      object = again;
    }
  }

  // Protects `object`, provided that the caller finds afterwards, by an acquire load, that it
  // has not been retired before.
  void Announce(const Object* object) {
    // release: our uses of what stood there before are over. pairs with: ForEachHazard().
    hazard_.store(object, std::memory_order_release);
    // See "Algorithm". pairs with: Participant::Reclaim().
    Policy::LightFence();
  }

  // Ends the protection.
  void Clear() {
    // release: as above.
    hazard_.store(nullptr, std::memory_order_release);
  }

 private:
  Participant& participant_;
  const std::size_t slot_;
  Atomic<const Object*>& hazard_;
};

using HazardDomain = BasicHazardDomain<HazardPolicy>;

}  // namespace home

#endif  // HOME_QUEUE_HAZARD_POINTERS_H_
