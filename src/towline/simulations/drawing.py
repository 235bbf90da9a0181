"""Drawing: the only file of the simulations that knows matplotlib and Pillow.

Physics say what is to be seen (:class:`Panel`, :class:`Picture`); here it becomes PNG and GIF. Colours are those of
Okabe and Ito, which people with colour blindness tell apart.
"""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

Image = NDArray[np.uint8]
Array = NDArray[np.float64]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
_DOTS_PER_INCH = 150
_STYLES = {"line": ("-", ""), "dashed": ("--", ""), "dotted": (":", ""), "points": ("", "o"), "both": ("-", "o")}


@dataclass(frozen=True)
class Curve:
    """A series in a panel."""

    x: ArrayLike
    y: ArrayLike
    label: str = ""
    #: line, dashed, dotted, points, or both (a line with points).
    style: str = "line"
    #: Place in `COLOURS`; None: the next one.
    colour: int | None = None
    #: Standard errors of y.
    errors: ArrayLike | None = None


@dataclass(frozen=True)
class Panel:
    """A pair of axes with their curves."""

    x_label: str
    y_label: str
    curves: Sequence[Curve]
    title: str = ""
    log_x: bool = False
    log_y: bool = False
    #: Part of the x axis that is shaded, and what it is.
    window: tuple[float, float] | None = None
    window_label: str = ""


@dataclass(frozen=True)
class Picture:
    """A field: numbers, drawn with a colour map, or an image of shape (y, x, 3), both with y upwards."""

    values: Array | Image
    title: str
    #: Lengths of the sides.
    size: tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """How numbers of pictures become colours."""

    low: float
    high: float
    label: str
    colours: str = "viridis"


@dataclass(frozen=True)
class Strip:
    """Pictures that belong together."""

    pictures: Sequence[Picture] = field(default_factory=tuple)
    unit: str = ""
    scale: Scale | None = None


def draw_panels(path: Path, panels: Sequence[Panel]) -> Path:
    """Draw panels beside each other into a PNG."""
    canvas = _canvas(5.2 * len(panels) + 0.4 if len(panels) > 1 else 6.4, 4.0)
    for place, panel in enumerate(panels, start=1):
        _draw_panel(canvas.add_subplot(1, len(panels), place), panel)
    return _save(canvas, path)


def draw_strip(path: Path, strip: Strip) -> Path:
    """Draw pictures beside each other, in one scale, into a PNG."""
    count = len(strip.pictures)
    canvas = _canvas(3.3 * count + (0.9 if strip.scale else 0.2), 3.7)
    drawn = None
    every = []
    for place, picture in enumerate(strip.pictures):
        axes = canvas.add_subplot(1, count, place + 1)
        every.append(axes)
        extent = (0.0, picture.size[0], 0.0, picture.size[1])
        limits: dict[str, Any] = {}
        if strip.scale is not None:
            limits = {"vmin": strip.scale.low, "vmax": strip.scale.high, "cmap": strip.scale.colours}
        drawn = axes.imshow(picture.values, origin="lower", extent=extent, interpolation="nearest", **limits)
        axes.set_title(picture.title, fontsize=11)
        axes.set_xlabel(f"x ({strip.unit})" if strip.unit else "x")
        axes.locator_params(nbins=4)
        if place == 0:
            axes.set_ylabel(f"y ({strip.unit})" if strip.unit else "y")
        else:
            axes.tick_params(labelleft=False)
    if strip.scale is not None and drawn is not None:
        canvas.colorbar(drawn, ax=every, label=strip.scale.label, fraction=0.03, pad=0.02)
    return _save(canvas, path)


