#!/usr/bin/env python3
"""Runs our containers beside their peers, in turn, and writes the tables.

    compare.py --program PATH [--program PATH]... [options]

Called by tools/compare_containers, which builds the programs and knows what is missing.
../../figures.py says what a program prints and what the classes are. `PROGRAM WORKLOAD PEER N`
makes one measurement. A round runs every peer of every workload once, in an order that changes
from round to round, so that a noisy machine treats all alike.

Reported are medians, the middle half of the rounds, and the ratio to the best peer: the
median of the rounds' ratios.
"""

import argparse
import collections
import os
import re
import statistics
import subprocess
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
import figures  # noqa: E402
from figures import failures_of, in_class, median_of_ratios, middle_half, number, result_of, shown  # noqa: E402

Workload = collections.namedtuple("Workload", "package name title n classes")

BOTH = ("kernel", "rr")
# One thread, or threads that are pinned: there is nothing to place.
ONE = ("rr",)

WORKLOADS = [
    Workload("limits", "limit_1", "1 thread", 2_000_000, ONE),
    Workload("limits", "limit_2", "2 threads, one word", 2_000_000, ONE),
    Workload("limits", "limit_line_2", "2 threads, pinned", 400_000, ONE),
    Workload("deque", "deque_1t_1", "push + pop", 4_000_000, ONE),
    Workload("deque", "deque_1t_1000", "bursts of 1,000", 4_000_000, ONE),
    Workload("deque", "deque_steal_1", "1 thief", 1_000_000, BOTH),
    Workload("deque", "deque_steal_3", "3 thieves", 1_000_000, BOTH),
    Workload("deque", "deque_drain_1", "drain, 1 thief", 1_000_000, BOTH),
    Workload("deque", "deque_drain_3", "drain, 3 thieves", 1_000_000, BOTH),
    Workload("queue", "queue_1t_1", "push + pop", 2_000_000, ONE),
    Workload("queue", "queue_1t_1000", "bursts of 1,000", 2_000_000, ONE),
    Workload("queue", "queue_1x1", "1x1", 1_000_000, BOTH),
    Workload("queue", "queue_2x2", "2x2", 1_000_000, BOTH),
    Workload("queue", "queue_4x4", "4x4", 1_000_000, BOTH),
    Workload("bounded", "bounded_1t_1", "push + pop", 4_000_000, ONE),
    Workload("bounded", "bounded_1t_1000", "bursts of 1,000", 4_000_000, ONE),
    Workload("bounded", "bounded_1x1", "1x1", 1_000_000, BOTH),
    Workload("bounded", "bounded_2x2", "2x2", 1_000_000, BOTH),
    Workload("mpsc", "mpsc_1x1", "1x1", 1_000_000, BOTH),
    Workload("mpsc", "mpsc_4x1", "4x1", 1_000_000, BOTH),
    Workload("parker", "ping_pong_1", "one processor", 20_000, BOTH),
    Workload("parker", "ping_pong_2", "two processors", 3_000, BOTH),
]

TITLES = {
    "limits": "What the machine takes (ns an operation)",
    "deque": "Work-stealing deques (ns an element)",
    "queue": "Unbounded queues, many to many (ns an element)",
    "bounded": "Bounded queues of 1,024 (ns an element)",
    "mpsc": "Queues with one consumer (ns an element)",
    "parker": "Ping-pong of two threads (ns a round trip)",
}

# What a package is compared with where that is one thing, not the best of many.
REFERENCE = {"parker": "bare_futex"}

# A measurement takes some 0.1 s. One that takes so long hangs.
TIMEOUT_SECONDS = 20


def is_ours(peer):
    return peer == "home" or peer.startswith("home_")


def list_peers(programs):
    """Kind -> {peer: program}. Of programs that know the same peer the last one counts."""
    peers = collections.defaultdict(dict)
    for program in programs:
        listing = subprocess.run([program, "--list"], check=True, capture_output=True, text=True)
        for line in listing.stdout.splitlines():
            kind, peer = line.split()
            peers[kind][peer] = program
    return peers


def kind_of(workload):
    return workload.rpartition("_")[0]


def measure(program, workload, peer, n, wanted_class, prefix, timeout=TIMEOUT_SECONDS):
    return result_of(in_class(wanted_class) + prefix + [program, workload, peer, str(n)], timeout)


