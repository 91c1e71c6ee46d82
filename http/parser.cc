#include "home/http/parser.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace home::http {

namespace {

absl::string_view WithoutEmptyLines(absl::string_view message) {
  return message.substr(std::min(message.find_first_not_of("\r\n"), message.size()));
}

// llhttp gives up at the first letter that fits no method it knows. Whether the
// answer is 501 or 400 shows only when the word is complete; llhttp will repeat
// its error then.
bool IsStartOfMethod(absl::string_view message) {
  constexpr std::size_t kLongestMethod = 64;
  message = WithoutEmptyLines(message);
  return message.size() < kLongestMethod && IsToken(message);
}

absl::string_view WithoutTrailingSpace(absl::string_view value) {
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  return value;
}

}  // namespace

// llhttp knows its owner by its `data` member.
struct RequestParser::Callbacks {
  static RequestParser& Self(llhttp_t* llhttp) {
    return *static_cast<RequestParser*>(llhttp->data);
  }
  static int OnTarget(llhttp_t* llhttp, const char* at, std::size_t size) {
    return Self(llhttp).OnTarget(at, size);
  }
  static int OnFieldName(llhttp_t* llhttp, const char* at, std::size_t size) {
    return Self(llhttp).OnFieldName(at, size);
  }
  static int OnFieldValue(llhttp_t* llhttp, const char* at, std::size_t size) {
    return Self(llhttp).OnFieldValue(at, size);
  }
  static int OnHeadersComplete(llhttp_t* llhttp) { return Self(llhttp).OnHeadersComplete(); }
  static int OnBody(llhttp_t* llhttp, const char* at, std::size_t size) {
    return Self(llhttp).OnBody(at, size);
  }
  static int OnMessageComplete(llhttp_t* llhttp) {
    Self(llhttp).phase_ = Phase::kEnd;
    return HPE_PAUSED;
  }

  static const llhttp_settings_t* Settings() {
    static const llhttp_settings_t settings = [] {
      llhttp_settings_t made;
      llhttp_settings_init(&made);
      made.on_url = OnTarget;
      made.on_header_field = OnFieldName;
      made.on_header_value = OnFieldValue;
      made.on_headers_complete = OnHeadersComplete;
      made.on_body = OnBody;
      made.on_message_complete = OnMessageComplete;
      return made;
    }();
    return &settings;
  }
};

RequestParser::RequestParser(const ParserLimits& limits) : limits_(limits) {
  llhttp_init(&llhttp_, HTTP_REQUEST, Callbacks::Settings());
  llhttp_.data = this;
}

void RequestParser::Reset() {
  llhttp_reset(&llhttp_);
  phase_ = Phase::kHead;
  last_was_value_ = true;
  has_body_ = keep_alive_ = expects_continue_ = failed_ = false;
  fed_ = 0;
  body_bytes_ = framing_bytes_ = 0;
  framing_cr_ = false;
  target_ = Piece();
  fields_.clear();
}

ParseStep RequestParser::ParseHead(absl::string_view message) {
  base_ = message.data();
  const absl::string_view fresh = message.substr(fed_);
  const llhttp_errno_t error = llhttp_execute(&llhttp_, fresh.data(), fresh.size());
  if (phase_ == Phase::kHead) {
    if (error == HPE_INVALID_METHOD && !failed_ && IsStartOfMethod(message)) return ParseStep();
    if (error != HPE_OK) return ErrorOf(error, message);
    fed_ = message.size();
    if (fed_ > limits_.header_bytes) {
      return Error(StatusCode::kRequestHeaderFieldsTooLarge, "the header section is too large");
    }
    return ParseStep();
  }
  // Stopped by OnHeadersComplete() or, without a body, OnMessageComplete().
  if (error != HPE_PAUSED) return ErrorOf(error, message);
  const std::size_t head = static_cast<std::size_t>(llhttp_get_error_pos(&llhttp_) - base_);
  if (head > limits_.header_bytes) {
    return Error(StatusCode::kRequestHeaderFieldsTooLarge, "the header section is too large");
  }
  StatusCode status = StatusCode::kBadRequest;
  if (const char* reason = CheckHead(message.substr(0, head), status)) return Error(status, reason);
  if (phase_ == Phase::kHeadComplete) phase_ = Phase::kBody;
  ParseStep step;
  step.kind = ParseStep::Kind::kHead;
  step.consumed = head;
  return step;
}

