"""What lists of sizes hold after an operator: one function an operator, None where it cannot tell."""

from collections.abc import Callable, Sequence

import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant as constant_of
from isoform.hub.passes.symbolic.call import Call, Entries, Numbers
from isoform.hub.passes.symbolic.size import Size, add, constant, divide, multiply, product, remainder, subtract

Rule = Callable[[Call], Numbers | None]
Operation = Callable[[Size, Size], Size | None]
_LONGEST = 64
_WHOLE = (ir.DataType.INT32, ir.DataType.INT64)


def shape(call: Call) -> Numbers | None:
    """Return the sizes of the input between ``start`` and ``end``."""
    sizes = call.shape(0)
    if sizes is None:
        return None
    return Numbers(sizes[call.integer("start", 0) : call.integer("end", len(sizes))], True)


def size(call: Call) -> Numbers | None:
    """Return the number of elements."""
    sizes = call.shape(0)
    return None if sizes is None else Numbers((product(sizes),), False)


def same(call: Call) -> Numbers | None:
    """Return what goes in."""
    return call.numbers(0)


def cast(call: Call) -> Numbers | None:
    """Return the same numbers, where the new type holds them all."""
    return call.numbers(0) if call.integer("to", 0) in _WHOLE else None


def squeeze(call: Call) -> Numbers | None:
    """Return a list of one as a scalar."""
    numbers = call.numbers(0)
    return Numbers(numbers.entries, False) if numbers is not None and len(numbers.entries) == 1 else None


def unsqueeze(call: Call) -> Numbers | None:
    """Return a scalar as a list."""
    numbers = call.numbers(0)
    axes = call.constants("axes", 1)
    is_list = numbers is None or numbers.is_list or axes is None or len(axes) != 1
    return None if numbers is None or is_list else Numbers(numbers.entries, True)


def reshape(call: Call) -> Numbers | None:
    """Return the same numbers in a list, or in a scalar."""
    numbers, target = call.numbers(0), call.constants("shape", 1)
    if numbers is None or target is None or len(target) > 1:
        return None
    return Numbers(numbers.entries, bool(target))


def concat(call: Call) -> Numbers | None:
    """Return all lists behind one another; of one that is not known, as many open entries as it is long."""
    joined: list[Size | None] = []
    for place in range(len(call.node.inputs)):
        part, sizes = call.numbers(place), call.shape(place)
        length = None if sizes is None or len(sizes) != 1 else sizes[0].number
        if part is not None and part.is_list:
            joined += part.entries
        elif length is not None and length + len(joined) <= _LONGEST:
            joined += [None] * length
        else:
            return None
    return Numbers(tuple(joined), True)


def gather(call: Call) -> Numbers | None:
    """Return the entries at constant places."""
    numbers = call.numbers(0)
    places = constant_of(call.node.inputs[1])
    if numbers is None or not numbers.is_list or places is None or places.ndim > 1:
        return None
    count = len(numbers.entries)
    if any(not -count <= int(place) < count for place in places.reshape(-1)):
        return None
    return Numbers(tuple(numbers.entries[int(place)] for place in places.reshape(-1)), places.ndim == 1)


def slice_(call: Call) -> Numbers | None:
    """Return the entries between constant bounds."""
    numbers, starts, ends = call.numbers(0), call.constants("starts", 1), call.constants("ends", 2)
    steps = call.constants("steps", 4) if call.has(4) else [1]
    if numbers is None or starts is None or ends is None or steps is None or len(starts) != 1 or not numbers.is_list:
        return None
    end = None if steps[0] < 0 and ends[0] < -len(numbers.entries) else ends[0]
    return Numbers(numbers.entries[starts[0] : end : steps[0]], True)


def reduced(operation: Operation, start: int) -> Rule:
    """Return a rule that takes all entries together."""

    def evaluate(call: Call) -> Numbers | None:
        numbers, axes = call.numbers(0), call.constants("axes", 1)
        is_whole = axes is not None or (not call.has(1) and not call.integer("noop_with_empty_axes", 0))
        if numbers is None or not numbers.is_list or not is_whole or axes == []:
            return None
        total: Size | None = constant(start)
        for entry in numbers.entries:
            total = None if total is None or entry is None else operation(total, entry)
        return Numbers((total,), bool(call.integer("keepdims", 1)))

    return evaluate


