#!/usr/bin/env python3
"""Presses Ctrl-C in tools/demo at each of its stages.

  .ci/interrupt_demo.py [DEMO]

Every time the demo must end with 130 and leave nothing: no process of its
group, no file in its temporary folder. Prints one line a stage and exits with
the number of those that went wrong.
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
HANG_GUARD = 300  # seconds, for a build that has to be done first

# What the demo has printed when the key is pressed.
STAGES = {
    "while it builds": b"building",
    "when the server starts": b"A server on loopback",
    "while files are compared": b"byte for byte",
    "under load": b"Load: wrk",
    "in the download in flight": b"downloaded when SIGTERM is sent",
}


def group_members(group):
    """The living processes of a process group."""
    members = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # After the name in brackets: state, parent, group.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            members.append(entry.name)
    return members


def interrupt(demo, marker):
    """Returns what went wrong, or None."""
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [demo, "--seconds=30"], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env={**os.environ, "TMPDIR": scratch}, start_new_session=True,
            # A shell that starts us in the background has SIGINT ignored, and
            # a script can't trap what was ignored when it began.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        try:
            deadline = time.monotonic() + HANG_GUARD
            while True:
                text = os.pread(output.fileno(), 1 << 20, 0)
                if marker in text:
                    break
                if process.poll() is not None:
                    return f"it ended with {process.returncode}: {text[-500:].decode()}"
                if time.monotonic() > deadline:
                    return "it did not get there"
                time.sleep(0.02)
            os.killpg(process.pid, signal.SIGINT)
            try:
                status = process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                return "it did not end"
            if status != 130:
                return f"exit code {status} instead of 130"
            left = group_members(process.pid)
            if left:
                return f"processes left: {left}"
            files = os.listdir(scratch)
            return f"files left: {files}" if files else None
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()


def main():
    demo = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "tools/demo")
    wrong = 0
    for name, marker in STAGES.items():
        problem = interrupt(demo, marker)
        print(f"Ctrl-C {name}: {problem or 'ok'}", flush=True)
        wrong += problem is not None
    return wrong


if __name__ == "__main__":
    sys.exit(main())
