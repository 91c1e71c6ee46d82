// SegmentQueue: an unbounded first-in-first-out queue, many producers, many consumers.
//
//   SegmentQueue<std::unique_ptr<Job>> queue;
//   queue.Push(std::move(job));
//   if (std::optional<std::unique_ptr<Job>> next = queue.TryPop()) Run(**next);
//
// T may be move-only; it must move and be destroyed without throwing. The destructor
// destroys what is inside. Memory comes in blocks of some 4 KiB and goes back as the
// elements leave: what a queue holds follows from what is in it now (I6), not from what
// has been in it. An empty queue holds a handful of blocks.
//
// Thread-safety: all members by any thread, but for construction and destruction.
// Memory ordering: what precedes Push(x) happens before what follows the TryPop() that
// returns x. Taking a ticket and the look that lets TryPop() say "empty" are seq_cst: if a
// consumer first announces that it will sleep (seq_cst) and then finds the queue empty, a
// producer that looks for the announcement (seq_cst) after its Push() sees it.
// Order: that of the tickets, FIFO over all producers. Linearizable: "empty" is said only
// if it was so at some moment of the call; a Push() that has returned is never hidden by
// one that is still under way.
// Progress:
//   Push     wait-free, but for the allocator, which a push in some hundred calls. A block
//            that is not there yet is appended by whoever needs it; nobody waits for
//            another's. Steps: a CAS or, if that fails, a wait of fixed length and a
//            fetch_add; a store; mostly no walk, else one over the blocks between its own and
//            the one that the hint names.
//   TryPop   the claim is lock-free: a CAS that fails when another pop succeeded. If it finds
//            the queue empty it is wait-free and has changed nothing. After the claim it waits
//            for the push of the same ticket, if that is still under way (Policy::Relax: a
//            short spin, then yielding), while others pop past it. So it is not non-blocking.
//            Once a block a pop looks for blocks to free, and then also does so for others who
//            come meanwhile.
//   hints    wait-free.
//
// -- Algorithm -----------------------------------------------------------------------
//
//     head_ -------+                          tail_ ----+        tickets: fetch_add, CAS
//                  v                                    v
//     [x x x x] [x 5 6 7] -> [8 9 . .] -> ... -> [. . . .] -> (next)
//      oldest_     ^ head_block_                    ^ tail_block_     hints, forward only
//
// Tickets number the elements from the start of the queue; ticket t belongs into cell
// t mod N of the block that begins with t - t mod N. A producer takes a ticket by
// CAS or fetch_add, finds its block and fills the cell; a consumer claims the oldest ticket by CAS,
// so that it can never claim one that has not been issued, finds the block, waits for the
// cell, empties it. Blocks are linked in order and found from two hints.
//
// What makes it cheap is that nobody protects a block that he reads: *an unsettled ticket
// pins it*. Blocks are freed in their order (I4), so whoever holds ticket t may go to the
// block of t and any later one. He may also go to an earlier one if a hint still names
// it after he took the ticket: when a hint has moved past a block a line is drawn, by an
// empty RMW on the ticket counter, and the block stays until all tickets before that
// line are settled (I5). A holder whose ticket lies behind the line has seen, by the
// counter's release sequence, the hint moved. So there are no hazard pointers or epochs
// here: the tickets that are taken anyway serve as the clock.
//
// Invariants
//  I1  head_ <= tail_. Only RMWs change them, by one, forward.
//  I2  A cell is touched by the holders of its ticket: first the one that pushes, who hands it
//      over (kFull), then the one that pops, who hands it back (kLeft).
//  I3  A block is settled when all its N cells have been left and both lines behind it have been
//      drawn. From then on nobody writes to it.
//  I4  Blocks are freed in order, by one thread at a time.
//  I5  A block is freed only when it and every block that begins before its lines are
//      settled. Lines: tail_ and head_, read by RMW after the hint had left it.
//  I6  A hint does not leave a block before the line behind the previous one is drawn, by whom
//      it may be: else a thread that is interrupted between the two would draw it far ahead,
//      and an empty queue would keep all blocks up to there. So besides the blocks of the
//      elements inside there are those of the operations under way, as many behind them, the
//      last two settled, one that is linked ahead, and Policy::kSpareBlocks at most.
//  I7  Whoever frees and stops before a cell whose pop is still under way, is told when it ends:
//      unless it is in the block before the head's hint, where the next move of the hint will do.
//
// Leaving a cell is a store, no RMW; what it costs to count the cells that were left is a look at
// each by the one thread that frees, once a block. For I7 it names the cell that it waits for
// in `watched_` and looks again; who leaves a cell looks at `watched_`. One of the two sees the
// other by a fence on either side, which only the one that waits has to pay (asymmetric_fence.h).
//
// Contention. Two threads that take turns at one end move each cache line with each element,
// which costs them more than all the rest. So who fails to get a ticket at once stays away
// for about a microsecond, in which the other takes a hundred (Policy::BackOff).
//
// Compared: Morrison and Afek's LCRQ (PPoPP 2013), Ramalhete and Correia's FAAArrayQueue and
// Romanov and Koval's LPRQ (PPoPP 2023) let a consumer poison the cell of a slow
// producer, who then takes another ticket. This frees consumers from waiting, but Push()
// is then only lock-free, a cell costs an RMW at both ends instead of a store and a load, and
// elements must fit a word or be boxed. Yang and Mellor-Crummey (PPoPP 2016) make both
// ends wait-free by helping, at the same price and more. As here, crossbeam's SegQueue, folly's
// UnboundedQueue and Vyukov's rings let the consumer wait. SegQueue claims by CAS at both ends
// and lets producers wait for the one who installs a block. moodycamel's queue gives up the
// order between producers.
//
// Rejected: hazard pointers (a push must then loop until its hint holds still: no longer
// wait-free; a scan has to interrupt the other processors or every operation pays a
// barrier); looking into the cell before claiming (one slow push then holds up all consumers).

