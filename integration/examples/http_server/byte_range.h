// Single byte ranges (RFC 9110, section 14): what a Range field asks for.
//
// Several ranges at once, other units and what does not parse are ignored, as
// the RFC allows: the whole file is sent then.
//
// Thread-safety: functions of their arguments.

#ifndef HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_BYTE_RANGE_H_
#define HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_BYTE_RANGE_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace home::http_server {

struct ByteRange {
  enum class Kind : std::uint8_t {
    kWhole,          // no range to speak of
    kPart,           // first and size say which
    kUnsatisfiable,  // begins behind the end
  };

  Kind kind = Kind::kWhole;
  std::uint64_t first = 0;
  std::uint64_t size = 0;
};

// `field` is the value of Range (empty: there is none), of a file with
// `file_size` bytes.
ByteRange ParseByteRange(absl::string_view field, std::uint64_t file_size);

}  // namespace home::http_server

#endif  // HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_BYTE_RANGE_H_
