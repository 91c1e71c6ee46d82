// What the completion layer's declarations take from the system: addresses, messages, parts of
// buffers, modes and flags of files. Windows has its own under this name, in `windows`.

#ifndef HOME_REACTOR_IO_SYSTEM_H_
#define HOME_REACTOR_IO_SYSTEM_H_

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#endif  // HOME_REACTOR_IO_SYSTEM_H_
