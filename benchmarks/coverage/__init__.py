"""How often the audit's intervals hold the truth: ``python -m benchmarks.coverage``.

Each module has ``tables()``, which returns sections of ``benchmarks/COVERAGE.md``. Truth is known
by construction; what is not enumerated is simulated with fixed seeds.
"""
