// Header fields: HeaderView reads those of a request, HeaderBlock collects
// those of a response.
//
// A HeaderView owns nothing: names and values are views into the connection's
// read buffer. Names compare without regard to case; fields keep their order,
// and one name may occur several times.
//
// A HeaderBlock is the finished text "Name: value\r\n..." in one string, so
// that sending it is one copy. What would break the message apart (a line
// break or a NUL in a value, a name that is no token) never gets in: the block
// turns invalid instead, and the server answers 500 in place of such a
// response. That is the protection against header injection.
//
// Thread-safety: as any value. Cost: lookups are linear; headers are few.

#ifndef HOME_HTTP_HEADERS_H_
#define HOME_HTTP_HEADERS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace home::http {

// RFC 9110, section 5.6.2: the characters of methods and field names.
bool IsToken(absl::string_view text);
// RFC 9110, section 5.5: no control characters but the tab.
bool IsFieldValue(absl::string_view text);
// True if the comma-separated list `value` contains `token`, in any case.
bool ListHasToken(absl::string_view value, absl::string_view token);

struct HeaderField {
  absl::string_view name;
  absl::string_view value;
};

class HeaderView {
 public:
  HeaderView() = default;
  explicit HeaderView(absl::Span<const HeaderField> fields) : fields_(fields) {}

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  [[nodiscard]] std::size_t size() const { return fields_.size(); }

  // The value of the first field with this name.
  [[nodiscard]] std::optional<absl::string_view> Find(absl::string_view name) const;
  // Find(), with the empty string for a field that is not there.
  [[nodiscard]] absl::string_view Get(absl::string_view name) const;

 private:
  absl::Span<const HeaderField> fields_;
};

class HeaderBlock {
 public:
  HeaderBlock() = default;

  // Adds a field after those already there.
  void Add(absl::string_view name, absl::string_view value);
  [[nodiscard]] bool Has(absl::string_view name) const { return Find(name).has_value(); }
  [[nodiscard]] std::optional<absl::string_view> Find(absl::string_view name) const;

  [[nodiscard]] bool empty() const { return text_.empty(); }
  // False once something was added that no message may contain.
  [[nodiscard]] bool valid() const { return valid_; }
  // All fields, each ended by CR LF.
  [[nodiscard]] absl::string_view text() const { return text_; }

 private:
  std::string text_;
  bool valid_ = true;
};

}  // namespace home::http

#endif  // HOME_HTTP_HEADERS_H_