def elementwise(operation: Operation) -> Rule:
    """Return a rule for two lists of one length, one of which may be a single number."""

    def evaluate(call: Call) -> Numbers | None:
        if len(call.node.inputs) != 2:
            return None
        left, right = call.numbers(0), call.numbers(1)
        pairs = None if left is None or right is None else _broadcast([left.entries, right.entries])
        if pairs is None or left is None or right is None:
            return None
        entries = tuple(None if one is None or two is None else operation(one, two) for one, two in pairs)
        return Numbers(entries, left.is_list or right.is_list)

    return evaluate


def where(call: Call) -> Numbers | None:
    """Return what known conditions choose; where both sides are the same, the condition may be open."""
    parts = [call.numbers(place) for place in range(3)]
    known = [part for part in parts if part is not None]
    rows = _broadcast([part.entries for part in known]) if len(known) == 3 else None
    if rows is None:
        return None
    entries: list[Size | None] = []
    for condition, yes, no in rows:
        number = None if condition is None else condition.number
        entries.append((yes if yes == no else None) if number is None else (yes if number else no))
    return Numbers(tuple(entries), any(part.is_list for part in known))


def expand(call: Call) -> Numbers | None:
    """Return one number as often as a constant target says."""
    numbers, target = call.numbers(0), call.numbers(1)
    if numbers is None or target is None or len(target.entries) != 1 or target.entries[0] is None:
        return None
    wanted = target.entries[0].number
    if wanted is None or not 0 < wanted <= _LONGEST or len(numbers.entries) not in (1, wanted):
        return None
    return Numbers(numbers.entries * (wanted // len(numbers.entries)), True)


def filled(call: Call) -> Numbers | None:
    """Return a list of the one value of ConstantOfShape."""
    target = call.numbers(0)
    count = target.entries[0].number if target is not None and len(target.entries) == 1 and target.entries[0] else None
    attribute = call.node.attributes.get("value")
    array = None if attribute is None else attribute.as_tensor().numpy()
    if count is None or not 0 < count <= _LONGEST or array is None or array.dtype.kind != "i":
        return None
    return Numbers((constant(int(array.reshape(-1)[0])),) * count, True)


def _broadcast(lists: Sequence[Entries]) -> list[tuple[Size | None, ...]] | None:
    count = max(map(len, lists))
    if any(len(entries) not in (1, count) for entries in lists):
        return None
    return list(zip(*(entries * (count // len(entries)) for entries in lists), strict=True)) if count else []


def _equal(left: Size, right: Size) -> Size | None:
    difference = subtract(left, right)
    if difference is None:
        return None
    if difference.number is not None:
        return constant(int(difference.number == 0))
    opposite = subtract(right, left)
    is_apart = difference.is_positive or (opposite is not None and opposite.is_positive)
    return constant(0) if is_apart else None


def _less(left: Size, right: Size) -> Size | None:
    difference, opposite = subtract(right, left), subtract(left, right)
    if difference is not None and difference.is_positive:
        return constant(1)
    return constant(0) if opposite is not None and opposite.is_natural else None


def _not_more(left: Size, right: Size) -> Size | None:
    found = _less(right, left)
    return None if found is None or found.number is None else constant(1 - found.number)


def _larger(left: Size, right: Size) -> Size | None:
    found = _less(left, right)
    return None if found is None else (right if found.number else left)


def _smaller(left: Size, right: Size) -> Size | None:
    found = _less(left, right)
    return None if found is None else (left if found.number else right)


def negate(call: Call) -> Numbers | None:
    """Return the numbers with the other sign."""
    numbers = call.numbers(0)
    if numbers is None:
        return None
    zero = constant(0)
    return Numbers(tuple(None if each is None else subtract(zero, each) for each in numbers.entries), numbers.is_list)


RULES: dict[str, Rule] = {
    "Add": elementwise(add), "Cast": cast, "Concat": concat, "ConstantOfShape": filled, "Div": elementwise(divide),
    "Equal": elementwise(_equal), "Expand": expand, "Gather": gather, "Greater": elementwise(lambda a, b: _less(b, a)),
    "GreaterOrEqual": elementwise(lambda a, b: _not_more(b, a)), "Identity": same, "Less": elementwise(_less),
    "LessOrEqual": elementwise(_not_more), "Max": elementwise(_larger), "Min": elementwise(_smaller),
    "Mod": elementwise(remainder), "Mul": elementwise(multiply), "Neg": negate, "ReduceProd": reduced(multiply, 1),
    "ReduceSum": reduced(add, 0), "Reshape": reshape, "Shape": shape, "Size": size, "Slice": slice_,
    "Squeeze": squeeze, "Sub": elementwise(subtract), "Unsqueeze": unsqueeze, "Where": where,
}  # fmt: skip
