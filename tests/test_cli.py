"""The command line, run as a user runs it: another process, files, a terminal."""

import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest

from crossphase.demo_data import load_demo
from crossphase.exit_codes import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_INTERRUPTED

pytest.importorskip("typer")

COMMAND = [sys.executable, "-m", "crossphase"]


def run(*arguments, **options):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False, **options
    )


@pytest.fixture
def files(tmp_path):
    for name, array in zip(("x", "y", "labels"), load_demo(), strict=True):
        np.save(tmp_path / f"{name}.npy", array)
    return tmp_path


def test_demo_is_quick_and_decides():
    start = time.perf_counter()
    done = run("demo")
    assert time.perf_counter() - start < 10
    assert done.returncode == 0
    assert "What to train: no cross-modal model; X and Y side by side" in done.stdout
    assert max(map(len, done.stdout.partition("What to train")[2].splitlines())) <= 80
    assert done.stderr == ""


def test_diagnose_table_json_and_plot(files):
    done = run(
        *("diagnose", files / "x.npy", files / "y.npy", "--labels", files / "labels.npy"),
        *("--json", files / "out.json", "--plot", files / "out.png"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("What to train: ")
    assert json.loads((files / "out.json").read_text())["n_samples"] == 2000
    assert (files / "out.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in files.iterdir()) == ["labels.npy", "out.json", "out.png", "x.npy", "y.npy"]


def test_json_on_stdout_is_only_json(files):
    done = run("diagnose", files / "x.npy", files / "y.npy", "--labels", files / "labels.npy", "--json", "-")
    assert json.loads(done.stdout)["regime"] == "neither"
    assert done.stderr == ""


def test_options_reach_the_library(files):
    done = run(
        *("diagnose", files / "x.npy", files / "y.npy", "--labels", files / "labels.npy", "--json", "-"),
        *(
            "--method",
            "components",
            "--signal-rule",
            "permutation",
            "--n-components",
            7,
            "--n-folds",
            4,
            "--n-permutations",
            9,
            "--alpha",
            2,
        ),
        *("--ridge", "1e-5", "--standardize", "--reduce", 20, "--n-threads", 1),
    )
    settings = json.loads(done.stdout)["settings"]
    assert settings == {
        "method": "components",
        "source": "memory",
        "precision": "f64",
        "n_sample_rows": None,
        "standardize": True,
        "reduce_x": 20,
        "reduce_y": 20,
        "at_use": "both",
        "has_groups": False,
        "has_nuisance_labels": False,
        "seed": "0",
        "signal_rule": "permutation",
        "components": {"n_components": 7, "n_folds": 4, "n_permutations": 9, "alpha": 2.0, "ridge": 1e-5},
    }


def test_states_and_checkpoints_are_diagnosed_as_their_rows_are(files):
    views = ["x.npy", "y.npy", "--labels", "labels.npy"]
    quick = ["--no-rehearse", "--json", "-"]
    expected = run("diagnose", *views, *quick, cwd=files).stdout
    assert json.loads(expected)["regime"] == "neither"
    assert run("moments", *views, "-o", "state.safetensors", cwd=files).returncode == 0
    assert run("diagnose", "state.safetensors", *quick, cwd=files).stdout == expected
    for _ in ("made", "found"):
        assert run("diagnose", *views, "--checkpoint", "kept.safetensors", *quick, cwd=files).stdout == expected
    np.savez(files / "both.npz", X=np.load(files / "x.npy"), Y=np.load(files / "y.npy"))
    members = ["both.npz::X", "both.npz::Y", "--labels", "labels.npy"]
    assert run("diagnose", *members, *quick, cwd=files).stdout == expected
    refused = run("diagnose", "state.safetensors", "--groups", "labels.npy", cwd=files)
    assert (refused.returncode, refused.stderr.count("\n")) == (EXIT_BAD_INPUT, 1)
    assert "groups need the rows of each together" in refused.stderr


def test_options_of_the_default_method_reach_the_library(files):
    np.save(files / "groups.npy", np.arange(2000) // 2)
    np.save(files / "batch.npy", np.arange(2000) % 3)
    done = run(
        *("diagnose", files / "x.npy", files / "y.npy", "--labels", files / "labels.npy", "--json", "-"),
        *(
            "--at-use",
            "x",
            "--groups",
            files / "groups.npy",
            "--nuisance-labels",
            files / "batch.npy",
            "--rng",
            3,
            "--reduce",
            "20,none",
            "--no-rehearse",
            "--no-audit",
        ),
    )
    found = json.loads(done.stdout)
    assert found["settings"] == {
        "method": "subspace",
        "source": "memory",
        "precision": "f64",
        "n_sample_rows": None,
        "standardize": False,
        "reduce_x": 20,
        "reduce_y": None,
        "at_use": "x",
        "has_groups": True,
        "has_nuisance_labels": True,
        "seed": "3",
        "signal_rule": None,
        "components": None,
    }
    assert found["rehearsal"] is found["pairing"] is found["shared_signal"] is None


def test_rows_are_matched_by_the_ids_of_files(files):
    _, Y, labels = load_demo()
    order = np.random.default_rng(0).permutation(2000)
    np.save(files / "other.npy", Y[order])
    np.save(files / "some.npy", labels[order[:1500]])
    names = [f"s{i:04}" for i in range(2000)]
    (files / "ids_x.csv").write_text("\n".join(["id", *names]) + "\n")
    (files / "ids_y.txt").write_text("\n".join(["id", *(names[i] for i in order)]) + "\n")
    np.save(files / "ids_labels.npy", np.array([names[i] for i in order[:1500]]))
    fast = ("--no-rehearse", "--no-audit", "--json", "-")
    matched = ("--ids-x", files / "ids_x.csv", "--ids-y", files / "ids_y.txt")
    done = run("diagnose", files / "x.npy", files / "other.npy", "--labels", files / "labels.npy", *matched, *fast)
    plain = run("diagnose", files / "x.npy", files / "y.npy", "--labels", files / "labels.npy", *fast)
    assert done.stdout == plain.stdout
    labels_too = ("--labels", files / "some.npy", "--ids-labels", files / "ids_labels.npy")
    done = run("diagnose", files / "x.npy", files / "other.npy", *labels_too, *matched, *fast)
    assert (json.loads(done.stdout)["n_samples"], json.loads(done.stdout)["n_labelled"]) == (2000, 1500)


def test_several_views_are_diagnosed_pair_by_pair(files):
    np.save(files / "third.npy", np.random.default_rng(0).normal(size=(2000, 5)))
    views = [files / f"{name}.npy" for name in ("x", "y", "third")]
    fast = ("--method", "components", "--json", files / "out.json")
    done = run("diagnose", *views, "--labels", files / "labels.npy", *fast)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Best pair: ")
    assert "x × third" in done.stdout
    assert json.loads((files / "out.json").read_text())["view_names"] == ["x", "y", "third"]


def test_without_labels_clusters_stand_in(tmp_path):
    rng = np.random.default_rng(0)
    classes = np.arange(240) % 8
    centres = 6 * rng.normal(size=(8, 5))
    for name in "xy":
        np.save(tmp_path / f"{name}.npy", centres[classes] + rng.normal(size=(240, 5)))
    done = run("diagnose", "x.npy", "y.npy", "--no-rehearse", "--no-audit", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "! [proxy_labels]" in done.stdout


def test_several_label_files(files):
    (files / "size.csv").write_text("area\n" + "\n".join(f"{i / 7}" for i in range(2000)) + "\n")
    labels = ("--labels", files / "labels.npy", "--labels", files / "size.csv")
    done = run("diagnose", files / "x.npy", files / "y.npy", *labels, "--json", "-")
    assert json.loads(done.stdout)["label_columns"][-2:] == ["labels=9", "size.area"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing.npy", "y.npy", "--labels", "labels.npy"], "error: X: no such file: nothing.npy"),
        (["x.npy", "folder", "--labels", "labels.npy"], "error: Y: folder is a directory without row files"),
        (["x.npy", "empty.npy", "--labels", "labels.npy"], "error: Y: empty.npy is empty (0 bytes)."),
        (["objects.npy", "y.npy", "--labels", "labels.npy"], "error: X: objects.npy holds pickled Python objects"),
        (["nan.npy", "y.npy", "--labels", "labels.npy"], "error: X must be finite; got nan at row 11, column 2"),
        (["x.npy", "short.npy", "--labels", "labels.npy"], "error: X and Y must have the same number of rows"),
        (
            ["x.npy", "y.npy", "--labels", "labels.npy", "--method", "components", "--n-folds", "1"],
            "error: n_folds must be at least 2; got 1.",
        ),
        (
            ["x.npy", "y.npy", "--labels", "labels.npy", "--n-folds", "4"],
            "error: --n-folds is of the published procedure: add",
        ),
        (
            ["x.npy", "y.npy", "--labels", "labels.npy", "--method", "magic"],
            "'magic' is not one of 'subspace', 'components'",
        ),
        (["x.npy", "y.npy", "--labels", "labels.npy", "--at-use", "z"], "'z' is not one of 'x', 'y', 'both'"),
        (
            ["x.npy", "y.npy", "--labels", "labels.npy", "--reduce", "few"],
            "error: --reduce must be auto, none, a number",
        ),
        (
            ["x.npy", "y.npy", "--labels", "labels.npy", "--reduce", "1,2,3"],
            "one for each view, e.g. 50,20 or 50,none; got",
        ),
        (["x.npy", "y.npy", "--labels", "labels.npy", "--reduce", "0"], "must be at least 1; got 0"),
        (["x.npy", "y.npy", "--labels", "labels.npy", "--rng", "-1"], "rng must be at least 0"),
        (
            ["x.npy", "y.npy", "--labels", "labels.npy", "--ids-x", "labels.npy"],
            "error: --ids-x and --ids-y go together",
        ),
        (["x.npy", "y.npy", "--labels", "labels.npy", "--groups", "no.csv"], "error: groups: no such file: no.csv"),
        (
            ["x.npy", "y.npy", "--labels", "labels.npy", "--groups", "two.csv"],
            "error: groups: two.csv must have one column",
        ),
        (
            ["x.npy", "y.npy", "--labels", "labels.npy", "--groups", "x.npy"],
            "groups must have shape (2000,), one group a row",
        ),
        (["x.npy", "--labels", "labels.npy"], "error: two views are needed, X and Y; got x.npy alone."),
        (
            ["x.npy", "y.npy", "--checkpoint", "x.npy"],
            "error: --checkpoint must end in .safetensors; got x.npy.",
        ),
        (
            ["x.npy", "y.npy", "--precision", "f64"],
            "error: precision is of sums made in one pass; X and Y are in memory",
        ),
        (["x.npy", "y.npy", "x.npy", "--labels", "labels.npy"], "two are named x, rename one."),
        (
            ["x.npy", "y.npy", "short.npy", "--plot", "o.png", "--labels", "labels.npy"],
            "--plot draws one pair of views",
        ),
        (["x.npy", "y.npy", "--labels", "labels.npy", "--json", "no/out.json"], "does not exist; create it first."),
        (
            ["x.npy", "y.npy", "--labels", "labels.npy", "--json", "."],
            "error: --json must name a file; . is a directory.",
        ),
        (
            ["x.npy", "y.npy", "--labels", "labels.npy", "--plot", "out.gif"],
            "error: --plot must end in .png, .svg, .pdf",
        ),
        (["x.npy", "y.npy", "--labels", "labels.npy", "--signal-rule", "knee"], "knee"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(files, arguments, sentence):
    X, Y, _ = load_demo()
    (files / "empty.npy").touch()
    (files / "folder").mkdir()
    np.save(files / "objects.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    np.save(files / "short.npy", Y[:-1])
    (files / "two.csv").write_text("donor,batch\n1,2\n")
    X = X.copy()
    X[11, 2] = np.nan
    np.save(files / "nan.npy", X)
    done = run("diagnose", *arguments, cwd=files)
    assert done.returncode == EXIT_BAD_INPUT
    assert done.stdout == ""
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_failed_write_keeps_the_old_file(files):
    """The disk is full at the end of the run: no file may grow past one kilobyte."""
    old = files / "out.json"
    old.write_text("precious")
    done = run(
        *("diagnose", files / "x.npy", files / "y.npy", "--labels", files / "labels.npy", "--json", old),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)),
    )
    assert done.returncode == EXIT_FAILED
    assert "could not be written (File too large); an older file there is unchanged." in done.stderr
    assert old.read_text() == "precious"
    assert sorted(p.name for p in files.iterdir()) == ["labels.npy", "out.json", "x.npy", "y.npy"]


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("x.npy", "--json must end in .json"),
        ("in.json", "in.json is one of the inputs; choose another name."),
        ("fifo.json", "fifo.json is not a regular file."),
    ],
)
def test_outputs_never_replace_inputs_or_devices(files, target, sentence):
    (files / "in.json").hardlink_to(files / "labels.npy")
    os.mkfifo(files / "fifo.json")
    before = {path.name: path.stat().st_ino for path in files.iterdir()}
    done = run("diagnose", "x.npy", "y.npy", "--labels", "labels.npy", "--json", target, cwd=files)
    assert done.returncode == EXIT_BAD_INPUT
    assert sentence in done.stderr
    assert {path.name: path.stat().st_ino for path in files.iterdir()} == before


def test_a_link_stays_a_link(files):
    (files / "real.json").write_text("{}")
    (files / "link.json").symlink_to("real.json")
    assert run("demo", "--json", files / "link.json").returncode == 0
    assert (files / "link.json").is_symlink()
    assert json.loads((files / "real.json").read_text())["n_samples"] == 2000


def test_a_closed_pipe_is_silent_and_files_come_first(tmp_path):
    target = tmp_path / "out.json"
    script = f"{' '.join(COMMAND)} demo --json {target} | head -n 1"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    assert json.loads(target.read_text())["n_samples"] == 2000


def test_an_impossible_instruction_set_is_a_sentence():
    done = run("demo", env={**os.environ, "CROSSPHASE_ISA": "sse9"})
    assert done.returncode == EXIT_BAD_INPUT
    assert re.fullmatch(
        r"error: CROSSPHASE_ISA is 'sse9'; this processor can run .*baseline, amx_emulated\.\n", done.stderr
    )


def test_terminals_without_greek(tmp_path):
    done = run("demo", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "ratio ?" in done.stdout


def test_doctor_knows_every_dependency():
    """Of pyproject.toml: all that is required, and what each extra for users brings."""
    from crossphase.cli import environment

    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *(word for extra in ("cli", "report", "formats", "dask", "torch") for word in extras[extra]),
    ]
    topics = {finding.topic for finding in environment.examine()}
    assert {re.match(r"[\w-]+", word)[0] for word in wanted} <= topics


def test_doctor():
    done = run("doctor")
    assert done.returncode == 0
    for topic in ("crossphase", "numpy", "scipy", "instruction set", "threads", "GPU", "matplotlib"):
        assert topic in done.stdout
    findings = {entry["topic"]: entry["value"] for entry in json.loads(run("doctor", "--json", "-").stdout)}
    assert findings["numpy"] == np.__version__


def test_version_help_and_no_arguments():
    import crossphase

    assert run("--version").stdout.strip() == crossphase.__version__
    for command in ("diagnose", "demo", "doctor", "phase-diagram"):
        shown = run(command, "--help")
        assert shown.returncode == 0
        assert "Exit codes" in shown.stdout
    assert run().returncode == 2
    assert run("dagnose").returncode == EXIT_BAD_INPUT


def test_without_the_extra_the_command_says_what_to_install(tmp_path):
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError(\"No module named 'typer'\", name='typer')")
    done = run("demo", env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.returncode == EXIT_FAILED
    assert done.stderr == 'error: the command line needs typer and rich: pip install "crossphase[cli]"\n'


def run_on_terminal(*arguments, **environment):
    """Output of the command with stdout and stderr on one pseudo-terminal."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm-256color", **environment},
    )
    os.close(follower)
    chunks = []
    try:
        while chunk := os.read(leader, 4096):
            chunks.append(chunk)
    except OSError:  # the other side closed: how Linux ends a pseudo-terminal
        pass
    os.close(leader)
    assert process.wait(timeout=60) == 0
    return b"".join(chunks).decode()


def test_progress_and_bold_only_on_a_terminal():
    shown = run_on_terminal("demo")
    assert "\x1b[1m" in shown
    assert "moments of 2000 pairs" in shown or "components, 10 label columns" in shown
    plain = run("demo")
    assert "\x1b" not in plain.stdout + plain.stderr


def test_no_color():
    shown = run_on_terminal("demo", NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", shown), "a colour in spite of NO_COLOR"


def test_ctrl_c_leaves_cleanly(files):
    """A long run (many permutations) is interrupted: within two seconds, code 130, nothing half-written."""
    process = subprocess.Popen(
        [
            *COMMAND,
            "diagnose",
            "x.npy",
            "y.npy",
            "--labels",
            "labels.npy",
            "--method",
            "components",
            "--n-permutations",
            "20000",
            "--json",
            "o.json",
        ],
        cwd=files,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts background jobs with SIGINT ignored, and children inherit that; a terminal's do not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  (no threads here)
    )
    time.sleep(3)
    assert process.poll() is None, "the run ended before it could be interrupted"
    start = time.perf_counter()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert time.perf_counter() - start < 2
    assert process.returncode == EXIT_INTERRUPTED
    assert (out, err) == ("", "error: interrupted\n")
    assert sorted(p.name for p in files.iterdir()) == ["labels.npy", "x.npy", "y.npy"]


PLANE = ("phase-diagram", "--gamma-x", 0.5, "--gamma-y", 0.5, "--gamma-tilde-y", 10)


def test_phase_diagram_table_json_picture_and_page(tmp_path):
    done = run(
        *(*PLANE, "--point", "1.5,0.5,images, captions", "--point", "1,0"),
        *("--json", tmp_path / "o.json", "--plot", tmp_path / "o.png", "--html", tmp_path / "o.html"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "images, captions: κ 1.5, ν 0.5\n    X → Y: alignment only" in done.stdout
    found = json.loads((tmp_path / "o.json").read_text())
    assert [(point["name"], point["regime"]) for point in found["points"]] == [
        ("images, captions", "ca_only"),
        ("point 2", "both"),
    ]
    assert (tmp_path / "o.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "o.html").read_text().startswith("<!DOCTYPE html>")


def test_phase_diagram_without_files_is_a_table_and_json_alone_is_json():
    assert "predict Y from X" in run(*PLANE).stdout
    done = run(*PLANE, "--gamma-tilde-x", 1, "--direction", "y-to-x", "--json", "-")
    assert json.loads(done.stdout)["directions"] == ["y-to-x"]


def test_phase_diagram_of_a_diagnosis(tmp_path):
    run("demo", "--json", tmp_path / "result.json")
    parameters = json.loads((tmp_path / "result.json").read_text())["phase_parameters"]
    done = run("phase-diagram", "--from", tmp_path / "result.json", "--gamma-tilde-y", 0.1, "--json", "-")
    found = json.loads(done.stdout)
    assert found["parameters"] == {
        **{name: parameters[name] for name in ("gamma_x", "gamma_y", "gamma_tilde_x")},
        "gamma_tilde_y": 0.1,
    }
    (pair,) = found["points"]
    assert (pair["kappa"], pair["nu"]) == (parameters["kappa"], parameters["nu"])


def test_phase_diagram_sweep(tmp_path):
    done = run(
        *(
            "phase-diagram",
            "--gamma-x",
            0.5,
            "--gamma-y",
            0.5,
            "--sweep",
            "gamma-tilde-y=0.1:100:4",
            "--point",
            "1.5,0.5",
        ),
        *("--plot", tmp_path / "o.gif", "--html", tmp_path / "o.html", "--json", tmp_path / "o.json"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "takes gamma-tilde-y from 0.1 to 100 in 4 frames; the table is of gamma-tilde-y 0.1." in done.stdout
    assert (tmp_path / "o.gif").read_bytes().startswith(b"GIF89a")
    found = json.loads((tmp_path / "o.json").read_text())["sweep"]
    assert [points[0]["regime"] for points in found["points"]] == ["both", "both", "ca_only", "ca_only"]
    assert json.dumps(found["values"]) in (tmp_path / "o.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "--gamma-x and --gamma-y must be given, e.g. --gamma-x 0.5; or --from RESULT.json"),
        (
            ["--gamma-x", 1, "--gamma-y", 1],
            "gamma_tilde_y (to predict Y from X) or gamma_tilde_x (to predict X from Y)",
        ),
        (["--gamma-x", -1, "--gamma-y", 1, "--gamma-tilde-y", 1], "gamma_x must be a finite number >= 0"),
        (["--gamma-x", "much"], "'--gamma-x'"),
        (
            [*PLANE[1:], "--direction", "both"],
            "gamma_tilde_x, the variance of nuisance coordinates of X, must be given",
        ),
        ([*PLANE[1:], "--direction", "up"], "'x-to-y', 'y-to-x', 'both'"),
        (
            [*PLANE[1:], "--point", "1"],
            "--point must be KAPPA,NU or KAPPA,NU,NAME with decimal points, e.g. --point 1.5,0.4,",
        ),
        ([*PLANE[1:], "--point", "-1,0.2"], "kappa of a point must be a finite number >= 0"),
        (
            [*PLANE[1:], "--sweep", "gamma-z=1:2"],
            "must be one of gamma_x, gamma_y, gamma_tilde_x, gamma_tilde_y; got 'gamma_z'",
        ),
        ([*PLANE[1:], "--sweep", "gamma-x=1"], "e.g. --sweep gamma-tilde-y=0.1:100:60; got 'gamma-x=1'"),
        (
            [*PLANE[1:], "--sweep", "gamma-x=1:2"],
            "--sweep needs somewhere to go: --plot FILE.gif, --html FILE.html or --json",
        ),
        ([*PLANE[1:], "--sweep", "gamma-x=1:2", "--plot", "o.png"], "--plot must end in .gif; got o.png"),
        ([*PLANE[1:], "--sweep", "gamma-tilde-x=1:2", "--direction", "x-to-y", "--html", "o.html"], "moves nothing"),
        ([*PLANE[1:], "--plot", "o.gif"], "--plot o.gif needs --sweep"),
        ([*PLANE[1:], "--html", "o.txt"], "--html must end in .html; got o.txt"),
        (["--from", "nothing.json"], "--from: no such file: nothing.json"),
        (["--from", "list.json"], "this is not a diagnosis: its phase parameters lack kappa"),
        (["--from", "x.npy"], "--from: x.npy is not JSON"),
        (["--from", "deep.json"], "--from: deep.json is not JSON"),
        (["--from", "list.json", "--json", "list.json"], "list.json is one of the inputs; choose another name."),
    ],
)
def test_phase_diagram_refuses_with_a_sentence(files, arguments, sentence):
    (files / "list.json").write_text("[1, 2]")
    (files / "deep.json").write_text("[" * 100_000)
    before = {path.name: path.stat().st_mtime_ns for path in files.iterdir()}
    done = run("phase-diagram", *arguments, cwd=files)
    assert (done.returncode, done.stdout) == (EXIT_BAD_INPUT, "")
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert {path.name: path.stat().st_mtime_ns for path in files.iterdir()} == before


def test_pictures_without_matplotlib_are_refused_before_the_work(tmp_path):
    (tmp_path / "matplotlib.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'matplotlib'\", name='matplotlib')"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for ending, sweep in (("png", ()), ("gif", ("--sweep", "gamma-x=1:2"))):
        done = run(*PLANE, *sweep, "--plot", tmp_path / f"o.{ending}", env=environment)
        assert done.returncode == EXIT_FAILED
        assert done.stderr == 'error: --plot needs matplotlib: pip install "crossphase[report]"\n'
    assert run(*PLANE, "--html", tmp_path / "o.html", env=environment).returncode == 0
