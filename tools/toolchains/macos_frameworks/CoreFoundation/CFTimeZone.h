// What Abseil's time zones need of CoreFoundation, for a compiler that brings no Apple frameworks.
//
// Declarations only: on a Mac the program finds the functions in the system's Foundation, which
// Foundation.tbd beside this stands for at link time.

#ifndef HOME_TOOLS_TOOLCHAINS_MACOS_FRAMEWORKS_COREFOUNDATION_CFTIMEZONE_H_
#define HOME_TOOLS_TOOLCHAINS_MACOS_FRAMEWORKS_COREFOUNDATION_CFTIMEZONE_H_

#include <cstdint>

using CFIndex = long;  // NOLINT: Apple's type
using CFStringEncoding = std::uint32_t;
using CFStringRef = const void*;
using CFTimeZoneRef = const void*;

inline constexpr CFStringEncoding kCFStringEncodingUTF8 = 0x08000100;

extern "C" {
CFTimeZoneRef CFTimeZoneCopyDefault();
CFStringRef CFTimeZoneGetName(CFTimeZoneRef zone);
CFIndex CFStringGetLength(CFStringRef string);
CFIndex CFStringGetMaximumSizeForEncoding(CFIndex length, CFStringEncoding encoding);
unsigned char CFStringGetCString(CFStringRef string, char* buffer, CFIndex size,
                                 CFStringEncoding encoding);
void CFRelease(const void* object);
}

#endif  // HOME_TOOLS_TOOLCHAINS_MACOS_FRAMEWORKS_COREFOUNDATION_CFTIMEZONE_H_