#ifndef HOME_QUEUE_SEGMENT_QUEUE_H_
#define HOME_QUEUE_SEGMENT_QUEUE_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "home/queue/asymmetric_fence.h"
#include "home/queue/queue_policy.h"

namespace home {

struct SegmentQueuePolicy : QueuePolicy {
  // Counts elements over the life of the queue. Tickets are compared by the sign of their
  // difference and may wrap; fewer than half of them may be in use at once.
  using Ticket = std::uint64_t;
  static constexpr Ticket kFirstTicket = 0;

  // Cells in a block, a power of two.
  static constexpr std::size_t BlockCells(std::size_t cell_size) {
    constexpr std::size_t kBlockBytes = 4096;
    return std::clamp<std::size_t>(std::bit_floor(kBlockBytes / cell_size), 16, 256);
  }

  // How many free blocks a queue keeps for its next pushes.
  static constexpr std::size_t kSpareBlocks = 4;

  // I7: a store before the one is seen after the other, or the other way round.
  static void LightFence() { queue_internal::AsymmetricFence::Light(); }
  static void HeavyFence() { queue_internal::AsymmetricFence::Heavy(); }
};

template <QueueElement T, typename Policy = SegmentQueuePolicy>
class SegmentQueue {
 public:
  using value_type = T;

  // Allocates the first block.
  SegmentQueue() {
    Block* const first = NewBlock();
    first->first = BlockOf(Policy::kFirstTicket);
    first->prev = nullptr;
    // relaxed: nobody else knows the queue yet; likewise below. The cells before the first
    // ticket will never be used.
    for (std::size_t i = 0; i < Slot(Policy::kFirstTicket); ++i) {
      first->cells[i].state.store(kLeft, std::memory_order_relaxed);
    }
    // There is no block before it.
    first->tail_line.store(1, std::memory_order_relaxed);
    first->head_line.store(1, std::memory_order_relaxed);
    oldest_ = frontier_ = first;
    tail_block_.store(first, std::memory_order_relaxed);
    head_block_.store(first, std::memory_order_relaxed);
  }

  SegmentQueue(const SegmentQueue&) = delete;
  SegmentQueue& operator=(const SegmentQueue&) = delete;

  ~SegmentQueue() {
    // relaxed: whoever destroys the queue is ordered after all of its users.
    const Ticket tail = tail_.load(std::memory_order_relaxed);
    Ticket head = head_.load(std::memory_order_relaxed);
    Block* block = oldest_;
    while (block != nullptr) {
      for (; head != tail && BlockOf(head) == block->first; ++head) {
        std::destroy_at(std::addressof(block->cells[Slot(head)].value));
      }
      Block* const next = block->next.load(std::memory_order_relaxed);
      delete block;
      block = next;
    }
    for (auto& spare : spares_) delete spare.load(std::memory_order_relaxed);
  }

