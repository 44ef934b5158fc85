"""Measure accuracy by labels per class: sources of features, layers, and ways to use them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from plumbline.studies.transfer import pictures, tuning
from plumbline.studies.transfer.features import as_input, imagenet, read_features
from plumbline.studies.transfer.tuning import FULL, GLYPHS, LP_FT, PARTIAL, PROBE, ROTATION

if TYPE_CHECKING:
    from plumbline.params.transfer import LabelsParams
    from plumbline.studies.framework.rows import Progress

log = logging.getLogger(__name__)

IMAGENET, PIXELS, NONE, NEAREST = "imagenet", "pixels", "none", "nearest mean"
FIRST, AGAIN = "first", "again"
ALL = "all"
_FITTED = ((NONE, FULL), (GLYPHS, FULL), (GLYPHS, PARTIAL), (GLYPHS, LP_FT), (ROTATION, FULL))
_SIDES = {1: tuning.SIDE, 3: 32}  # by channels: of the pixels that a probe sees
Row = dict[str, Any]


class Task(NamedTuple):
    """Training rows of each class in a drawn order, test rows, and the codes 0…K-1 of all rows."""

    pools: list[Tensor]
    test: Tensor
    codes: Tensor

    def train(self, labels: int | str) -> Tensor:
        """Return the first rows of each class, or all."""
        return torch.cat([each[: None if labels == ALL else int(labels)] for each in self.pools])


def run(options: LabelsParams, seed: int, progress: Progress) -> pd.DataFrame:
    """Return the accuracy of every setting.

    Returns
    -------
    DataFrame
        ``data, source, read`` (layer), ``strategy, labels`` (per class), ``draw`` (of labels and
        test pictures: *again* is another one), ``seed``; ``accuracy`` on test pictures, ``gain`` on
        a network from scratch, ``rows`` (training pictures), ``trainable`` (parameters) and
        ``operations`` (multiply-adds of networks in training, of a probe those of its features).

    Raises
    ------
    ParamsError
        If a folder that is named is not there.
    """
    torch.set_num_threads(1)  # the order of sums must not depend on the machine
    glyphs = pictures.load(GLYPHS, seed=seed, size=tuning.SIDE)
    names = [name for name in options.data if options.folders.get(name, "") is not None]
    sets = [_Data(name, options, seed) for name in names]
    has_characters = any(data.is_small for data in sets)
    found: list[Row] = []
    for number in range(options.seeds):
        own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        small = tuning.pretrain(glyphs, options.network, seed=own) if has_characters else {}
        for place, data in enumerate(sets):
            started = time.process_time()
            found += ({"data": data.name, "seed": number, **row} for row in data.rows(small, own))
            seconds = time.process_time() - started
            log.info("%s, seed %d: %.1f s of processor time", data.name, number, seconds)
            progress(number * len(sets) + place + 1, options.seeds * len(sets), data.name)
    return _with_gain(pd.DataFrame(found))


class _Data:
    """A data set with the features that are the same for all seeds."""

    def __init__(self, name: str, options: LabelsParams, seed: int) -> None:
        started = time.process_time()
        self.name, self.options = name, options
        found = pictures.load(name, options.folders.get(name), seed=seed)
        self.pictures = found.draw(options.pictures, seed=seed)
        self.images = torch.as_tensor(self.pictures.images)
        self.targets = torch.as_tensor(self.pictures.targets)
        channels = self.images.shape[1]
        self.is_small = channels == 1  # so that the small network can see it
        self.pixels = as_input(self.images, _SIDES[channels])[:, :channels]
        layers = read_features(self.images, options.image_size)
        self.features = {(IMAGENET, read): values for read, values in layers.items()}
        self.features[PIXELS, PIXELS] = self.pixels.flatten(1)
        with tuning.counted() as counter:
            read_features(self.images[:1], options.image_size)
        self.cost = {IMAGENET: tuning.multiply_adds(counter), PIXELS: 0.0}  # of a picture
        log.info("%s: features in %.1f s of processor time", name, time.process_time() - started)

    def rows(self, small: Mapping[str, Any], seed: int) -> Iterator[Row]:
        """Yield the rows of one seed."""
        features, cost = dict(self.features), dict(self.cost)
        if self.is_small:
            for source, network in small.items():
                with tuning.counted() as counter:
                    layers = tuning.read_small(network, self.pixels)
                cost[source] = tuning.multiply_adds(counter) / len(self.pixels)
                features |= {(source, read): values for read, values in layers.items()}
        drawn = {draw: self._tasks([seed, at]) for at, draw in enumerate((FIRST, AGAIN))}
        for draw, labels in [
            *((FIRST, each) for each in self._labels()),
            (AGAIN, self._labels()[0]),
        ]:
            tasks = drawn[draw]
            place: Row = {"labels": str(labels), "draw": draw}
            place["rows"] = len(tasks[0].train(labels))
            for (source, read), values in features.items():
                for row in self._readouts(values, tasks, labels):
                    row["operations"] = cost[source] * place["rows"]
                    yield {**place, "source": source, "read": read, **row}
            if draw == FIRST:
                fits = self._fits(small, tasks[0], labels, seed)
                yield from ({**place, "read": "all", **row} for row in fits)

    def _labels(self) -> list[int | str]:
        if self.name not in self.options.ways:
            return list(self.options.labels)
        most = self.options.episode_labels
        return [each for each in self.options.labels if each != ALL and int(each) <= most]

    def _tasks(self, seed: list[int]) -> list[Task]:
        """Return the division of the pictures, or of few-shot data episodes of a few classes."""
        rng, options, targets = np.random.default_rng(seed), self.options, self.targets.numpy()
        classes = range(len(self.pictures.classes))
        if self.name not in options.ways:
            train, test = self.pictures.split(options.test_share, seed=int(rng.integers(2**31)))
            of_class = [train[targets[train] == code] for code in classes]
            shuffled = [torch.tensor(rng.permutation(rows)) for rows in of_class]
            return [Task(shuffled, torch.tensor(test), self.targets)]
        found = []
        for _ in range(options.episodes):
            chosen = rng.choice(len(classes), options.ways[self.name], replace=False)
            pools = [rng.permutation(np.flatnonzero(targets == code)) for code in chosen]
            codes, most = torch.full_like(self.targets, -1), options.episode_labels
            for code, pool in enumerate(pools):
                codes[pool] = code
            held = torch.tensor(np.concatenate([pool[most:] for pool in pools]))
            found.append(Task([torch.tensor(pool[:most]) for pool in pools], held, codes))
        return found

    def _readouts(self, values: Tensor, tasks: list[Task], labels: int | str) -> Iterator[Row]:
        for strategy in (NEAREST, PROBE):
            accuracies = []
            for task in tasks:
                rows = task.train(labels)
                few, codes, classes = values[rows], task.codes[rows], len(task.pools)
                readout = (
                    tuning.nearest_mean(few, codes, classes)
                    if strategy == NEAREST
                    else tuning.probe(few, codes, strength=self.options.strength)
                )
                accuracies.append(readout.accuracy(values[task.test], task.codes[task.test]))
            trainable = readout.weight.numel() + readout.bias.numel()
            yield {
                "strategy": strategy, "accuracy": float(np.mean(accuracies)), "trainable": trainable
            }  # fmt: skip

    def _fits(self, small: Mapping[str, Any], task: Task, labels: int | str, seed: int
              ) -> Iterator[Row]:  # fmt: skip
        """Yield the rows of networks that are trained on the pictures themselves."""
        how, train, test = self.options.tuning, task.train(labels), task.test
        plan: list[tuple[str, str, Any]] = []
        pixels, updates, rates = self.pixels, how.updates, how.rates
        if self.is_small and self.name in how.data:
            starts = {**small, NONE: small[tuning.RANDOM]}
            plan = [(source, strategy, starts[source]) for source, strategy in _FITTED]
        elif labels == how.imagenet_labels and self.name in how.imagenet_data:
            plan = [(IMAGENET, strategy, imagenet()) for strategy in (FULL, LP_FT)]
            pixels = as_input(self.images, self.options.image_size)
            updates, rates = how.imagenet_updates, dict.fromkeys(rates, how.imagenet_rate)
        for source, strategy, start in plan:
            fitted = tuning.adapt(
                start, strategy, pixels[train], self.targets[train], updates=updates,
                classes=len(task.pools), rate=rates[strategy], strength=self.options.strength,
                seed=seed,
            )  # fmt: skip
            right = tuning.accuracy(fitted.network, pixels[test], self.targets[test])
            yield {
                "source": source, "strategy": strategy, "accuracy": right,
                "trainable": fitted.trainable, "operations": fitted.operations,
            }  # fmt: skip


def _with_gain(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the gain on the network from scratch of the same seed and labels."""
    place = ["data", "labels", "draw", "seed"]
    scratch = rows[rows["source"] == NONE].set_index(place)["accuracy"].rename("scratch")
    found = rows.join(scratch, on=place)
    found["gain"] = found["accuracy"] - found.pop("scratch")
    why = {True: "no network is trained from scratch on these data or this draw", False: None}
    return found.assign(reason=found["gain"].isna().map(why))
