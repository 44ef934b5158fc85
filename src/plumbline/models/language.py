"""What networks that predict the next character have in common.

Shape letters: ``N`` sequences, ``T`` steps, ``V`` vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

# What a network keeps of the steps that it has read: tensors whose second axis is that of the
# sequences, zero where nothing has been read.
State = Tensor | tuple[Tensor, Tensor]


class LanguageNetwork(nn.Module, ABC):
    """Predicts each character of a document from the characters before it.

    A document starts without a state and with the symbol `begin`, which is read and never
    predicted: its code is ``vocabulary_size``, one beyond the characters' codes. Training,
    likelihoods and predictions need nothing else of a network.

    Parameters
    ----------
    vocabulary_size : int
        ``V``: number of character codes, the code 0 of rare characters included.
    """

    def __init__(self, vocabulary_size: int) -> None:
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.begin = vocabulary_size

    @abstractmethod
    def forward(self, codes: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return the logits of the character after each one read, and the state reached.

        Parameters
        ----------
        codes : Tensor
            ``(T, N)`` int64, time first.
        state : Tensor or pair of Tensors, optional
            As returned by an earlier call; by default documents start.

        Returns
        -------
        logits : Tensor
            ``(T, N, V)``.
        state : Tensor or pair of Tensors
        """


def carry(state: State, starts: Tensor) -> State:
    """Return the state cut from the graph, and zero where a document starts.

    Parameters
    ----------
    state : Tensor or pair of Tensors
        ``(_, N, _)`` each.
    starts : Tensor
        ``(N,)`` bool: sequences whose next step begins a document.
    """
    keep = (~starts)[:, None]  # (N, 1), broadcast over the other axes
    if isinstance(state, tuple):
        hidden, cell = state
        return hidden.detach() * keep, cell.detach() * keep
    return state.detach() * keep
