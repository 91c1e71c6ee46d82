// xenium: its queues with epoch-based reclamation (the fastest of its schemes here that
// asks nothing of its users), its Vyukov ring, its Chase-Lev deque as it is and with a
// fixed array, which never grows.

// xenium 0.0.2 uses std::array without including it.
#include <array>
#include <cstddef>
#include <cstdint>
#include <xenium/chase_work_stealing_deque.hpp>
#include <xenium/michael_scott_queue.hpp>
#include <xenium/ramalhete_queue.hpp>
#include <xenium/reclamation/generic_epoch_based.hpp>
#include <xenium/reclamation/hazard_pointer.hpp>
#include <xenium/vyukov_bounded_queue.hpp>

#include "home/integration/benchmarks/containers/deque_workloads.h"
#include "home/integration/benchmarks/containers/queue_workloads.h"

namespace home::containers {
namespace {

namespace policy = xenium::policy;
namespace reclamation = xenium::reclamation;

using Epochs = policy::reclaimer<reclamation::new_epoch_based<>>;
using HazardPointers = policy::reclaimer<reclamation::hazard_pointer<>>;

// Elements are never dereferenced; these types only name the pointers.
struct alignas(16) Pointee {};

Pointee* ToPointer(Element element) { return reinterpret_cast<Pointee*>(element); }
Element FromPointer(Pointee* pointer) { return reinterpret_cast<Element>(pointer); }

template <typename Reclaimer>
class MichaelScott {
 public:
  explicit MichaelScott(std::size_t) {}
  bool Push(Element element) {
    queue_.push(element);
    return true;
  }
  bool Pop(Element* element) { return queue_.try_pop(*element); }

 private:
  xenium::michael_scott_queue<Element, Reclaimer> queue_;
};

template <typename Reclaimer>
class Ramalhete {
 public:
  explicit Ramalhete(std::size_t) {}
  bool Push(Element element) {
    queue_.push(ToPointer(element));
    return true;
  }
  bool Pop(Element* element) {
    Pointee* pointer = nullptr;
    if (!queue_.try_pop(pointer)) return false;
    *element = FromPointer(pointer);
    return true;
  }

 private:
  xenium::ramalhete_queue<Pointee*, Reclaimer> queue_;
};

class Vyukov {
 public:
  explicit Vyukov(std::size_t capacity) : queue_(capacity) {}
  bool Push(Element element) { return queue_.try_push(element); }
  bool Pop(Element* element) { return queue_.try_pop(*element); }

 private:
  xenium::vyukov_bounded_queue<Element> queue_;
};

template <typename Deque>
class ChaseLev {
 public:
  void Push(Element element) {
    // False only of the fixed array, which is large enough.
    static_cast<void>(deque_.try_push(ToPointer(element)));
  }
  bool Pop(Element* element) {
    Pointee* pointer = nullptr;
    if (!deque_.try_pop(pointer)) return false;
    *element = FromPointer(pointer);
    return true;
  }

  class Thief {
   public:
    explicit Thief(ChaseLev& victim) : victim_(victim.deque_) {}
    Theft Steal(Element* element) {
      Pointee* pointer = nullptr;
      if (!victim_.try_steal(pointer)) return Theft::kEmpty;
      *element = FromPointer(pointer);
      return Theft::kTaken;
    }

   private:
    Deque& victim_;
  };

 private:
  Deque deque_;
};

constexpr std::size_t kFixedCapacity = 4096;

using Growing = xenium::chase_work_stealing_deque<Pointee>;
using Fixed = xenium::chase_work_stealing_deque<
    Pointee, policy::container<xenium::detail::fixed_size_circular_array<Pointee, kFixedCapacity>>>;

const bool kAdded =
    AddUnbounded<MichaelScott<Epochs>>("xenium_michael_scott") &&
    AddUnbounded<MichaelScott<HazardPointers>>("xenium_michael_scott_hp") &&
    AddUnbounded<Ramalhete<Epochs>>("xenium_ramalhete") &&
    AddMpsc<Ramalhete<Epochs>>("xenium_ramalhete") && AddBounded<Vyukov>("xenium_vyukov") &&
    AddDeque<ChaseLev<Growing>>("xenium_chase_lev") &&
    AddEntry("deque_1t", "xenium_chase_lev_fixed", &DequeBursts<ChaseLev<Fixed>>) &&
    AddEntry("deque_steal", "xenium_chase_lev_fixed", &WithThieves<ChaseLev<Fixed>, false>);

}  // namespace
}  // namespace home::containers
