"""What a manifest (isoform.toml) says of a model: the same file for the reference models and a user's own.

Not aware of frameworks: a factory is a name here, and only a child interpreter imports it.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isoform.core import precision as known_precisions
from isoform.core import spelling
from isoform.core.artifact import Architecture
from isoform.core.signature import Signature, TensorSpec
from isoform.core.training import NAMES as TRAINING_OPTIONS
from isoform.core.training import TrainingPlan
from isoform.errors import UsageError

MANIFEST_NAME = "isoform.toml"
FRAMEWORKS = ("torch", "keras")

_KNOWN_KEYS = {
    "": {"model", "parameters", "inputs", "outputs", "data", "train", "tokenizer", "export", *FRAMEWORKS},
    "model": {"name", "description"},
    "inputs": {"name", "dtype", "shape", "layout", "low", "high"},
    "outputs": {"name", "dtype", "shape", "layout"},
    "data": {"source"},
    "train": set(TRAINING_OPTIONS),
    "export": {"precision"},
    "tokenizer": {"file", "input", "vocabulary_size"},
    "torch": {"factory", "checkpoint", "layouts"},
    "keras": {"factory", "checkpoint", "layouts"},
}


@dataclass(frozen=True)
class Implementation:
    """One framework's version of the model.

    Attributes:
        factory: ``module:callable``, called with the manifest's parameters as keyword arguments.
        checkpoint: file name, relative to the manifest.
        layouts: inputs and outputs that this framework wants with their axes in another order, by name.
    """

    factory: str
    checkpoint: str
    layouts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Tokenizer:
    """The vocabulary behind an input of token ids: fitted on the training texts, at most ``vocabulary_size`` words."""

    file: str
    input: str
    vocabulary_size: int


@dataclass(frozen=True)
class Model:
    """A manifest, its parameters filled in.

    Attributes:
        parameters: keyword arguments of the factories; ``{name}`` in a shape stands for one of them.
        data: which data set it is trained on, a name that isoform.data knows; None for a model that comes trained.
        precisions: in which it is exported unless the command says otherwise.
    """

    name: str
    root: Path
    signature: Signature
    implementations: Mapping[str, Implementation]
    parameters: Mapping[str, Any]
    training: TrainingPlan | None = None
    data: str | None = None
    tokenizer: Tokenizer | None = None
    overridden: Mapping[str, Any] = field(default_factory=dict)
    precisions: tuple[str, ...] = (known_precisions.FP32,)

    @property
    def label(self) -> str:
        """The name, followed by the parameters that differ from the manifest: a folder name under exports/."""
        return "-".join([self.name, *(f"{key}-{value}" for key, value in sorted(self.overridden.items()))])

    def implementation(self, framework: str) -> Implementation:
        if framework not in self.implementations:
            raise UsageError(
                f"{self.root / MANIFEST_NAME} has no [{framework}] section.",
                f"It has: {', '.join(self.implementations)}. Choose one with --framework.",
            )
        return self.implementations[framework]

    def signature_for(self, framework: str) -> Signature:
        """Return the signature with the layouts that ``framework``'s implementation wants."""
        layouts = self.implementation(framework).layouts

        def arranged(specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
            return tuple(spec.with_layout(layouts[spec.name]) if spec.name in layouts else spec for spec in specs)

        return Signature(arranged(self.signature.inputs), arranged(self.signature.outputs))

    def architecture(self, framework: str) -> Architecture:
        return Architecture(self.root, self.implementation(framework).factory, dict(self.parameters))


def load_manifest(folder: Path, parameters: Mapping[str, Any] | None = None) -> Model:
    """Return the model that ``folder``'s manifest describes, ``parameters`` replacing the manifest's own.

    Raises:
        UsageError: no manifest, a key it does not know, or a value that makes no sense; file and key are named.
    """
    path = folder / MANIFEST_NAME
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not folder.exists():
            raise UsageError(f"{folder}: no such folder.", spelling.near_path(folder)) from None
        raise UsageError(f"{folder}: no {MANIFEST_NAME} in this folder.", "See models/mlp for an example.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML ({error}).", "Mend the line that is named.") from error
    _refuse_unknown_keys(path, tables)
    try:
        return _model(folder.resolve(), tables, dict(parameters or {}))
    except KeyError as error:
        raise UsageError(f"{path}: {error} is missing.", "See models/mlp/isoform.toml for an example.") from error


def _model(root: Path, tables: dict[str, Any], overridden: dict[str, Any]) -> Model:
    path = root / MANIFEST_NAME
    defaults = tables.get("parameters", {})
    unknown = sorted(set(overridden) - set(defaults))
    if unknown:
        raise UsageError(f"{path} has no parameter '{unknown[0]}'.", spelling.hint(unknown[0], defaults, "It has"))
    parameters = defaults | overridden
    training, tokenizer = tables.get("train"), tables.get("tokenizer")
    return Model(
        name=tables["model"]["name"],
        root=root,
        signature=Signature(
            tuple(_tensor(path, table, parameters) for table in tables["inputs"]),
            tuple(_tensor(path, table, parameters) for table in tables["outputs"]),
        ),
        implementations={name: Implementation(**tables[name]) for name in FRAMEWORKS if name in tables},
        parameters=parameters,
        training=_training(path, training) if training is not None else None,
        data=tables.get("data", {}).get("source"),
        tokenizer=Tokenizer(**tokenizer) if tokenizer is not None else None,
        overridden={key: value for key, value in overridden.items() if value != defaults[key]},
        precisions=_precisions(path, tables.get("export", {}).get("precision", known_precisions.FP32)),
    )


def _training(path: Path, table: dict[str, Any]) -> TrainingPlan:
    try:
        return TrainingPlan(**table)
    except UsageError as error:
        raise UsageError(f"{path}: in [train], {error.what}", error.hint) from None


def _precisions(path: Path, found: Any) -> tuple[str, ...]:
    names = [found] if isinstance(found, str) else found
    if not isinstance(names, list) or not names:
        raise UsageError(f"{path}: precision in [export] is {found!r}.", 'Write it as "int8", or ["fp32", "int8"].')
    return tuple(known_precisions.lookup(str(name)).name for name in names)


def _tensor(path: Path, table: dict[str, Any], parameters: Mapping[str, Any]) -> TensorSpec:
    def filled(value: Any) -> Any:
        if isinstance(value, str) and value.startswith("{") and value.endswith("}"):
            if value[1:-1] not in parameters:
                raise UsageError(
                    f"{path}: '{value}' names no parameter.", spelling.hint(value[1:-1], parameters, "Parameters")
                )
            return parameters[value[1:-1]]
        return value

    shape = tuple(filled(dim) for dim in table["shape"])
    if not all(isinstance(dim, (int, str)) for dim in shape):
        raise UsageError(f"{path}: the shape of '{table['name']}' is {list(shape)}.", "Use numbers and names only.")
    return TensorSpec(
        table["name"], table["dtype"], shape, table.get("layout"),
        filled(table.get("low")), filled(table.get("high")),
    )  # fmt: skip


def _refuse_unknown_keys(path: Path, tables: dict[str, Any]) -> None:
    for section, known in _KNOWN_KEYS.items():
        found = tables if section == "" else tables.get(section, {})
        for table in found if isinstance(found, list) else [found]:
            unknown = sorted(set(table) - known)
            if unknown:
                where = f"[{section}]" if section else "the top level"
                raise UsageError(
                    f"{path}: {where} has the unknown key '{unknown[0]}'.",
                    spelling.hint(unknown[0], sorted(known), "Known"),
                )