def draw_animation(path: Path, strip: Strip, milliseconds: int = 160, width: int = 420) -> Path:
    """Draw pictures one after the other into a GIF, the last one held, with their titles on a bar above.

    Parameters
    ----------
    width
        Of the GIF, in pixels, about.
    """
    from PIL import Image as Images
    from PIL import ImageDraw, ImageFont

    frames = []
    font = ImageFont.load_default(size=18)
    for picture in strip.pictures:
        colours = _coloured(picture.values, strip.scale)[::-1]
        times = max(1, round(width / colours.shape[1]))
        height = max(1, round(width * colours.shape[0] / colours.shape[1]))
        image = Images.fromarray(np.ascontiguousarray(colours))
        # Whole multiples keep cells sharp; a mesh finer than the picture is averaged.
        size = (colours.shape[1] * times, colours.shape[0] * times) if times > 1 else (width, height)
        image = image.resize(size, Images.Resampling.NEAREST if times > 1 else Images.Resampling.BOX)
        frame = Images.new("RGB", (image.width, image.height + 28), "white")
        frame.paste(image, (0, 28))
        ImageDraw.Draw(frame).text((6, 3), picture.title, fill="black", font=font)
        frames.append(frame.quantize(128, Images.Quantize.FASTOCTREE, dither=Images.Dither.NONE))
    durations = [milliseconds] * (len(frames) - 1) + [1600]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=False)
    return path


def patchwork(labels: NDArray[np.int32], shade: NDArray[np.float32]) -> Image:
    """Return an image in which every label has a colour of its own, darkened by `shade` from 0 (black) to 1."""
    count = int(labels.max()) + 1
    # Steps of the golden ratio around the circle of hues: neighbours in number are far apart in colour.
    hues = (np.arange(count) * 0.618033988749895) % 1
    palette = np.array(
        [colorsys.hsv_to_rgb(hue, 0.35 + 0.25 * (one % 3) / 2, 0.95) for one, hue in enumerate(hues)], dtype=float
    )
    return np.asarray(255 * palette[labels] * (0.15 + 0.85 * np.clip(shade, 0, 1))[..., None], dtype=np.uint8)


def _canvas(width: float, height: float) -> "Canvas":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(canvas)
    return canvas


def _save(canvas: "Canvas", path: Path) -> Path:
    # Without the version of matplotlib the same data give the same file.
    canvas.savefig(path, format="png", metadata={"Software": None})
    return path


def _draw_panel(axes: Any, panel: Panel) -> None:
    for place, curve in enumerate(panel.curves):
        line, marker = _STYLES[curve.style]
        colour = COLOURS[(place if curve.colour is None else curve.colour) % len(COLOURS)]
        common = {"label": curve.label or None, "color": colour, "linestyle": line, "marker": marker, "markersize": 4.5}
        x, y = np.asarray(curve.x, dtype=float), np.asarray(curve.y, dtype=float)
        if curve.errors is not None:
            axes.errorbar(x, y, yerr=np.asarray(curve.errors, dtype=float), capsize=3, **common)
        else:
            axes.plot(x, y, linewidth=1.6, **common)
    if panel.log_x:
        axes.set_xscale("log")
    if panel.log_y:
        axes.set_yscale("log")
    if panel.window is not None:
        axes.axvspan(*panel.window, color="#E69F00", alpha=0.15, lw=0, label=panel.window_label or None)
    axes.set_xlabel(panel.x_label)
    axes.set_ylabel(panel.y_label)
    axes.set_title(panel.title, fontsize=11)
    axes.grid(alpha=0.3)
    if not panel.log_y:
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4), useMathText=True)
    if any(curve.label for curve in panel.curves) or panel.window_label:
        axes.legend(fontsize=8.5)


def _coloured(values: Array | Image, scale: Scale | None) -> Image:
    if values.ndim == 3:
        return np.asarray(values, dtype=np.uint8)
    from matplotlib import colormaps

    shown = scale or Scale(float(np.nanmin(values)), float(np.nanmax(values)), "")
    share = (values - shown.low) / ((shown.high - shown.low) or 1)
    return np.asarray(255 * colormaps[shown.colours](np.clip(share, 0, 1))[..., :3], dtype=np.uint8)
