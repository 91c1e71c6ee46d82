// The status codes of HTTP that this library and its users speak of, with
// their reason phrases (RFC 9110, section 15).
//
//   Response response(StatusCode::kNotFound);
//
// Any other three-digit code can be made with static_cast<StatusCode>(code).

#ifndef HOME_HTTP_STATUS_H_
#define HOME_HTTP_STATUS_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace home::http {

enum class StatusCode : std::uint16_t {
  kContinue = 100,
  kOk = 200,
  kCreated = 201,
  kAccepted = 202,
  kNoContent = 204,
  kPartialContent = 206,
  kMovedPermanently = 301,
  kFound = 302,
  kSeeOther = 303,
  kNotModified = 304,
  kTemporaryRedirect = 307,
  kPermanentRedirect = 308,
  kBadRequest = 400,
  kUnauthorized = 401,
  kForbidden = 403,
  kNotFound = 404,
  kMethodNotAllowed = 405,
  kRequestTimeout = 408,
  kConflict = 409,
  kGone = 410,
  kLengthRequired = 411,
  kPreconditionFailed = 412,
  kContentTooLarge = 413,
  kUriTooLong = 414,
  kUnsupportedMediaType = 415,
  kRangeNotSatisfiable = 416,
  kExpectationFailed = 417,
  kUpgradeRequired = 426,
  kTooManyRequests = 429,
  kRequestHeaderFieldsTooLarge = 431,
  kInternalServerError = 500,
  kNotImplemented = 501,
  kBadGateway = 502,
  kServiceUnavailable = 503,
  kGatewayTimeout = 504,
  kHttpVersionNotSupported = 505,
};

// "Not Found" for 404; "Unknown" for a code that is not listed above.
absl::string_view ReasonPhrase(StatusCode code);

// False for 1xx, 204 and 304, whose responses end after the header section.
constexpr bool StatusAllowsBody(StatusCode code) {
  const int value = static_cast<int>(code);
  return value >= 200 && code != StatusCode::kNoContent && code != StatusCode::kNotModified;
}

}  // namespace home::http

#endif  // HOME_HTTP_STATUS_H_
