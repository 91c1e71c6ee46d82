"""Plots for the comparisons of this folder, as SVG text: bars of ratios, and curves.

Both axes of curves and the one of bars are logarithmic: a ratio of 2 and one of 1/2 are
equally far from 1. Nothing but the standard library; every text is escaped.
"""

import math
from xml.sax.saxutils import escape

COLOURS = ("#1b6ca8", "#c4572b", "#3d8b3d", "#8055a8", "#a8862a", "#5b6770", "#b8427a", "#111111",
           "#6fb4e8", "#f0a37f", "#8fd18f", "#c3a6e0", "#e0c568", "#a9b3ba", "#eb9cc0", "#2aa8a0")
FONT = 'font-family="sans-serif" font-size="12"'


def _text(x, y, text, anchor="start", more=""):
    return '<text x="%.1f" y="%.1f" text-anchor="%s" %s %s>%s</text>' % (
        x, y, anchor, FONT, more, escape(text))


def _line(x1, y1, x2, y2, colour, more=""):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" %s/>' % (
        x1, y1, x2, y2, colour, more)


def _document(width, height, parts):
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d">' % (
        width, height, width, height)
    ground = '<rect width="%d" height="%d" fill="#ffffff"/>' % (width, height)
    return "\n".join([head, ground] + parts + ["</svg>"]) + "\n"


def _scale(values, begin, end, include=()):
    """From a value to a place between `begin` and `end`, and the ticks: 1, 2 and 5 of
    each power of ten between the least and the greatest value, or its powers alone."""
    every = list(values) + list(include)
    low, high = math.log10(min(every)), math.log10(max(every))
    if high - low < 0.1:
        low, high = low - 0.05, high + 0.05
    steps = (1, 2, 5) if high - low < 2.5 else (1,)
    ticks = [step * 10.0 ** power for power in range(math.floor(low), math.ceil(high) + 1)
             for step in steps]
    ticks = [tick for tick in ticks if low - 1e-9 <= math.log10(tick) <= high + 1e-9]

    def place(value):
        return begin + (math.log10(value) - low) / (high - low) * (end - begin)

    return place, ticks


def bars(title, groups):
    """Groups: [(name, [(series, ratio)])]. A bar a ratio, to the left of 1 or to the right."""
    series = list(dict.fromkeys(name for _, entries in groups for name, _ in entries))
    ratios = [ratio for _, entries in groups for _, ratio in entries]
    # The legend: so many names side by side.
    columns = 7
    left, right, row, top = 230, 40, 11, 48 + 18 * math.ceil(len(series) / columns)
    width = 900
    height = top + sum(row * len(entries) + 8 for _, entries in groups) + 30
    place, ticks = _scale(ratios, left, width - right, (1.0,))
    parts = [_text(10, 22, title, more='font-weight="bold"')]
    for i, name in enumerate(series):
        x, y = 10 + 125 * (i % columns), 32 + 18 * (i // columns)
        parts.append('<rect x="%d" y="%d" width="10" height="10" fill="%s"/>'
                     % (x, y, COLOURS[i % len(COLOURS)]))
        parts.append(_text(x + 14, y + 10, name))
    for tick in ticks:
        parts.append(_line(place(tick), top - 6, place(tick), height - 24, "#dddddd"))
        parts.append(_text(place(tick), height - 8, "%g" % tick, "middle"))
    y = top
    for name, entries in groups:
        parts.append(_text(left - 8, y + row * len(entries) / 2 + 4, name, "end"))
        for peer, ratio in entries:
            x = place(ratio)
            parts.append(
                '<rect x="%.1f" y="%.1f" width="%.1f" height="%d" fill="%s"><title>%s: %.2f</title></rect>'
                % (min(x, place(1.0)), y, max(abs(x - place(1.0)), 1.0), row - 2,
                   COLOURS[series.index(peer) % len(COLOURS)], escape("%s, %s" % (name, peer)), ratio))
            y += row
        y += 8
    parts.append(_line(place(1.0), top - 6, place(1.0), height - 24, "#000000"))
    return _document(width, height, parts)


def curves(title, x_name, y_name, series):
    """Series: [(name, [(x, y)])], all numbers above 0."""
    width, height, left, right, top, bottom = 760, 420, 70, 190, 44, 48
    place_x, ticks_x = _scale([x for _, points in series for x, _ in points], left, width - right)
    place_y, ticks_y = _scale([y for _, points in series for _, y in points],
                              height - bottom, top)
    parts = [_text(10, 22, title, more='font-weight="bold"')]
    for tick in ticks_x:
        parts.append(_line(place_x(tick), top, place_x(tick), height - bottom, "#dddddd"))
        parts.append(_text(place_x(tick), height - bottom + 16, "{:,g}".format(tick), "middle"))
    for tick in ticks_y:
        parts.append(_line(left, place_y(tick), width - right, place_y(tick), "#dddddd"))
        parts.append(_text(left - 6, place_y(tick) + 4, "{:,g}".format(tick), "end"))
    parts.append(_text((left + width - right) / 2, height - 10, x_name, "middle"))
    parts.append(_text(10, top - 8, y_name))
    for i, (name, points) in enumerate(series):
        colour = COLOURS[i % len(COLOURS)]
        places = ["%.1f,%.1f" % (place_x(x), place_y(y)) for x, y in points]
        parts.append('<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>'
                     % (colour, " ".join(places)))
        for spot in places:
            parts.append('<circle cx="%s" cy="%s" r="3" fill="%s"/>' % (*spot.split(","), colour))
        parts.append('<rect x="%d" y="%d" width="10" height="10" fill="%s"/>'
                     % (width - right + 14, top + 18 * i, colour))
        parts.append(_text(width - right + 28, top + 10 + 18 * i, name))
    return _document(width, height, parts)
