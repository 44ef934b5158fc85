"""Fréchet and kernel distance, Inception score and overlap of features, against their peers.

From features on, one thread each; beside a peer that sets its threads itself, one core. The Fréchet
distance is held to an exact oracle: for X2 = (X1 - mean) M + mean + s with M symmetric and positive
definite it is |s|² + ‖(X1 - mean)(I - M)‖² / (N - 1).
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator

import numpy as np
import threadpoolctl

from plumbline.compat import torchvision
from plumbline.metrics.generative import distances, frechet, manifold

import measure
from measure import Row, faster, take_turns

torchvision.install()

FEATURES = 2048  # of Inception's last pooling layer
SUBSETS = 100  # the peers' default for the kernel distance
GRADED = (
    "Of variances that fall over orders of magnitude plain eigenvalues lose digits. Three fifths "
    "of ours are the moments, two fifths a triangle and its eigenvalues, which keep 1e-12."
)
PRODUCTS = "Nine tenths of ours are products of matrices, 2.25 of the peer's three."


def rows() -> Iterator[Row]:
    import torch

    torch.set_num_threads(1)
    with threadpoolctl.threadpool_limits(1):
        yield from fid_of_many()
        yield fid_of_falling_variances()
        yield from fid_of_few()
        yield from kernel_distances()
        yield from overlap()


def mapped(n: int, *, decay: float = 0.0) -> tuple[np.ndarray, np.ndarray, float]:
    """Return two sets and their distance; variances fall as i^(-2·decay), along no axis."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=(n, FEATURES)) * np.arange(1.0, FEATURES + 1) ** -decay
    root = rng.normal(size=(FEATURES, FEATURES)) / np.sqrt(FEATURES)
    if decay:
        first = first @ np.linalg.qr(root)[0]
    first += 0.4
    optimal = np.eye(FEATURES) + 0.2 * root @ root.T
    centred = first - first.mean(axis=0)
    moved = centred @ optimal
    shift = 0.01 * rng.normal(size=FEATURES)
    exact = shift @ shift + ((centred - moved) ** 2).sum() / (n - 1)
    return first, moved + first.mean(axis=0) + shift, float(exact)


def by_torch_fidelity(first: np.ndarray, second: np.ndarray) -> float:
    import torch
    from torch_fidelity import metric_fid

    statistics = [
        metric_fid.fid_features_to_statistics(torch.from_numpy(x)) for x in (first, second)
    ]
    return metric_fid.fid_statistics_to_metric(*statistics, False)[metric_fid.KEY_METRIC_FID]


def by_torchmetrics(first: np.ndarray, second: np.ndarray) -> float:
    import torch
    from torchmetrics.image.fid import FrechetInceptionDistance

    extractor = torch.nn.Identity()
    extractor.num_features = FEATURES
    metric = FrechetInceptionDistance(feature=extractor)
    for x, real in ((first, True), (second, False)):
        for batch in torch.from_numpy(x).split(64):
            metric.update(batch, real=real)
    return float(metric.compute())


def by_pytorch_fid(first: np.ndarray, second: np.ndarray) -> float:
    from pytorch_fid.fid_score import calculate_frechet_distance

    statistics = [part for x in (first, second) for part in (x.mean(axis=0), np.cov(x.T))]
    return float(calculate_frechet_distance(*statistics))


FID = {
    "torch-fidelity": by_torch_fidelity,
    "torchmetrics": by_torchmetrics,
    "pytorch-fid": by_pytorch_fid,  # clean-fid computes the same
}


def fid_rows(
    number: int, what: str, n: int, goals: dict[str, float], *, turns: int, tolerance: float,
    decay: float = 0.0, why: str = "",
) -> Iterator[Row]:  # fmt: skip
    """Hold ours to 1e-12 of the oracle and the peers to a tolerance; then take turns."""
    first, second, exact = mapped(n, decay=decay)
    found: dict[str, float] = {}

    def run(name: str) -> None:
        distance = FID.get(name, frechet.features_to_fid)
        found[name] = distance(first, second)

    times = take_turns(
        lambda: run(""), *(lambda name=name: run(name) for name in goals),
        turns=turns, warm_up=False,
    )  # fmt: skip
    wrong = {name: abs(value / exact - 1) for name, value in found.items()}
    assert wrong.pop("") <= 1e-12
    assert max(wrong.values()) <= tolerance
    for which, (name, goal) in enumerate(goals.items(), start=1):
        yield faster(
            number, what, f"2 × {n:,} × {FEATURES}", name, times, goal=goal, which=which, why=why,
            note=f"relative error: ours below 1e-12, peer {wrong[name]:.0e}; 1 thread",
        )  # fmt: skip


def fid_of_many() -> Iterator[Row]:
    yield from fid_rows(
        5, "FID from features", 10_000, {"torch-fidelity": 2, "torchmetrics": 4}, turns=2,
        tolerance=1e-9,
    )  # fmt: skip


