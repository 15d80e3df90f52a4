"""Sizes as polynomials with integer coefficients over the names of dimensions, two more operations among the atoms.

What cannot be written so is None: two sizes that are equal here are equal at run time, the reverse is open.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

_MOST_TERMS = 12
_MOST_FACTORS = 8


class Derived(NamedTuple):
    """The whole part of ``left / right`` for ``/``, the smaller of both for ``min``.

    For ``+`` it is ``left`` where that is positive and else 0.
    """

    operation: str
    left: "Size"
    right: "Size"

    def __str__(self) -> str:
        if self.operation == "/":
            return f"({self.left})//({self.right})"
        return f"max({self.left},0)" if self.operation == "+" else f"min({self.left},{self.right})"


Atom = str | Derived
"""A number that is known when the model runs and is never negative: a named dimension, or made of such."""
Monomial = tuple[Atom, ...]


@dataclass(frozen=True)
class Size:
    """A sum of products; the terms are sorted, so that equal polynomials are equal objects."""

    terms: tuple[tuple[Monomial, int], ...]

    @property
    def number(self) -> int | None:
        """What it always is, or None where it depends on a dimension."""
        if not self.terms:
            return 0
        return self.terms[0][1] if len(self.terms) == 1 and not self.terms[0][0] else None

    @property
    def name(self) -> str | None:
        """The dimension that it is, or None."""
        is_atom = len(self.terms) == 1 and self.terms[0][1] == 1 and len(self.terms[0][0]) == 1
        atom = self.terms[0][0][0] if is_atom else None
        return atom if isinstance(atom, str) else None

    @property
    def smaller_of(self) -> tuple["Size", "Size"] | None:
        """The two sizes that it is the smaller of, or None."""
        is_atom = len(self.terms) == 1 and self.terms[0][1] == 1 and len(self.terms[0][0]) == 1
        atom = self.terms[0][0][0] if is_atom else None
        return (atom.left, atom.right) if isinstance(atom, Derived) and atom.operation == "min" else None

    @property
    def is_natural(self) -> bool:
        """Whether it is certain never to be negative."""
        return all(factor >= 0 for _, factor in self.terms)

    @property
    def is_positive(self) -> bool:
        """Whether it is certain always to be at least 1."""
        return self.is_natural and any(not atoms and factor > 0 for atoms, factor in self.terms)

    def atoms(self) -> set[str]:
        """Return the names of all dimensions that it depends on."""
        found: set[str] = set()
        for monomial, _ in self.terms:
            for atom in monomial:
                found |= {atom} if isinstance(atom, str) else atom.left.atoms() | atom.right.atoms()
        return found

    def at(self, sizes: Mapping[str, int]) -> int:
        """Return its value where the dimensions have ``sizes``."""
        return sum(factor * prod(_at(atom, sizes) for atom in atoms) for atoms, factor in self.terms)

    def __str__(self) -> str:
        spelled = ["*".join([*([str(factor)] if factor != 1 or not atoms else []), *map(str, atoms)])
                   for atoms, factor in self.terms]  # fmt: skip
        return "+".join(spelled) or "0"


def constant(number: int) -> Size:
    """Return ``number`` as a size."""
    return Size((((), number),) if number else ())


def named(name: str) -> Size:
    """Return the dimension of that name."""
    return Size((((name,), 1),))


def add(left: Size, right: Size, factor: int = 1) -> Size | None:
    """Return ``left + factor * right``."""
    return _collected([*left.terms, *((atoms, number * factor) for atoms, number in right.terms)])


def subtract(left: Size, right: Size) -> Size | None:
    """Return ``left - right``."""
    return add(left, right, -1)


def multiply(left: Size, right: Size) -> Size | None:
    """Return ``left * right``."""
    return _collected(
        ((*first, *second), number * other) for first, number in left.terms for second, other in right.terms
    )


def divide(left: Size, right: Size) -> Size | None:
    """Return ``left / right`` as ONNX divides integers, cut towards zero."""
    if left == right and right.number != 0:
        return constant(1)
    if len(right.terms) != 1:
        return _quotient(left, right)
    [(atoms, factor)] = right.terms
    parts = [(monomial, _without(monomial, atoms), number) for monomial, number in left.terms]
    exact = [(rest, number // factor) for _, rest, number in parts if rest is not None and number % factor == 0]
    open_ = [(monomial, number) for monomial, rest, number in parts if rest is None or number % factor]
    if not open_:
        return _collected(exact)
    # (a * d + r) / d is a + r / d where nothing is negative.
    rest_ = _collected(open_)
    if rest_ is None or not left.is_natural or not right.is_natural:
        return None
    whole, cut = _collected(exact), _quotient(rest_, right)
    return None if whole is None or cut is None else add(whole, cut)


def remainder(left: Size, right: Size) -> Size | None:
    """Return ``left % right`` where neither is negative."""
    if not left.is_natural or not right.is_natural:
        return None
    whole = divide(left, right)
    taken = None if whole is None else multiply(whole, right)
    return None if taken is None else subtract(left, taken)


def clip(size: Size) -> Size:
    """Return ``size`` where it is positive, and else 0."""
    if size.is_natural:
        return size
    if size.number is not None:
        return constant(0)
    return Size((((Derived("+", size, constant(0)),), 1),))


def smaller(left: Size, right: Size) -> Size | None:
    """Return the smaller of two sizes; None where one may be negative and it is not known which it is."""
    difference = subtract(left, right)
    if difference is not None and difference.is_natural:
        return right
    reverse = subtract(right, left)
    if reverse is not None and reverse.is_natural:
        return left
    if not left.is_natural or not right.is_natural:
        return None
    first, second = sorted((left, right), key=str)
    return Size((((Derived("min", first, second),), 1),))


def product(sizes: Iterable[Size | None]) -> Size | None:
    """Return the product of all, 1 of none; None where one is not known."""
    whole: Size | None = constant(1)
    for size in sizes:
        whole = None if size is None or whole is None else multiply(whole, size)
    return whole


def _quotient(left: Size, right: Size) -> Size | None:
    if left.number is not None and right.number:
        return constant(abs(left.number) // abs(right.number) * (1 if left.number * right.number >= 0 else -1))
    if not left.is_natural or not right.is_natural or right.number == 0:
        return None
    return Size((((Derived("/", left, right),), 1),))


def _without(monomial: Monomial, atoms: Monomial) -> Monomial | None:
    left = list(monomial)
    for atom in atoms:
        if atom not in left:
            return None
        left.remove(atom)
    return tuple(left)


def _collected(terms: Iterable[tuple[Monomial, int]]) -> Size | None:
    sums: dict[Monomial, int] = {}
    for atoms, factor in terms:
        monomial = tuple(sorted(atoms, key=str)) if len(atoms) > 1 else atoms
        sums[monomial] = sums.get(monomial, 0) + factor
    kept = sorted(((atoms, factor) for atoms, factor in sums.items() if factor), key=_order)
    if len(kept) > _MOST_TERMS or any(len(atoms) > _MOST_FACTORS for atoms, _ in kept):
        return None
    return Size(tuple(kept))


def _order(term: tuple[Monomial, int]) -> list[str]:
    return [str(atom) for atom in term[0]]


def _at(atom: Atom, sizes: Mapping[str, int]) -> int:
    if isinstance(atom, str):
        return sizes[atom]
    left, right = atom.left.at(sizes), atom.right.at(sizes)
    if atom.operation == "/":
        return left // right
    return max(left, 0) if atom.operation == "+" else min(left, right)
