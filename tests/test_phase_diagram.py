"""The phase diagram of chosen parameters: numbers, picture, film and page agree with the formulas and with each other."""

from __future__ import annotations

import html.parser
import io
import itertools
import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crossphase
from crossphase import InputTypeError, InputValueError, ParameterSweep, PhaseDiagram, PhasePoint, Regime, classify
from crossphase.demo_data import load_demo
from crossphase.phase_diagram import Direction
from crossphase.phase_plane import REGION_COLORS, REGION_LABELS

BOTH_WAYS = PhaseDiagram(gamma_x=0.5, gamma_y=0.2, gamma_tilde_x=2.0, gamma_tilde_y=10.0)
EXTREMES = [
    PhaseDiagram(0.5, 0.5, gamma_tilde_y=100.0),
    PhaseDiagram(0.5, 0.5, gamma_tilde_y=0.01),
    PhaseDiagram(0.5, 0.5, gamma_tilde_y=1.0),  # the boundaries cross
    PhaseDiagram(0.0, 0.0, gamma_tilde_y=0.0),
    PhaseDiagram(0.5, 0.05, gamma_tilde_y=50.0, kappa_max=0.05),
    PhaseDiagram(1e-18, 1e-18, gamma_tilde_y=2e-17),  # fluxes in SI units
]


def regime_by_hand(diagram: PhaseDiagram, kappa: float, nu: float, way: str) -> Regime:
    """The definitions of the ratios, from singular values of the spiked model's coherence and prediction operator."""
    predicting, predicted, gamma_tilde = (
        (diagram.gamma_x, diagram.gamma_y, diagram.gamma_tilde_y)
        if way == "x-to-y"
        else (diagram.gamma_y, diagram.gamma_x, diagram.gamma_tilde_x)
    )
    correlation = kappa / math.sqrt(kappa**2 + predicting) * (kappa / math.sqrt(kappa**2 + predicted))
    gain = kappa * (kappa / math.sqrt(kappa**2 + predicting))
    gain_of_nuisance = nu * math.sqrt(gamma_tilde)
    delta_cp = gain / gain_of_nuisance if gain_of_nuisance > 0 else math.inf
    return classify(correlation / nu, delta_cp)


# ---- numbers ---------------------------------------------------------------------------------------------------------

variances = st.one_of(st.just(0.0), st.floats(1e-6, 1e6))


@given(st.floats(1e-4, 1e4), st.floats(1e-3, 1.0), variances, variances, variances, variances)
def test_regimes_are_those_of_the_ratios(
    kappa: float, nu: float, gamma_x: float, gamma_y: float, gamma_tilde_x: float, gamma_tilde_y: float
) -> None:
    diagram = PhaseDiagram(gamma_x, gamma_y, gamma_tilde_x=gamma_tilde_x, gamma_tilde_y=gamma_tilde_y)
    found = diagram.locate(PhasePoint(kappa, nu))
    # Two ways to round a formula of at most eight operations differ by at most 16 half-units in the last place.
    ratios = [delta for delta in (found.delta_ca, found.delta_cp, found.delta_cp_reverse) if delta is not None]
    if all(abs(delta - 1) > 16 * 2**-53 for delta in ratios):
        assert found.regime is regime_by_hand(diagram, kappa, nu, "x-to-y")
        assert found.regime_reverse is regime_by_hand(diagram, kappa, nu, "y-to-x")


def test_thresholds_of_published_experiment_e4() -> None:
    diagram = PhaseDiagram(gamma_x=0.5, gamma_y=0.05, gamma_tilde_y=50.0)
    found = diagram.locate(PhasePoint(1.5, 0.5, "e4"))
    assert (found.name, found.regime) == ("e4", Regime.CA_ONLY)
    assert found.nu_ca == pytest.approx(0.8947, abs=1e-4)
    assert found.nu_cp == pytest.approx(0.1919, abs=1e-4)
    assert (found.nu_cp_reverse, found.delta_cp_reverse, found.regime_reverse) == (None, None, None)


