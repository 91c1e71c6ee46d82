"""What the comparisons of this folder share: how a program is run and what it says, statistics,
and how a table begins.

Each measurement is a process of its own, which prints one line:

    WORKLOAD PEER N THREADS NS_PER_OPERATION [KEY=VALUE...] check=ok|wrong

Two classes, whose rows are not to be compared with each other:

    kernel   threads run as the kernel places them; on few processors it may stack those of a
             short program on one
    rr       as `chrt -r 1`: every processor works, and other programs wait; needs the right to
             ask for it

A peer whose results do not add up is reported as wrong, one that crashes or does not come back
as such, and neither counts as a peer.
"""

import argparse
import collections
import json
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import time

# So many that hang or crash, and the peer is left out of the rest of the workload.
MAX_FAILURES = 2


def in_class(wanted_class):
    return ["chrt", "-r", "1"] if wanted_class == "rr" else []


def result_of(command, timeout):
    """A dictionary with `ns` and what else the program said, or with `failure`."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return {"failure": "hangs"}
    if done.returncode < 0 or done.returncode > 128:
        return {"failure": "crashes"}
    if done.returncode != 0:
        sys.exit("%s failed: %s" % (" ".join(command), done.stderr.strip()))
    fields = done.stdout.split()
    result = {"ns": float(fields[4])}
    for field in fields[5:]:
        key, _, value = field.partition("=")
        result[key] = value if key == "check" else float(value)
    if result.pop("check") != "ok":
        result["failure"] = "wrong"
    return result


def given_up(taken):
    """Whether a peer with these results is left out from now on."""
    return sum(bool(r) and r.get("failure") in ("hangs", "crashes") for r in taken) >= MAX_FAILURES


def run_rounds(groups, rounds, measure):
    """{group: {peer: results, one a round; None where it was left out}}. `groups`: group -> its
    peers, which run one after another, for the sake of the ratios, and in an order that changes
    from round to round. measure(group, peer) gives a result."""
    results = {group: {peer: [] for peer in peers} for group, peers in groups.items()}
    order = random.Random(1)
    for count in range(rounds):
        for group, peers in groups.items():
            for peer in order.sample(list(peers), len(peers)):
                taken = results[group][peer]
                taken.append(None if given_up(taken) else measure(group, peer))
        print("round %d of %d" % (count + 1, rounds), file=sys.stderr, flush=True)
    return results


def rows_of(taken, figure):
    """A row for each peer of {peer: results}, by its `figure` the best first; those that failed
    last. A row has the median of all that the peer said, too."""
    rows = []
    for peer, results in taken.items():
        right = [r for r in results if r and "failure" not in r]
        failures = collections.Counter(r["failure"] for r in results if r and "failure" in r)
        row = {"peer": peer, "failures": dict(failures)}
        row["samples"] = [r[figure] if r in right else None for r in results]
        for key in right[0] if right else ():
            row[key] = statistics.median(r[key] for r in right)
        if right:
            values = [r[figure] for r in right]
            row["median"] = statistics.median(values)
            row["quartiles"] = quartiles(values)
        rows.append(row)
    rows.sort(key=lambda row: (bool(row["failures"]), row.get("median", float("inf"))))
    return rows


def failures_of(row):
    counts = ("%s in %d of %d" % (f, c, len(row["samples"])) for f, c in row["failures"].items())
    return "**%s**" % ", ".join(counts)


def shown(row):
    """A peer's figure, with its name."""
    return "%s %s" % (row["peer"], failures_of(row) if row["failures"] else number(row["median"]))


def middle_half(row):
    return "%s-%s" % tuple(map(number, row["quartiles"]))


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0]
    cuts = statistics.quantiles(values, n=4, method="inclusive")
    return cuts[0], cuts[2]


def median_of_ratios(mine, others):
    """The median of the rounds' ratios, of those in which both gave a figure (not None)."""
    ratios = [a / b for a, b in zip(mine, others) if a is not None and b is not None]
    return statistics.median(ratios) if ratios else None


def number(value):
    return "{:,.0f}".format(value) if value >= 99.5 else "%.1f" % value


def may_use_rr():
    """Whether this process may ask for real-time scheduling."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        return True
    except PermissionError:
        return False


def cpu_model():
    with open("/proc/cpuinfo") as file:
        match = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.MULTILINE)
    return match.group(1) if match else platform.machine()


def add_options(parser):
    """Those that every comparison has."""
    parser.add_argument("--scale", type=float, default=1.0, help="times the usual length")
    parser.add_argument("--peers", default="", metavar="REGEX", help="only peers that match")
    parser.add_argument("--json", metavar="FILE", help="every sample")
    parser.add_argument("--markdown", metavar="FILE", help="instead of standard output")
    parser.add_argument("--brief", action="store_true", help="without the table of every row")
    parser.add_argument("--self-test", action="store_true", help="check this script itself")
    # What the caller knows: how it was called, and what it found.
    parser.add_argument("--command", default="", help=argparse.SUPPRESS)
    for name in ("--program", "--version", "--skipped"):
        parser.add_argument(name, action="append", default=[], help=argparse.SUPPRESS)


def allowed_classes(classes, skipped):
    """The wanted classes; without "rr" where that may not be asked for, which `skipped` then says."""
    if "rr" in classes and not may_use_rr():
        skipped.append("class rr (this user may not ask for real-time scheduling)")
        return ["kernel"]
    return classes


def machine_of(options, skipped):
    """When, on what and how it was measured."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": cpu_model(),
        "processors": os.cpu_count(),
        "kernel": platform.release(),
        "versions": options.version,
        "skipped": skipped,
        "rounds": options.rounds,
        "scale": options.scale,
        "command": options.command,
    }


def heading(title, machine):
    lines = ["# " + title, ""]
    if machine["command"]:
        lines += ["```sh", machine["command"], "```", ""]
    lines.append(
        "%s, %s, %d processors, kernel %s, medians of %d rounds."
        % (machine["date"], machine["cpu"], machine["processors"], machine["kernel"], machine["rounds"])
    )
    if machine["versions"]:
        lines.append("Peers: %s." % ", ".join(machine["versions"]))
    if machine["skipped"]:
        lines.append("Skipped: %s." % ", ".join(machine["skipped"]))
    return lines


def write_tables(options, lines, data, rows):
    """The lines as Markdown; `data` and, one a line, the rows as JSON."""
    text = "\n".join(lines) + "\n"
    if options.markdown:
        with open(options.markdown, "w") as file:
            file.write(text)
    else:
        print(text, end="")
    if options.json:
        members = ["%s: %s" % (json.dumps(key), json.dumps(value)) for key, value in data.items()]
        members.append('"rows": [\n%s\n]' % ",\n".join(map(json.dumps, rows)))
        with open(options.json, "w") as file:
            file.write("{%s}\n" % ",\n".join(members))


def report(checks):
    """Of a self-test: [(what, whether it holds)]. The exit status."""
    for what, holds in checks:
        if not holds:
            print("self-test: not so: " + what)
    wrong = sum(not holds for _, holds in checks)
    print("self-test: %d checks, %d wrong" % (len(checks), wrong))
    return 1 if wrong else 0
