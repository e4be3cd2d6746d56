"""Plots of measurements as SVG: lines over two logarithmic axes, readable on a light and on a dark page."""

import html
import math

WIDTH, HEIGHT = 940, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 350, 40, 50

# Told apart by hue and by lightness, on white and on near-black.
COLORS = ["#3b7dd8", "#d9822b", "#2e9e6b", "#c44f8a", "#7aa7e6", "#e8b06f", "#74c9a3", "#e08fba"]

STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #24292f; }
    .title { font-weight: 600; }
    .grid { stroke: #d0d7de; stroke-width: 1; }
    .line { fill: none; stroke-width: 2; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .grid { stroke: #3d444d; }
    }
"""


class Panel:
    """One plot: the value of each line at each x; `show_x` and `show_y` write what stands at the axes."""

    def __init__(self, title, lines, show_x, show_y):
        self.title, self.lines, self.show_x, self.show_y = title, lines, show_x, show_y

    def decades(self, values):
        """The powers of ten around the values: the first, and one behind the last."""
        low = math.floor(math.log10(min(values)) + 1e-9)
        return range(low, max(low + 1, math.ceil(math.log10(max(values)) - 1e-9)) + 1)

    def draw(self, top):
        across = self.decades([x for line in self.lines.values() for x in line])
        upward = self.decades([y for line in self.lines.values() for y in line.values()])
        right, bottom = WIDTH - RIGHT, top + HEIGHT - BOTTOM

        def place(x, y):
            part_x = (math.log10(x) - across[0]) / (across[-1] - across[0])
            part_y = (math.log10(y) - upward[0]) / (upward[-1] - upward[0])
            return LEFT + part_x * (right - LEFT), bottom - part_y * (bottom - top - TOP)

        yield f'<text class="title" x="{LEFT}" y="{top + 24}">{html.escape(self.title)}</text>'
        for power in across:
            x, _ = place(10.0**power, 10.0 ** upward[0])
            yield f'<line class="grid" x1="{x:.1f}" y1="{top + TOP}" x2="{x:.1f}" y2="{bottom}"/>'
            yield f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{self.show_x(10.0**power)}</text>'
        for power in upward:
            _, y = place(10.0 ** across[0], 10.0**power)
            yield f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>'
            yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{self.show_y(10.0**power)}</text>'
        for n, (name, line) in enumerate(self.lines.items()):
            color = COLORS[n % len(COLORS)]
            points = [place(x, y) for x, y in sorted(line.items())]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            yield f'<polyline class="line" stroke="{color}" points="{path}"/>'
            yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in points)
            at = top + TOP + 14 + 22 * n
            yield f'<line class="line" stroke="{color}" x1="{right + 14}" y1="{at - 4}" x2="{right + 36}" y2="{at - 4}"/>'
            yield f'<text x="{right + 42}" y="{at}">{html.escape(name)}</text>'


def svg(panels):
    """The plots beneath each other."""
    height = HEIGHT * len(panels)
    parts = [part for n, panel in enumerate(panels) for part in panel.draw(n * HEIGHT)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">'
    return "\n".join([head, f"  <style>{STYLE}  </style>", *("  " + part for part in parts), "</svg>", ""])
