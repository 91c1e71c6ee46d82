// Line: what the primitives that serve strictly in order have in common, as a specification for
// histories (tools/history): a stock, those who wait for a part of it, and those who were given
// it and have not looked yet. Written without a look at grant_queue.h.
//
// The stock says what can be taken:
//
//   struct Stock {
//     bool Take(int request);        // true if it was there
//     void GiveBack(int request);
//     // Whether a request is served before another that was there first.
//     static bool Precedes(int request, int other);
//   };
//
// An operation that waits asks, its first act, and is answered or gives up, its second.

#ifndef HOME_SYNC_LINE_TESTING_H_
#define HOME_SYNC_LINE_TESTING_H_

#include <algorithm>
#include <cstddef>
#include <optional>
#include <tuple>
#include <vector>

#include "home/sync/history_testing.h"

namespace home::sync_testing {

template <typename Stock>
struct Line : Compared<Line<Stock>> {
  struct Request : Compared<Request> {
    Request(std::size_t asking, int wanted) : id(asking), amount(wanted) {}
    auto State() const { return std::tie(id, amount, granted); }

    std::size_t id;
    int amount;
    bool granted = false;  // it holds what it asked for
  };

  auto State() const { return std::tie(stock, closed, waiting, answered); }

  // Takes at once, or not at all.
  bool Try(int amount) { return waiting.empty() && !closed && stock.Take(amount); }

  // The acts of an operation that waits for `amount`. True if the `n`-th is possible; `granted`
  // tells, of the second, whether it got what it asked for.
  template <typename Op>
  bool ActOfWaiting(std::size_t id, const Op& op, int amount, int n,
                    std::optional<bool> granted = std::nullopt) {
    if (n == 0) {
      Ask(id, amount);
      return true;
    }
    if (op.end == End::kCancelled) {
      GiveUp(id);
      return true;
    }
    const auto answer = Find(answered, id);
    if (answer == answered.end() || (granted && answer->granted != *granted)) return false;
    answered.erase(answer);
    return true;
  }
  template <typename Op>
  static int ActsOfWaiting(const Op& op) {
    return op.end == End::kPending ? 1 : 2;
  }
  bool MayWait(std::size_t id) const { return Find(waiting, id) != waiting.end(); }

  // There is more in the stock.
  void Serve() {
    while (!closed && !waiting.empty() && stock.Take(waiting.front().amount)) Answer(true);
  }
  // The same, for the one who came last.
  void ServeLast() {
    if (closed || waiting.empty() || !stock.Take(waiting.back().amount)) return;
    Answer(true, waiting.end() - 1);
  }
  // All who wait are answered, and get nothing.
  void Release() {
    while (!waiting.empty()) Answer(false);
  }

  void Ask(std::size_t id, int amount) {
    const auto place = std::find_if(waiting.begin(), waiting.end(), [amount](const Request& other) {
      return Stock::Precedes(amount, other.amount);
    });
    waiting.insert(place, Request(id, amount));
    if (closed) return Answer(false);
    Serve();
  }
  void GiveUp(std::size_t id) {
    if (const auto place = Find(waiting, id); place != waiting.end()) {
      waiting.erase(place);
    } else {
      const auto answer = Find(answered, id);
      if (answer->granted) stock.GiveBack(answer->amount);
      answered.erase(answer);
    }
    Serve();
  }

  Stock stock;
  bool closed = false;
  std::vector<Request> waiting;
  std::vector<Request> answered;

 private:
  template <typename Requests>
  static auto Find(Requests& requests, std::size_t id) {
    return std::find_if(requests.begin(), requests.end(),
                        [id](const Request& request) { return request.id == id; });
  }
  void Answer(bool granted) { Answer(granted, waiting.begin()); }
  void Answer(bool granted, typename std::vector<Request>::iterator request) {
    Request& answer = answered.emplace_back(*request);
    answer.granted = granted;
    waiting.erase(request);
  }
};

}  // namespace home::sync_testing

#endif  // HOME_SYNC_LINE_TESTING_H_
