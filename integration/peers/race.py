#!/usr/bin/env python3
"""Runs Home Async beside its peers, in turn, and writes the table.

    race.py --program PEER=PATH [--program PEER=PATH]... [WORKLOAD...] [options]

Called by tools/race, which builds the programs and knows what is missing. README.md says
what a program must do, ../figures.py what the classes are. A round runs every peer of every
workload once, the peers of one workload one after another and in an order that changes from
round to round, so that a noisy machine treats all alike.

Reported are medians, the middle half of the rounds, and ours as a multiple of a peer's:
the median of the rounds' ratios, so that below 1 we lead.
"""

import argparse
import collections
import contextlib
import io
import os
import re
import select
import statistics
import subprocess
import sys
import tempfile

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import check  # noqa: E402
import growth  # noqa: E402
import svg  # noqa: E402
import figures  # noqa: E402
from figures import (  # noqa: E402
    failures_of, in_class, may_use_rr, median_of_ratios, middle_half, number, result_of, shown)

# `figure` is what is compared: "ns" (wall time), or a KEY=VALUE of the program's. `load`:
# the program serves, and this is what the client does.
Workload = collections.namedtuple("Workload", "name n figure unit load", defaults=(None,))
Load = collections.namedtuple("Load", "server kind connections bytes idle", defaults=(0,))


def echo(connections, size, size_name):
    return Workload("echo_c%d_%s" % (connections, size_name), 2000, "cpu", "server CPU ns a request",
                    Load("serve_echo", "echo", connections, size))


WORKLOADS = [
    Workload("spawn_join", 1_000_000, "ns", "ns a task"),
    Workload("spawn_join_ready", 1_000_000, "ns", "ns a task"),
    Workload("spawn_many", 1_000_000, "ns", "ns a task"),
    Workload("yield", 1_000_000, "ns", "ns a yield"),
    Workload("fib", 27, "ns", "ns a call"),
    Workload("oneshot", 300_000, "ns", "ns a round trip"),
    Workload("ping_pong", 300_000, "ns", "ns a round trip"),
    Workload("ping_pong1", 100_000, "ns", "ns a round trip"),
    Workload("chan_b_1x1", 2_000_000, "ns", "ns a value"),
    Workload("chan_b_1x4", 2_000_000, "ns", "ns a value"),
    Workload("chan_b_2x2", 2_000_000, "ns", "ns a value"),
    Workload("chan_b_4x1", 2_000_000, "ns", "ns a value"),
    Workload("chan_b_4x4", 2_000_000, "ns", "ns a value"),
    Workload("chan_u_1x1", 2_000_000, "ns", "ns a value"),
    Workload("chan_u_1x4", 2_000_000, "ns", "ns a value"),
    Workload("chan_u_2x2", 2_000_000, "ns", "ns a value"),
    Workload("chan_u_4x1", 2_000_000, "ns", "ns a value"),
    Workload("chan_u_4x4", 2_000_000, "ns", "ns a value"),
    Workload("broadcast_1x8", 300_000, "ns", "ns a value"),
    Workload("watch_1x8", 300_000, "ns", "ns a value"),
    Workload("mutex", 1_280_000, "ns", "ns a turn"),
    Workload("semaphore", 1_280_000, "ns", "ns a turn"),
    Workload("notify", 300_000, "ns", "ns a round trip"),
    Workload("timers", 1_000_000, "ns", "ns a timer"),
    Workload("sleeps", 1_000_000, "cpu", "CPU ns a sleep"),
    Workload("idle_sleep", 1_000_000, "bytes", "bytes a task"),
    Workload("idle_recv", 1_000_000, "bytes", "bytes a task"),
    Workload("idle_channel", 1_000_000, "bytes", "bytes a channel"),
    Workload("burst", 1_000_000, "bytes", "bytes a task that ended"),
    Workload("chan_depth", 100_000, "ns", "ns a value"),
    echo(100, 64, "64B"),
    echo(1000, 64, "64B"),
    echo(100, 16384, "16K"),
    echo(1000, 16384, "16K"),
    Workload("http", 2000, "cpu", "server CPU ns a request", Load("serve_http", "http", 100, 1)),
    Workload("idle_connection", 5000, "bytes", "bytes a connection",
             Load("serve_echo", "idle", 5000, 64)),
]

