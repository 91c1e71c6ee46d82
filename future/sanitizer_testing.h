// Which sanitizer a test is built with: for what it cannot do, or what would take too long.

#ifndef HOME_FUTURE_SANITIZER_TESTING_H_
#define HOME_FUTURE_SANITIZER_TESTING_H_

namespace home::testing {

#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadSanitizer = true;
#elif defined(__has_feature)
inline constexpr bool kThreadSanitizer = __has_feature(thread_sanitizer);
#else
inline constexpr bool kThreadSanitizer = false;
#endif

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kAddressSanitizer = true;
#elif defined(__has_feature)
inline constexpr bool kAddressSanitizer = __has_feature(address_sanitizer);
#else
inline constexpr bool kAddressSanitizer = false;
#endif

}  // namespace home::testing

#endif  // HOME_FUTURE_SANITIZER_TESTING_H_
