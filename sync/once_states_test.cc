// Tables of what happens once, for states_testing.h: Latch, OnceCell, LazyCell, Once,
// CancellationToken, CancellationGuard, RunUntilCancelled.

#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/future/testing.h"
#include "home/sync/cancellation_token.h"
#include "home/sync/latch.h"
#include "home/sync/once_cell.h"
#include "home/sync/states_testing.h"

namespace home {
namespace {

using sync_testing::Done;
using sync_testing::End;
using sync_testing::Operations;
using sync_testing::Place;
using sync_testing::WalkTable;
using sync_testing::World;
using sync_testing::YesOrNo;
using testing::Manual;
using testing::ManualState;

struct LatchWorld : World {
  Latch latch{2};
  Place<Latch::WaitFuture> waiter{*this};
};

// The count; w: one waits; w!: it was released, and has not been polled since.
TEST(OnceStatesTest, Latch) {
  using W = LatchWorld;
  const Operations<W> operations = {
      {"CountDown", Done<W>([](W& w) { w.latch.CountDown(); })},
      {"CountDown2", Done<W>([](W& w) { w.latch.CountDown(2); })},
      {"IsOpen", [](W& w) { return YesOrNo(w.latch.IsOpen()); }},
      {"Wait", [](W& w) { return w.waiter.Ask([&w] { return w.latch.Wait(); }); }},
      {"Poll", [](W& w) { return w.waiter.Poll(); }},
      {"Drop", [](W& w) { return w.waiter.Drop(); }},
  };
  WalkTable<W>(R"(
      | CountDown       | CountDown2      | IsOpen | Wait       | Poll      | Drop
  2   | done > 1        | done > 0        | no     | waits > 2w |           |
  1   | done > 0        |                 | no     | waits > 1w |           |
  0   |                 |                 | yes    | ready      |           |
  2w  | done > 1w       | done+wake > 0w! | no     | waits      | waits     | done > 2
  1w  | done+wake > 0w! |                 | no     | waits      | waits     | done > 1
  0w! |                 |                 | yes    | ready      | ready > 0 | done > 0
  )",
               operations);
}

// Set() puts in 1, Init() makes 2 once Finish() has run, and Ask() makes 3 at once.
struct OnceCellWorld : World {
  OnceCell<int> cell;
  ManualState making;
  Place<OnceCell<int>::GetFuture<std::function<Manual<int>()>>> initing{*this};
  Place<OnceCell<int>::GetFuture<std::function<int()>>> asking{*this};

  static std::string Take(Poll<int&>& value) { return absl::StrCat(value.value()); }
  std::string Init() {
    return initing.Ask(
        [this] {
          return cell.GetOrInit(std::function([this] { return Manual<int>(&making, 2); }));
        },
        Take);
  }
  std::string DropInit() {
    making.ready = false;
    return initing.Drop();
  }
};

// making: by Init(); made: what it waited for is there, and it has not been polled since. ask:
// one who came then waits; ask!: it was woken, and has not been polled since.
TEST(OnceStatesTest, OnceCell) {
  using W = OnceCellWorld;
  const Operations<W> operations = {
      {"Get",
       [](W& w) {
         const int* value = w.cell.Get();
         return value == nullptr ? "none" : absl::StrCat(*value);
       }},
      {"Set", [](W& w) { return YesOrNo(w.cell.Set(1)); }},
      {"Init", [](W& w) { return w.Init(); }},
      {"Ask",
       [](W& w) {
         return w.asking.Ask([&w] { return w.cell.GetOrInit(std::function([] { return 3; })); },
                             W::Take);
       }},
      {"Finish", Done<W>([](W& w) { w.making.Set(); })},
      {"PollInit", [](W& w) { return w.initing.Poll(W::Take); }},
      {"PollAsk", [](W& w) { return w.asking.Poll(W::Take); }},
      {"DropInit", [](W& w) { return w.DropInit(); }},
      {"DropAsk", [](W& w) { return w.asking.Drop(); }},
  };
  WalkTable<W>(R"(
             | Get  | Set          | Init           | Ask                | Finish
  empty      | none | yes > 1      | waits > making | 3 > 3              |
  1          | 1    | no           | 1              | 1                  |
  2          | 2    | no           | 2              | 2                  |
  3          | 3    | no           | 3              | 3                  |
  making     | none | no           | waits          | waits > making ask | done+wake > made
  making ask | none | no           | waits          | waits              | done+wake > made ask
  made       | none | no           | waits          | waits > made ask   |
  made ask   | none | no           | waits          | waits              |
  empty ask! | none | yes > 1 ask! | waits > ...    | 3 > 3 ask!         |
  1 ask!     | 1    | no           | 1              | 1                  |
  2 ask!     | 2    | no           | 2              | 2                  |
  3 ask!     | 3    | no           | 3              | 3                  |

             | PollInit        | PollAsk | DropInit               | DropAsk
  making     | waits           |         | done > empty           |
  making ask | waits           | waits   | done+wake > empty ask! | done > making
  made       | 2 > 2           |         | done > empty           |
  made ask   | 2+wake > 2 ask! | waits   | done+wake > empty ask! | done > made
  empty ask! |                 | 3 > 3   |                        | done > empty
  1 ask!     |                 | 1 > 1   |                        | done > 1
  2 ask!     |                 | 2 > 2   |                        | done > 2
  3 ask!     |                 | 3 > 3   |                        | done > 3
  )",
               operations);
}

