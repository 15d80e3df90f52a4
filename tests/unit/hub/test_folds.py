"""Gate 1 finds what layers became of the steps beside them, and nothing that is off."""

import functools
from collections.abc import Callable

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import pytest

from isoform.core.matching import match, match_through
from isoform.hub import derived, graph
from isoform.hub.passes.fold_batch_norm import fold_batch_norm
from isoform.hub.passes.fold_layer_norm import fold_layer_norm
from isoform.hub.passes.fold_scale import fold_scale
from isoform.hub.passes.fold_weights import fold_weights

Weights = dict[str, np.ndarray]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def batch_norm(name: str, channels: int) -> Weights:
    seed = sum(map(ord, name))
    return {
        f"{name}g": normal(channels, seed=seed) + 2,
        f"{name}b": normal(channels, seed=seed + 1),
        f"{name}m": normal(channels, seed=seed + 2),
        f"{name}v": np.abs(normal(channels, seed=seed + 3)) + np.float32(0.5),
    }


def model(text: str, weights: Weights) -> ir.Model:
    proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 23]> g {text}')
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in weights.items())
    loaded = ir.from_proto(proto)
    graph.infer_shapes(loaded)
    return loaded


def exported(text: str, weights: Weights) -> Weights:
    """Return the weights as the passes leave them, step by step as a converter runs them."""
    folded = model(text, weights)
    for fold in (fold_weights, fold_batch_norm, fold_batch_norm, fold_layer_norm, fold_scale, fold_batch_norm):
        fold(folded)
        folded = ir.from_proto(ir.to_proto(folded))  # what a pass has noted of a node is gone
    read = {value.name for node in folded.graph for value in node.inputs if value is not None}
    return {name: array.copy() for name, array in derived.tensors(folded).items() if name in read}


def hows(text: str, weights: Weights, export: Weights) -> dict[str, str]:
    between = model(text, weights)
    entries = match_through(
        match(weights, export), weights, export, derived.tensors(between), functools.partial(derived.uses, between)
    )
    return {entry.parameter: entry.how for entry in entries}


CONVOLUTION = "(float[n, 6, 5, 5] x) => (float[n, c, h, w] y) {{ {} }}"
PRODUCT = "(float[n, 7, 6] x) => (float[n, 7, 8] y) {{ {} }}"
CASES = {
    "a normalisation before and after a convolution": (
        CONVOLUTION.format(
            "a = BatchNormalization (x, pg, pb, pm, pv)  c = Conv (a, k)  y = BatchNormalization (c, qg, qb, qm, qv)"
        ),
        {"k": normal(8, 6, 1, 1), **batch_norm("p", 6), **batch_norm("q", 8)},
    ),
    "the same of groups with a bias": (
        CONVOLUTION.format(
            "a = BatchNormalization (x, pg, pb, pm, pv)  c = Conv <group = 2> (a, k, b)  "
            "y = BatchNormalization (c, qg, qb, qm, qv)"
        ),
        {"k": normal(8, 3, 3, 3), "b": normal(8), **batch_norm("p", 6), **batch_norm("q", 8)},
    ),
    "a normalisation after a transposed convolution": (
        CONVOLUTION.format("c = ConvTranspose <group = 2> (x, k, b)  y = BatchNormalization (c, qg, qb, qm, qv)"),
        {"k": normal(6, 4, 3, 3), "b": normal(8), **batch_norm("q", 8)},
    ),
    "a normalisation and a layer's scale after a convolution": (
        CONVOLUTION.format("c = Conv (x, k, b)  d = BatchNormalization (c, qg, qb, qm, qv)  y = Mul (s, d)"),
        {"k": normal(8, 6, 3, 3), "b": normal(8), "s": normal(1, 8, 1, 1, seed=9), **batch_norm("q", 8)},
    ),
    "a scale before a product and two steps after it": (
        PRODUCT.format("a = Mul (x, f)  p = MatMul (a, k)  q = Add (b, p)  r = Div (q, g)  y = Sub (r, t)"),
        {"f": normal(6, seed=4), "k": normal(6, 8), "b": normal(8), "g": normal(8, seed=2) + 4, "t": normal(8, seed=3)},
    ),
    "a layer normalisation that three products read": (
        PRODUCT.format(
            "n = LayerNormalization (x, g, b)  i = MatMul (n, k)  j = Add (i, kb)  o = MatMul (n, l)  "
            "t = Transpose <perm = [1, 0, 2]> (n)  u = MatMul (t, m)  v = Transpose <perm = [1, 0, 2]> (u)  "
            "s = Add (j, o)  y = Add (s, v)"
        ),
        {"g": normal(6, seed=5), "b": normal(6), "kb": normal(8)}
        | {name: normal(6, 8, seed=place) for place, name in enumerate("klm")},
    ),
    "the bias of a product whose exporter joined two of them": (
        PRODUCT.format(
            "n = RMSNormalization (x, g)  j = Concat <axis = 0> (b, z, c)  p = MatMul (n, k)  y = Add (p, j)"
        ),
        {"g": normal(6), "b": normal(3), "z": np.zeros(2, np.float32), "c": normal(3, seed=6), "k": normal(6, 8)},
    ),
    "a scale of queries behind a normalisation and a product, parted into heads": (
        PRODUCT.format(
            "n = RMSNormalization (x, g)  p = MatMul (n, k)  q = Add (p, b)  h = Reshape (q, heads)  "
            "t = Transpose <perm = [0, 2, 1, 3]> (h)  s = Mul (t, f)  v = Transpose <perm = [0, 2, 1, 3]> (s)  "
            "y = Reshape (v, rows)"
        ),
        {"g": normal(6), "k": normal(6, 8), "b": normal(8), "f": np.array(0.3, np.float32)}
        | {"heads": np.array([0, 0, 2, 4]), "rows": np.array([0, 0, 8])},
    ),
    "a normalisation before a product with a table that tokens are looked up in, too": (
        "(float[n, 7, 6] x, int64[n, 7] i) => (float[n, 7, 8] y) { h = Gather (e, i)  a = Add (x, h)  "
        "n = RMSNormalization (a, g)  t = Transpose <perm = [1, 0]> (e)  y = MatMul (n, t) }",
        {"g": normal(6), "e": normal(8, 6)},
    ),
}
FAULTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "x 1.001": lambda array: array * np.float32(1.001),
    "rounded to fp16": lambda array: array.astype(np.float16).astype(np.float32),
    "stale": lambda array: normal(*array.shape, seed=77),
    "one altered value": lambda array: np.where(np.arange(array.size).reshape(array.shape) == 3, array + 0.1, array),
}


