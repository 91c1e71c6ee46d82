// The media type of a file, guessed from the end of its name.

#ifndef HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_CONTENT_TYPE_H_
#define HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_CONTENT_TYPE_H_

#include "absl/strings/string_view.h"

namespace home::http_server {

// "text/html; charset=utf-8" for "a/b.HTML"; "application/octet-stream" for what
// is not known.
absl::string_view ContentTypeOf(absl::string_view path);

}  // namespace home::http_server

#endif  // HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_CONTENT_TYPE_H_