def fid_of_falling_variances() -> Row:
    (row,) = fid_rows(
        5, "FID, variances from 1 to 2e-7", 10_000, {"torch-fidelity": 2}, turns=1,
        tolerance=1e-3, decay=1, why=GRADED,
    )  # fmt: skip
    return row


def fid_of_few() -> Iterator[Row]:
    yield from fid_rows(
        6, "FID, fewer samples than features", 500, dict.fromkeys(FID, 20), turns=1, tolerance=1e-3
    )


def kernel_distances() -> Iterator[Row]:
    """Take turns where the peers' means over subsets lie within four times their spread of ours."""
    import torch
    from torch_fidelity import metric_kid
    from torchmetrics.image.kid import KernelInceptionDistance

    for n, goal, subsets, turns in ((2000, 10, 10, 3), (10_000, 1, 10, 2)):
        rng = np.random.default_rng(1)
        first, second = (
            np.abs(rng.normal(scale=scale, size=(n, FEATURES))).astype(np.float32)
            for scale in (0.40, 0.41)
        )
        a, b = torch.from_numpy(first), torch.from_numpy(second)
        metric = KernelInceptionDistance(
            feature=torch.nn.Identity(), subsets=subsets, subset_size=1000
        )
        metric.real_features.append(a)
        metric.fake_features.append(b)

        def fidelity(a: object = a, b: object = b, subsets: int = subsets) -> dict[str, float]:
            return metric_kid.kid_features_to_metric(
                a, b, kid_subsets=subsets, kid_subset_size=1000, verbose=False
            )

        value, error = distances.kernel_distance(first, second)
        peer = fidelity()
        spread = peer[metric_kid.KEY_METRIC_KID_STD]
        assert abs(peer[metric_kid.KEY_METRIC_KID_MEAN] - value) < 4 * spread
        assert abs(float(again(metric)[0]) - value) < 4 * spread
        times = take_turns(
            lambda x=first, y=second: distances.kernel_distance(x, y), fidelity,
            lambda m=metric: again(m), turns=turns, warm_up=False,
        )  # fmt: skip
        for which, name in enumerate(("torch-fidelity", "torchmetrics"), start=1):
            yield faster(
                7, "kernel distance", f"2 × {n:,} × {FEATURES}", name, times, goal=goal,
                which=which, scale=SUBSETS / subsets,
                note=f"peer: {subsets} of 100 subsets of 1,000, scaled, spread {spread:.0e}; ours: "
                f"all pairs, standard error {error:.0e}; 1 thread",
            )  # fmt: skip


def again(metric: object) -> object:
    """Compute a metric of torchmetrics, which would else return what it computed before."""
    metric._computed = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the deviation of one split
        return metric.compute()


def overlap() -> Iterator[Row]:
    import torch
    from prdc import compute_prdc
    from torch_fidelity import metric_prc

    n, k = 4000, 5
    rng = np.random.default_rng(3)
    fake, real = (
        np.abs(rng.normal(scale=scale, size=(n, FEATURES))).astype(np.float32)
        for scale in (0.40, 0.401)
    )
    a, b = torch.from_numpy(fake), torch.from_numpy(real)

    def prdc() -> dict[str, float]:
        with contextlib.redirect_stdout(io.StringIO()):
            return compute_prdc(real, fake, nearest_k=k)

    def fidelity() -> dict[str, float]:
        return metric_prc.prc_features_to_metric(
            a, b, prc_neighborhood=k, prc_batch_size=10_000, save_cpu_ram=False, verbose=False
        )

    ours, both, two = manifold.overlap(fake, real, neighbours=k), prdc(), fidelity()
    # A sample on the edge of a ball may fall to either side in single precision.
    for name, value in both.items():
        assert abs(getattr(ours, name) - value) <= 3 / n
    assert abs(two["precision"] - ours.precision) <= 3 / n
    assert abs(two["recall"] - ours.recall) <= 3 / n
    with one_core():
        times = take_turns(
            lambda: manifold.overlap(fake, real, neighbours=k), fidelity, prdc,
            turns=3, warm_up=False,
        )  # fmt: skip
    size = f"2 × {n:,} × {FEATURES}"
    yield faster(
        7, "precision, recall, density, coverage", size, "torch-fidelity", times, goal=1.2,
        note="peer: precision and recall alone; ours holds 512 rows of distances; one core",
    )  # fmt: skip
    yield faster(
        7, "precision, recall, density, coverage", size, "prdc", times, goal=3, which=2,
        note="peer: holds three matrices of all distances; its 8 threads and ours on one core",
        why=PRODUCTS,
    )  # fmt: skip


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Hold this process to one core: prdc sets the number of its threads itself."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


if __name__ == "__main__":
    measure.main(rows, __doc__)
