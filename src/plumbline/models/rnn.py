"""Character-level recurrent language model: embedding, recurrent cell, projection to characters.

Shape letters: ``N`` sequences, ``T`` steps, ``V`` vocabulary, ``E`` embedding, ``H`` hidden units,
``L`` layers. The model factors the probability of a text into p(c_1) p(c_2 | c_1) …, after
"Recurrent neural network based language model", Mikolov et al. 2010, section 2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from plumbline.models.language import LanguageNetwork, State

CELLS: dict[str, type[nn.RNN | nn.LSTM | nn.GRU]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class CharRNN(LanguageNetwork):
    """A recurrent `LanguageNetwork`; its state is that of the recurrent cells, zero at the start.

    Parameters
    ----------
    vocabulary_size : int
        ``V``; see `LanguageNetwork`.
    embedding_dim, hidden_dim, layers : int
        ``E``, ``H``, ``L``.
    cell : {'rnn', 'lstm', 'gru'}
    dropout : float
        Share of units dropped after the embedding, between layers and before the projection.
    tied : bool
        Project with the embedding's own weights ("Using the output embedding to improve language
        models", Press and Wolf 2017, section 3); needs ``E == H``.

    Raises
    ------
    ValueError
        If ``tied`` and ``E != H``, or the cell is unknown.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        embedding_dim: int,
        hidden_dim: int,
        layers: int,
        cell: str,
        dropout: float,
        tied: bool,
    ) -> None:
        super().__init__(vocabulary_size)
        if cell not in CELLS:
            raise ValueError(f"models.rnn: cell must be one of {sorted(CELLS)}, got {cell!r}")
        if tied and embedding_dim != hidden_dim:
            raise ValueError(
                f"models.rnn: embedding_dim must be hidden_dim ({hidden_dim}) when tied, "
                f"got {embedding_dim}"
            )
        self.embedding = nn.Embedding(vocabulary_size + 1, embedding_dim)
        self.cell = CELLS[cell](
            embedding_dim, hidden_dim, num_layers=layers, dropout=dropout if layers > 1 else 0.0
        )
        self.dropout = nn.Dropout(dropout)
        self.projection = None if tied else nn.Linear(hidden_dim, vocabulary_size)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size)) if tied else None
        self._initialise(hidden_dim)

    def forward(self, codes: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return the logits of the character after each one read, and the state reached.

        Parameters
        ----------
        codes : Tensor
            ``(T, N)`` int64, time first: the layout in which recurrent cells need no transposing.
        state : Tensor or pair of Tensors, optional
            ``(L, N, H)`` as returned by an earlier call; zero at the start of documents.

        Returns
        -------
        logits : Tensor
            ``(T, N, V)``.
        state : Tensor or pair of Tensors
        """
        embedded = self.dropout(self.embedding(codes))  # (T, N, E)
        hidden, state = self.cell(embedded, state)  # (T, N, H)
        return self._project(self.dropout(hidden)), state

    def _project(self, hidden: Tensor) -> Tensor:
        if self.projection is not None:
            logits: Tensor = self.projection(hidden)
            return logits
        # The last row of the embedding is `begin`, which is never predicted.
        return nn.functional.linear(hidden, self.embedding.weight[:-1], self.bias)

    def _initialise(self, hidden_dim: int) -> None:
        # Orthogonal recurrent weights keep the length of what is carried from step to step: "Exact
        # solutions to the nonlinear dynamics of learning in deep linear neural networks", Saxe et
        # al. 2014, section 3. Each gate has a square block of its own.
        for name, parameter in self.cell.named_parameters():
            if name.startswith("weight_hh"):
                for gate in torch.split(parameter.data, hidden_dim):
                    nn.init.orthogonal_(gate)
        if isinstance(self.cell, nn.LSTM):
            # A forget gate that starts open keeps early gradients alive: "An empirical exploration
            # of recurrent network architectures", Jozefowicz et al. 2015, section 3.2. The gates
            # lie in the order input, forget, cell, output.
            for name, parameter in self.cell.named_parameters():
                if name.startswith("bias_ih"):
                    nn.init.ones_(parameter.data[hidden_dim : 2 * hidden_dim])
        if self.projection is None:
            # As logits, unit normal rows of length H would start far too sure.
            nn.init.normal_(self.embedding.weight, std=hidden_dim**-0.5)