ParseStep RequestParser::ParseBody(absl::string_view bytes) {
  ParseStep step;
  if (phase_ == Phase::kEnd) {
    step.kind = ParseStep::Kind::kEnd;
    return step;
  }
  // Without bytes too: the end of a message may be behind its last byte.
  llhttp_resume(&llhttp_);
  piece_ = absl::string_view();
  const llhttp_errno_t error = llhttp_execute(&llhttp_, bytes.data(), bytes.size());
  if (error != HPE_OK && error != HPE_PAUSED) return ErrorOf(error, bytes);
  step.consumed = error == HPE_OK
                      ? bytes.size()
                      : static_cast<std::size_t>(llhttp_get_error_pos(&llhttp_) - bytes.data());
  body_bytes_ += piece_.size();
  framing_bytes_ += step.consumed - piece_.size();
  const std::size_t before =
      piece_.empty() ? step.consumed : static_cast<std::size_t>(piece_.data() - bytes.data());
  if (!FramingIsClean(bytes.substr(0, before)) ||
      !FramingIsClean(
          bytes.substr(before + piece_.size(), step.consumed - before - piece_.size()))) {
    return Error(StatusCode::kBadRequest, "a line of the chunk framing does not end with CR LF");
  }
  if (body_bytes_ > limits_.body_bytes) {
    return Error(StatusCode::kContentTooLarge, "the body is too large");
  }
  // A chunk of one byte is allowed to cost a few; endless chunk extensions or
  // trailers are not.
  if (framing_bytes_ > limits_.header_bytes + 16 * body_bytes_) {
    return Error(StatusCode::kRequestHeaderFieldsTooLarge, "the chunk framing is too large");
  }
  if (!piece_.empty()) {
    step.kind = ParseStep::Kind::kBody;
    step.body = piece_;
  } else if (phase_ == Phase::kEnd) {
    step.kind = ParseStep::Kind::kEnd;
  }
  return step;
}

std::optional<std::uint64_t> RequestParser::content_length() const {
  if ((llhttp_.flags & F_CHUNKED) != 0) return std::nullopt;
  return llhttp_.content_length;
}

Method RequestParser::method() const {
  switch (llhttp_.method) {
    case HTTP_GET:
      return Method::kGet;
    case HTTP_HEAD:
      return Method::kHead;
    case HTTP_POST:
      return Method::kPost;
    case HTTP_PUT:
      return Method::kPut;
    case HTTP_DELETE:
      return Method::kDelete;
    case HTTP_CONNECT:
      return Method::kConnect;
    case HTTP_OPTIONS:
      return Method::kOptions;
    case HTTP_TRACE:
      return Method::kTrace;
    case HTTP_PATCH:
      return Method::kPatch;
    default:
      return Method::kOther;
  }
}

absl::string_view RequestParser::method_name() const {
  return llhttp_method_name(static_cast<llhttp_method_t>(llhttp_.method));
}

absl::string_view RequestParser::ValueAt(const Field& field, const char* base) {
  return WithoutTrailingSpace(field.value.At(base));
}

absl::string_view RequestParser::Target(const char* base) const { return target_.At(base); }

HeaderView RequestParser::Headers(const char* base) {
  views_.clear();
  views_.reserve(fields_.size());
  for (const Field& field : fields_) {
    views_.push_back(HeaderField{field.name.At(base), ValueAt(field, base)});
  }
  return HeaderView(views_);
}

// -- Callbacks ----------------------------------------------------------------

int RequestParser::Fail(StatusCode status, const char* reason) {
  failed_ = true;
  failure_ = status;
  failure_reason_ = reason;
  return HPE_USER;
}

int RequestParser::Extend(Piece& piece, const char* at, std::size_t size) {
  const auto offset = static_cast<std::uint32_t>(at - base_);
  if (piece.size == 0) {
    piece.offset = offset;
  } else if (piece.offset + piece.size != offset) {
    return Fail(StatusCode::kBadRequest, "a header line is folded");
  }
  piece.size += static_cast<std::uint32_t>(size);
  return 0;
}

int RequestParser::OnTarget(const char* at, std::size_t size) {
  if (const int error = Extend(target_, at, size)) return error;
  if (target_.size > limits_.target_bytes) {
    return Fail(StatusCode::kUriTooLong, "the request target is too long");
  }
  return 0;
}

int RequestParser::OnFieldName(const char* at, std::size_t size) {
  if (phase_ != Phase::kHead) return 0;  // a trailer: read over
  if (last_was_value_) {
    if (fields_.size() == limits_.header_count) {
      return Fail(StatusCode::kRequestHeaderFieldsTooLarge, "there are too many header fields");
    }
    fields_.emplace_back();
    last_was_value_ = false;
  }
  return Extend(fields_.back().name, at, size);
}