OURS = "home"
# Ours too, by another way than the usual one: among the others of a row, and no peer.
OURS_TOO = "home-mpmc"
# What the machine can do: no peer, but the floor of a workload.
LIMIT = "limit"
# Their tasks have no handles and cannot be cancelled: a mark of their own.
WITHOUT_HANDLES = {"libfork", "taskflow", "tbb", "toomanycooks"}
# The runtimes that the geometric mean is about.
RIVALS = ("tokio", "go")

# A server's buffer for a connection is so many times as large as the messages: a short read
# says to everyone that there is no more.
BUFFER_TO_MESSAGE = 2
SERVER_CPU, CLIENT_CPU = 0, 1

RECORD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recorded.json")

TIMEOUT_SECONDS = 60


def known_workloads(program):
    listing = subprocess.run([program, "--list"], check=True, capture_output=True, text=True)
    return set(listing.stdout.split())


def measure(program, workload, n, threads, wanted_class, timeout=TIMEOUT_SECONDS):
    """A dictionary with `ns`, `cpu` and what else the program said, or with `failure`."""
    command = in_class(wanted_class) + [program, workload, str(n), str(threads)]
    return result_of(command, timeout)


def measure_server(program, client, load, n, threads, wanted_class, timeout=TIMEOUT_SECONDS):
    """The same of a server under load, each on a processor of its own. n: connections of
    an idle server, else milliseconds."""
    first = ["taskset", "-c", str(SERVER_CPU)] + in_class(wanted_class)
    server = subprocess.Popen(first + [program, load.server, str(load.bytes * BUFFER_TO_MESSAGE), str(threads)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        ready, _, _ = select.select([server.stdout], [], [], timeout)
        if not ready:
            return {"failure": "hangs"}
        line = server.stdout.readline()
        if not line:
            return {"failure": "crashes"}
        second = ["taskset", "-c", str(CLIENT_CPU)] + in_class(wanted_class)
        connections = n if load.kind == "idle" else load.connections
        return result_of(second + [client, load.kind, line.rpartition(":")[2].strip(),
                                   str(server.pid), str(connections), str(load.bytes), str(n),
                                   str(load.idle)],
                         timeout)
    finally:
        server.kill()
        server.communicate()


def asked_of(workload):
    """What a program calls it."""
    return workload.load.server if workload.load else workload.name


def run_all(rows, programs, client, rounds, scale):
    """(workload, threads, class) -> {peer: results, one a round; None where left out}.
    `programs`: peer -> {workload: (the program, what it calls the workload)}."""
    groups = {row: [peer for peer, known in programs.items() if asked_of(row[0]) in known] for row in rows}

    def measure_one(row, peer):
        workload, threads, wanted = row
        n = workload.n if workload.name == "fib" else max(1, int(workload.n * scale))
        program, name = programs[peer][asked_of(workload)]
        if workload.load:
            return measure_server(program, client, workload.load, n, threads, wanted)
        return measure(program, name, n, threads, wanted)

    return figures.run_rounds(groups, rounds, measure_one)


def summarize(workload, taken):
    """Peer -> row, the best first; those that failed last."""
    by_peer = {row["peer"]: row for row in figures.rows_of(taken, workload.figure)}
    if OURS in by_peer:
        for row in by_peer.values():
            row["ours_to_it"] = median_of_ratios(by_peer[OURS]["samples"], row["samples"])
    return by_peer


def best_of(table, peers):
    return next((r for r in table.values() if r["peer"] in peers and not r["failures"]), None)


def plot(rows, tables):
    """Ours to each peer's and to the limit, of all rows, as SVG."""
    groups = []
    for workload, threads, wanted in rows:
        entries = [(peer, row["ours_to_it"]) for peer, row in tables[workload.name, threads, wanted].items()
                   if peer not in (OURS, OURS_TOO) and not row["failures"] and row.get("ours_to_it")]
        if entries:
            groups.append(("%s, %d %s" % (workload.name, threads, wanted), sorted(entries)))
    return svg.bars("Home Async as a multiple of its peers: left of 1 it leads", groups)


def ratio_to(row):
    """Ours to it; nothing where one of both is missing or wrong."""
    ratio = row.get("ours_to_it") if row and not row["failures"] else None
    return "%.2f" % ratio if ratio is not None else ""


def overview(rows, tables):
    """A line a workload, number of workers and class."""
    lines = ["| workload | workers | home | middle half | CPU | best with handles | ratio "
             "| best without | ratio | limit | ratio | the others |"]
    lines.append("|---" * 12 + "|")
    for workload, threads, wanted in rows:
        table = tables[workload.name, threads, wanted]
        ours = table.get(OURS)
        runtimes = {peer for peer in table if peer not in WITHOUT_HANDLES | {OURS, OURS_TOO, LIMIT}}
        best = best_of(table, runtimes)
        bare = best_of(table, WITHOUT_HANDLES)
        limit = table.get(LIMIT)
        others = [row for row in table.values() if row not in (ours, best, bare, limit)]
        right = ours is not None and not ours["failures"]
        cells = ["%s, %s" % (workload.name, workload.unit), "%d %s" % (threads, wanted)]
        cells.append("**%s**" % number(ours["median"]) if right else failures_of(ours) if ours else "")
        cells.append(middle_half(ours) if right else "")
        cells.append(number(ours["cpu"]) if right else "")
        for peer in (best, bare):
            cells.append(shown(peer) if peer else "")
            cells.append(ratio_to(peer) if right else "")
        known = limit is not None and not limit["failures"]
        cells.append(number(limit["median"]) if known else failures_of(limit) if limit else "")
        cells.append(ratio_to(limit) if right else "")
        cells.append(", ".join(shown(row) for row in others))
        lines.append("| %s |" % " | ".join(cells))
    return lines


def geometric_means(rows, tables):
    """Ours against the better of the rivals, over all workloads of a class and width."""
    lines = []
    logs = collections.defaultdict(list)
    for workload, threads, wanted in rows:
        table = tables[workload.name, threads, wanted]
        best = best_of(table, RIVALS)
        ours = table.get(OURS)
        if best and ours and not ours["failures"]:
            logs[threads, wanted].append(best["ours_to_it"])
    for (threads, wanted), ratios in sorted(logs.items()):
        lines.append(
            "- %d workers, %s: %.2f over %d workloads; ahead in %d."
            % (threads, wanted, statistics.geometric_mean(ratios), len(ratios),
               sum(ratio < 1 for ratio in ratios))
        )
    return lines


def details(rows, tables):
    lines = ["| workload | workers | peer | figure | middle half | wall ns | CPU ns | home / it | |"]
    lines.append("|---" * 9 + "|")
    usual = {"peer", "failures", "samples", "median", "quartiles", "ns", "cpu", "ours_to_it"}
    for workload, threads, wanted in rows:
        for row in tables[workload.name, threads, wanted].values():
            known = "median" in row
            notes = ["%s %s" % (k, number(v)) for k, v in row.items() if k not in usual]
            if row["failures"]:
                notes.append(failures_of(row))
            ratio = row.get("ours_to_it")
            cells = [workload.name, "%d %s" % (threads, wanted), row["peer"]]
            cells.append(number(row["median"]) if known else "")
            cells.append(middle_half(row) if known else "")
            cells.append(number(row["ns"]) if known else "")
            cells.append(number(row["cpu"]) if known else "")
            cells.append("%.2f" % ratio if ratio is not None else "")
            cells.append(", ".join(notes))
            lines.append("| %s |" % " | ".join(cells))
    return lines


def measure_growth(programs, client, rounds, folder):
    """Writes the plots into `folder`; returns the lines of a table."""
    def measure_one(peer, curve, load):
        workload = next(each for each in WORKLOADS if each.name == curve.workload)
        wanted = "rr" if may_use_rr() else "kernel"
        if asked_of(workload) not in programs[peer]:
            return None
        program, name = programs[peer][asked_of(workload)]
        n, number_of = curve.args(load)
        if workload.load is None:
            return measure(program, name, n, number_of, wanted)
        if client is None or os.cpu_count() < 2:
            return None
        load = workload.load._replace(**{curve.grows: number_of})
        return measure_server(program, client, load, n, 1, wanted)

    done = growth.run(measure_one, [p for p in (OURS,) + RIVALS if p in programs], rounds)
    for name, text in growth.plots(done).items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    return growth.table(done)


def check_rows(rows, tables_of, recorded):
    """The exit status. `tables_of` measures rows."""
    rows = [row for row in rows if check.key_of(row[0].name, row[1], row[2]) in recorded]
    compared, bad = {}, []
    for _ in range(2):
        now = check.ratios_of(tables_of(rows), OURS, {OURS_TOO, LIMIT}) if rows else {}
        again = check.changes(now, recorded)
        compared.update(again)
        bad = check.lost(again)
        rows = [row for row in rows if check.key_of(row[0].name, row[1], row[2]) in bad]
    for key, value in sorted(compared.items()):
        print("%-24s %.2f of the recorded ratio%s" % (key, value, "  LOST" if key in bad else ""))
    print("%d rows compared, %d lost more than %.0f %%" % (len(compared), len(bad), (check.LOST - 1) * 100))
    return 1 if bad or not compared else 0


def self_test():
    """Wrong or failing peers are named and never the best; ratios are those of the rounds."""

    def sample(ns, failure=None):
        return dict({"ns": ns, "cpu": ns}, **({"failure": failure} if failure else {}))

    workload = Workload("yield", 1, "ns", "ns a yield")
    taken = {
        "home": [sample(10), sample(30), sample(20)],
        "tokio": [sample(20), sample(20), sample(20)],
        "go": [sample(1), sample(1, "wrong"), sample(1)],
        "tbb": [sample(40), sample(40), sample(40)],
        "limit": [sample(5), sample(5), sample(5)],
        "home-mpmc": [sample(6), sample(6), sample(6)],
        "asio": [{"failure": "hangs"}, {"failure": "crashes"}, None],
    }
    rows = [(workload, 2, "rr")]
    tables = {("yield", 2, "rr"): summarize(workload, taken)}
    table = tables["yield", 2, "rr"]
    text = "\n".join(overview(rows, tables) + geometric_means(rows, tables) + details(rows, tables))

    def run(script, timeout=5):
        return measure("/bin/sh", "-c", script, 1, "kernel", timeout)

    def serve(script, timeout=5):
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("server", "client")]
            for path, text in zip(paths, (script, "echo $1 $3 1 1 $2 cpu=1 check=ok")):
                with open(path, "w") as file:
                    file.write("#!/bin/sh\n%s\n" % text)
                os.chmod(path, 0o755)
            load = Load("serve_echo", "echo", 1, 1)
            return measure_server(paths[0], paths[1], load, 1, 1, "kernel", timeout)

    checks = [
        ("the failed ones last", list(table)[:4] == ["limit", "home-mpmc", "home", "tokio"] and len(table) == 7),
        ("ours by another way is no peer", "| 5.0 | 4.00 | home-mpmc 6.0, go" in text),
        ("the median of the ratios", table["tokio"]["ours_to_it"] == 1.0),
        ("a wrong sample is left out", table["go"]["median"] == 1),
        ("a wrong peer is named", "go **wrong in 1 of 3**" in text),
        ("those without handles apart", "| tokio 20.0 | 1.00 | tbb 40.0 | 0.50 | 5.0 | 4.00 |" in text),
        ("all failures are named", "hangs in 1 of 3, crashes in 1 of 3" in text),
        ("the better rival", "- 2 workers, rr: 1.00 over 1 workloads; ahead in 0." in text),
        ("a server that crashes", serve("exit 3") == {"failure": "crashes"}),
        ("a server that hangs", serve("exec sleep 9", 0.2) == {"failure": "hangs"}),
        ("the server's port and id", serve("echo on 1.2.3.4:99; exec sleep 9")["ns"] == 99),
        ("a hang is noticed", run("exec sleep 9", 0.2) == {"failure": "hangs"}),
        ("a crash is noticed", run("kill -SEGV $$") == {"failure": "crashes"}),
        ("a wrong one is noticed", run("echo w p 1 1 2.5 cpu=3 check=wrong")
         == {"ns": 2.5, "cpu": 3.0, "failure": "wrong"}),
    ]
    def checked(speeds):
        """`speeds`: of Tokio, where ours is 1, in each measurement; recorded is 1."""
        left = list(speeds)

        def tables_of(_):
            by_peer = {"home": [sample(1)], "tokio": [sample(left.pop(0))]}
            return {("yield", 2, "rr"): summarize(workload, by_peer)}

        with contextlib.redirect_stdout(io.StringIO()):
            return check_rows(rows, tables_of, {"yield 2 rr": {"tokio": 1.0}} if speeds else {})

    checks += check.self_test() + growth.self_test() + [
        ("the table's ratios", check.ratios_of({("yield", 2, "rr"): table}, OURS, {OURS_TOO, LIMIT})
         == {"yield 2 rr": {"tokio": 1.0, "tbb": 0.5}}),
        ("a row that lost once", checked([0.5, 1.0]) == 0),
        ("a row that lost twice", checked([0.5, 0.5]) == 1),
        ("a check of nothing", checked([]) == 1),
        ("a plot of what is right", plot(rows, tables).count("<title>yield") == 3),
    ]
    return figures.report(checks)


def main():
    parser = argparse.ArgumentParser(prog="tools/race", description=__doc__.splitlines()[0])
    parser.add_argument("workload", nargs="*", help="only these (default: all)")
    parser.add_argument("--rounds", type=int, help="default: 5; with --check 3")
    parser.add_argument("--threads", default="1,2", metavar="N,N", help="numbers of workers")
    parser.add_argument("--class", dest="classes", action="append", choices=("kernel", "rr"),
                        help="default: both; one worker only rr")
    parser.add_argument("--svg", metavar="FILE", help="a plot of the ratios")
    parser.add_argument("--growth", metavar="FOLDER",
                        help="instead: costs as the load grows; the plots go into FOLDER")
    parser.add_argument("--record", metavar="FILE", help="the ratios, for --check")
    parser.add_argument("--check", metavar="FILE", nargs="?", const=RECORD,
                        help="fail if a row lost 15 %% of its recorded ratios; three rounds")
    parser.add_argument("--client", help=argparse.SUPPRESS)
    figures.add_options(parser)
    options = parser.parse_args()
    if options.self_test:
        sys.exit(self_test())
    options.rounds = options.rounds or (3 if options.check else 5)

    programs = {}
    for program in options.program:
        peer, _, path = program.partition("=")
        # PEER:OTHER=PATH: only what it knows of that other peer, in its stead.
        peer, _, stands_for = peer.partition(":")
        for name in known_workloads(path):
            # A program may know workloads of other peers, too: PEER/WORKLOAD.
            of_peer, _, workload = name.rpartition("/")
            if stands_for and of_peer != stands_for:
                continue
            shown = peer if stands_for else of_peer or peer
            if re.search(options.peers, shown):
                programs.setdefault(shown, {})[workload] = (path, name)
    unknown = set(options.workload) - {w.name for w in WORKLOADS}
    if unknown:
        parser.error("unknown workload: %s" % ", ".join(sorted(unknown)))
    skipped = list(options.skipped)
    classes = figures.allowed_classes(options.classes or ["kernel", "rr"], skipped)
    rows = []
    for workload in WORKLOADS:
        if options.workload and workload.name not in options.workload:
            continue
        if not any(asked_of(workload) in known for known in programs.values()):
            continue
        if workload.load and (os.cpu_count() < 2 or not options.client):
            skipped.append("%s (needs two processors and a client)" % workload.name)
            continue
        # A server has one processor.
        wanted_threads = "1" if workload.load else options.threads
        for threads in (int(each) for each in wanted_threads.split(",")):
            # One worker has no neighbour to be stacked upon.
            for wanted in classes if threads > 1 else classes[-1:]:
                rows.append((workload, threads, wanted))
    if not rows:
        sys.exit("nothing to measure")

    def tables_of(wanted_rows):
        results = run_all(wanted_rows, programs, options.client, options.rounds, options.scale)
        return {
            (w.name, threads, wanted): summarize(w, taken)
            for (w, threads, wanted), taken in results.items()
        }

    if options.growth:
        print("\n".join(measure_growth(programs, options.client, options.rounds, options.growth)))
        return
    if options.check:
        recorded, options.scale = check.read(options.check)
        sys.exit(check_rows(rows, tables_of, recorded))
    tables = tables_of(rows)
    machine = figures.machine_of(options, skipped)
    lines = figures.heading("The race", machine)
    if options.svg:
        with open(options.svg, "w") as file:
            file.write(plot(rows, tables))
        if options.markdown:
            path = os.path.relpath(options.svg, os.path.dirname(options.markdown) or ".")
            lines += ["", "![Ratios to each peer](%s)" % path]
    lines += [""] + overview(rows, tables)
    means = geometric_means(rows, tables)
    if means:
        lines += ["", "Against the better of Tokio and Go, geometric mean of the ratios:", ""] + means
    if not options.brief:
        lines += ["", "## Every row", ""] + details(rows, tables)
    if options.record:
        check.write(options.record, machine, check.ratios_of(tables, OURS, {OURS_TOO, LIMIT}))
    entries = [
        dict(row, workload=w.name, threads=threads, **{"class": wanted})
        for w, threads, wanted in rows
        for row in tables[w.name, threads, wanted].values()
    ]
    figures.write_tables(options, lines, {"machine": machine, "geometric_means": means}, entries)


if __name__ == "__main__":
    main()
