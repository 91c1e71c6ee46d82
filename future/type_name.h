// kTypeName<T>: the name of a type as people read it, a constant.
//
// It is the compiler's spelling: for tools and messages, not to be compared or stored.

#ifndef HOME_FUTURE_TYPE_NAME_H_
#define HOME_FUTURE_TYPE_NAME_H_

#include <array>
#include <cstddef>
#include <string_view>

namespace home::internal {

template <typename T>
consteval const char* FunctionNamingType() {
  return __PRETTY_FUNCTION__;
}

// What stands between "T = " and the last bracket of that function's name.
template <typename T>
consteval auto MakeTypeName() {
  constexpr std::string_view kFunction = FunctionNamingType<T>();
  constexpr std::string_view kBefore = "T = ";
  constexpr std::size_t kBegin = kFunction.find(kBefore) + kBefore.size();
  constexpr std::size_t kSize = kFunction.rfind(']') - kBegin;
  std::array<char, kSize + 1> name{};
  for (std::size_t i = 0; i < kSize; ++i) name[i] = kFunction[kBegin + i];
  return name;
}

template <typename T>
inline constexpr auto kTypeNameStorage = MakeTypeName<T>();

// Ends with a zero, and lives for ever.
template <typename T>
inline constexpr const char* kTypeName = kTypeNameStorage<T>.data();

}  // namespace home::internal

#endif  // HOME_FUTURE_TYPE_NAME_H_