  // Appends `value`. Ends the program if there is no memory for a block.
  void Push(T value) noexcept {
    const Ticket ticket = TakeTicket();
    Block* const block = FindForPush(ticket);
    // Half-way through a block the next one is linked, before anybody needs it: then it is
    // one producer who allocates and not several at once.
    if (ABSL_PREDICT_FALSE(Slot(ticket) == kCells / 2)) NextOrAppend(block);
    Cell& cell = block->cells[Slot(ticket)];
    std::construct_at(std::addressof(cell.value), std::move(value));
    // release: hands the cell over (I2), and with it all that this thread did with blocks.
    // pairs with: Await().
    cell.state.store(kFull, std::memory_order_release);
  }

  // Takes the oldest element, or nothing if the queue is empty.
  [[nodiscard]] std::optional<T> TryPop() {
    // relaxed: a guess, which the CAS verifies; likewise below.
    Ticket ticket = head_.load(std::memory_order_relaxed);
    for (;;) {
      if (!IsIssued(ticket)) return std::nullopt;
      // The claim. acquire: reads the release sequence of the line that was drawn last (I5).
      // pairs with: MoveHead(). seq_cst: with it the pops are ordered like the pushes.
      // relaxed on failure: as the first load.
      if (head_.compare_exchange_strong(ticket, Next(ticket), std::memory_order_seq_cst,
                                        std::memory_order_relaxed)) {
        break;
      }
      Policy::BackOff();
      ticket = head_.load(std::memory_order_relaxed);
    }
    Block* const block = FindForPop(ticket);
    Cell& cell = block->cells[Slot(ticket)];
    Await(cell);
    std::optional<T> value(std::move(cell.value));
    std::destroy_at(std::addressof(cell.value));
    Leave(cell, ticket);
    return value;
  }

  // About how many elements are inside. Elements on their way in count already, those on
  // their way out no more.
  [[nodiscard]] std::size_t SizeHint() const {
    // acquire: keeps the second load behind the first. A push that happened before this call
    // is seen, otherwise it is a hint. A pop that trusted known_tail_ may be seen before its
    // push.
    const Ticket head = head_.load(std::memory_order_acquire);
    const SignedTicket size = Distance(tail_.load(std::memory_order_relaxed), head);
    return size > 0 ? static_cast<std::size_t>(size) : 0;
  }

  // Whether the queue seems empty.
  [[nodiscard]] bool EmptyHint() const { return SizeHint() == 0; }

  // How many blocks of memory the queue holds.
  [[nodiscard]] std::size_t BlockCountHint() const {
    // relaxed: a count, ordered with nothing.
    return blocks_.load(std::memory_order_relaxed);
  }

 private:
  using Ticket = typename Policy::Ticket;
  using SignedTicket = std::make_signed_t<Ticket>;
  template <typename U>
  using Atomic = typename Policy::template Atomic<U>;
  template <typename U>
  using Plain = typename Policy::template Plain<U>;

  // What has become of a cell (I2).
  enum State : std::uint8_t { kEmpty, kFull, kLeft };

  struct Cell {
    Cell() {}   // NOLINT: the value comes and goes by itself.
    ~Cell() {}  // NOLINT

    Atomic<State> state{kEmpty};
    union {
      T value;
    };
  };

  static constexpr std::size_t kCells = Policy::BlockCells(sizeof(Cell));
  static_assert(std::has_single_bit(kCells));
  static_assert(std::is_unsigned_v<Ticket>);

  struct Block {
    // Written before the block is linked; read by everybody.
    Plain<Ticket> first;  // The ticket of the first cell.
    Plain<Block*> prev;
    Atomic<Block*> next{nullptr};
    // The lines behind the block before this one (I5), counted from `first`. 0: not drawn.
    Atomic<Ticket> tail_line{0};
    Atomic<Ticket> head_line{0};
    alignas(ABSL_CACHELINE_SIZE) std::array<Cell, kCells> cells;
  };

