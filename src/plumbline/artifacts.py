"""Schema, reading, writing and checking of every file that crosses stages.

Shape letters: ``N`` samples, ``K`` classes, ``C`` channels, ``H W`` image height and width.

Prepared data, ``data/prepared/<dataset>/``
    ``schema.json``: `DatasetSchema`.
    ``table.parquet`` (tabular, images, glyphs): ``sample_id`` (str, unique), ``split``,
    ``y`` (class code, or a float for regression), feature columns (tabular),
    ``labelled`` (bool, images: may fine-tuning see the label), one string column per attribute.
    ``images_<size>.npy`` (images, glyphs): uint8 ``(N, C, size, size)``, in the order of the table.
    ``documents.parquet`` (text): ``sample_id``, ``split``, ``text``, attribute columns.
    ``vocabulary.json`` (text): list of characters whose index is their code; its first entry,
    U+FFFD, stands for every rarer character. See `read_vocabulary`, `encode_text`, `decode_text`.

Model, ``data/models/<model>/``
    ``model.safetensors`` and ``config.json`` (`ModelConfig`); nothing else is needed to restore it.

Predictions, ``data/predictions/<model>.parquet``: `Predictions`.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline import names
from plumbline.errors import ArtifactError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

_META_KEY = b"plumbline"


# --- bytes ---------------------------------------------------------------------------------------


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a sibling of ``path`` to write to; it replaces ``path`` only if all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically; line ends stay line feeds on every system."""
    with atomic(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def digest(path: Path, algorithm: str = "sha256") -> str:
    """Return the hex digest of a file, or of a folder's sorted (relative path, digest) pairs."""
    if path.is_dir():
        parts = sorted(
            f"{file.relative_to(path).as_posix()}\0{digest(file, algorithm)}\n"
            for file in path.rglob("*")
            if file.is_file() and "__pycache__" not in file.parts
        )
        return hashlib.new(algorithm, "".join(parts).encode()).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


# --- JSON ----------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """Return ``value`` as JSON types: floats at 10 significant digits, NaN and ±inf as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (bool, str)) or value is None:
        return value
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return plain(value.tolist())
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return float(f"{value:.10g}") if math.isfinite(value) else None
    if hasattr(value, "__dataclass_fields__"):
        return plain(asdict(value))
    raise TypeError(f"artifacts.plain: value must be JSON-like, got {type(value).__name__}")


def dump_json(value: Any) -> str:
    """Return the one JSON text of ``value``: sorted keys, two spaces, undefined numbers as null."""
    return json.dumps(plain(value), sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write `dump_json` of ``value`` atomically."""
    write_text(path, dump_json(value))


def read_json(path: Path) -> Any:
    """Read a JSON file of ours."""
    try:
        return json.loads(_existing(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path.name}: content must be JSON, got {error}") from error


# --- tables --------------------------------------------------------------------------------------


def write_table(path: Path, table: pd.DataFrame, meta: Mapping[str, Any] | None = None) -> None:
    """Write a table as Parquet with ``meta`` in its footer; equal tables give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pa.Table.from_pandas(table, preserve_index=False)
    note = {_META_KEY: json.dumps(plain(meta or {}), sort_keys=True).encode()}
    with atomic(path) as temporary:
        pq.write_table(arrow.replace_schema_metadata(note), temporary)


def read_table(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read a Parquet table of ours and its ``meta``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        arrow = pq.read_table(_existing(path))
    except pa.ArrowInvalid as error:
        raise ArtifactError(f"{path.name}: content must be Parquet, got {error}") from error
    meta = json.loads((arrow.schema.metadata or {}).get(_META_KEY, b"{}"))
    return arrow.to_pandas(), meta


# --- prepared data -------------------------------------------------------------------------------


@dataclass(frozen=True)
class DatasetSchema:
    """What a prepared data set is.

    Attributes
    ----------
    dataset : {'tabular', 'text', 'images', 'glyphs'}
    source : str
        Name of the source in ``params.yaml``.
    task : {'binary', 'multiclass', 'regression', 'language'}
    classes : tuple of str
        Class names in the order of their codes; empty for regression and text.
    attributes : tuple of str
        Columns that the audit groups by.
    features : tuple of str
        Feature columns of a table; empty for images and text.
    about : dict
        Title, description, licence, citation and address of the source, and how each
        attribute was obtained: what the cards say about the data.
    """

    dataset: str
    source: str
    task: str
    classes: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def positive(self) -> str | None:
        """The class whose prediction counts as selection: the second of two, else None."""
        return self.classes[1] if self.task == "binary" else None

    @classmethod
    def read(cls, folder: Path) -> DatasetSchema:
        """Read ``schema.json`` of a prepared folder."""
        schema: DatasetSchema = _from_json(cls, folder / "schema.json")
        return schema


def read_split_table(folder: Path, *, name: str = "table.parquet") -> pd.DataFrame:
    """Read the table of a prepared folder and check ids and splits.

    Raises
    ------
    ArtifactError
        If ids repeat or a split is unknown or empty.
    """
    table, _ = read_table(folder / name)
    where = f"{folder.name}/{name}"
    if table["sample_id"].duplicated().any():
        twice = table.loc[table["sample_id"].duplicated(), "sample_id"].iloc[0]
        raise ArtifactError(f"{where}: sample_id must be unique, got {twice!r} more than once")
    if (found := set(table["split"])) != set(names.SPLITS):
        raise ArtifactError(f"{where}: splits must be {names.SPLITS}, got {sorted(found)}")
    return table


def read_images(folder: Path, size: int, *, rows: int) -> npt.NDArray[np.uint8]:
    """Read the images of a prepared folder, ``(rows, C, size, size)`` in the order of its table.

    Raises
    ------
    ArtifactError
        If there are none of this size, or their type or shape is another.
    """
    import numpy as np

    path = _existing(folder / f"images_{size}.npy")
    try:
        images: npt.NDArray[np.uint8] = np.load(path, allow_pickle=False)
    except ValueError as error:
        raise ArtifactError(
            f"{folder.name}/{path.name}: content must be a NumPy array, got none ({error})"
        ) from error
    shape = images.shape
    if images.dtype != np.uint8 or len(shape) != 4 or shape[0] != rows or shape[2:] != (size, size):
        raise ArtifactError(
            f"{folder.name}/{path.name}: images must be uint8 ({rows}, C, {size}, {size}), "
            f"got {images.dtype} {shape}"
        )
    return images


RARE = "\ufffd"  # the replacement character: code 0 of every vocabulary


def read_vocabulary(folder: Path) -> tuple[str, ...]:
    """Read the characters of a prepared text; the index is the code.

    Raises
    ------
    ArtifactError
        If the list is not one of different characters that begins with `RARE`.
    """
    path = folder / "vocabulary.json"
    found = read_json(path)
    characters = isinstance(found, list) and all(isinstance(c, str) and len(c) == 1 for c in found)
    if not characters or found[:1] != [RARE] or len(set(found)) != len(found):
        raise ArtifactError(
            f"{folder.name}/{path.name}: content must be a list of different characters that "
            f"begins with U+FFFD, got {str(found)[:40]}"
        )
    return tuple(found)


def encode_text(text: str, vocabulary: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the code of each character, ``(len(text),)``; 0 for those not in the vocabulary."""
    import numpy as np

    codes = {ord(character): code for code, character in enumerate(vocabulary)}
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    table = np.zeros(max(codes) + 1, dtype=np.int64)
    table[list(codes)] = list(codes.values())
    return np.where(points < len(table), table[np.minimum(points, len(table) - 1)], 0)


def decode_text(codes: Iterable[int], vocabulary: Sequence[str]) -> str:
    """Return the text of codes; code 0 becomes `RARE`."""
    return "".join(vocabulary[int(code)] for code in codes)


# --- models --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ModelConfig:
    """All that is needed, beside the weights, to restore a model.

    Attributes
    ----------
    model : str
        Name of the model, one of `names.MODELS`.
    architecture : str
        Key of `plumbline.models.build`.
    arguments : dict
        Keyword arguments of the architecture.
    kind : str
        Kind of its predictions table, one of `names.KINDS`.
    dataset, source : str
        Prepared data set it was trained on, and that set's source.
    classes : tuple of str
        Class names in the order of the outputs.
    inputs, outputs : list of dict
        Signature: ``{"name", "dtype", "shape"}`` each, -1 for a free axis.
    parameters : int
        Number of trainable numbers.
    facts : dict
        What training found: best epoch, steps, ledger; nothing that varies between equal runs.
    """

    model: str
    architecture: str
    arguments: dict[str, Any]
    kind: str
    dataset: str
    source: str
    classes: tuple[str, ...] = ()
    inputs: tuple[dict[str, Any], ...] = ()
    outputs: tuple[dict[str, Any], ...] = ()
    parameters: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> ModelConfig:
        """Read ``config.json`` of a model folder."""
        config: ModelConfig = _from_json(cls, folder / "config.json")
        return config


def save_model(folder: Path, weights: Mapping[str, Any], config: ModelConfig) -> None:
    """Write weights (torch tensors or arrays) and config."""
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder / "model.safetensors", weights)
    write_json(folder / "config.json", config)


def write_weights(path: Path, weights: Mapping[str, Any]) -> None:
    """Write torch tensors or arrays as safetensors.

    The file carries no metadata: with two or more keys its bytes are not stable.
    """
    import numpy as np
    from safetensors.numpy import save_file

    arrays = {
        name: np.ascontiguousarray(w.detach().cpu().numpy() if hasattr(w, "detach") else w)
        for name, w in weights.items()
    }
    with atomic(path) as temporary:
        save_file(arrays, temporary)


def load_weights(folder: Path) -> dict[str, npt.NDArray[Any]]:
    """Read the weights of a model folder as arrays."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = _existing(folder / "model.safetensors")
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise ArtifactError(f"{path.name}: content must be safetensors, got {error}") from error


# --- predictions ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Predictions:
    """The table that every measurement after the model is made from.

    Columns by kind, one row per sample; ``split`` is mostly ``test``, ``val`` where both are kept:

    classification
        ``sample_id, split, y_true, y_pred`` (class codes), ``score_<class>`` (probabilities that
        sum to 1), attributes.
    regression
        ``sample_id, split, y_true, y_pred`` (floats), attributes.
    language
        one row per block of one document: ``sample_id, split, document_id``,
        ``nll`` (nats, summed over the block), ``characters`` (int), attributes.
    generator
        one row per image: ``sample_id, split``, ``y_true``, ``y_pred`` (class seen by the
        extractor), ``score_<class>``, ``feature_<i>`` (the extractor's features, i = 0, 1, …),
        attributes as measured on the image. Rows of split ``test`` are generated samples, their
        ``y_true`` the class asked for; rows of split ``reference`` are the real images they are
        held against, their ``y_true`` the true class. Both are measured in the same way.

    Attributes
    ----------
    table : DataFrame
    model, kind, dataset, source : str
    classes : tuple of str
    positive : str or None
        The class whose prediction counts as selection; set for binary tasks only.
    attributes : tuple of str
    """

    table: pd.DataFrame
    model: str
    kind: str
    dataset: str
    source: str
    classes: tuple[str, ...]
    positive: str | None
    attributes: tuple[str, ...]

    def columns(self) -> list[str]:
        """Return the columns the table must have, in order."""
        scores = [f"score_{name}" for name in self.classes]
        by_kind = {
            names.CLASSIFICATION: ["y_true", "y_pred", *scores],
            names.REGRESSION: ["y_true", "y_pred"],
            names.LANGUAGE: ["document_id", "nll", "characters"],
            names.GENERATOR: ["y_true", "y_pred", *scores, *self._feature_columns()],
        }
        return ["sample_id", "split", *by_kind[self.kind], *self.attributes]

    def scores(self) -> npt.NDArray[np.float64]:
        """Return the class probabilities, ``(N, K)``."""
        columns = [f"score_{name}" for name in self.classes]
        return self.table[columns].to_numpy(dtype="float64")

    def features(self) -> npt.NDArray[np.float64]:
        """Return the extractor's features of a generator's table, ``(N, F)``."""
        return self.table[self._feature_columns()].to_numpy(dtype="float64")

    def _feature_columns(self) -> list[str]:
        found = [c for c in self.table.columns if str(c).startswith("feature_")]
        return sorted(found, key=lambda column: int(column.removeprefix("feature_")))

    def write(self, path: Path) -> None:
        """Check and write the table."""
        self.check(path.name)
        meta = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "table"}
        write_table(path, self.table[self.columns()], meta)

    @classmethod
    def read(cls, path: Path) -> Predictions:
        """Read and check a predictions table."""
        table, meta = read_table(path)
        try:
            meta["classes"], meta["attributes"] = tuple(meta["classes"]), tuple(meta["attributes"])
            predictions = cls(table=table, **meta)
        except (KeyError, TypeError) as error:
            raise ArtifactError(
                f"{path.name}: file must hold a predictions table, got no complete header ({error})"
            ) from error
        predictions.check(path.name)
        return predictions

    def check(self, where: str) -> None:
        """Check the table against the schema.

        Raises
        ------
        ArtifactError
            At the first column that is missing, undefined or out of range.
        """
        import numpy as np

        if self.kind not in names.KINDS:
            raise ArtifactError(f"{where}: kind must be one of {names.KINDS}, got {self.kind!r}")
        if missing := [c for c in self.columns() if c not in self.table.columns]:
            raise ArtifactError(f"{where}: columns must include {missing}, got none of them")
        if self.table.empty:
            raise ArtifactError(f"{where}: table must have a row, got none")
        if self.table["sample_id"].duplicated().any():
            raise ArtifactError(f"{where}: sample_id must be unique, got repeated ids")
        for column in self.columns():
            if self.table[column].isna().any():
                raise ArtifactError(f"{where}: column {column} must be defined, got missing values")
            numeric = self.table[column].dtype.kind == "f"
            if numeric and not np.isfinite(self.table[column]).all():
                raise ArtifactError(f"{where}: column {column} must be finite, got infinite values")
        if self.kind in (names.CLASSIFICATION, names.GENERATOR):
            for column in ("y_true", "y_pred"):
                codes = self.table[column]
                if not codes.isin(range(len(self.classes))).all():
                    raise ArtifactError(
                        f"{where}: {column} must be a code in 0…{len(self.classes) - 1}, "
                        f"got {codes.min()}…{codes.max()}"
                    )
            scores = self.scores()
            if scores.min() < 0 or not np.allclose(scores.sum(axis=1), 1, atol=1e-4):
                raise ArtifactError(f"{where}: scores must be >= 0 and sum to 1 in every row")


# --- helpers -------------------------------------------------------------------------------------


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ArtifactError(
            f"{path.name}: file must exist, got none at {path.parent.as_posix()}/; "
            "run the stage that makes it"
        )
    return path


def _from_json(cls: type[Any], path: Path) -> Any:
    raw = read_json(path)
    known = {f.name for f in fields(cls)}
    if not isinstance(raw, dict) or set(raw) - known:
        extra = sorted(set(raw) - known) if isinstance(raw, dict) else type(raw).__name__
        raise ArtifactError(f"{path.name}: keys must be among {sorted(known)}, got {extra}")
    tuples = {f.name for f in fields(cls) if str(f.type).startswith("tuple")}
    try:
        return cls(**{k: tuple(v) if k in tuples else v for k, v in raw.items()})
    except TypeError as error:
        raise ArtifactError(f"{path.name}: keys must be complete, got {error}") from error