def run_all(options, workloads, peers, classes):
    """(workload, class) -> {peer: results, one a round; None where left out}."""
    groups = {
        (workload, wanted): peers[kind_of(workload.name)]
        for workload in workloads
        for wanted in (workload.classes if len(classes) == 2 else classes)
    }

    def measure_one(group, peer):
        workload, wanted = group
        n = max(1, int(workload.n * options.scale))
        return measure(groups[group][peer], workload.name, peer, n, wanted, options.run_under.split())

    return figures.run_rounds(groups, options.rounds, measure_one)


def summarize(workload, taken):
    """Rows of one workload and class, the fastest first; the wrong ones last."""
    rows = figures.rows_of(taken, "ns")
    reference = REFERENCE.get(workload.package)
    others = [
        row
        for row in rows
        if not row["failures"]
        and (row["peer"] == reference if reference else not is_ours(row["peer"]))
    ]
    if workload.package != "limits" and others:
        best = others[0]
        for row in rows:
            ratio = ratio_of(row, best)
            if ratio is not None:
                row["ratio"] = ratio
                row["ratio_to"] = best["peer"]
    return rows


def overview(package, workloads, tables):
    """The table of one package: a row for each workload, class and container of ours."""
    reference = REFERENCE.get(package, "best peer")
    if package == "limits":
        lines = ["| | |", "|---|---|"]
    else:
        lines = ["| | ours | ns | middle half | %s | ns | ratio | the others, ns |" % reference]
        lines.append("|---" * 8 + "|")
    for workload in workloads:
        for wanted in sorted({c for name, c in tables if name == workload.name}):
            title = workload.title + (", " + wanted if workload.classes == BOTH else "")
            rows = tables[workload.name, wanted]
            if package == "limits":
                each = ("%s (%s)" % (shown(row), middle_half(row)) for row in rows)
                lines.append("| %s | %s |" % (title, ", ".join(each)))
                continue
            ours = sorted((row for row in rows if is_ours(row["peer"])), key=lambda row: row["peer"])
            best = next((row for row in rows if row["peer"] == row.get("ratio_to")), None)
            others = ", ".join(shown(row) for row in rows if row not in ours and row is not best)
            for index, row in enumerate(ours):
                known = not row["failures"]
                lines.append(
                    "| %s | %s | %s | %s | %s | %s | %s | %s |"
                    % (
                        title if index == 0 else "",
                        row["peer"],
                        "**%s**" % number(row["median"]) if known else shown(row),
                        middle_half(row) if known else "",
                        best["peer"] if best and index == 0 else "",
                        number(best["median"]) if best and index == 0 else "",
                        "%.2f" % row["ratio"] if "ratio" in row else "",
                        others if index == 0 else "",
                    )
                )
    return lines


def ratio_of(row, other):
    return median_of_ratios(row["samples"], other["samples"])