// Try() makes 2, or fails, once Finish() or Fail() has run, and Ask() makes 3 at once.
struct TryWorld : World {
  using Made = absl::StatusOr<int>;

  // What Try() begins.
  class Attempt {
   public:
    using Output = Made;

    explicit Attempt(TryWorld& world) : made_(&world.made), ending_(&world.making, 0) {}
    home::Poll<Made> Poll(Context& cx) {
      if (ending_.Poll(cx).pending()) return kPending;
      return Made(*made_);
    }

   private:
    const Made* made_;
    Manual<int> ending_;
  };

  OnceCell<int> cell;
  ManualState making;
  Made made = 2;
  Place<OnceCell<int>::TryGetFuture<std::function<Attempt()>>> trying{*this};
  Place<OnceCell<int>::TryGetFuture<std::function<Made()>>> asking{*this};

  static std::string Take(Poll<absl::StatusOr<int*>>& value) {
    return value.value().ok() ? absl::StrCat(**value.value()) : "error";
  }
  std::string Try() {
    return trying.Ask(
        [this] { return cell.GetOrTryInit(std::function([this] { return Attempt(*this); })); },
        Take);
  }
  std::string Ask() {
    return asking.Ask([this] { return cell.GetOrTryInit(std::function([] { return Made(3); })); },
                      Take);
  }
  void Finish(Made result) {
    made = std::move(result);
    making.Set();
  }
  std::string PollTry() {
    std::string answer = trying.Poll(Take);
    if (!trying.taken()) making.ready = false;
    return answer;
  }
  std::string DropTry() {
    making.ready = false;
    return trying.Drop();
  }
};

// As above; failed: as made, but there is an error.
TEST(OnceStatesTest, OnceCellThatIsTried) {
  using W = TryWorld;
  const Operations<W> operations = {
      {"Get", [](W& w) { return w.cell.IsSet() ? absl::StrCat(*w.cell.Get()) : "none"; }},
      {"Try", [](W& w) { return w.Try(); }},
      {"Ask", [](W& w) { return w.Ask(); }},
      {"Finish", Done<W>([](W& w) { w.Finish(2); })},
      {"Fail", Done<W>([](W& w) { w.Finish(absl::UnavailableError("later")); })},
      {"PollTry", [](W& w) { return w.PollTry(); }},
      {"PollAsk", [](W& w) { return w.asking.Poll(W::Take); }},
      {"DropTry", [](W& w) { return w.DropTry(); }},
      {"DropAsk", [](W& w) { return w.asking.Drop(); }},
  };
  WalkTable<W>(R"(
             | Get  | Try            | Ask
  empty      | none | waits > making | 3 > 3
  2          | 2    | 2              | 2
  3          | 3    | 3              | 3
  making     | none | waits          | waits > making ask
  making ask | none | waits          | waits
  made       | none | waits          | waits > made ask
  made ask   | none | waits          | waits
  failed     | none | waits          | waits > failed ask
  failed ask | none | waits          | waits
  empty ask! | none | waits > ...    | 3 > 3 ask!
  2 ask!     | 2    | 2              | 2
  3 ask!     | 3    | 3              | 3

             | Finish               | Fail
  making     | done+wake > made     | done+wake > failed
  making ask | done+wake > made ask | done+wake > failed ask

             | PollTry                 | PollAsk | DropTry                | DropAsk
  making     | waits                   |         | done > empty           |
  making ask | waits                   | waits   | done+wake > empty ask! | done > making
  made       | 2 > 2                   |         | done > empty           |
  made ask   | 2+wake > 2 ask!         | waits   | done+wake > empty ask! | done > made
  failed     | error > empty           |         | done > empty           |
  failed ask | error+wake > empty ask! | waits   | done+wake > empty ask! | done > failed
  empty ask! |                         | 3 > 3   |                        | done > empty
  2 ask!     |                         | 2 > 2   |                        | done > 2
  3 ask!     |                         | 3 > 3   |                        | done > 3
  )",
               operations);
}

