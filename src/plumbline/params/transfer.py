"""The parameters of the transfer and vision laboratory: one block per study."""

from __future__ import annotations

from plumbline.params.blocks import Block
from plumbline.params.feedforward import ClaimsParams


class TransferStudy(Block):
    """All of ``studies/transfer/params.yaml``."""

    claims: ClaimsParams
