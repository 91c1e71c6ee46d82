// Random histories of CancellationToken, as a tree of tokens that come, are cancelled and dropped,
// with waits, callbacks and work until then that are given up and tasks that are aborted, against a
// specification: see history_testing.h.

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/sync/cancellation_token.h"
#include "home/sync/event.h"
#include "home/sync/history_testing.h"

namespace home::sync_testing {
namespace {

constexpr int kRounds = 5;
constexpr std::size_t kMostTokens = 8;

enum class TokenKind { kChild, kCancel, kIsCancelled, kWait, kRun, kDrop };

// The argument is the token's number; the result of making a child is the child's, that of work
// that ends soon whether it was cancelled.
struct TokenSpec : NumberSpec<TokenSpec, TokenKind> {
  static constexpr int kNobody = -1;

  // Waits and work act once, when they are ready, and have no effect if they are given up.
  static int Acts(const Op& op) {
    const bool waits = op.call.kind == Kind::kWait || op.call.kind == Kind::kRun;
    return waits && op.end != End::kReturned ? 0 : 1;
  }
  bool Act(std::size_t, const Op& op, int) {
    const auto token = static_cast<std::size_t>(op.call.argument);
    switch (op.call.kind) {
      case Kind::kChild: {
        const auto child = static_cast<std::size_t>(*op.result);
        parents[child] = op.call.argument;
        cancelled[child] = cancelled[token];
        return true;
      }
      case Kind::kCancel:
        // Parents come before their children.
        cancelled[token] = true;
        for (std::size_t i = token + 1; i < kMostTokens; ++i) {
          if (parents[i] != kNobody && cancelled[static_cast<std::size_t>(parents[i])]) {
            cancelled[i] = true;
          }
        }
        return true;
      case Kind::kIsCancelled:
      case Kind::kRun:
        return op.result == (cancelled[token] ? 1 : 0);
      case Kind::kWait:
        return cancelled[token];
      case Kind::kDrop:
        return true;
    }
    return false;
  }
  bool MayWait(std::size_t, const Op& op) const {
    return op.call.kind == Kind::kWait && !cancelled[static_cast<std::size_t>(op.call.argument)];
  }

  static constexpr const char* kNames[] = {"child", "cancel", "is cancelled",
                                           "wait",  "run",    "drop"};
  auto State() const { return std::tie(parents, cancelled); }

  std::array<int, kMostTokens> parents = {kNobody, kNobody, kNobody, kNobody,
                                          kNobody, kNobody, kNobody, kNobody};
  std::array<bool, kMostTokens> cancelled{};
};

// The first is the root; those that were dropped are empty.
template <typename Token>
struct Tree {
  std::array<std::optional<Token>, kMostTokens> tokens{Token()};
  int count = 1;
};

Async<void> AwaitCallback(CancellationToken token) {
  Event called;
  const CancellationCallback callback(std::move(token), [&called] { called.Set(); });
  co_await called.Wait();
}

template <typename Token>
Async<void> Await(History<TokenSpec>* history, int number, Token token) {
  co_await Record(history, {.kind = TokenKind::kWait, .argument = number}, token.Cancelled(),
                  [](std::monostate) { return 0; });
}
// In one of the ways that there are, or as one that has something to do.
Async<void> Await(History<TokenSpec>* history, int number, CancellationToken token) {
  const TokenSpec::Call wait = {.kind = TokenKind::kWait, .argument = number};
  switch (Draw(4)) {
    case 0:
      co_await Await<CancellationToken>(history, number, token);
      break;
    case 1:
      co_await Record(history, wait, AwaitCallback(token), [](std::monostate) { return 0; });
      break;
    case 2:
      co_await Record(history, wait, RunUntilCancelled(token, PendingForever<int>()),
                      [](const absl::StatusOr<int>& ended) {
                        EXPECT_TRUE(absl::IsCancelled(ended.status()));
                        return 0;
                      });
      break;
    default:
      co_await Record(history, {.kind = TokenKind::kRun, .argument = number},
                      RunUntilCancelled(token, Turns(Draw(4))),
                      [](const absl::Status& ended) { return ended.ok() ? 0 : 1; });
  }
}

template <typename Token>
Async<void> UseTree(History<TokenSpec>* history, Tree<Token>* tree, int) {
  for (int round = 0; round < kRounds; ++round) {
    const int number = Draw(tree->count);
    std::optional<Token>& place = tree->tokens[static_cast<std::size_t>(number)];
    if (!place) continue;
    const Token token = *place;
    switch (Draw(8)) {
      case 0:
        RecordNow(history, {.kind = TokenKind::kCancel, .argument = number}, [&] {
          token.Cancel();
          return 0;
        });
        break;
      case 1:
        RecordNow(history, {.kind = TokenKind::kDrop, .argument = number}, [&] {
          place.reset();
          return 0;
        });
        break;
      case 2:
      case 3:
        RecordNow(history, {.kind = TokenKind::kIsCancelled, .argument = number},
                  [&] { return token.IsCancelled() ? 1 : 0; });
        break;
      case 4:
      case 5:
        if (tree->count == kMostTokens) break;
        RecordNow(history, {.kind = TokenKind::kChild, .argument = number}, [&] {
          tree->tokens[static_cast<std::size_t>(tree->count)] = token.Child();
          return tree->count++;
        });
        break;
      default:
        co_await Await(history, number, token);
    }
    co_await Turns(Draw(3));
  }
}

template <typename Token>
constexpr auto kMakeTree = [](TokenSpec&) { return Tree<Token>(); };

TEST(CancellationHistoryTest, CancellationToken) {
  EXPECT_TRUE(
      AgreesUnderEverySeed<TokenSpec>(kMakeTree<CancellationToken>, UseTree<CancellationToken>));
}

// A token with something wrong.
template <typename Derived>
class WrongToken {
 public:
  void Cancel() const { token_.Cancel(); }
  bool IsCancelled() const { return token_.IsCancelled(); }
  auto Cancelled() const { return token_.Cancelled(); }
  Derived Child() const { return Derived(token_.Child()); }

