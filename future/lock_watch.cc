#include "home/future/lock_watch.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/config.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

#if defined(ABSL_HAVE_THREAD_SANITIZER) && !defined(NDEBUG)
// ThreadSanitizer's own; it has no header for them.
extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
void AnnotateIgnoreSyncBegin(const char* file, int line);
void AnnotateIgnoreSyncEnd(const char* file, int line);
}
#endif

namespace home {
namespace {

using HoldReport = std::function<void(const LongHold&)>;

std::string PlaceOf(const std::source_location& location) {
  return absl::StrCat(location.file_name(), ":", location.line());
}

std::string Describe(const PolledTask& task) {
  if (task.poll == 0) return "a thread";
  if (task.id == 0) return task.name != nullptr ? task.name : "a poll";
  return absl::StrCat("task ", task.id, task.name != nullptr ? " \"" : "",
                      task.name != nullptr ? task.name : "", task.name != nullptr ? "\"" : "",
                      " (spawned at ", PlaceOf(task.location), ")");
}

}  // namespace

#if defined(NDEBUG)

std::vector<LockUse> LockUses() { return {}; }
void ReportLongHolds(absl::Duration, HoldReport) {}
bool internal::ReportHoldsThatLast() { return false; }

#else

namespace internal {

using SteadyTime = std::chrono::steady_clock::time_point;

// In one of the lists, or in none while `list` is null.
struct LockEntry {
  // Of what is read by others, all changes under the list's mutex.
  LockUse use;
  SteadyTime since;
  PollWatch poll = PollWatch::ThisThread();
  struct LockList* list = nullptr;
  LockEntry* previous = nullptr;
  LockEntry* next = nullptr;
  bool reported = false;  // while it was held; under the list's mutex
  // Set by Release(): how long it was held, for a report.
  bool is_long = false;
};

// While one lives ThreadSanitizer sees nothing of what its thread does, which is to use a list. A
// task that waits on one thread and goes on on another would else order the two by them, and hide a
// race of the program's.
class Unseen {
 public:
#if defined(ABSL_HAVE_THREAD_SANITIZER)
  Unseen() {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
  }
  ~Unseen() {
    AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  }
#else
  Unseen() {}   // NOLINT: not trivial, so that no variable of it is unused
  ~Unseen() {}  // NOLINT
#endif
  Unseen(const Unseen&) = delete;
  Unseen& operator=(const Unseen&) = delete;
};

struct LockList {
  std::mutex mutex;
  LockEntry* first = nullptr;  // under the mutex

