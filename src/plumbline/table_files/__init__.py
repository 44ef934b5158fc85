"""The one reader of tables that people bring: CSV in any dialect, and Parquet.

`stage` writes the columns that are asked for to a Parquet file, in bounded memory; `read_frame`
returns them as text; `read_header` returns the names. Every row of a CSV is counted twice, by the
parser and by its quotes and line ends, and both counts must agree.
"""

from plumbline.table_files.dialect import Dialect
from plumbline.table_files.staging import (
    StagedTable,
    is_plain_parquet,
    read_batches,
    read_frame,
    read_header,
    stage,
)

__all__ = [
    "Dialect",
    "StagedTable",
    "is_plain_parquet",
    "read_batches",
    "read_frame",
    "read_header",
    "stage",
]