 protected:
  explicit WrongToken(CancellationToken token) : token_(std::move(token)) {}
  CancellationToken token_;
};
// Its children are not cancelled with it.
class Heartless : public WrongToken<Heartless> {
 public:
  explicit Heartless(CancellationToken token = CancellationToken())
      : WrongToken(std::move(token)) {}
  static Heartless Child() { return Heartless(); }
};
// Its children are itself.
class Selfish : public WrongToken<Selfish> {
 public:
  explicit Selfish(CancellationToken token = CancellationToken()) : WrongToken(std::move(token)) {}
  Selfish Child() const { return *this; }
};
// Who waits for it is not told.
class Silent : public WrongToken<Silent> {
 public:
  explicit Silent(CancellationToken token = CancellationToken()) : WrongToken(std::move(token)) {}
  auto Cancelled() const {
    return IsCancelled() ? token_.Cancelled() : CancellationToken().Cancelled();
  }
};
// Whoever drops it cancels it.
class Guarded : public WrongToken<Guarded> {
 public:
  explicit Guarded(CancellationToken token = CancellationToken())
      : WrongToken(std::move(token)), guard_(std::make_shared<CancellationGuard>(token_)) {}

 private:
  std::shared_ptr<CancellationGuard> guard_;
};

// Work goes on though it is cancelled.
class Deaf : public WrongToken<Deaf> {
 public:
  explicit Deaf(CancellationToken token = CancellationToken()) : WrongToken(std::move(token)) {}
};
Async<void> Await(History<TokenSpec>* history, int number, Deaf) {
  co_await Record(history, {.kind = TokenKind::kRun, .argument = number}, Turns(Draw(4)),
                  [](std::monostate) { return 0; });
}

template <typename Token>
void ExpectFault() {
  EXPECT_TRUE(DisagreesUnderSomeSeed<TokenSpec>(kMakeTree<Token>, UseTree<Token>));
}

TEST(CancellationHistoryMutationTest, AChildThatIsSparedIsFound) { ExpectFault<Heartless>(); }
TEST(CancellationHistoryMutationTest, AParentThatIsCancelledIsFound) { ExpectFault<Selfish>(); }
TEST(CancellationHistoryMutationTest, AWaitThatIsNotToldIsFound) { ExpectFault<Silent>(); }
TEST(CancellationHistoryMutationTest, ADropThatCancelsIsFound) { ExpectFault<Guarded>(); }
TEST(CancellationHistoryMutationTest, WorkThatIsNotCancelledIsFound) { ExpectFault<Deaf>(); }

}  // namespace
}  // namespace home::sync_testing