def test_corners() -> None:
    diagram = PhaseDiagram(0.5, 0.5, gamma_tilde_y=10.0, gamma_tilde_x=0.0)
    silent, quiet = diagram.locate(PhasePoint(0.0, 0.0)), diagram.locate(PhasePoint(1.0, 0.0))
    assert (silent.regime, silent.delta_ca, silent.nu_cp_reverse) == (Regime.NEITHER, 0.0, 0.0)
    assert (quiet.regime, quiet.delta_ca, quiet.nu_cp_reverse) == (Regime.BOTH, math.inf, math.inf)


@pytest.mark.parametrize("scale", [1e-20, 1e-10, 1e10, 1e20])
def test_units_do_not_matter(scale: float) -> None:
    """κ in other units, variances in their squares: the same plane, to the rounding of the products."""
    square = scale * scale
    scaled = PhaseDiagram(0.5 * square, 0.2 * square, gamma_tilde_x=2 * square, gamma_tilde_y=10 * square)
    for kappa, nu in ((0.1, 0.01), (1.5, 0.4), (3.0, 0.9)):
        one, other = BOTH_WAYS.locate(PhasePoint(kappa, nu)), scaled.locate(PhasePoint(kappa * scale, nu))
        assert (one.regime, one.regime_reverse) == (other.regime, other.regime_reverse)
        assert other.delta_ca == pytest.approx(one.delta_ca, rel=1e-14)
        assert other.delta_cp == pytest.approx(one.delta_cp, rel=1e-14)
    assert scaled.right_edge == pytest.approx(BOTH_WAYS.right_edge * scale, rel=1e-14)


def test_directions_follow_what_is_given() -> None:
    assert PhaseDiagram(1, 1, gamma_tilde_y=1).ways == (Direction.X_TO_Y,)
    assert PhaseDiagram(1, 1, gamma_tilde_x=1).ways == (Direction.Y_TO_X,)
    assert BOTH_WAYS.ways == (Direction.X_TO_Y, Direction.Y_TO_X)
    assert BOTH_WAYS.replace(direction="y-to-x").ways == (Direction.Y_TO_X,)


@pytest.mark.parametrize("diagram", [BOTH_WAYS, *EXTREMES[:3]])
def test_the_frame_shows_where_the_boundaries_bend(diagram: PhaseDiagram) -> None:
    """Unless one bends five times earlier than another, each reaches .9 in sight; and every point is in sight."""
    heights = [diagram.nu_ca(diagram.right_edge), *(diagram.nu_cp(diagram.right_edge, way) for way in diagram.ways)]
    assert max(heights) >= 0.9
    assert min(float(np.max(line)) for line in heights) >= 0.1
    assert diagram.replace(points=[PhasePoint(77.0, 0.1)]).right_edge >= 77 * 1.25
    assert diagram.replace(kappa_max=0.3).right_edge == 0.3


@pytest.mark.parametrize("kappa_max", [1e-30, 9.99e29])
def test_the_widest_and_narrowest_frames(kappa_max: float) -> None:
    diagram = PhaseDiagram(0.0, 1e-60, gamma_tilde_x=0.0, gamma_tilde_y=9.99e59, kappa_max=kappa_max)
    found = diagram.to_dict()["boundaries"]
    assert all(0 < nu <= 1 for nu in found["nu_ca"][1:])
    assert found["nu_cp"] == sorted(found["nu_cp"])
    assert found["nu_cp"][-1] == pytest.approx(kappa_max / math.sqrt(9.99e59), rel=1e-14)
    assert set(found["nu_cp_reverse"][1:]) == {"Infinity"}


def test_numpy_numbers_are_numbers() -> None:
    half, two = np.float32(0.5), np.int64(2)
    diagram = PhaseDiagram(half, half, two, points=[PhasePoint(two, half)])
    assert diagram == PhaseDiagram(0.5, 0.5, 2.0, points=[PhasePoint(2.0, 0.5)])
    assert json.loads(diagram.to_json())["parameters"]["gamma_tilde_y"] == 2.0
    assert diagram.to_html() == PhaseDiagram(0.5, 0.5, 2.0, points=[PhasePoint(2.0, 0.5)]).to_html()


