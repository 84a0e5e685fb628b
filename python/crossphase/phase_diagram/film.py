"""A sweep of a phase diagram as an animated GIF."""

from __future__ import annotations

import io
import itertools
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from crossphase.phase_diagram.plot import caption, draw_plane, lay_out
from crossphase.phase_diagram.sweep import MILLISECONDS

if TYPE_CHECKING:
    from PIL.Image import Image

    from crossphase.phase_diagram.diagram import PhaseDiagram
    from crossphase.phase_diagram.sweep import ParameterSweep

_log = logging.getLogger(__name__)

DOTS_PER_INCH = 110
LAST_MILLISECONDS = 1500  # time to read where the sweep ends


def to_gif(diagram: PhaseDiagram, sweep: ParameterSweep) -> bytes:
    """The frames of a sweep in one endless film; all share one palette, so that no colour flickers."""
    frames = _frames(diagram, sweep)
    first = next(frames)
    from PIL.Image import Dither  # noqa: PLC0415  (known to be there by now)

    palette = _palette(first)
    paletted = (frame.quantize(palette=palette, dither=Dither.NONE) for frame in itertools.chain([first], frames))
    durations = [MILLISECONDS] * (len(sweep.values) - 1) + [LAST_MILLISECONDS]
    film = io.BytesIO()
    next(paletted).save(film, format="GIF", save_all=True, append_images=paletted, duration=durations, loop=0)
    return film.getvalue()


def _palette(frame: Image) -> Image:
    """The most frequent colours that can be told apart; those of all regions are among them, for the legend shows them."""
    from PIL import Image  # noqa: PLC0415

    counted: Any = frame.getcolors(frame.width * frame.height)
    chosen = np.empty((0, 3))
    for _, color in sorted(counted, reverse=True):
        # Pillow finds the nearest colour to the corner of a cell of 4 x 4 x 4, up to 3 sqrt(3) off: colours nearer to each
        # other than twice that could be confused.
        if len(chosen) < 256 and (np.linalg.norm(chosen - color, axis=1) > 6 * np.sqrt(3)).all():
            chosen = np.vstack([chosen, color])
    palette = Image.new("P", (1, 1))
    palette.putpalette(chosen.astype(int).ravel().tolist())
    return palette


def _frames(diagram: PhaseDiagram, sweep: ParameterSweep) -> Iterator[Image]:
    """Axes, ticks and legend are drawn once; each frame adds regions, points and the title to a copy of them."""
    diagrams = list(sweep.diagrams(diagram))
    figure, axes = lay_out(diagrams[0])  # or a sentence, if matplotlib is missing
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415  (comes with matplotlib)

    figure.set_dpi(DOTS_PER_INCH)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()  # places everything, title included; nothing may move from here on
    figure.set_layout_engine("none")
    title = figure.texts[0]
    title.set_visible(False)
    canvas.draw()
    still = canvas.copy_from_bbox(figure.bbox)
    title.set_visible(True)
    for i, frame in enumerate(diagrams):
        _log.info("frame %d of %d", i + 1, len(diagrams))
        canvas.restore_region(still)
        for axis, way in zip(axes, frame.ways, strict=True):
            drawn = draw_plane(axis, frame, way)
            for artist in [*drawn, *axis.spines.values()]:  # the frame again, over the regions' edges
                axis.draw_artist(artist)
            for artist in drawn:
                artist.remove()
        title.set_text(caption(frame))
        figure.draw_artist(title)
        yield Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
