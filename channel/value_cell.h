// ValueCell: one value, which one writes at a time, and all read without a lock.
//
// For values whose copy is a copy of their bytes: a reader may then copy what is overwritten at
// that very moment, and throw it away when it sees that. Each value has a number, the second and
// all that follow a greater one than the one before:
//
//   version   2n + 1   value n is being written over the one before
//             2n + 2   value n is there
//   words     its bytes
//
// Invariants
//  I1  The version grows, and is even if and only if nobody writes.
//  I2  A reader that saw a word of value n sees a version of 2n + 1 at least from then on.
//
// So a value is whole if the version was 2n + 2 before its words were read and still is after that:
// a sequence lock (Boehm, "Can Seqlocks Get Along with Programming Language Memory Models?", MSPC
// 2012). The words are atomics, with orders on each of them rather than fences, which
// ThreadSanitizer does not know; on x86 neither costs anything.

#ifndef HOME_CHANNEL_VALUE_CELL_H_
#define HOME_CHANNEL_VALUE_CELL_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <type_traits>

namespace home::channel_internal {

template <typename T>
inline constexpr bool kCopiedBitByBit =
    std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T> && sizeof(T) <= 64;

template <typename T, typename Policy>
class ValueCell {
  static_assert(kCopiedBitByBit<T>);

 public:
  // Writes value `n`. One writer at a time.
  void Put(std::uint64_t n, const T& value) {
    Bytes bytes{};
    std::memcpy(bytes.data(), std::addressof(value), sizeof(T));
    const auto words = std::bit_cast<Words>(bytes);
    // relaxed: comes before the words, which release it.
    version_.store(2 * n + 1, std::memory_order_relaxed);
    for (std::size_t i = 0; i < kWords; ++i) PutWord(i, words[i]);
    // release: the words. pairs with: Get().
    version_.store(2 * n + 2, std::memory_order_release);
  }

  // Value `n`; nothing if it is not there yet, or no more. By anyone.
  [[nodiscard]] std::optional<T> Get(std::uint64_t n) const {
    // acquire: the words are those of this version, or of a later one. pairs with: Put().
    if (version_.load(std::memory_order_acquire) != 2 * n + 2) return std::nullopt;
    Words words;
    for (std::size_t i = 0; i < kWords; ++i) words[i] = GetWord(i);
    // relaxed: the loads before it let it see what they saw.
    if (version_.load(std::memory_order_relaxed) != 2 * n + 2) return std::nullopt;
    const auto bytes = std::bit_cast<Bytes>(words);
    std::array<std::byte, sizeof(T)> value;
    std::memcpy(value.data(), bytes.data(), sizeof(T));
    return std::bit_cast<T>(value);
  }

 private:
  static constexpr std::size_t kWords = (sizeof(T) + 7) / 8;
  using Words = std::array<std::uint64_t, kWords>;
  using Bytes = std::array<std::byte, sizeof(Words)>;

  void PutWord(std::size_t i, std::uint64_t word) {
    // release: who sees this word sees the version before it, too (I2). pairs with: GetWord().
    words_[i].store(word, std::memory_order_release);
  }
  std::uint64_t GetWord(std::size_t i) const {
    // acquire: the version of this word (I2). pairs with: PutWord().
    return words_[i].load(std::memory_order_acquire);
  }

  typename Policy::template Atomic<std::uint64_t> version_{0};
  typename Policy::template Atomic<std::uint64_t> words_[kWords]{};
};

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_VALUE_CELL_H_