  static std::size_t Slot(Ticket ticket) { return ticket & (kCells - 1); }
  static Ticket Next(Ticket ticket) { return static_cast<Ticket>(ticket + 1); }
  static Ticket BlockOf(Ticket ticket) { return static_cast<Ticket>(ticket - Slot(ticket)); }
  static SignedTicket Distance(Ticket to, Ticket from) {
    return static_cast<SignedTicket>(static_cast<Ticket>(to - from));
  }

  Ticket TakeTicket() {
    // A CAS first, only for what its failure says: that others are at the counter. Then it
    // is better that they go on alone for a while. relaxed: a guess, and on failure, nothing.
    Ticket ticket = tail_.load(std::memory_order_relaxed);
    // seq_cst: "Memory ordering" above. As an acquire it reads the release sequence of the
    // line that was drawn last (I5). pairs with: MoveTail().
    if (ABSL_PREDICT_TRUE(tail_.compare_exchange_strong(
            ticket, Next(ticket), std::memory_order_seq_cst, std::memory_order_relaxed))) {
      return ticket;
    }
    Policy::BackOff();
    // As above.
    return tail_.fetch_add(1, std::memory_order_seq_cst);
  }

  // Whether `ticket`, which head_ held a moment ago, has been issued to a push.
  bool IsIssued(Ticket ticket) {
    // relaxed: who reads an old value asks tail_ itself. Mostly this spares consumers a look
    // at the producers' line, and the producers the loss of it.
    if (Distance(known_tail_.load(std::memory_order_relaxed), ticket) > 0) return true;
    // seq_cst: "Memory ordering" above. pairs with: Push().
    const Ticket tail = tail_.load(std::memory_order_seq_cst);
    if (Distance(tail, ticket) <= 0) return false;
    known_tail_.store(tail, std::memory_order_relaxed);
    return true;
  }

  // The block of a ticket that this thread has taken.
  Block* FindForPush(Ticket ticket) {
    // acquire: the block's fields. pairs with: MoveTail().
    Block* block = tail_block_.load(std::memory_order_acquire);
    if (ABSL_PREDICT_TRUE(block->first == BlockOf(ticket))) return block;
    return WalkForPush(block, ticket);
  }
  Block* FindForPop(Ticket ticket) {
    // acquire: as above. pairs with: MoveHead().
    Block* block = head_block_.load(std::memory_order_acquire);
    if (ABSL_PREDICT_TRUE(block->first == BlockOf(ticket))) return block;
    return WalkForPop(block, ticket);
  }

  ABSL_ATTRIBUTE_NOINLINE Block* WalkForPush(Block* block, Ticket ticket) {
    // Back, if others have moved the hint on since the ticket was taken.
    while (Distance(block->first, ticket) > 0) block = block->prev;
    while (block->first != BlockOf(ticket)) {
      Block* const next = NextOrAppend(block);
      MoveTail(block, next);
      block = next;
    }
    return block;
  }

  ABSL_ATTRIBUTE_NOINLINE Block* WalkForPop(Block* block, Ticket ticket) {
    while (Distance(block->first, ticket) > 0) block = block->prev;
    while (block->first != BlockOf(ticket)) {
      // acquire: the next block's fields. pairs with: NextOrAppend().
      Block* next = block->next.load(std::memory_order_acquire);
      // The push of our own ticket will link it, if nobody else does.
      for (int attempt = 0; next == nullptr; ++attempt) {
        Policy::Relax(attempt);
        next = block->next.load(std::memory_order_acquire);
      }
      MoveHead(block, next);
      block = next;
    }
    return block;
  }

  // Moves the hint on if it still names `block`, between the two lines (I6). The caller's
  // ticket lies behind `block`.
  void MoveTail(Block* block, Block* next) {
    DrawLine(block->tail_line, tail_, block);
    // release: publishes `next`, which others have linked perhaps. pairs with: FindForPush().
    // relaxed on failure: somebody else has moved it, and nothing is read by it.
    Block* current = block;
    tail_block_.compare_exchange_strong(current, next, std::memory_order_release,
                                        std::memory_order_relaxed);
    DrawLine(next->tail_line, tail_, next);
  }
  void MoveHead(Block* block, Block* next) {
    DrawLine(block->head_line, head_, block);
    // As above. pairs with: FindForPop().
    Block* current = block;
    head_block_.compare_exchange_strong(current, next, std::memory_order_release,
                                        std::memory_order_relaxed);
    DrawLine(next->head_line, head_, next);
    Reclaim();
  }