def test_a_diagnosed_pair_is_where_its_composite_parameters_put_it() -> None:
    result = crossphase.diagnose(*load_demo(), method="components")
    for source in (result, result.to_dict(), json.loads(result.to_json())):
        diagram = PhaseDiagram.from_diagnosis(source, points=[PhasePoint(1, 0.5, "other")])
        pair = diagram.locate(diagram.points[0])
        assert (pair.regime, pair.regime_reverse) == (result.composite.regime, result.composite.regime_reverse)
        # composite.py rounds the same few operations in another order.
        assert pair.delta_ca == pytest.approx(result.composite.delta_ca, rel=1e-14)
        assert pair.delta_cp == pytest.approx(result.composite.delta_cp, rel=1e-14)
        assert pair.delta_cp_reverse == pytest.approx(result.composite.delta_cp_reverse, rel=1e-14)
        assert [point.name for point in diagram.points] == ["this pair", "other"]
    assert PhaseDiagram.from_diagnosis(result, gamma_tilde_y=7.0).gamma_tilde_y == 7.0


def test_json_holds_the_boundaries_the_points_and_the_sweep() -> None:
    diagram = PhaseDiagram(0.5, 0.5, gamma_tilde_y=10.0, points=[PhasePoint(1.5, 0.5, "a"), PhasePoint(1.0, 0.0)])
    sweep = ParameterSweep.between("gamma_tilde_y", 0.1, 100, 4)
    found = json.loads(diagram.to_json(sweep))
    kappa = np.array(found["boundaries"]["kappa"])
    assert found["boundaries"]["nu_ca"] == diagram.nu_ca(kappa).tolist()
    assert found["boundaries"]["nu_cp"] == diagram.nu_cp(kappa).tolist()
    assert found["boundaries"]["nu_cp_reverse"] is None
    assert [(point["name"], point["regime"]) for point in found["points"]] == [("a", "ca_only"), ("point 2", "both")]
    assert found["points"][1]["delta_ca"] == "Infinity"
    assert found["sweep"]["values"] == pytest.approx([0.1, 1, 10, 100], rel=1e-14)
    assert [points[0]["regime"] for points in found["sweep"]["points"]] == ["both", "both", "ca_only", "ca_only"]
    assert json.loads(diagram.to_json())["sweep"] is None


def test_the_table_tells_regimes_and_margins() -> None:
    shown = str(PhaseDiagram(0.5, 0.5, gamma_tilde_y=10.0, points=[PhasePoint(1.5, 0.5, "a"), PhasePoint(1.0, 0.0)]))
    assert "a: κ 1.5, ν 0.5\n    X → Y: alignment only\n" in shown
    assert "✓ align (CA)         Δ 1.64     recovers below ν = 0.818, margin +0.318" in shown
    assert "✗ predict Y from X   Δ 0.858    recovers below ν = 0.429, margin -0.0709" in shown
    assert "point 2: κ 1, ν 0\n    X → Y: both recover\n    ✓ align (CA)         Δ ∞" in shown


def test_sweeps_step_by_ratios_over_a_decade() -> None:
    assert ParameterSweep.between("gamma_x", 1, 100, 3).values == pytest.approx((1, 10, 100), rel=1e-14)
    assert ParameterSweep.between("gamma_x", 9, 1, 3).values == (9, 5, 1)
    assert ParameterSweep.between("gamma_x", 0, 100, 3).values == (0, 50, 100)
    edges = {frame.right_edge for frame in ParameterSweep.between("gamma_tilde_y", 0.1, 100).diagrams(BOTH_WAYS)}
    assert len(edges) == 1, "the frame moves"


