// Response: what a handler answers.
//
//   co_return Response::Text("Hello, World!\n");
//
//   Response response(StatusCode::kCreated);
//   response.AddHeader("Location", url);
//   response.set_body("made", "text/plain");
//   co_return response;
//
// The server adds Date, Content-Length or Transfer-Encoding, and Connection;
// a handler must not add those itself. For HEAD it sends the head only.
//
// Thread-safety: a plain value, movable. Cost: the strings it holds.

#ifndef HOME_HTTP_RESPONSE_H_
#define HOME_HTTP_RESPONSE_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "home/http/body.h"
#include "home/http/headers.h"
#include "home/http/status.h"

namespace home::http {

class Response {
 public:
  explicit Response(StatusCode status = StatusCode::kOk) : status_(status) {}

  // 200 with a text/plain body.
  static Response Text(std::string body) {
    Response response;
    response.set_body(std::move(body), "text/plain; charset=utf-8");
    return response;
  }
  // `status` with a short text that names it.
  static Response Error(StatusCode status);

  [[nodiscard]] StatusCode status() const { return status_; }
  void set_status(StatusCode status) { status_ = status; }

  // See HeaderBlock for what happens to a field that no message may contain.
  Response& AddHeader(absl::string_view name, absl::string_view value) {
    headers_.Add(name, value);
    return *this;
  }
  [[nodiscard]] const HeaderBlock& headers() const { return headers_; }

  void set_body(std::string body, absl::string_view content_type) {
    body_ = std::move(body);
    source_.reset();
    AddHeader("Content-Type", content_type);
  }
  void set_body(std::unique_ptr<BodySource> source, absl::string_view content_type) {
    source_ = std::move(source);
    AddHeader("Content-Type", content_type);
  }
  // Closes the connection after this response.
  void set_close() { close_ = true; }

  [[nodiscard]] const std::string& body() const { return body_; }
  // Null if the body is a string.
  [[nodiscard]] BodySource* source() const { return source_.get(); }
  [[nodiscard]] bool close() const { return close_; }

 private:
  StatusCode status_;
  bool close_ = false;
  HeaderBlock headers_;
  std::string body_;
  std::unique_ptr<BodySource> source_;
};

inline Response Response::Error(StatusCode status) {
  Response response(status);
  std::string text = std::to_string(static_cast<int>(status));
  text.append(" ").append(ReasonPhrase(status)).append("\n");
  response.set_body(std::move(text), "text/plain; charset=utf-8");
  return response;
}

}  // namespace home::http

#endif  // HOME_HTTP_RESPONSE_H_
