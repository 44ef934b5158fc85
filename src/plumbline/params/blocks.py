"""What all blocks of ``params.yaml`` are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PositiveInt = Annotated[int, Field(ge=1, strict=True)]

Count = Annotated[int, Field(ge=0, strict=True)]

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]

Probability = Annotated[float, Field(ge=0, lt=1)]

Share = Annotated[float, Field(gt=0, lt=1)]


class Block(BaseModel):
    """A block of ``params.yaml``: frozen, and unknown keys are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid")