# ---- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: PhaseDiagram(-1, 1, 1), r"gamma_x must be a finite number >= 0 .*; got -1"),
        (lambda: PhaseDiagram(1, math.nan, 1), "gamma_y must be a finite number"),
        (lambda: PhaseDiagram(1, 1, 1e200), "gamma_tilde_y must be a finite number .* < 1e"),
        (lambda: PhaseDiagram(1, 1), "gamma_tilde_y .* or gamma_tilde_x .* must be given"),
        (lambda: PhaseDiagram(1, 1, 1, direction="both"), "gamma_tilde_x, .* must be given for direction y-to-x"),
        (lambda: PhaseDiagram(1, 1, 1, direction="up"), "direction must be one of x-to-y, y-to-x, both; got 'up'"),
        (lambda: PhaseDiagram(1, 1, 1, kappa_max=0), "kappa_max must be a finite number > 0"),
        (lambda: PhaseDiagram(1, 1, 1).nu_ca(np.array([1.0, -2.0])), "kappa must be 0, or >= .*; got -2"),
        (lambda: PhaseDiagram(1, 1, 1).nu_ca(math.nan), "kappa must be 0, or >= .*; got nan"),
        (lambda: PhaseDiagram(1, 1, 1).nu_cp(1.0, "both"), "one direction"),
        (lambda: PhaseDiagram(1, 1, 1).nu_cp(1.0, "y-to-x"), "gamma_tilde_x, .* must be given"),
        (lambda: PhaseDiagram(1e-61, 1, 1), "gamma_x must be 0 or at least 1e-60; got 1e-61. Choose other units"),
        (lambda: PhasePoint(1e-31, 0.5), "kappa of a point must be 0 or at least 1e-30"),
        (lambda: PhasePoint(-0.1, 0.5), "kappa of a point must be .* >= 0"),
        (lambda: PhasePoint(1, 1.01), r"nu of a point must be a correlation in \[0, 1\]; got 1.01"),
        (lambda: PhasePoint(1, math.nan), "nu of a point must be a finite number"),
        (lambda: PhasePoint(1, 1, "a\nb"), "must be printable and on one line"),
        (lambda: PhasePoint(1, 1, "\x1b[31m"), "must be printable"),
        (lambda: ParameterSweep("kappa", [1, 2]), "must be one of gamma_x, gamma_y, gamma_tilde_x, gamma_tilde_y"),
        (lambda: ParameterSweep("gamma_x", [1]), "number of values of a sweep must be at least 2"),
        (lambda: ParameterSweep("gamma_x", [1, -2]), "value of a sweep must be .* >= 0"),
        (lambda: ParameterSweep.between("gamma_x", 1, 1), "a sweep must move"),
        (lambda: ParameterSweep.between("gamma_x", 1, 2, 100_000), "must be at most"),
        (
            lambda: ParameterSweep.between("gamma_tilde_x", 1, 2).diagrams(PhaseDiagram(1, 1, 1)),
            "gamma_tilde_x moves nothing in direction x-to-y; choose y-to-x or both",
        ),
        (lambda: PhaseDiagram.from_diagnosis({"regime": "both"}), "not a diagnosis: .* lack kappa, nu, gamma_x"),
        (lambda: PhaseDiagram.from_diagnosis([1, 2]), "not a diagnosis"),
        (
            lambda: PhaseDiagram.from_diagnosis(
                {
                    "phase_parameters": dict.fromkeys(
                        ("kappa", "nu", "gamma_x", "gamma_y", "gamma_tilde_x", "gamma_tilde_y"), 2.0
                    )
                }
            ),
            "nu of a point",
        ),
    ],
)
def test_bad_values_are_named(make: Any, sentence: str) -> None:
    with pytest.raises(InputValueError, match=sentence):
        make()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: PhaseDiagram("1", 1, 1), "gamma_x must be a finite number"),
        (lambda: PhaseDiagram(None, 1, 1), "gamma_x must be a finite number"),
        (lambda: PhaseDiagram(1, 1, 1, points=[(1, 0.5)]), r"points must be .* got \(1, 0.5\) at position 0"),
        (lambda: PhaseDiagram(1, 1, 1, points=PhasePoint(1, 0.5)), "points must be a sequence"),
        (lambda: PhasePoint(1, 1, 3), "name of a point must be a string"),
        (
            lambda: PhaseDiagram.from_diagnosis(
                {
                    "phase_parameters": dict.fromkeys(
                        ("kappa", "nu", "gamma_x", "gamma_y", "gamma_tilde_x", "gamma_tilde_y")
                    )
                }
            ),
            "phase_parameters.kappa of the diagnosis must be a finite number; got None",
        ),
    ],
)
def test_bad_types_are_named(make: Any, sentence: str) -> None:
    with pytest.raises(InputTypeError, match=sentence):
        make()


