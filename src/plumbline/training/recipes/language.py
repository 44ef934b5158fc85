"""Fit the character network to prepared text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from plumbline import artifacts, models, names
from plumbline.params.models import RnnParams
from plumbline.runs.fit_context import FitContext
from plumbline.tasks.language import LanguageTask
from plumbline.training.data_modules.text import TextDataModule
from plumbline.training.recipes.base import VAL_LOSS, run_fit
from plumbline.training.recipes.fitted import FittedModel

VAL_BITS = names.metric(names.VAL, names.BITS_PER_CHARACTER)


def fit_rnn(parameters: RnnParams, *, data: Path, context: FitContext) -> FittedModel:
    """Fit the character network to the training documents and keep its best epoch.

    Parameters
    ----------
    parameters : RnnParams
    data : Path
        Prepared text.
    context : FitContext

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
    network: Any = models.build("rnn", **arguments)
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
    }
    return FittedModel(network, _config(text.schema, arguments, network, facts), result.history)


def _config(
    schema: artifacts.DatasetSchema,
    arguments: dict[str, Any],
    network: nn.Module,
    facts: dict[str, Any],
) -> artifacts.ModelConfig:
    return artifacts.ModelConfig(
        model="rnn",
        architecture="rnn",
        arguments=arguments,
        kind=names.LANGUAGE,
        dataset=schema.dataset,
        source=schema.source,
        # Time first: (characters read, documents) → logits of the next ones.
        inputs=({"name": "codes", "dtype": "int64", "shape": [-1, -1]},),
        outputs=(
            {"name": "logits", "dtype": "float32", "shape": [-1, -1, arguments["vocabulary_size"]]},
        ),
        parameters=models.count_parameters(network),
        facts=facts,
    )
