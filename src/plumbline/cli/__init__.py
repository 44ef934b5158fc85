"""The ``plumbline`` command."""
