"""What an operation costs as the load grows 10, 100 and 1,000 times.

Each curve is a workload of the race at four loads, on one worker (for workers: on as many
as the load says), beside the complexity that the design promises. Its growth is the cost
at the greatest load by the cost at the least.
"""

import collections
import statistics

import svg

# `load`: what grows. `figures`: what is plotted, as race.py's Workload.figure.
# `args`: load -> (n, workers), or for a server (milliseconds, how many there are of what `grows` of
# race.py's Load).
Curve = collections.namedtuple("Curve", "name workload load promise figures args grows", defaults=(None,))

THOUSANDS = (1_000, 10_000, 100_000, 1_000_000)

CURVES = [
    (Curve("tasks", "spawn_many", "live tasks", "O(1) a spawn and a poll", ("ns",),
           lambda load: (load, 1)), THOUSANDS),
    (Curve("timers", "timers", "armed timers", "O(1) to arm and to cancel", ("arm", "cancel"),
           lambda load: (load, 1)), THOUSANDS),
    (Curve("descriptors", "echo_c100_64B", "connections", "O(ready) a poll of the reactor",
           ("cpu",), lambda load: (700, load), "connections"), (8, 80, 800, 8_000)),
    (Curve("idle", "echo_c100_64B", "idle connections beside 100", "O(ready) a poll of the reactor",
           ("cpu",), lambda load: (700, load), "idle"), (10, 100, 1_000, 9_000)),
    (Curve("depth", "chan_depth", "values in a channel", "O(1) a send and a receipt", ("ns",),
           lambda load: (load, 1)), THOUSANDS),
    (Curve("workers", "yield", "workers", "O(workers) a steal, O(1) a yield", ("cpu",),
           lambda load: (300_000, load)), (1, 10, 100)),
]


def run(measure, peers, rounds):
    """[(curve, {peer: {figure: [(load, median)]}})]. measure(peer, curve, load) gives what
    the program said, or None where it can't."""
    done = []
    for curve, loads in CURVES:
        points = {}
        for load in loads:
            samples = collections.defaultdict(list)
            for _ in range(rounds):
                for peer in peers:
                    result = measure(peer, curve, load)
                    if result and "failure" not in result:
                        samples[peer].append(result)
            for peer, results in samples.items():
                for figure in curve.figures:
                    value = statistics.median(result[figure] for result in results)
                    points.setdefault(peer, {}).setdefault(figure, []).append((load, max(value, 0.01)))
        done.append((curve, points))
    return done


def table(done):
    lines = ["| what grows | promised | peer | ns an operation at each load | growth |", "|---" * 5 + "|"]
    for curve, points in done:
        for peer, figures in points.items():
            for figure, values in figures.items():
                name = peer if len(curve.figures) == 1 else "%s, %s" % (peer, figure)
                shown = ", ".join("{:,}: {:,.0f}".format(load, value) for load, value in values)
                lines.append("| %s | %s | %s | %s | %.1f |" % (
                    curve.load, curve.promise, name, shown, values[-1][1] / values[0][1]))
    return lines


def plots(done):
    """Name -> SVG."""
    files = {}
    for curve, points in done:
        series = [
            (peer if len(curve.figures) == 1 else "%s, %s" % (peer, figure), values)
            for peer, figures in points.items() for figure, values in figures.items()
        ]
        if series:
            title = "%s as %s grow: promised is %s" % (curve.workload.split("_c1")[0], curve.load,
                                                       curve.promise)
            files["growth_%s.svg" % curve.name] = svg.curves(title, curve.load, "ns an operation", series)
    return files


def self_test():
    """(what, whether it holds)"""
    def measure(peer, curve, load):
        if peer == "broken":
            return {"failure": "wrong"}
        return {figure: 10.0 * (load if peer == "linear" else 1) for figure in curve.figures}

    done = run(measure, ["flat", "linear", "broken"], 3)
    text = "\n".join(table(done))
    return [
        ("a flat curve", "| flat | 1,000: 10, 10,000: 10, 100,000: 10, 1,000,000: 10 | 1.0 |" in text),
        ("a curve that is not flat", "| linear, arm |" in text and "| 1000.0 |" in text),
        ("what is wrong is left out", "broken" not in text),
        ("a plot a curve", len(plots(done)) == len(CURVES)
         and all(plot.count("<polyline") >= 2 for plot in plots(done).values())),
    ]