// Its function makes 5 once Finish() has run.
struct LazyCellWorld : World {
  using Cell = LazyCell<int, std::function<Manual<int>()>>;
  using Getting = decltype(std::declval<Cell&>().Get());

  ManualState making;
  Cell cell{[this] { return Manual<int>(&making, 5); }};
  Place<Getting> first{*this};
  Place<Getting> second{*this};

  static std::string Take(Poll<int&>& value) { return absl::StrCat(value.value()); }
  std::string Get(Place<Getting>& place) {
    return place.Ask([this] { return cell.Get(); }, Take);
  }
  std::string Drop() {
    making.ready = false;
    return first.Drop();
  }
};

// making, made: by the first that gets it; too, too!: as ask and ask! above.
TEST(OnceStatesTest, LazyCell) {
  using W = LazyCellWorld;
  const Operations<W> operations = {
      {"Peek",
       [](W& w) {
         const int* value = w.cell.Peek();
         return value == nullptr ? "none" : absl::StrCat(*value);
       }},
      {"Get", [](W& w) { return w.Get(w.first); }},
      {"GetToo", [](W& w) { return w.Get(w.second); }},
      {"Finish", Done<W>([](W& w) { w.making.Set(); })},
      {"Poll", [](W& w) { return w.first.Poll(W::Take); }},
      {"PollToo", [](W& w) { return w.second.Poll(W::Take); }},
      {"Drop", [](W& w) { return w.Drop(); }},
      {"DropToo", [](W& w) { return w.second.Drop(); }},
  };
  WalkTable<W>(R"(
             | Peek | Get            | GetToo             | Finish
  empty      | none | waits > making | waits > ...        |
  5          | 5    | 5              | 5                  |
  making     | none | waits          | waits > making too | done+wake > made
  making too | none | waits          | waits              | done+wake > made too
  made       | none | waits          | waits > made too   |
  made too   | none | waits          | waits              |
  empty too! | none | waits > ...    |                    |
  5 too!     | 5    | 5              | 5                  |

             | Poll            | PollToo     | Drop                   | DropToo
  making     | waits           |             | done > empty           |
  making too | waits           | waits       | done+wake > empty too! | done > making
  made       | 5 > 5           |             | done > empty           |
  made too   | 5+wake > 5 too! | waits       | done+wake > empty too! | done > made
  empty too! |                 | waits > ... |                        | done > empty
  5 too!     |                 | 5 > 5       |                        | done > 5
  )",
               operations);
}

// Do() has done it once Finish() has run, and Call() does it at once.
struct OnceWorld : World {
  Once once;
  ManualState doing;
  int calls = 0;
  Place<Once::CallFuture<std::function<Manual<std::true_type>()>>> slow{*this};
  Place<Once::CallFuture<std::function<void()>>> quick{*this};

  std::string Do() {
    return slow.Ask([this] {
      return once.Call(std::function([this] { return Manual<std::true_type>(&doing, {}); }));
    });
  }
  // Whose function it was.
  auto Take() {
    return [this, before = calls](Poll<void>&) -> std::string {
      return calls == before ? "ready" : "called";
    };
  }
  std::string Call() {
    return quick.Ask([this] { return once.Call(std::function([this] { ++calls; })); }, Take());
  }
  std::string DropDo() {
    doing.ready = false;
    return slow.Drop();
  }
};

// doing: by Do(); over: what it waited for is there, and it has not been polled since; call, call!:
// as ask and ask! above.
TEST(OnceStatesTest, Once) {
  using W = OnceWorld;
  const Operations<W> operations = {
      {"IsDone", [](W& w) { return YesOrNo(w.once.IsDone()); }},
      {"Do", [](W& w) { return w.Do(); }},
      {"Call", [](W& w) { return w.Call(); }},
      {"Finish", Done<W>([](W& w) { w.doing.Set(); })},
      {"PollDo", [](W& w) { return w.slow.Poll(); }},
      {"PollCall", [](W& w) { return w.quick.Poll(w.Take()); }},
      {"DropDo", [](W& w) { return w.DropDo(); }},
      {"DropCall", [](W& w) { return w.quick.Drop(); }},
  };
  WalkTable<W>(R"(
             | IsDone | Do            | Call                | Finish
  not        | no     | waits > doing | called > done       |
  done       | yes    | ready         | ready               |
  doing      | no     | waits         | waits > doing call  | done+wake > over
  doing call | no     | waits         | waits               | done+wake > over call
  over       | no     | waits         | waits > over call   |
  over call  | no     | waits         | waits               |
  not call!  | no     | waits > ...   | called > done call! |
  done call! | yes    | ready         | ready               |

             | PollDo                  | PollCall      | DropDo                | DropCall
  doing      | waits                   |               | done > not            |
  doing call | waits                   | waits         | done+wake > not call! | done > doing
  over       | ready > done            |               | done > not            |
  over call  | ready+wake > done call! | waits         | done+wake > not call! | done > over
  not call!  |                         | called > done |                       | done > not
  done call! |                         | ready > done  |                       | done > done
  )",
               operations);
}

