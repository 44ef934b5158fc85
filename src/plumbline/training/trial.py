"""A few updates of a training stage with another batch size, in a process of its own.

``python -m plumbline.training.trial train_fnn 64`` prints JSON: ``peak``, the most bytes that were
in use, of the GPU where there is one, else of the process.
Nothing that the stage keeps is read or written.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plumbline import names, params
from plumbline.errors import ParamsError

UPDATES = 3  # the optimiser has its state after the first
TOO_LARGE = 75  # exit code: the GPU has no room for it
STAGES = (
    "train_fnn", "train_rnn", "train_cnn", "train_gan", "pretrain",
    *(f"finetune@{strategy}" for strategy in names.STRATEGIES),
)  # fmt: skip


class _EnoughError(Exception):
    """The updates have been made."""


def sized(parameters: params.Params, stage: str, size: int) -> Any:
    """Return the parameters of a training stage with another batch size, for a short fit.

    Raises
    ------
    ParamsError
        If the stage trains no network.
    """
    if stage not in STAGES:
        raise ParamsError(
            f"batch-size: stage must be one of {', '.join(STAGES)}, got {stage!r}; name one of them"
        )
    block = getattr(parameters, stage.partition("@")[0])
    if stage == "train_gan":
        return block.model_copy(update={"batch_size": size, "steps": UPDATES + 1})
    # One epoch may be one update.
    short = {"batch_size": size, "max_epochs": UPDATES + 1, "patience": UPDATES + 1}
    settings = block.optimisation.model_copy(update=short)
    return block.model_copy(update={"optimisation": settings})


def run(stage: str, size: int) -> dict[str, int]:
    """Make the updates, of the prepared data below the working directory, and measure them."""
    import torch

    from plumbline.training.fitting import Where

    parameters = params.load(Path("params.yaml"))
    block = sized(parameters, stage, size)
    # A checkpoint is due after every update, and asks first.
    alone = {"checkpoint_seconds": 0.0, "trace": False, "devices": 1, "num_nodes": 1}
    trainer = parameters.trainer.model_copy(update={**alone, "strategy": "auto"})
    asked = 0

    def stop() -> None:
        nonlocal asked
        asked += 1
        if asked > UPDATES:
            raise _EnoughError

    with tempfile.TemporaryDirectory() as folder:
        where = Where(stage, Path(folder) / "fit", parameters.seed, trainer, check=stop)
        try:
            _fit(stage)(block, where)
        except _EnoughError:
            pass
        except torch.cuda.OutOfMemoryError:
            sys.exit(TOO_LARGE)
    if torch.cuda.is_available() and trainer.accelerator != "cpu":
        return {"peak": torch.cuda.max_memory_allocated()}
    return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}  # Linux: KiB


def _fit(stage: str) -> Callable[[Any, Any], object]:
    model, _, item = stage.removeprefix("train_").partition("@")
    prepared = names.PREPARED
    if model in ("fnn", "cnn"):
        from plumbline.training import supervised

        fit: Any = getattr(supervised, f"fit_{model}")
    elif model == "rnn":
        from plumbline.training.language import fit_rnn as fit
    elif model == "gan":
        from plumbline.training.adversarial import fit_gan as fit
    elif model == "pretrain":
        from plumbline.training.pretraining import pretrain_backbone as fit
    else:
        from plumbline.training.transfer import finetune

        return lambda block, where: finetune(
            block, strategy=item, data=prepared / names.IMAGES, where=where
        )
    data = prepared / (names.GLYPHS if model == "pretrain" else names.MODEL_DATA[model])
    return lambda block, where: fit(block, data=data, where=where)


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]))))