def test_without_matplotlib_the_sentence_says_what_to_install(run_python: Any) -> None:
    script = """
import sys
sys.modules["matplotlib"] = sys.modules["matplotlib.figure"] = None
from crossphase import ParameterSweep, PhaseDiagram
diagram = PhaseDiagram(1, 1, 1)
assert diagram.to_html()  # the page needs nothing
for draw in (diagram.plot, lambda: diagram.to_gif(ParameterSweep("gamma_x", [1, 2]))):
    try:
        draw()
    except ImportError as error:
        assert str(error) == 'plotting needs matplotlib: pip install "crossphase[report]"', error
    else:
        raise SystemExit("drew without matplotlib")
"""
    done = run_python(script)
    assert done.returncode == 0, done.stderr


# ---- picture and film ------------------------------------------------------------------------------------------------


def check_colors(pixels: np.ndarray, diagram: PhaseDiagram, axis: Any, way: str) -> None:
    """Every pixel of a grid that is clear of boundaries, names and marks has the colour of its regime."""
    regimes = {tuple(bytes.fromhex(color[1:])): regime for regime, color in REGION_COLORS.items()}
    height, edge = len(pixels), diagram.right_edge
    marks = [axis.transData.transform((point.kappa, point.nu)) for point in diagram.points]
    taken = [text.get_window_extent().padded(4) for text in axis.texts]  # 4: the halo of a name
    # Two pixels of the boundary's own width, and the chord between neighbouring κ of the drawing.
    slack_kappa, slack_nu = (2.5 / axis.bbox.width + 1 / 399) * edge, 2.5 / axis.bbox.height
    n_compared = 0
    for kappa in (np.arange(60) + 0.5) / 60 * edge:
        for nu in (np.arange(60) + 0.5) / 60:
            near = {
                regime_by_hand(diagram, max(kappa + dk, edge * 1e-9), min(max(nu + dn, 1e-9), 1.0), way)
                for dk in (-slack_kappa, 0, slack_kappa)
                for dn in (-slack_nu, 0, slack_nu)
            }
            spot = axis.transData.transform((kappa, nu))
            is_covered = any(box.contains(*spot) for box in taken) or any(
                np.hypot(*(spot - mark)) < 14 for mark in marks
            )
            if len(near) > 1 or is_covered:
                continue
            n_compared += 1
            color = tuple(int(channel) for channel in pixels[height - 1 - int(spot[1]), int(spot[0]), :3])
            assert {regimes[color]} == near, (kappa, nu)
    assert n_compared > 3000


def pixels_of(figure: Any) -> np.ndarray:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


@pytest.mark.parametrize("diagram", [BOTH_WAYS, *EXTREMES])
def test_regions_have_the_colors_of_their_regimes(diagram: PhaseDiagram) -> None:
    pytest.importorskip("matplotlib")
    diagram = diagram.replace(points=[PhasePoint(0.4 * diagram.right_edge, 0.3, "here")])
    figure = diagram.plot()
    pixels = pixels_of(figure)
    assert len(figure.axes) == len(diagram.ways)
    for axis, way in zip(figure.axes, diagram.ways, strict=True):
        check_colors(pixels, diagram, axis, way)


@pytest.mark.parametrize("diagram", [BOTH_WAYS, *EXTREMES])
def test_texts_overlap_neither_each_other_nor_the_frame(diagram: PhaseDiagram) -> None:
    pytest.importorskip("matplotlib")
    edge = diagram.right_edge
    spots = [
        (0.5, 0.5, "images, captions"),
        (0.51, 0.52, "RNA"),
        (0.0, 1.0, "corner"),
        (0.8, 0.99, r"$\frac$"),
        (0.8, 0, "W" * 9),
    ]
    figure = diagram.replace(points=[PhasePoint(edge * x, nu, name) for x, nu, name in spots], kappa_max=edge).plot()
    pixels_of(figure)
    for axis in figure.axes:
        boxes = [text.get_window_extent() for text in axis.texts]
        assert len(boxes) >= len(spots) + 1
        for i, box in enumerate(boxes):
            assert axis.bbox.x0 <= box.x0 < box.x1 <= axis.bbox.x1
            assert axis.bbox.y0 <= box.y0 < box.y1 <= axis.bbox.y1
            assert not any(box.overlaps(other) for other in boxes[:i]), [text.get_text() for text in axis.texts]


