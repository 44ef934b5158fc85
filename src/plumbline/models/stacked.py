"""A stack of feed-forward networks: each operation runs for all of them at once.

A network of a few thousand weights spends its time on starting operations, not on computing.
Sixteen of them take little longer than one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from plumbline.models.fnn import FeedForward


class StackedFeedForward:
    """``S`` networks of one shape whose weights lie along a first axis.

    Parameters
    ----------
    networks : sequence of FeedForward
        Networks that differ in their weights alone, which are copied.

    Attributes
    ----------
    parameters : dict of str to Tensor
        By name in a single network, ``(S, …)``, leaves of autograd.

    Raises
    ------
    ValueError
        If a layer keeps statistics of its batches, or is an activation that learns or draws.
    """

    def __init__(self, networks: Sequence[FeedForward]) -> None:
        self._first = networks[0]
        for layer in self._first.body:
            if isinstance(layer, (nn.BatchNorm1d, nn.PReLU, nn.RReLU)):
                raise ValueError(
                    "models.stacked: layers must be linear, layer norm, dropout or fixed "
                    f"activations, got {type(layer).__name__}; train the networks one by one"
                )
        self.parameters = {
            name: torch.stack([n.get_parameter(name).detach() for n in networks]).requires_grad_()
            for name, _ in self._first.named_parameters()
        }

    def draw_masks(self, rows: int, generators: Sequence[torch.Generator]) -> list[Tensor]:
        """Draw the dropout masks of a batch: 0 for dropped units, 1 / (1 - p) for the others.

        Parameters
        ----------
        rows : int
            ``N``.
        generators : sequence of torch.Generator
            One for each network, in the state of torch's own if the network were fitted alone.

        Returns
        -------
        list of Tensor
            ``(S, N, width)`` for each layer with dropout.
        """
        widths = list(_dropout(self._first.body))
        masks = [torch.empty(len(generators), rows, width) for width, _ in widths]
        for member, generator in enumerate(generators):
            for mask, (_, kept) in zip(masks, widths, strict=True):
                mask[member].bernoulli_(kept, generator=generator)
        return [mask.div_(kept) for mask, (_, kept) in zip(masks, widths, strict=True)]

    def __call__(self, inputs: Tensor, masks: Sequence[Tensor] = ()) -> Tensor:
        """Return the outputs of each network for its own inputs.

        Parameters
        ----------
        inputs : Tensor
            ``(S, N, F)``, or ``(1, N, F)`` for all networks.
        masks : sequence of Tensor
            From `draw_masks` in training; none in evaluation.

        Returns
        -------
        Tensor
            ``(S, N, K)``.
        """
        given = iter(masks)
        x: Tensor = self._first.standardise(inputs)
        for number, layer in enumerate(self._first.body):
            if isinstance(layer, nn.Linear):
                x = self._linear(x, f"body.{number}")
            elif isinstance(layer, nn.LayerNorm):
                gain, shift = self._pair(f"body.{number}")
                plain = functional.layer_norm(x, layer.normalized_shape, eps=layer.eps)
                x = plain * gain[:, None] + shift[:, None]
            elif isinstance(layer, nn.Dropout):
                x = x * next(given) if masks and layer.p else x
            else:
                x = layer(x)
        outputs: Tensor = self._first.rescale(self._linear(x, "head"))
        return outputs

    def _linear(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self._pair(name)
        wide = x.expand(len(weight), -1, -1)
        return torch.baddbmm(bias[:, None], wide, weight.transpose(1, 2))

    def _pair(self, name: str) -> tuple[Tensor, Tensor]:
        return self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"]


def _dropout(body: nn.Sequential) -> Iterator[tuple[int, float]]:
    """Yield width and share of units kept of each dropout layer."""
    width = 0
    for layer in body:
        if isinstance(layer, nn.Linear):
            width = layer.out_features
        elif isinstance(layer, nn.Dropout) and layer.p:
            yield width, 1 - layer.p