def against_each(workloads, tables):
    """Our container's ratio to each peer: a row a peer, a column a workload and class."""
    columns = []
    peers = {}
    for workload in workloads:
        for wanted in sorted({c for name, c in tables if name == workload.name}):
            rows = {row["peer"]: row for row in tables[workload.name, wanted]}
            if "home" not in rows:
                continue
            title = workload.title + (", " + wanted if workload.classes == BOTH else "")
            columns.append((title, rows))
            for peer, row in rows.items():
                if not is_ours(peer) and not row["failures"]:
                    peers.setdefault(peer, []).append(ratio_of(rows["home"], row))
    lines = ["| home against | " + " | ".join(title for title, _ in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    # The hardest to beat first.
    for peer in sorted(peers, key=lambda peer: -statistics.median(peers[peer])):
        cells = []
        for _, rows in columns:
            known = peer in rows and not rows[peer]["failures"]
            cells.append("%.2f" % ratio_of(rows["home"], rows[peer]) if known else "")
        lines.append("| %s | %s |" % (peer, " | ".join(cells)))
    return lines


def details(workloads, tables):
    lines = ["| workload | class | peer | median ns | middle half | CPU ns | ratio | |"]
    lines.append("|---" * 8 + "|")
    for workload in workloads:
        for wanted in sorted({c for name, c in tables if name == workload.name}):
            for row in tables[workload.name, wanted]:
                known = "median" in row
                notes = []
                if "stolen" in row:
                    notes.append("%.0f %% stolen" % (100 * row["stolen"]))
                if row["failures"]:
                    notes.append(failures_of(row))
                lines.append(
                    "| %s | %s | %s | %s | %s | %s | %s | %s |"
                    % (
                        workload.name,
                        wanted,
                        row["peer"],
                        number(row["median"]) if known else "",
                        middle_half(row) if known else "",
                        number(row["cpu"]) if known else "",
                        "%.2f" % row["ratio"] if "ratio" in row else "",
                        ", ".join(notes),
                    )
                )
    return lines


def self_test():
    """A wrong or failing peer is named and never the best; ratios are those of the rounds."""
    def sample(ns, failure=None):
        return {"ns": ns, "cpu": ns, "failure": failure} if failure else {"ns": ns, "cpu": ns}

    workload = Workload("queue", "queue_1x1", "1x1", 1, ONE)
    results = {
        "home": [sample(10), sample(30), sample(20)],
        "slow": [sample(20), sample(20), sample(20)],
        "wrong": [sample(1), sample(1, "wrong"), sample(1)],
        "gone": [{"failure": "hangs"}, {"failure": "crashes"}, None],
    }
    rows = {row["peer"]: row for row in summarize(workload, results)}
    alone = {peer: taken for peer, taken in results.items() if peer in ("home", "wrong")}
    text = "\n".join(overview("queue", [workload], {("queue_1x1", "rr"): list(rows.values())}))
    each = "\n".join(against_each([workload], {("queue_1x1", "rr"): list(rows.values())}))
    text += "\n".join(details([workload], {("queue_1x1", "rr"): list(rows.values())}))
    checks = [
        ("four rows, the failed ones last", list(rows)[:2] == ["home", "slow"] and len(rows) == 4),
        ("the best peer is right", rows["home"]["ratio_to"] == "slow"),
        ("no best peer if all are wrong", "ratio" not in summarize(workload, alone)[0]),
        ("the median of the ratios", rows["home"]["ratio"] == 1.0),
        ("a wrong sample is left out of the median", rows["wrong"]["median"] == 1),
        ("a wrong peer is named", "wrong **wrong in 1 of 3**" in text),
        ("ours against each", "| slow | 1.00 |" in each and "wrong" not in each),
        ("one that failed always is named", "hangs in 1 of 3, crashes in 1 of 3" in text),
        ("a hang is noticed", "failure" in measure("/bin/sh", "-c", "exec sleep 9", 1, "kernel", [], 0.2)),
        ("a crash is noticed", measure("/bin/sh", "-c", "kill -SEGV $$", 1, "kernel", []) == {"failure": "crashes"}),
        ("wrong is noticed", measure("/bin/sh", "-c", "echo w p 1 1 2.5 cpu=3 check=wrong", 1, "kernel", [])
         == {"ns": 2.5, "cpu": 3.0, "failure": "wrong"}),
    ]
    return figures.report(checks)


def main():
    parser = argparse.ArgumentParser(
        prog="tools/compare_containers", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--package", action="append", choices=sorted(TITLES), help="only these tables")
    parser.add_argument("--only", default="", metavar="REGEX", help="only workloads that match")
    parser.add_argument("--class", dest="classes", action="append", choices=BOTH)
    parser.add_argument("--run-under", default="", metavar="COMMAND", help="before each measurement")
    figures.add_options(parser)
    options = parser.parse_args()
    if options.self_test:
        sys.exit(self_test())
    if not options.program:
        parser.error("--program is missing")

    skipped = list(options.skipped)
    classes = figures.allowed_classes(options.classes or list(BOTH), skipped)
    peers = list_peers(options.program)
    for kind, known in peers.items():
        peers[kind] = {peer: program for peer, program in known.items() if re.search(options.peers, peer)}
    workloads = [
        w
        for w in WORKLOADS
        if (not options.package or w.package in options.package)
        and re.search(options.only, w.name)
        and peers.get(kind_of(w.name))
    ]
    if not workloads:
        sys.exit("nothing to measure")

    results = run_all(options, workloads, peers, classes)
    tables = {(w.name, wanted): summarize(w, taken) for (w, wanted), taken in results.items()}

    machine = figures.machine_of(options, skipped)
    lines = figures.heading("Containers beside their peers", machine)
    for package, title in TITLES.items():
        chosen = [w for w in workloads if w.package == package]
        if chosen:
            lines += ["", "## " + title, ""] + overview(package, chosen, tables)
            if package != "limits":
                lines += [""] + against_each(chosen, tables)
    if not options.brief:
        lines += ["", "## Every row", ""] + details(workloads, tables)
    rows = [
        dict(row, workload=name, **{"class": wanted})
        for (name, wanted), table in tables.items()
        for row in table
    ]
    figures.write_tables(options, lines, {"machine": machine}, rows)


if __name__ == "__main__":
    main()