struct TokenWorld : World {
  using Callback = CancellationCallback<std::function<void()>>;

  CancellationToken token;
  int calls = 0;
  std::optional<Callback> callback;
  Place<CancelledFuture> waiter{*this};

  // What `run()` does to callbacks.
  std::string CallsOf(const std::function<void()>& run) {
    const int before = calls;
    run();
    return calls == before ? "done" : calls == before + 1 ? "called" : "called often";
  }
  std::string Register() {
    return CallsOf([this] {
      const auto call = [this] { ++calls; };
      if (callback.has_value()) {
        const Callback other(token, call);
      } else {
        callback.emplace(token, call);
      }
    });
  }
};

// w: one waits; c: there is a callback; off: the token is cancelled, and who is there has been
// woken or called.
TEST(OnceStatesTest, CancellationToken) {
  using W = TokenWorld;
  const Operations<W> operations = {
      {"IsCancelled", [](W& w) { return YesOrNo(w.token.IsCancelled()); }},
      {"Cancel", [](W& w) { return w.CallsOf([&w] { w.token.Cancel(); }); }},
      {"Child", [](W& w) { return YesOrNo(w.token.Child().IsCancelled()); }},
      {"Wait", [](W& w) { return w.waiter.Ask([&w] { return w.token.Cancelled(); }); }},
      {"Poll", [](W& w) { return w.waiter.Poll(); }},
      {"Drop", [](W& w) { return w.waiter.Drop(); }},
      {"Register", [](W& w) { return w.Register(); }},
      {"Remove", [](W& w) { return End(w.callback); }},
  };
  WalkTable<W>(R"(
          | IsCancelled | Cancel               | Child | Wait
  live    | no          | done > off           | no    | waits > live w
  live w  | no          | done+wake > off w    | no    | waits
  live c  | no          | called > off c       | no    | waits > live cw
  live cw | no          | called+wake > off cw | no    | waits
  off     | yes         | done                 | yes   | ready
  off w   | yes         | done                 | yes   | ready
  off c   | yes         | done                 | yes   | ready
  off cw  | yes         | done                 | yes   | ready

          | Poll          | Drop          | Register        | Remove
  live    |               |               | done > live c   |
  live w  | waits         | done > live   | done > live cw  |
  live c  |               |               | done            | done > live
  live cw | waits         | done > live c | done            | done > live w
  off     |               |               | called > off c  |
  off w   | ready > off   | done > off    | called > off cw |
  off c   |               |               | called          | done > off
  off cw  | ready > off c | done > off c  | called          | done > off w
  )",
               operations);
}

struct TreeWorld : World {
  CancellationToken token;
  std::optional<CancellationToken> child;
  Place<CancelledFuture> waiter{*this};

  std::string MakeChild() {
    CancellationToken made = token.Child();
    const bool cancelled = made.IsCancelled();
    if (!child.has_value()) child.emplace(std::move(made));
    return YesOrNo(cancelled);
  }
};

