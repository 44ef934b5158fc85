"""The model of every laboratory's ``studies/<lab>/params.yaml``."""

from plumbline.params.blocks import Block

STUDIES: dict[str, type[Block]] = {}
