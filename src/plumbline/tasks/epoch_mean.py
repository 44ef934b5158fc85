"""The mean of a quantity over an epoch, as a torchmetrics metric."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class EpochMean(Metric):
    """Mean of a quantity over the rows or characters of an epoch, over all processes.

    `torchmetrics.MeanMetric` keeps a running sum in single precision. This metric keeps the sum of
    each batch and adds them at the end, so that the rounding error does not grow with the number of
    batches; and its state can be saved in the middle of an epoch without becoming a part of the
    module's ``state_dict``, which holds weights only.
    """

    full_state_update = False
    totals: list[Tensor]
    counts: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("totals", default=[], dist_reduce_fx="cat")
        self.add_state("counts", default=[], dist_reduce_fx="cat")

    def update(self, total: Tensor, count: Tensor | int = 1) -> None:
        """Add a batch.

        Parameters
        ----------
        total : Tensor, ()
            Sum of the quantity over the batch.
        count : Tensor or int
            Number of rows or characters in it.
        """
        total = total.detach()
        self.totals.append(total)
        self.counts.append(count if isinstance(count, Tensor) else total.new_full((), count))

    def compute(self) -> Tensor:
        """Return the mean."""
        totals: Tensor = dim_zero_cat(self.totals)
        counts: Tensor = dim_zero_cat(self.counts)
        return totals.sum() / counts.sum()

    def checkpoint(self) -> dict[str, Any]:
        """Return the state, for a checkpoint."""
        return {"totals": self.totals, "counts": self.counts}

    def restore(self, state: dict[str, Any], device: torch.device) -> None:
        """Continue from the state of a checkpoint."""
        self.totals = [part.to(device) for part in state["totals"]]
        self.counts = [part.to(device) for part in state["counts"]]