def test_points_out_of_sight_are_told_but_not_drawn() -> None:
    pytest.importorskip("matplotlib")
    diagram = PhaseDiagram(1, 1, 1, points=[PhasePoint(0.5, 0.2, "in"), PhasePoint(3, 0.2, "out")], kappa_max=1)
    texts = {text.get_text() for text in diagram.plot().axes[0].texts}
    assert "in" in texts
    assert "out" not in texts
    assert "  out: κ 3, ν 0.2" in str(diagram)


def test_every_format_is_written(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for ending, start in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")):
        BOTH_WAYS.plot().savefig(tmp_path / f"plane{ending}")
        assert (tmp_path / f"plane{ending}").read_bytes().startswith(start)


def test_the_film_has_every_value_as_a_frame_of_its_own() -> None:
    pytest.importorskip("matplotlib")
    from PIL import Image

    diagram = BOTH_WAYS.replace(points=[PhasePoint(1.5, 0.5, "here")])
    sweep = ParameterSweep.between("gamma_tilde_y", 0.1, 100, 5)
    frames = list(sweep.diagrams(diagram))
    with Image.open(io.BytesIO(diagram.to_gif(sweep))) as film:
        assert film.n_frames == len(sweep.values)
        assert film.info["loop"] == 0
        seen = []
        for i, frame in enumerate(frames):
            film.seek(i)
            seen.append(np.asarray(film.convert("RGB")))
            figure = frame.plot()
            figure.set_dpi(110)  # of the film
            pixels_of(figure)  # places axes and names
            for axis, way in zip(figure.axes, frame.ways, strict=True):
                check_colors(seen[-1], frame, axis, way)
    for one, other in itertools.pairwise(seen):
        assert (one != other).any(axis=-1).mean() > 0.01
    # What does not depend on the swept parameter stays: the other direction, and the legend below both.
    x0, y0, x1, y1 = (int(v) for v in figure.axes[1].bbox.extents)
    assert (seen[0][-y1:-y0, x0:x1] == seen[-1][-y1:-y0, x0:x1]).all()
    assert (seen[0][-60:] == seen[-1][-60:]).all()


# ---- page ------------------------------------------------------------------------------------------------------------

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium here: the page's script is not run")


class Reader(html.parser.HTMLParser):
    """Elements of a document in order, each with its attributes and text."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[list[str]] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))

    def handle_data(self, data: str) -> None:
        if self.elements:
            self.elements[-1][2].append(data)

    def find(self, tag: str, attribute: str) -> list[tuple[dict[str, str | None], str]]:
        return [
            (attrs, "".join(text).strip()) for name, attrs, text in self.elements if name == tag and attribute in attrs
        ]


def in_browser(page: str, folder: Path, *, address: str = "", script: str = "") -> Reader:
    """The document after its script ran, and then ours."""
    assert BROWSER is not None
    file = folder / "page.html"
    file.write_text(page.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    done = subprocess.run(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"),
            *("--virtual-time-budget=20000", "--dump-dom", f"{file.as_uri()}#{address}"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return Reader(done.stdout)


@needs_browser
@pytest.mark.parametrize("diagram", [BOTH_WAYS, *EXTREMES])
def test_page_and_python_agree_to_the_bit(diagram: PhaseDiagram, tmp_path: Path, rng: np.random.Generator) -> None:
    spots = zip(rng.uniform(0, 1.3, 40) * diagram.right_edge, rng.uniform(0, 1, 40), strict=True)
    points = [PhasePoint(0.0, 0.0), *(PhasePoint(float(kappa), float(nu)) for kappa, nu in spots)]
    diagram = diagram.replace(points=points)
    shown = in_browser(diagram.to_html(), tmp_path)
    located = [diagram.locate(point) for point in diagram.points]
    assert [float(cell["data-nu-ca"]) for cell, _ in shown.find("td", "data-nu-ca")] == [at.nu_ca for at in located]
    for way in diagram.ways:
        thresholds = [cell["data-nu-cp"] for cell, _ in shown.find("td", "data-nu-cp") if cell["data-way"] == way]
        regimes = [cell["data-regime"] for cell, _ in shown.find("td", "data-regime") if cell["data-way"] == way]
        assert list(map(float, thresholds)) == [getattr(at, f"nu_cp{way.suffix}") for at in located]
        assert regimes == [getattr(at, f"regime{way.suffix}") for at in located]
    assert len(regimes) == len(points)


@needs_browser
def test_controls_change_regions_table_and_address(tmp_path: Path) -> None:
    """The slider and the field are moved as a user moves them; then the painted regions are asked where points lie."""
    diagram = PhaseDiagram(0.5, 0.5, gamma_tilde_y=10.0, points=[PhasePoint(1.5, 0.5, "a")], kappa_max=4.0)
    script = """
      const type = (id, value) => {
        const field = document.getElementById(id);
        field.value = value;
        field.dispatchEvent(new Event("input"));
      };
      type("gamma_tilde_y-slider", 0);
      type("gamma_tilde_y-number", "");
      type("gamma_x-number", "-3");
      type("gamma_x-number", "0.2");
      type("gamma_tilde_x-number", "2.5");
      document.querySelector("input[value=y-to-x]").click();
      const svg = document.querySelector("#planes svg"), found = [];
      for (let i = 0; i < 40; i++) {
        for (let j = 0; j < 40; j++) {
          const kappa = 4 * (i + 0.5) / 40, nu = (j + 0.5) / 40, spot = svg.createSVGPoint();
          [spot.x, spot.y] = [58 + 560 * kappa / 4, 34 + 420 * (1 - nu)];
          const inside = [...svg.querySelectorAll(".region")].filter((region) => region.isPointInFill(spot));
          found.push([kappa, nu, inside.at(-1).dataset.regime]); // the topmost is what is seen
        }
      }
      const values = ["slider", "number"].map((kind) => document.getElementById("gamma_x-" + kind).value);
      const told = { found, values, address: location.hash, planes: document.querySelectorAll("#planes svg").length };
      document.body.appendChild(Object.assign(document.createElement("pre"), { id: "told", textContent: JSON.stringify(told) }));
    """
    shown = in_browser(diagram.to_html(), tmp_path, script=script)
    told = json.loads(next(text for attrs, text in shown.find("pre", "id") if attrs["id"] == "told"))
    changed = PhaseDiagram(0.2, 0.5, gamma_tilde_x=2.5, gamma_tilde_y=0.0, direction="y-to-x")
    assert told["address"] == "#gamma_x=0.2&gamma_y=0.5&gamma_tilde_x=2.5&gamma_tilde_y=0&kappa_max=4&direction=y-to-x"
    assert told["planes"] == 1
    assert told["values"] == ["384", "0.2"]  # 1000 log(.2 / .001) / log(1000 / .001), rounded
    # The boundary is a polyline of 400 chords, rounded to hundredths of a pixel.
    wrong = [
        (kappa, nu)
        for kappa, nu, regime in told["found"]
        if {regime} != {regime_by_hand(changed, kappa + dk, nu, "y-to-x") for dk in (-0.01, 0.01)}
        and len({regime_by_hand(changed, kappa + dk, nu, "y-to-x") for dk in (-0.01, 0.01)}) == 1
    ]
    assert not wrong
    assert {regime for _, _, regime in told["found"]} == set(Regime)
    cell, words = shown.find("td", "data-regime")[0]
    assert cell["data-regime"] == changed.locate(PhasePoint(1.5, 0.5)).regime_reverse
    assert words == REGION_LABELS[Regime(cell["data-regime"])]


@needs_browser
def test_the_address_is_read_and_bad_values_in_it_are_not(tmp_path: Path) -> None:
    page = PhaseDiagram(0.5, 0.5, gamma_tilde_y=10.0, points=[PhasePoint(1.5, 0.5)]).to_html()
    address = "gamma_x=0.25&gamma_y=-1&gamma_tilde_y=NaN&kappa_max=0&direction=sideways&constructor=1"
    shown = in_browser(page, tmp_path, address=address)
    expected = PhaseDiagram(0.25, 0.5, gamma_tilde_y=10.0).locate(PhasePoint(1.5, 0.5))
    (cell, _), (predicted, _) = shown.find("td", "data-nu-ca")[0], shown.find("td", "data-nu-cp")[0]
    assert (float(cell["data-nu-ca"]), float(predicted["data-nu-cp"])) == (expected.nu_ca, expected.nu_cp)


@needs_browser
def test_play_goes_through_the_sweep(tmp_path: Path) -> None:
    diagram = PhaseDiagram(0.5, 0.5, gamma_tilde_y=10.0)
    page = diagram.to_html(ParameterSweep.between("gamma_tilde_y", 0.1, 50, 7))
    script = """
      const button = document.getElementById("play");
      button.click();
      document.body.dataset.during = button.textContent;
      setTimeout(() => {
        document.body.dataset.after = button.textContent;
        document.body.dataset.value = document.getElementById("gamma_tilde_y-number").value;
      }, 5000);
    """
    shown = in_browser(page, tmp_path, script=script)
    body = next(attrs for tag, attrs, _ in shown.elements if tag == "body")
    assert (body["data-during"], body["data-after"], float(body["data-value"] or 0)) == ("Pause", "Play", 50.0)


HOSTILE = (
    '</script><script>document.body.id="owned"</script><img src=x onerror=\'document.body.id="owned"\'>@SCRIPT@&amp;"'
)


def test_names_cannot_leave_their_place() -> None:
    """The name reaches the document only as JSON without <; the page asks for nothing from the network."""
    page = PhaseDiagram(1, 1, 1, points=[PhasePoint(1, 0.5, HOSTILE)]).to_html()
    harmless = PhaseDiagram(1, 1, 1, points=[PhasePoint(1, 0.5, "name")]).to_html()
    tags = [tag for tag, _, _ in Reader(page).elements]
    assert tags == [tag for tag, _, _ in Reader(harmless).elements]
    assert page.count("@SCRIPT@") == 1
    data = next(text for attrs, text in Reader(page).find("script", "type") if attrs["type"] == "application/json")
    assert json.loads(data)["points"][0]["name"] == HOSTILE
    assert "default-src 'none'" in page
    links = {"src", "href", "srcset", "action"}
    assert not [attrs for _, attrs, _ in Reader(page).elements if links & attrs.keys()]


@needs_browser
def test_names_are_text_in_a_browser(tmp_path: Path) -> None:
    shown = in_browser(PhaseDiagram(1, 1, 1, points=[PhasePoint(1, 0.5, HOSTILE)]).to_html(), tmp_path)
    assert HOSTILE in [text for _, text in shown.find("th", "scope")]
    assert "id" not in next(attrs for tag, attrs, _ in shown.elements if tag == "body")
    assert not [tag for tag, _, _ in shown.elements if tag == "img"]


@needs_browser
def test_every_control_has_a_label(tmp_path: Path) -> None:
    shown = in_browser(BOTH_WAYS.to_html(), tmp_path)
    labelled = {attrs["for"] for attrs, _ in shown.find("label", "for")}
    inputs = [attrs for tag, attrs, _ in shown.elements if tag == "input"]
    assert len(inputs) == 2 * 5 + 3
    for attrs in inputs:
        assert attrs.get("aria-label") or attrs.get("id") in labelled or attrs["type"] == "radio", attrs
    assert [attrs["role"] for attrs, _ in shown.find("svg", "role")] == ["img", "img"]


@settings(max_examples=20)
@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=40))
def test_any_printable_name_is_kept(name: str) -> None:
    try:
        point = PhasePoint(1, 0.5, name)
    except InputValueError:
        assert not name.isprintable()
        return
    page = PhaseDiagram(1, 1, 1, points=[point]).to_html()
    data = next(text for attrs, text in Reader(page).find("script", "type") if attrs["type"] == "application/json")
    assert json.loads(data)["points"][0]["name"] == (name or "point 1")
