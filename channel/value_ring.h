// ValueRing: the last values of a sequence, which one writes at a time, and all read without a
// lock: the n-th value ever put lies in cell n mod capacity (value_cell.h).

#ifndef HOME_CHANNEL_VALUE_RING_H_
#define HOME_CHANNEL_VALUE_RING_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "home/channel/value_cell.h"

namespace home::channel_internal {

template <typename T, typename Policy>
class ValueRing {
 public:
  explicit ValueRing(std::size_t capacity)
      : capacity_(capacity), cells_(std::make_unique<Cell[]>(capacity)) {}

  // Writes value `n`, after the one before. One writer at a time.
  void Put(std::uint64_t n, const T& value) { CellOf(n).Put(n, value); }

  // Value `n`; nothing if it is not there yet, or no more. By anyone.
  [[nodiscard]] std::optional<T> Get(std::uint64_t n) const { return CellOf(n).Get(n); }

 private:
  using Cell = ValueCell<T, Policy>;

  Cell& CellOf(std::uint64_t n) const {
    return cells_[std::has_single_bit(capacity_) ? n & (capacity_ - 1) : n % capacity_];
  }

  const std::size_t capacity_;
  const std::unique_ptr<Cell[]> cells_;
};

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_VALUE_RING_H_
