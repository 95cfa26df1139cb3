"""Two-level factorials: fractions by generators or by resolution, and what is aliased with what.

A fraction runs some of the 2^k combinations and pays for it: effects whose columns of signs are equal over
its arms cannot be told apart. The columns decide, so that the plan before the first run and the report after
the last one state the same aliases.

Reference: Box & Hunter (1961), "The 2^(k-p) fractional factorial designs", Technometrics 3.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from bench.study.levels import level_text
from bench.study.model import Factor, Level
from bench.units import MINUS

MOST_FACTORS = 11
"""Of a factorial: more have too many combinations to search for a fraction, and to run."""

Signs = tuple[int, ...]
"""One of -1 (first level) and +1 (second level) a factor."""

ROMAN = {3: "III", 4: "IV", 5: "V", 6: "VI", 7: "VII", 8: "VIII"}


@dataclass(frozen=True)
class Fraction:
    """Some of the combinations of two-level factors; without generators all of them."""

    factors: tuple[str, ...]
    generators: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """A factor each, and those whose signs it is the product of."""

    @property
    def words(self) -> tuple[frozenset[str], ...]:
        """The defining relation: products of factors that are +1 in every arm."""
        basic = [frozenset((name, *parts)) for name, parts in self.generators]
        products = (
            _product(chosen) for n in range(1, len(basic) + 1) for chosen in itertools.combinations(basic, n)
        )
        return tuple(sorted(products, key=lambda word: (len(word), self._ranks(word))))

    @property
    def resolution(self) -> int | None:
        """Length of the shortest word; None where all combinations are run."""
        return min(map(len, self.words), default=None)

    @property
    def n_arms(self) -> int:
        """Combinations that are run."""
        return 1 << (len(self.factors) - len(self.generators))

    def rows(self) -> Iterator[Signs]:
        """The combinations: those of the factors that are not generated, the last varying fastest."""
        parts = dict(self.generators)
        free = [name for name in self.factors if name not in parts]
        for values in itertools.product((-1, 1), repeat=len(free)):
            signs = dict(zip(free, values, strict=True))
            signs |= {name: prod(signs[part] for part in of) for name, of in parts.items()}
            yield tuple(signs[name] for name in self.factors)

    @property
    def text(self) -> str:
        """`2^(5-1), resolution V, by ema = crop × flip × decay × smoothing`."""
        k, p = len(self.factors), len(self.generators)
        if not p:
            return f"full factorial, 2^{k} = {self.n_arms} arms"
        resolution = self.resolution or 0
        made = "; ".join(f"{name} = {' × '.join(parts)}" for name, parts in self.generators)
        roman = ROMAN.get(resolution, str(resolution))
        return f"fractional factorial, 2^({k}-{p}) = {self.n_arms} arms of resolution {roman}: {made}"

    def _ranks(self, word: frozenset[str]) -> tuple[int, ...]:
        return tuple(n for n, name in enumerate(self.factors) if name in word)


def smallest_fraction(factors: Sequence[str], resolution: int) -> Fraction | None:
    """The fraction with the fewest arms that has at least this resolution.

    The last factors are generated, each by as many of the free ones as can be; of equal fractions the first
    in that order. None where no fraction but the whole has it.

    Args:
        factors: At most `MOST_FACTORS`.
        resolution: 3 or more.
    """
    names = tuple(factors)
    for n_free in range(2, len(names)):
        free = names[:n_free]
        words = [word for n in range(n_free, resolution - 2, -1) for word in itertools.combinations(free, n)]
        found = _generate(names[n_free:], words, resolution, ())
        if found is not None:
            return Fraction(names, found)
    return None


def _generate(
    left: Sequence[str],
    words: Sequence[tuple[str, ...]],
    resolution: int,
    group: tuple[frozenset[str], ...],
) -> tuple[tuple[str, tuple[str, ...]], ...] | None:
    """Words for the factors that are left, no product of which is too short; None if there are none."""
    if not left:
        return ()
    for n, word in enumerate(words):
        new = frozenset((left[0], *word))
        products = (new, *(new ^ old for old in group))
        if min(map(len, products)) < resolution:
            continue
        rest = _generate(left[1:], words[n + 1 :], resolution, (*group, *products))
        if rest is not None:
            return ((left[0], word), *rest)
    return None


def _product(words: Iterable[frozenset[str]]) -> frozenset[str]:
    """Of words: a factor that stands twice falls out."""
    product: frozenset[str] = frozenset()
    for word in words:
        product ^= word
    return product


@dataclass(frozen=True)
class Alias:
    """An effect with the sign with which it enters its chain."""

    effect: tuple[str, ...]
    sign: int


@dataclass(frozen=True)
class Chain:
    """Effects that one contrast estimates together: the first by name, the others aliased with it."""

    effect: tuple[str, ...]
    column: Signs
    """Its sign in each arm."""
    aliases: tuple[Alias, ...] = ()

    @property
    def name(self) -> str:
        """`crop × ema`."""
        return " × ".join(self.effect)

    @property
    def text(self) -> str:
        """The whole chain: `crop × ema + flip × decay`."""
        more = (f" {'+' if one.sign > 0 else MINUS} {' × '.join(one.effect)}" for one in self.aliases)
        return self.name + "".join(more)


def chains(factors: Sequence[str], rows: Sequence[Signs], *, most: int = 2) -> tuple[Chain, ...]:
    """Main effects and interactions that the arms can estimate, each with its aliases.

    Args:
        factors: Names.
        rows: Signs of the arms, one a factor.
        most: Factors of an interaction at most.

    Returns:
        Main effects first, then interactions. An effect whose column does not vary over the arms, or is
        neither equal to another's nor balanced, is left out: it has no contrast of its own.
    """
    order: dict[Signs, tuple[tuple[str, ...], list[Alias]]] = {}
    for n in range(1, most + 1):
        for chosen in itertools.combinations(range(len(factors)), n):
            effect = tuple(factors[i] for i in chosen)
            column = tuple(prod(row[i] for i in chosen) for row in rows)
            if sum(column) != 0:
                continue
            opposite = tuple(-sign for sign in column)
            if column in order:
                order[column][1].append(Alias(effect, 1))
            elif opposite in order:
                order[opposite][1].append(Alias(effect, -1))
            else:
                order[column] = (effect, [])
    return tuple(Chain(effect, column, tuple(aliases)) for column, (effect, aliases) in order.items())


def signs_of(levels: Mapping[str, Level], factors: Sequence[Factor]) -> Signs | None:
    """An arm's signs; None where it has a level that is none of a factor's two."""
    signs = []
    for factor in factors:
        texts = [level_text(level) for level in factor.levels]
        if factor.key not in levels or level_text(levels[factor.key]) not in texts or len(texts) != 2:
            return None
        signs.append(2 * texts.index(level_text(levels[factor.key])) - 1)
    return tuple(signs)
