"""Schema, reading, writing and checking of every file that crosses stages.

Shape letters: ``N`` samples, ``K`` classes, ``C`` channels, ``H W`` image height and width.

Prepared data, ``data/prepared/<dataset>/``
    ``schema.json``: `DatasetSchema`.
    ``table.parquet`` (tabular, images, glyphs): ``sample_id`` (str, unique), ``split``,
    ``y`` (class code, or a float for regression), feature columns (tabular),
    ``entity`` (str) and ``sample_weight`` (float) where declared: `check_design`,
    ``labelled`` (bool, images: may fine-tuning see the label), one string column per attribute.
    ``images_<size>.npy`` (images, glyphs): uint8 ``(N, C, size, size)``, in the order of the table.
    ``encoding.json`` (tabular, images, glyphs): how a raw row or picture becomes what models read;
    see `plumbline.data.tables.encoding` and `plumbline.data.images.encoding`. See `read_encoding`.
    ``documents.parquet`` (text): ``sample_id``, ``split``, ``text``, attribute columns.
    ``vocabulary.json`` (text): list of characters whose index is their code; its first entry,
    U+FFFD, stands for every rarer character. See `read_vocabulary`, `encode_text`, `decode_text`.

Model, ``data/models/<model>/``
    ``config.json`` (`ModelConfig`) and ``model.safetensors``, or ``<name>.skops`` of each classical
    model; nothing else is needed to restore it, and nothing is unpickled. ``facts.decision`` of the
    config is the threshold of a binary classifier (`Decision`), of classical models one by name;
    without it the most probable class is decided.

Predictions, ``data/predictions/<model>.parquet``: `Predictions`.

JSON files have sorted keys; numbers have ten significant digits, undefined and infinite ones are
null (`plain`).
"""

from plumbline.artifacts.decisions import Decision, decide
from plumbline.artifacts.files import (
    atomic,
    digest,
    dump_json,
    plain,
    read_json,
    read_table,
    write_json,
    write_table,
    write_text,
)
from plumbline.artifacts.models import ModelConfig, load_weights, save_model, write_weights
from plumbline.artifacts.predictions import Predictions, passthrough_columns
from plumbline.artifacts.prepared import (
    ABSENT_GROUPS,
    ENCODED_COLUMNS,
    ENCODING,
    MERGED_CLASSES,
    RARE,
    UNMARKED,
    DatasetSchema,
    absent_group_notes,
    check_design,
    decode_text,
    encode_text,
    merged_class_notes,
    read_encoding,
    read_images,
    read_split_table,
    read_vocabulary,
    unmarked_value_notes,
    write_encoding,
)

__all__ = [
    "ABSENT_GROUPS",
    "ENCODED_COLUMNS",
    "ENCODING",
    "MERGED_CLASSES",
    "RARE",
    "UNMARKED",
    "DatasetSchema",
    "Decision",
    "ModelConfig",
    "Predictions",
    "absent_group_notes",
    "atomic",
    "check_design",
    "decide",
    "decode_text",
    "digest",
    "dump_json",
    "encode_text",
    "load_weights",
    "merged_class_notes",
    "passthrough_columns",
    "plain",
    "read_encoding",
    "read_images",
    "read_json",
    "read_split_table",
    "read_table",
    "read_vocabulary",
    "save_model",
    "unmarked_value_notes",
    "write_encoding",
    "write_json",
    "write_table",
    "write_text",
    "write_weights",
]
