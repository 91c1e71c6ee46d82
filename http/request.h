// Request: one HTTP request as a handler sees it.
//
//   if (request.method() == Method::kGet && request.path() == "/") ...
//   absl::string_view type = request.headers().Get("Content-Type");
//
// All views point into the connection's buffers: they hold until the handler's
// future is done, also while the body is read.
//
// Thread-safety: belongs to its connection's task. Cost: no allocation a
// request.

#ifndef HOME_HTTP_REQUEST_H_
#define HOME_HTTP_REQUEST_H_

#include <cstdint>
#include <utility>

#include "absl/strings/string_view.h"
#include "home/http/body.h"
#include "home/http/headers.h"

namespace home::http {

enum class Method : std::uint8_t {
  kGet,
  kHead,
  kPost,
  kPut,
  kDelete,
  kConnect,
  kOptions,
  kTrace,
  kPatch,
  kOther,  // registered, but none of the above: see method_name()
};

class Request {
 public:
  Request() = default;
  // HTTP/1.`minor_version`. `target` is what stood in the request line.
  Request(Method method, absl::string_view method_name, absl::string_view target, int minor_version,
          HeaderView headers, RequestBody body)
      : method_(method),
        minor_version_(minor_version),
        method_name_(method_name),
        target_(target),
        headers_(headers),
        body_(body) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  [[nodiscard]] Method method() const { return method_; }
  [[nodiscard]] absl::string_view method_name() const { return method_name_; }
  // As received: percent-encoded, with the query.
  [[nodiscard]] absl::string_view target() const { return target_; }
  // The target up to the '?', still percent-encoded; without scheme and
  // authority if the client sent the absolute form.
  [[nodiscard]] absl::string_view path() const;
  // What follows the '?'; empty if there is none.
  [[nodiscard]] absl::string_view query() const;
  // 0 for HTTP/1.0, 1 for HTTP/1.1.
  [[nodiscard]] int minor_version() const { return minor_version_; }
  [[nodiscard]] const HeaderView& headers() const { return headers_; }
  [[nodiscard]] RequestBody& body() { return body_; }

 private:
  Method method_ = Method::kOther;
  int minor_version_ = 1;
  absl::string_view method_name_;
  absl::string_view target_;
  HeaderView headers_;
  RequestBody body_;
};

}  // namespace home::http

#endif  // HOME_HTTP_REQUEST_H_
