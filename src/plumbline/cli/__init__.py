"""The ``plumbline`` command."""

INFRASTRUCTURE = True