  // Draws the line behind the block before `block`, where the hint has come by now, unless
  // somebody has done so.
  void DrawLine(Atomic<Ticket>& line, Atomic<Ticket>& tickets, Block* block) {
    // relaxed: a look before the RMWs. It may miss a line, but the second RMW does not.
    if (line.load(std::memory_order_relaxed) != 0) return;
    // release: who takes a ticket after this sees the hint moved. acquire: the move comes
    // before the look. pairs with: Push(), TryPop(). It is not 0: our own ticket was counted.
    const auto distance =
        static_cast<Ticket>(tickets.fetch_add(0, std::memory_order_acq_rel) - block->first);
    Ticket none = 0;
    // relaxed: who frees goes by a line only when all tickets before it are settled, and ours is
    // one of them.
    line.compare_exchange_strong(none, distance, std::memory_order_relaxed,
                                 std::memory_order_relaxed);
  }

  // Waits until the push of our ticket has filled the cell.
  void Await(Cell& cell) {
    // acquire: what is in the cell (I2). pairs with: Push().
    for (int attempt = 0; cell.state.load(std::memory_order_acquire) != kFull; ++attempt) {
      Policy::Relax(attempt);
    }
  }

  // The block behind `block`, which is linked if there is none.
  Block* NextOrAppend(Block* block) {
    // acquire: the next block's fields. pairs with: the CAS below.
    Block* next = block->next.load(std::memory_order_acquire);
    if (next != nullptr) return next;
    Block* const fresh = TakeBlock();
    fresh->first = static_cast<Ticket>(block->first + kCells);
    fresh->prev = block;
    // release: publishes the new block; acquire on failure: the other one's fields.
    if (block->next.compare_exchange_strong(next, fresh, std::memory_order_release,
                                            std::memory_order_acquire)) {
      return fresh;
    }
    GiveBlock(fresh);
    return next;
  }

  // Hands the cell of our ticket back (I2). The caller does not touch its block any more, or
  // others that the ticket pinned.
  void Leave(Cell& cell, Ticket ticket) {
    // release: our use of them is over, and that of the push before. pairs with: IsLeft().
    cell.state.store(kLeft, std::memory_order_release);
    // I7. relaxed: ordered by the fence. pairs with: PassFrontier(). A ticket of the same number,
    // a turn of all tickets ago, means a look in vain.
    Policy::LightFence();
    if (ABSL_PREDICT_FALSE(watched_.load(std::memory_order_relaxed) == ticket)) Reclaim();
  }

  // Frees what can be freed, or leaves it to the thread that is just doing so.
  ABSL_ATTRIBUTE_NOINLINE void Reclaim() {
    // acquire: oldest_ and frontier_, as the last one left them; release: the lines that we drew,
    // or the cell that we left, are seen by who works for us. pairs with: itself and Finish().
    if (requests_.fetch_add(1, std::memory_order_acq_rel) != 0) return;
    std::uint32_t served = 1;
    do {
      FreeBlocks();
    } while (!Finish(served));
  }

  // Whether there were no more than `served` requests, which are done. Otherwise `served` is how
  // many there are now.
  bool Finish(std::uint32_t& served) {
    // As in Reclaim(), in the opposite direction: release, for who frees next; acquire on failure:
    // what the new requests are about.
    return requests_.compare_exchange_strong(served, 0, std::memory_order_release,
                                             std::memory_order_acquire);
  }

  // By one thread at a time (I4).
  void FreeBlocks() {
    // relaxed: a name to compare with. Who moves the hint on after this look, or draws a line that
    // is not seen yet, asks for another look afterwards: see Reclaim().
    const Block* const front = head_block_.load(std::memory_order_relaxed);
    for (;;) {
      Block* const block = oldest_;
      if (block == frontier_ && !PassFrontier(front)) return;
      // relaxed: PassFrontier() has seen them; likewise below.
      Block* const next = block->next.load(std::memory_order_relaxed);
      const auto limit = static_cast<Ticket>(
          next->first + std::max(next->tail_line.load(std::memory_order_relaxed),
                                 next->head_line.load(std::memory_order_relaxed)));
      while (Distance(limit, FrontierTicket()) > 0) {
        if (!PassFrontier(front)) return;
      }
      oldest_ = next;
      GiveBlock(block);
    }
  }
  Ticket FrontierTicket() const {
    const Block* const frontier = frontier_;
    return frontier->first;
  }

