"""Gate 1 through a graph on the way: what follows from its tensors explains them where all of it is there."""

import numpy as np

from isoform.core.computed import Derived, Fold, Product, Uses
from isoform.core.matching import match, match_through


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def found(source: dict, export: dict, uses: dict[str, Uses], between: dict | None = None) -> dict[str, str]:
    entries = match_through(
        match(source, export), source, export, between or source, lambda names: {name: uses[name] for name in names}
    )
    return {entry.parameter: entry.how for entry in entries}


def test_what_follows_from_a_tensor_alone_explains_it_where_all_of_it_is_there() -> None:
    scale, table = np.float32(1.3).reshape(()), normal(4, 6)
    source = {"scale": scale, "table": table}
    squared = Derived(table @ table.T, ((),))
    uses: dict[str, Uses] = {
        "scale": ((Derived(np.exp(scale), ((),)),),),
        "table": ((Derived(np.tanh(table), ((),)),), (Derived(table + table, ((squared,),)),)),
    }
    export = {"e": np.exp(scale), "t": np.tanh(table), "p": table @ table.T}
    assert found(source, export, uses) == {"scale": "computed", "table": "computed"}
    assert found(source, export | {"e": np.exp(scale) * np.float32(1.00001)}, uses)["scale"] == "unexplained"
    assert found(source, {name: export[name] for name in ("e", "p")}, uses)["table"] == "unexplained"
    earlier = {"e": export["e"], "t": export["t"], "earlier": table + table}
    assert found(source, earlier, uses)["table"] == "computed"


def test_a_tensor_that_something_reads_as_it_stands_has_to_be_there() -> None:
    weight = normal(5)
    uses: dict[str, Uses] = {"w": ((Derived(np.exp(weight), ((),)),), ())}
    assert found({"w": weight}, {"e": np.exp(weight)}, uses) == {"w": "unexplained"}


def test_any_of_the_folds_that_a_reader_may_have_become_will_do_if_it_is_there_as_a_whole() -> None:
    kernel, factor, bias = normal(8, 5), normal(8, seed=1).astype(np.float64), normal(8, seed=2).astype(np.float64)
    whole = Fold(lambda: (Product(kernel, factor[:, None]), Product(bias, np.ones(1), terms=np.abs(bias))))
    other = Fold(lambda: (Product(kernel, factor[:, None] * 2),))
    export = {"k": (kernel * factor[:, None]).astype(np.float32).T.copy(), "b": bias.astype(np.float32)}
    assert found({"k": kernel}, export, {"k": ((other, whole),)}) == {"k": "computed"}
    assert found({"k": kernel}, export, {"k": ((other,),)}) == {"k": "unexplained"}
    for name in export:
        assert found({"k": kernel}, {key: export[key] for key in export.keys() - {name}}, {"k": ((whole,),)}) == {
            "k": "unexplained"
        }
        altered = export | {name: export[name] * np.float32(1.0001)}
        assert found({"k": kernel}, altered, {"k": ((whole,),)}) == {"k": "unexplained"}


def test_a_kernel_without_a_factor_is_compared_bit_for_bit() -> None:
    kernel = normal(8, 5)
    uses: dict[str, Uses] = {"k": ((Fold(lambda: (Product(kernel),)),),)}
    assert found({"k": kernel}, {"x": np.nextafter(kernel, np.float32(9))}, uses) == {"k": "unexplained"}


def test_what_the_graph_on_the_way_joined_is_followed_onward() -> None:
    one, other = normal(6), normal(6, seed=3)
    between = {"bias": np.concatenate([one, other])}
    uses: dict[str, Uses] = {"bias": ((Derived(between["bias"] * 2, ((),)),),)}
    source, export = {"q": one, "v": other}, {"x": between["bias"] * 2}
    assert found(source, export, uses, between) == {"q": "joined, computed", "v": "joined, computed"}
    assert found(source, {"x": export["x"] * np.float32(1.0001)}, uses, between)["v"] == "unexplained"
