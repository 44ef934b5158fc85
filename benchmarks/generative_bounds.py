"""Values of real images from which the bounds of the gate's rules on the GAN are taken.

``python benchmarks/generative_bounds.py`` after ``make repro``: on the validation split, which is
neither trained on nor reported, in the features of the pipeline's classifier.
"""

from __future__ import annotations

import numpy as np
import torch

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema
from plumbline.inference.restore import restore
from plumbline.metrics.generative import distances, halves

HALVES = 200  # random halves of the images


def main() -> None:
    data = names.PREPARED / names.IMAGES
    table = artifacts.read_split_table(data)
    chosen = (table["split"] == names.VAL).to_numpy()
    network, config = restore(names.MODEL_DIR / names.EXTRACTOR)
    size = int(config.arguments["image_size"])
    images = artifacts.read_images(data, size, rows=len(table))[chosen]
    with torch.inference_mode():
        features = network.features(torch.tensor(images)).double().numpy()
    labels = table.loc[chosen, "y"].to_numpy()
    print(f"{len(labels)} real images, {HALVES} random halves with equal shares of the classes")
    print(f"{'kernel distance, all classes':40} {without(features, labels, None):8.2f}")
    for code, name in enumerate(DatasetSchema.read(data).classes):
        print(f"{f'kernel distance, without {name}':40} {without(features, labels, code):8.2f}")
    rounds = halves.half_sample_rounds(
        features, features, neighbours=3, splits=HALVES, seed=0, strata=(labels, labels)
    )
    for quantity, value in zip(halves.QUANTITIES, rounds.real.mean(axis=0), strict=True):
        print(f"{f'{quantity}, {rounds.size} with {rounds.size} others':40} {value:8.3f}")


def without(features: np.ndarray, labels: np.ndarray, missing: int | None) -> float:
    """Return the mean kernel distance of half of the images, less a class, from the other half."""
    rng, found = np.random.default_rng(0), []
    for _ in range(HALVES):
        one, other = halves.partition(rng, labels, parts=2, size=len(labels) // 2)
        kept = one if missing is None else one[labels[one] != missing]
        found.append(
            distances.kernel_distance(
                features[kept], features[other], strata=(labels[kept], labels[other])
            )[0]
        )
    return float(np.mean(found))


if __name__ == "__main__":
    main()