// A token, then its child, on which one waits: w, or has been released: w!.
TEST(OnceStatesTest, CancellationTokenAndChild) {
  using W = TreeWorld;
  const Operations<W> operations = {
      {"Cancel", Done<W>([](W& w) { w.token.Cancel(); })},
      {"CancelChild", Done<W>([](W& w) { w.child->Cancel(); })},
      {"Is", [](W& w) { return YesOrNo(w.token.IsCancelled()); }},
      {"ChildIs", [](W& w) { return YesOrNo(w.child->IsCancelled()); }},
      {"Child", [](W& w) { return w.MakeChild(); }},
      {"DropChild", [](W& w) { return End(w.child); }},
      {"Wait", [](W& w) { return w.waiter.Ask([&w] { return w.child->Cancelled(); }); }},
      {"Poll", [](W& w) { return w.waiter.Poll(); }},
      {"Drop", [](W& w) { return w.waiter.Drop(); }},
  };
  WalkTable<W>(R"(
              | Cancel                 | CancelChild             | Is  | ChildIs | Child
  live        | done > off             |                         | no  |         | no > live live
  off         | done                   |                         | yes |         | yes > off off
  live live   | done > off off         | done > live off         | no  | no      | no
  live off    | done > off off         | done                    | no  | yes     | no
  off off     | done                   | done                    | yes | yes     | yes
  live live w | done+wake > off off w! | done+wake > live off w! | no  | no      | no
  live off w! | done > off off w!      | done                    | no  | yes     | no
  off off w!  | done                   | done                    | yes | yes     | yes

              | DropChild   | Wait                | Poll             | Drop
  live live   | done > live | waits > live live w |                  |
  live off    | done > live | ready               |                  |
  off off     | done > off  | ready               |                  |
  live live w | done > ...  | waits               | waits            | done > live live
  live off w! | done > ...  | ready               | ready > live off | done > live off
  off off w!  | done > ...  | ready               | ready > off off  | done > off off
  )",
               operations);
}

struct GuardWorld : World {
  CancellationToken token;
  std::optional<CancellationGuard> guard;

  void Move() { guard.emplace(*std::exchange(guard, std::nullopt)); }
};

// off: the token is cancelled; g: it has a guard; d: the same, but it was disarmed.
TEST(OnceStatesTest, CancellationGuard) {
  using W = GuardWorld;
  const Operations<W> operations = {
      {"IsCancelled", [](W& w) { return YesOrNo(w.token.IsCancelled()); }},
      {"Cancel", Done<W>([](W& w) { w.token.Cancel(); })},
      {"Guard", Done<W>([](W& w) { w.guard.emplace(w.token); })},
      {"Move", Done<W>([](W& w) { w.Move(); })},
      {"Disarm", [](W& w) { return YesOrNo(std::move(*w.guard).Disarm() == w.token); }},
      {"End", [](W& w) { return End(w.guard); }},
  };
  WalkTable<W>(R"(
         | IsCancelled | Cancel       | Guard         | Move | Disarm       | End
  live   | no          | done > off   | done > live g |      |              |
  off    | yes         | done         | done > off g  |      |              |
  live g | no          | done > off g |               | done | yes > live d | done > off
  off g  | yes         | done         |               | done | yes > off d  | done > off
  live d | no          | done > off d |               | done |              | done > live
  off d  | yes         | done         |               | done |              | done > off
  )",
               operations);
}

struct UntilCancelledWorld : World {
  CancellationToken token;
  ManualState work;
  Place<UntilCancelledFuture<Manual<int>>> running{*this};

  static std::string Take(home::Poll<absl::StatusOr<int>>& result) {
    if (absl::IsCancelled(result.value().status())) return "cancelled";
    return absl::StrCat(*result.value());
  }
  std::string Run() {
    return running.Ask([this] { return RunUntilCancelled(token, Manual<int>(&work, 5)); }, Take);
  }
  std::string Poll() {
    std::string answer = running.Poll(Take);
    if (!running.taken()) work.ready = false;
    return answer;
  }
  std::string Drop() {
    work.ready = false;
    return running.Drop();
  }
};

// off: the token is cancelled; run: there is work; run!: its result is there, and it has not been
// polled since.
TEST(OnceStatesTest, RunUntilCancelled) {
  using W = UntilCancelledWorld;
  const Operations<W> operations = {
      {"Run", [](W& w) { return w.Run(); }},
      {"Finish", Done<W>([](W& w) { w.work.Set(); })},
      {"Cancel", Done<W>([](W& w) { w.token.Cancel(); })},
      {"Poll", [](W& w) { return w.Poll(); }},
      {"Drop", [](W& w) { return w.Drop(); }},
  };
  WalkTable<W>(R"(
           | Run         | Finish               | Cancel
  live     | waits > run |                      | done > off
  off      | cancelled   |                      | done
  run      | waits       | done+wake > run!     | done+wake > off run
  run!     | 5           |                      | done+wake > off run!
  off run  | cancelled   | done+wake > off run! | done
  off run! | cancelled   |                      | done

           | Poll            | Drop
  run      | waits           | done > live
  run!     | 5 > live        | done > live
  off run  | cancelled > off | done > off
  off run! | 5 > off         | done > off
  )",
               operations);
}

}  // namespace
}  // namespace home