@pytest.mark.parametrize("name", CASES)
def test_what_the_passes_fold_is_explained(name: str) -> None:
    text, weights = CASES[name]
    export = exported(text, weights)
    assert set(export) != set(weights)
    assert "unexplained" not in hows(text, weights, export).values()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", CASES)
def test_a_fault_in_any_tensor_that_came_of_a_fold_is_not_explained(name: str, fault: str) -> None:
    text, weights = CASES[name]
    export = exported(text, weights)
    for tensor in [key for key in export if "folded" in key]:
        altered = FAULTS[fault](export[tensor]).astype(np.float32)
        assert "unexplained" in hows(text, weights, export | {tensor: altered}).values(), tensor


@pytest.mark.parametrize("fault", [None, *FAULTS])
def test_a_head_that_reads_the_table_of_tokens_may_take_in_a_normalisation(fault: str | None) -> None:
    text = (
        "(int64[n, 7] i) => (float[n, 7, 8] y) {{ x = Gather (e, i)  n = LayerNormalization (x, g, b)  {}"
        "  p = MatMul (n, k)  y = Add (p, h) }}"
    )
    weights = {"e": normal(8, 6), "g": normal(6), "b": normal(6, seed=1), "h": normal(8, seed=2)}
    export = exported(text.format(""), weights | {"k": np.ascontiguousarray(weights["e"].T)})
    assert "h" not in export
    if fault is not None:
        export["k/folded_bias"] = FAULTS[fault](export["k/folded_bias"]).astype(np.float32)
    how = hows(text.format("k = Transpose (e)"), weights, export)
    assert (
        how == {"e": "exact", "b": "computed", "g": "computed", "h": "computed"}
        if fault is None
        else how["h"] == ("unexplained")
    )


@pytest.mark.parametrize("fault", [None, *FAULTS])
def test_who_asks_for_the_sizes_of_a_product_does_not_hinder_a_fold(fault: str | None) -> None:
    weights = {"k": normal(6, 8), "b": normal(8), "f": np.array(0.5, np.float32)}
    steps = "p = MatMul (x, k)  q = Add (p, b)  s = Mul (q, f)"
    export = exported(PRODUCT.format(f"{steps}  y = Identity (s)"), weights)
    assert set(export) == {"k/folded", "k/folded_bias"}
    if fault is not None:
        export["k/folded"] = FAULTS[fault](export["k/folded"]).astype(np.float32)
    sizes = "z = Shape (q)  c = Size (p)  d = Unsqueeze (c, o)  e = Concat <axis = 0> (z, d)  t = Slice (e, o, r)"
    how = hows(PRODUCT.format(f"{steps}  {sizes}  y = Expand (s, t)"),
               weights | {"o": np.array([0]), "r": np.array([3])}, export)  # fmt: skip
    assert ({how["k"], how["b"]} == {"computed"}) is (fault is None)