  void Insert(LockEntry& entry) {
    const Unseen unseen;
    const std::lock_guard lock(mutex);
    entry.list = this;
    entry.next = first;
    if (first != nullptr) first->previous = &entry;
    first = &entry;
  }
  void Remove(LockEntry& entry) {
    const Unseen unseen;
    const std::lock_guard lock(mutex);
    (entry.previous != nullptr ? entry.previous->next : first) = entry.next;
    if (entry.next != nullptr) entry.next->previous = entry.previous;
    entry.list = nullptr;
  }
};

// A list for some threads each, for ever: locks may be used while the program ends.
constexpr std::size_t kLists = 64;
using Lists = std::array<LockList, kLists>;

// The same for tools/home.gdb; null before the first use.
constinit Lists* lock_lists = nullptr;

namespace {

Lists& AllLists() {
  static Lists& lists = *(lock_lists = new Lists());
  return lists;
}

// Not inlined: coroutines move between threads.
ABSL_ATTRIBUTE_NOINLINE LockList& ThisThreadsList() {
  static std::atomic<std::size_t> threads{0};
  // relaxed: a number.
  thread_local const std::size_t number = threads.fetch_add(1, std::memory_order_relaxed);
  return AllLists()[number % kLists];
}

absl::Duration Since(SteadyTime time) {
  return absl::FromChrono(std::chrono::steady_clock::now() - time);
}

// Whether long holds of a kind are nobody's mistake.
bool MayBeLong(const char* kind) {
  return kind == kPermitKind || kind == kCellKind || kind == kGroupKind;
}

struct Holds {
  // relaxed, all: a figure.
  std::atomic<std::int64_t> threshold_ns{1'000'000'000};
  std::mutex mutex;
  std::shared_ptr<const HoldReport> report;  // under the mutex
};
Holds& LongHolds() {
  static Holds& holds = *new Holds();
  return holds;
}

// Of one that was or is held across an await.
bool IsLong(absl::Duration duration) {
  return absl::ToInt64Nanoseconds(duration) >=
         LongHolds().threshold_ns.load(std::memory_order_relaxed);
}

void Report(LongHold hold) {
  for (const LockUse& use : LockUses()) {
    if (use.lock == hold.use.lock && !use.holds) ++hold.waiters;
  }
  std::shared_ptr<const HoldReport> report;
  {
    const std::lock_guard lock(LongHolds().mutex);
    report = LongHolds().report;
  }
  if (report != nullptr) return (*report)(hold);
  const LockUse& use = hold.use;
  std::fprintf(stderr, "home: a %s %s held across an await for %s by %s, locked at %s; %zu %s\n",
               use.kind, use.holds ? "is" : "was", absl::FormatDuration(use.duration).c_str(),
               Describe(use.task).c_str(), PlaceOf(use.location).c_str(), hold.waiters,
               use.holds ? "wait for it" : "waited for it in the end");
}

}  // namespace

LockMarkBase::LockMarkBase() noexcept
    : kind_(nullptr), lock_(nullptr), place_(std::source_location()) {}
LockMarkBase::LockMarkBase(const char* kind, const void* lock, const LockPlace& place) noexcept
    : kind_(kind), lock_(lock), place_(place) {}
LockMarkBase::LockMarkBase(LockMarkBase&& other) noexcept = default;
LockMarkBase& LockMarkBase::operator=(LockMarkBase&& other) noexcept {
  LockMarkBase old(std::move(*this));
  kind_ = other.kind_;
  lock_ = other.lock_;
  place_ = other.place_;
  entry_ = std::move(other.entry_);
  return *this;
}
LockMarkBase::~LockMarkBase() {
  if (entry_ == nullptr) return;
  Release();
  if (!entry_->is_long) return;
  entry_->use.holds = false;
  Report({.use = entry_->use});
}

void LockMarkBase::Wait() {
  if (entry_ == nullptr && kind_ != nullptr) Enter(/*holds=*/false);
}
void LockMarkBase::Hold() { Enter(/*holds=*/true); }

void LockMarkBase::Enter(bool holds) {
  if (entry_ != nullptr) entry_->list->Remove(*entry_);
  entry_ = std::make_unique<LockEntry>();
  entry_->use = {.kind = kind_,
                 .lock = lock_,
                 .holds = holds,
                 .task = CurrentPolledTask(),
                 .location = place_.location,
                 .duration = {}};
  entry_->since = std::chrono::steady_clock::now();
  ThisThreadsList().Insert(*entry_);
}

void LockMarkBase::Become(const char* kind) {
  kind_ = kind;
  if (entry_ == nullptr) return;
  const Unseen unseen;
  const std::lock_guard lock(entry_->list->mutex);
  entry_->use.kind = kind;
}

void LockMarkBase::Release() noexcept {
  if (entry_ == nullptr || entry_->list == nullptr) return;
  entry_->list->Remove(*entry_);
  LockUse& use = entry_->use;
  use.duration = Since(entry_->since);
  // Whoever held it in a poll, and is not in that poll any more.
  const bool across_await = use.task.poll != 0 && use.task.poll != CurrentPolledTask().poll;
  entry_->is_long = use.holds && across_await && !MayBeLong(kind_) && IsLong(use.duration);
}

bool ReportHoldsThatLast() {
  std::vector<LockUse> found;
  bool more = false;
  for (LockList& list : AllLists()) {
    const Unseen unseen;
    const std::lock_guard lock(list.mutex);
    for (LockEntry* entry = list.first; entry != nullptr; entry = entry->next) {
      const LockUse& use = entry->use;
      if (entry->reported || !use.holds || MayBeLong(use.kind) || use.task.poll == 0) continue;
      const absl::Duration duration = Since(entry->since);
      if (!entry->poll.IsOver(use.task.poll) || !IsLong(duration)) {
        more = true;
        continue;
      }
      entry->reported = true;
      found.push_back(use);
      found.back().duration = duration;
    }
  }
  for (const LockUse& use : found) Report({.use = use});
  return more;
}

LockMarkBase LockMarkBase::Again() const {
  LockMarkBase another(kind_, lock_, place_);
  if (entry_ != nullptr && entry_->list != nullptr && entry_->use.holds) another.Hold();
  return another;
}

}  // namespace internal

std::vector<LockUse> LockUses() {
  using internal::LockEntry;
  std::vector<LockUse> uses;
  for (internal::LockList& list : internal::AllLists()) {
    const internal::Unseen unseen;
    const std::lock_guard lock(list.mutex);
    const std::size_t before = uses.size();
    for (const LockEntry* entry = list.first; entry != nullptr; entry = entry->next) {
      uses.push_back(entry->use);
      uses.back().duration = internal::Since(entry->since);
    }
    // The oldest first.
    std::reverse(uses.begin() + static_cast<std::ptrdiff_t>(before), uses.end());
  }
  return uses;
}

void ReportLongHolds(absl::Duration threshold, HoldReport report) {
  internal::Holds& holds = internal::LongHolds();
  holds.threshold_ns.store(absl::ToInt64Nanoseconds(threshold), std::memory_order_relaxed);
  auto shared = report ? std::make_shared<const HoldReport>(std::move(report)) : nullptr;
  const std::lock_guard lock(holds.mutex);
  std::swap(holds.report, shared);
}

#endif

std::string LockReport() {
  const std::vector<LockUse> uses = LockUses();
  // By lock, in the order in which each is first used, holders before waiters, the oldest first.
  absl::flat_hash_map<const void*, std::size_t> numbers;
  std::vector<std::pair<std::size_t, const LockUse*>> lines;
  lines.reserve(uses.size());
  for (const LockUse& use : uses) {
    const std::size_t number = numbers.try_emplace(use.lock, numbers.size() + 1).first->second;
    lines.emplace_back(2 * number + (use.holds ? 0 : 1), &use);
  }
  std::sort(lines.begin(), lines.end());
  std::string report;
  constexpr std::size_t kMost = 200;
  for (std::size_t i = 0; i < std::min(lines.size(), kMost); ++i) {
    const auto& [place, use] = lines[i];
    const bool vowel = std::strchr("aeiu", use->kind[0]) != nullptr;  // but "a once cell"
    absl::StrAppend(&report, "lock ", place / 2, vowel ? ", an " : ", a ", use->kind,
                    use->holds ? ", is held by " : ", is awaited by ", Describe(use->task), " at ",
                    PlaceOf(use->location), "\n");
  }
  if (lines.size() > kMost) absl::StrAppend(&report, "and ", lines.size() - kMost, " more\n");
  return report;
}

}  // namespace home
