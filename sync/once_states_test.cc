// Tables of what happens once, for states_testing.h: Latch, OnceCell, CancellationToken.

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
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

}  // namespace
}  // namespace home
