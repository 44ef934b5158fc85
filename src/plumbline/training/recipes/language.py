"""Fit a network that predicts the next character to prepared text."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import torch

from plumbline import artifacts, models, names
from plumbline.params.models import Optimisation
from plumbline.runs.fit_context import FitContext
from plumbline.tasks.language import LanguageTask
from plumbline.training.data_modules.text import TextDataModule
from plumbline.training.recipes.base import VAL_LOSS, run_fit
from plumbline.training.recipes.fitted import FittedModel

VAL_BITS = names.metric(names.VAL, names.BITS_PER_CHARACTER)


class LanguageParams(Protocol):
    """A block of a language model; its other fields are the arguments of the network."""

    @property
    def sequence_length(self) -> int:
        """Steps of a chunk."""

    @property
    def optimisation(self) -> Optimisation:
        """Optimisation."""

    def model_dump(self, *, mode: str, exclude: set[str]) -> dict[str, Any]:
        """Return the fields as JSON."""


def fit_language_model(
    parameters: LanguageParams, *, data: Path, context: FitContext, architecture: str
) -> FittedModel:
    """Fit a language model to the training documents and keep its best epoch.

    Parameters
    ----------
    parameters : LanguageParams
    data : Path
        Prepared text.
    context : FitContext
    architecture : str
        Of a `plumbline.models.language.LanguageNetwork`; see `plumbline.models.build`.

    Raises
    ------
    DataError
        If a document is empty.
    TrainingError
        At the first loss that is not finite.
    """
    settings = parameters.optimisation
    text = TextDataModule(
        data,
        streams=settings.batch_size,
        length=parameters.sequence_length,
        seed=context.seed,
    )
    arguments = {
        "vocabulary_size": len(text.vocabulary),
        **parameters.model_dump(mode="json", exclude={"sequence_length", "optimisation"}),
    }
    torch.manual_seed(context.seed)
    network: Any = models.build(architecture, **arguments)
    result = run_fit(
        LanguageTask(network, settings=settings),
        text,
        context=context,
        max_epochs=settings.max_epochs,
        monitor=VAL_LOSS,
        patience=settings.patience,
        gradient_clip=settings.gradient_clip,
        accumulate=settings.accumulate,
    )
    facts = {
        "epochs": result.epochs,
        "best_epoch": result.best_epoch,
        "chosen_by": f"lowest {VAL_LOSS}",
        "steps": result.steps,
        "chunks_per_epoch": len(text.train_dataloader()),
        "val_bits_per_character": result.history.rows[result.best_epoch][VAL_BITS],
        "train_characters": sum(map(len, text.documents[names.TRAIN])),
        "val_characters": sum(map(len, text.documents[names.VAL])),
        **result.found,
    }
    config = artifacts.ModelConfig(
        model=context.model,
        architecture=architecture,
        arguments=arguments,
        kind=names.LANGUAGE,
        dataset=text.schema.dataset,
        source=text.schema.source,
        # Time first: (characters read, documents) → logits of the next ones.
        inputs=({"name": "codes", "dtype": "int64", "shape": [-1, -1]},),
        outputs=({"name": "logits", "dtype": "float32", "shape": [-1, -1, len(text.vocabulary)]},),
        parameters=models.count_parameters(network),
        facts=facts,
    )
    return FittedModel(network, config, result.history)
