"""What one pass keeps: `crossphase.summarize_pair` beside the bare moments, and how fast states are written and read."""

import tempfile
import time
from pathlib import Path

import numpy as np

from crossphase import CrossMoments, summarize_pair

N_SAMPLES, N_FEATURES = 50_000, 256  # a view


class SummarizePair:
    """50 000 pairs of 256 + 256 float32 features and 10 classes, from memory and from files that the page cache holds."""

    params = ("arrays", "files")
    param_names = ("source",)

    def setup(self, source):
        rng = np.random.default_rng(0)
        self.views = [rng.standard_normal((N_SAMPLES, N_FEATURES), dtype=np.float32) for _ in range(2)]
        self.given = self.views
        self.labels = rng.integers(0, 10, N_SAMPLES)
        self.folder = tempfile.TemporaryDirectory()
        if source == "files":
            self.given = [Path(self.folder.name) / f"{name}.npy" for name in "xy"]
            for path, view in zip(self.given, self.views, strict=True):
                np.save(path, view)
        self.time_summarize(source)

    def teardown(self, _):
        self.folder.cleanup()

    def time_summarize(self, _):
        summarize_pair(*self.given, self.labels)

    def peakmem_summarize(self, _):
        summarize_pair(*self.given, self.labels)

    def track_ratio(self, source):
        """Time of the pass over that of `CrossMoments.update` on all rows at once; 1 would be a pass that costs nothing else."""
        one_hot = np.eye(10)[self.labels]
        ratios = []
        for _ in range(5):
            start = time.perf_counter()
            CrossMoments(N_FEATURES, N_FEATURES, 10).update(*self.views, one_hot)
            between = time.perf_counter()
            self.time_summarize(source)
            ratios.append((time.perf_counter() - between) / (between - start))
        return float(np.median(ratios))

    track_ratio.unit = "time / time of the moments alone"


class SavedMoments:
    """A state of 640 + 640 features with two trees, 13 MB."""

    def setup(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "moments.safetensors"
        rng = np.random.default_rng(0)
        self.moments = CrossMoments(640, 640).update(*rng.standard_normal((2, 3 * 1024, 640)))
        self.moments.save(self.path)

    def teardown(self):
        self.folder.cleanup()

    def time_save(self):
        self.moments.save(self.path)

    def time_load(self):
        CrossMoments.load(self.path)

    def track_bytes_a_tree(self):
        return self.path.stat().st_size / 2

    track_bytes_a_tree.unit = "bytes"