int RequestParser::OnFieldValue(const char* at, std::size_t size) {
  if (phase_ != Phase::kHead) return 0;
  last_was_value_ = true;
  return Extend(fields_.back().value, at, size);
}

int RequestParser::OnHeadersComplete() {
  phase_ = Phase::kHeadComplete;
  keep_alive_ = llhttp_should_keep_alive(&llhttp_) != 0;
  const bool chunked = (llhttp_.flags & F_CHUNKED) != 0;
  // A Transfer-Encoding that is not chunked is refused by llhttp right after.
  has_body_ = chunked || llhttp_.content_length > 0;
  // An offer to upgrade may be ignored, and is.
  llhttp_.upgrade = 0;
  if (!has_body_) return 0;  // goes on to OnMessageComplete()
  if (!chunked && llhttp_.content_length > limits_.body_bytes) {
    return Fail(StatusCode::kContentTooLarge, "the body is too large");
  }
  return HPE_PAUSED;
}

int RequestParser::OnBody(const char* at, std::size_t size) {
  piece_ = absl::string_view(at, size);
  return HPE_PAUSED;
}

// -- Checks and errors ----------------------------------------------------------

bool RequestParser::FramingIsClean(absl::string_view bytes) {
  for (const char c : bytes) {
    if ((c == '\n') != framing_cr_) return false;
    framing_cr_ = c == '\r';
  }
  return true;
}

const char* RequestParser::CheckHead(absl::string_view head, StatusCode& status) {
  for (absl::string_view rest = head; !rest.empty();) {
    const std::size_t feed = rest.find('\n');
    if (feed == 0 || feed == rest.npos || rest[feed - 1] != '\r' || rest.find('\r') != feed - 1) {
      return "a line does not end with CR LF";
    }
    rest.remove_prefix(feed + 1);
  }
  if (llhttp_.http_major != 1) {
    status = StatusCode::kHttpVersionNotSupported;
    return "only HTTP/1.0 and HTTP/1.1 are supported";
  }
  for (const char c : target_.At(head.data())) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f) return "the request target contains a control character";
  }
  int hosts = 0;
  for (const Field& field : fields_) {
    const absl::string_view name = field.name.At(head.data());
    if (!IsToken(name)) return "the name of a field is no token";
    if (name.size() == 4 && absl::EqualsIgnoreCase(name, "host")) {
      ++hosts;
    } else if (name.size() == 6 && absl::EqualsIgnoreCase(name, "expect")) {
      if (!absl::EqualsIgnoreCase(ValueAt(field, head.data()), "100-continue")) {
        status = StatusCode::kExpectationFailed;
        return "only 100-continue can be expected";
      }
      expects_continue_ = has_body_ && llhttp_.http_minor >= 1;
    } else if (name.size() == 17 && absl::EqualsIgnoreCase(name, "transfer-encoding")) {
      if (llhttp_.http_minor == 0) return "HTTP/1.0 has no Transfer-Encoding";
      if (!absl::EqualsIgnoreCase(ValueAt(field, head.data()), "chunked")) {
        status = StatusCode::kNotImplemented;
        return "the only transfer coding is chunked";
      }
    }
  }
  if (hosts > 1 || (hosts == 0 && llhttp_.http_minor >= 1)) {
    return "there must be exactly one Host";
  }
  return nullptr;
}

ParseStep RequestParser::Error(StatusCode status, const char* reason) const {
  ParseStep step;
  step.kind = ParseStep::Kind::kError;
  step.error = status;
  step.reason = reason;
  return step;
}

ParseStep RequestParser::ErrorOf(llhttp_errno_t error, absl::string_view message) const {
  if (failed_) return Error(failure_, failure_reason_);
  switch (error) {
    case HPE_INVALID_METHOD: {
      // A method that nobody knows, or no HTTP at all?
      message = WithoutEmptyLines(message);
      const std::size_t space = message.find(' ');
      const bool is_method = space != absl::string_view::npos && IsToken(message.substr(0, space));
      return Error(is_method ? StatusCode::kNotImplemented : StatusCode::kBadRequest,
                   "the method is unknown");
    }
    case HPE_INVALID_VERSION:
    case HPE_PAUSED_H2_UPGRADE:
      return Error(StatusCode::kHttpVersionNotSupported,
                   "only HTTP/1.0 and HTTP/1.1 are supported");
    default: {
      const char* reason = llhttp_get_error_reason(&llhttp_);
      return Error(StatusCode::kBadRequest,
                   reason != nullptr ? reason : "the message is malformed");
    }
  }
}

}  // namespace home::http
