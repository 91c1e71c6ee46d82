#!/usr/bin/env python3
"""nginx as a program of the race: `nginx.py --list | serve_http N THREADS`.

Becomes the nginx of a Debian package that was unpacked into the folder RACE_NGINX, with a
configuration of its own, in one process; README.md says what a program must do. For one
thread only, as the race's servers are.
"""

import os
import socket
import sys

CONFIGURATION = """
daemon off;
master_process off;
pid %(folder)s/pid;
error_log stderr crit;
events { worker_connections 16384; }
http {
  access_log off;
  keepalive_requests 1000000000;
  tcp_nodelay on;
  client_body_temp_path %(folder)s/a;
  proxy_temp_path %(folder)s/b;
  fastcgi_temp_path %(folder)s/c;
  uwsgi_temp_path %(folder)s/d;
  scgi_temp_path %(folder)s/e;
  server {
    listen 127.0.0.1:%(port)d backlog=1024;
    location / {
      default_type "text/plain; charset=utf-8";
      return 200 "Hello, World!\\n";
    }
  }
}
"""


def main():
    if sys.argv[1:] == ["--list"]:
        print("serve_http")
        return
    if len(sys.argv) != 4 or sys.argv[1] != "serve_http":
        sys.exit("usage: %s --list | serve_http N THREADS" % sys.argv[0])
    # nginx takes no port 0. The client waits until it listens.
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    folder = os.path.join(os.environ["RACE_NGINX"], "run")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "nginx.conf")
    with open(path, "w") as file:
        file.write(CONFIGURATION % {"folder": folder, "port": port})
    print("listening on 127.0.0.1:%d" % port, flush=True)
    nginx = os.path.join(os.environ["RACE_NGINX"], "usr/sbin/nginx")
    os.execv(nginx, [nginx, "-c", path, "-e", "stderr"])


if __name__ == "__main__":
    main()
