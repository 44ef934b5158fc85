"""Feed-forward network: standardised inputs, hidden layers of any number and width, linear head."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from plumbline.models import layers


class FeedForward(nn.Module):
    """Multi-layer perceptron for classification and regression.

    A hidden layer is linear → norm → activation → dropout; before batch norm it has no bias. Binary
    classification has two outputs, like any other number of classes: one softmax serves all, and
    the difference of the two logits is the logit of the second class. Regression has one output.

    Inputs and, for regression, outputs are standardised in the network, with statistics that are
    saved with the weights: inputs are raw features, outputs have the targets' units.

    Parameters
    ----------
    inputs : int
        ``F``: number of features.
    outputs : int
        ``K``: number of classes, or 1 for regression.
    hidden : sequence of int
        Widths of the hidden layers; empty for a linear model.
    activation, norm, init : str
        Names; see `plumbline.models.layers`.
    dropout, drop_connect : float
        Share of hidden units, and of the weights of hidden layers, dropped in training, in [0, 1).
    """

    def __init__(
        self,
        *,
        inputs: int,
        outputs: int,
        hidden: Sequence[int],
        activation: str,
        dropout: float,
        norm: str,
        init: str,
        drop_connect: float = 0.0,
    ) -> None:
        super().__init__()
        self.standardise = layers.Standardise(inputs)
        self.rescale = layers.Rescale(outputs)
        widths = [inputs, *hidden]
        body: list[nn.Module] = []
        # Batch norm takes a bias away again; Adam would scale its gradient up, rounding errors.
        bias = norm != "batch"
        for before, after in pairwise(widths):
            body += [
                layers.DropConnect(before, after, share=drop_connect, bias=bias),
                layers.norm(norm, after),
                layers.activation(activation),
                nn.Dropout(dropout),
            ]
        self.body = nn.Sequential(*body)
        self.head = nn.Linear(widths[-1], outputs)
        layers.initialise(self, init=init)

    def features(self, x: Tensor) -> Tensor:
        """``(N, F)`` → ``(N, last hidden width)``: the inputs of the head."""
        features: Tensor = self.body(self.standardise(x))
        return features

    def forward(self, x: Tensor) -> Tensor:
        """``(N, F)`` raw features → ``(N, K)`` logits, or ``(N, 1)`` values."""
        outputs: Tensor = self.rescale(self.head(self.features(x)))
        return outputs
