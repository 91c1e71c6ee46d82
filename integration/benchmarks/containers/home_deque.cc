// Home Async's deque, with thieves that take one element a steal and with such as take
// half of what is there and serve themselves from that, as a scheduler's do.

#include <optional>

#include "home/deque/work_stealing_deque.h"
#include "home/integration/benchmarks/containers/deque_workloads.h"

namespace home::containers {
namespace {

Theft Outcome(const StealResult<Element>& result, Element* element) {
  if (result.ok()) {
    *element = result.value();
    return Theft::kTaken;
  }
  return result.empty() ? Theft::kEmpty : Theft::kLost;
}

class HomeDeque {
 public:
  void Push(Element element) { deque_.Push(element); }
  bool Pop(Element* element) {
    const std::optional<Element> taken = deque_.Pop();
    if (taken) *element = *taken;
    return taken.has_value();
  }

  class Thief {
   public:
    explicit Thief(HomeDeque& victim) : victim_(victim.deque_) {}
    Theft Steal(Element* element) { return Outcome(victim_.Steal(), element); }

   private:
    WorkStealingDeque<Element>& victim_;
  };

 protected:
  WorkStealingDeque<Element> deque_;
};

class HomeDequeHalves : public HomeDeque {
 public:
  class Thief {
   public:
    explicit Thief(HomeDequeHalves& victim) : victim_(victim.deque_) {}
    Theft Steal(Element* element) {
      if (const std::optional<Element> own = mine_.Pop()) {
        *element = *own;
        return Theft::kTaken;
      }
      return Outcome(victim_.StealHalf(mine_), element);
    }

   private:
    WorkStealingDeque<Element>& victim_;
    WorkStealingDeque<Element> mine_;
  };
};

const bool kAdded = AddDeque<HomeDeque>("home") && AddDequeThieves<HomeDequeHalves>("home_halves");

}  // namespace
}  // namespace home::containers