  // Goes on to the next block if the one at the frontier is settled (I3). The hint of the head
  // names `front`, or a later block.
  bool PassFrontier(const Block* front) {
    Block* const block = frontier_;
    // acquire: the next block's fields. pairs with: NextOrAppend().
    Block* const next = block->next.load(std::memory_order_acquire);
    // relaxed: lines are gone by only when their tickets are settled, see DrawLine(). A late look
    // at one leaves the block to the next move of the hint (I6).
    if (next == nullptr || next->tail_line.load(std::memory_order_relaxed) == 0 ||
        next->head_line.load(std::memory_order_relaxed) == 0) {
      return false;
    }
    for (std::size_t passed = passed_; passed < kCells; ++passed) {
      const Cell& cell = block->cells[passed];
      if (IsLeft(cell)) continue;
      passed_ = passed;
      if (next == front) return false;
      // I7. relaxed: ordered by the fence. pairs with: Leave().
      watched_.store(static_cast<Ticket>(block->first + passed), std::memory_order_relaxed);
      Policy::HeavyFence();
      if (!IsLeft(cell)) return false;
    }
    passed_ = 0;
    frontier_ = next;
    return true;
  }

  static bool IsLeft(const Cell& cell) {
    // acquire: nobody uses it any more, nor what its ticket pinned. pairs with: Leave().
    return cell.state.load(std::memory_order_acquire) == kLeft;
  }

  // -- Blocks that are in no list ------------------------------------------------------

  Block* TakeBlock() {
    for (auto& spare : spares_) {
      // relaxed: a look before the RMW.
      if (spare.load(std::memory_order_relaxed) == nullptr) continue;
      // acquire: the block's last use is over. pairs with: GiveBlock().
      Block* const block = spare.exchange(nullptr, std::memory_order_acquire);
      if (block == nullptr) continue;
      // relaxed: it is ours until it is linked. Emptied only now, and by a producer, who
      // needs the cells' lines next.
      for (Cell& cell : block->cells) cell.state.store(kEmpty, std::memory_order_relaxed);
      block->tail_line.store(0, std::memory_order_relaxed);
      block->head_line.store(0, std::memory_order_relaxed);
      block->next.store(nullptr, std::memory_order_relaxed);
      return block;
    }
    return NewBlock();
  }

  void GiveBlock(Block* block) {
    for (auto& spare : spares_) {
      Block* none = nullptr;
      // relaxed: a look before the RMW.
      if (spare.load(std::memory_order_relaxed) != nullptr) continue;
      // release: our use, and those that we know of, are over. pairs with: TakeBlock().
      if (spare.compare_exchange_strong(none, block, std::memory_order_release,
                                        std::memory_order_relaxed)) {
        return;
      }
    }
    // relaxed: a count.
    blocks_.fetch_sub(1, std::memory_order_relaxed);
    delete block;
  }

  Block* NewBlock() {
    blocks_.fetch_add(1, std::memory_order_relaxed);
    return new Block;
  }

  // The producers' line, the consumers', and what is rarely used.
  alignas(ABSL_CACHELINE_SIZE) Atomic<Ticket> tail_{Policy::kFirstTicket};
  Atomic<Block*> tail_block_{nullptr};
  alignas(ABSL_CACHELINE_SIZE) Atomic<Ticket> head_{Policy::kFirstTicket};
  Atomic<Block*> head_block_{nullptr};
  Atomic<Ticket> known_tail_{Policy::kFirstTicket};  // Some value that tail_ has had.
  alignas(ABSL_CACHELINE_SIZE) Atomic<std::uint32_t> requests_{0};  // 0: nobody frees.
  // Of who frees:
  Plain<Block*> oldest_;           // The first block that is not freed.
  Plain<Block*> frontier_;         // All before it are settled,
  Plain<std::size_t> passed_ = 0;  // and so many cells in it have been left.
  // The ticket whose end who frees waits for (I7), or an older one.
  Atomic<Ticket> watched_{static_cast<Ticket>(Policy::kFirstTicket - 1)};
  Atomic<std::size_t> blocks_{0};
  std::array<Atomic<Block*>, Policy::kSpareBlocks> spares_{};
};

}  // namespace home

#endif  // HOME_QUEUE_SEGMENT_QUEUE_H_
