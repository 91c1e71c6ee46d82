#include "home/reactor/io_request.h"

namespace home::reactor_internal {

const char* IoName(IoKind kind) {
  switch (kind) {
    case IoKind::kRead:
    case IoKind::kReadV:
      return "read from";
    case IoKind::kWrite:
    case IoKind::kWriteV:
      return "write to";
    case IoKind::kRecv:
    case IoKind::kRecvMsg:
      return "receive from";
    case IoKind::kSend:
    case IoKind::kSendMsg:
      return "send to";
    case IoKind::kAccept:
      return "accept from";
    case IoKind::kConnect:
      return "connect";
    case IoKind::kFsync:
      return "flush";
    case IoKind::kOpen:
      return "open";
    case IoKind::kClose:
      return "close";
    case IoKind::kStat:
      return "look at";
    case IoKind::kPoll:
      return "poll";
    case IoKind::kTimeout:
      return "wait for";
    case IoKind::kSplice:
      return "splice from";
  }
  return "";
}

}  // namespace home::reactor_internal