def test_a_fold_is_what_numpy_computes_of_the_definition() -> None:
    text, weights = CASES["a normalisation before and after a convolution"]
    wide = {name: array.astype(np.float64) for name, array in weights.items()}
    before, after = (wide[f"{one}g"] / np.sqrt(wide[f"{one}v"] + 1e-5) for one in "pq")
    shift = wide["pb"] - wide["pm"] * before
    folded = wide["k"] * before[None, :, None, None] * after[:, None, None, None]
    bias = (wide["k"].sum((2, 3)) @ shift - wide["qm"]) * after + wide["qb"]
    export = {"w": folded.astype(np.float32).transpose(0, 2, 3, 1).copy(), "b": bias.astype(np.float32)}
    assert set(hows(text, weights, export).values()) == {"computed"}


def test_a_normalisation_kept_as_one_scale_and_one_shift_is_explained() -> None:
    weights = batch_norm("q", 6)
    text = CONVOLUTION.format("y = BatchNormalization <epsilon = 0.001> (x, qg, qb, qm, qv)")
    scale = weights["qg"] / np.sqrt(weights["qv"] + np.float32(1e-3))
    export = {"s": scale, "t": weights["qb"] - weights["qm"] * scale}
    assert set(hows(text, weights, export).values()) == {"computed"}
    for name in export:
        assert "unexplained" in hows(text, weights, export | {name: export[name] * np.float32(1.0001)}).values()


def test_steps_that_no_layer_stands_between_may_be_one_step() -> None:
    text = CONVOLUTION.format("a = Mul (x, f)  b = Sub (a, m)  c = Mul (b, s)  y = Add (c, t)")
    weights = {
        "f": np.float32(1 / 255),
        "m": normal(6, 1, 1),
        "s": normal(6, 1, 1, seed=1),
        "t": normal(1, 6, 1, 1, seed=2),
    }
    scale = (weights["s"].astype(np.float64) * weights["f"]).astype(np.float32)
    shift = (weights["t"] - weights["m"].astype(np.float64) * weights["s"]).astype(np.float32)
    assert set(hows(text, weights, {"scale": scale, "shift": shift}).values()) == {"computed"}
    assert hows(text, weights, {"scale": scale, "shift": shift * np.float32(1.001)})["m"] == "unexplained"


def test_a_shift_whose_terms_cancel_is_explained_as_computed_in_float32_and_no_other_is() -> None:
    gamma, variance, mean = np.abs(normal(32)) + 0.5, np.abs(normal(32, seed=1)) + 0.5, normal(32, seed=2) + 9
    scale = gamma / np.sqrt(variance + np.float32(1e-5))
    beta = (mean * scale * np.float32(1 + 1e-5)).astype(np.float32)
    weights = {"qg": gamma, "qb": beta, "qm": mean, "qv": variance}
    text = "(float[n, 32] x) => (float[n, 32] y) { y = BatchNormalization (x, qg, qb, qm, qv) }"
    shift = beta - mean * scale
    assert set(hows(text, weights, {"s": scale, "t": shift}).values()) == {"computed"}
    assert "unexplained" in hows(text, weights, {"s": scale, "t": shift + beta * np.float32(3e-6)}).values()


def test_a_step_that_something_else_reads_too_has_to_be_there_for_it() -> None:
    weights = {"k": normal(8, 6, 1, 1), "s": normal(8, 1, 1)}
    text = CONVOLUTION.format("c = Conv (x, k)  d = Mul (c, s)  e = Exp (c)  y = Add (d, e)")
    folded = {"w": weights["k"] * weights["s"].reshape(8, 1, 1, 1)}
    assert hows(text, weights, folded) == {"k": "unexplained", "s": "unexplained"}
    assert hows(text, weights, weights) == {"k": "exact", "s": "exact"}


def test_a_factor_that_no_step_holds_explains_nothing() -> None:
    weights = {"k": normal(8, 6, 1, 1), "s": normal(6, 1, 1)}
    text = CONVOLUTION.format("a = Softmax <axis = 1> (x)  b = Pow (a, s)  y = Conv (b, k)")
    folded = {"w": weights["k"] * weights["s"].reshape(1, 6, 1, 1)}
    assert hows(text, weights, folded) == {"k": "unexplained", "s": "unexplained"}
