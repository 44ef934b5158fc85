"""Survey design: weights of rows, and the entities that they belong to.

Shares of such rows are estimated with weights, and their variance by linearisation over entities;
intervals use the number of independent rows that would have that variance, the effective size of
`plumbline.metrics.intervals.shares` (Korn and Graubard 1998). ``N`` rows, ``G`` groups, ``U``
units: entities, or rows where there are none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from plumbline.metrics.intervals import proportions, shares
from plumbline.metrics.intervals.means import Mean, influences_to_mean

_BLOCK = 256  # replicates at a time

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Counted:
    """A share of each group with its effective number of trials.

    Attributes
    ----------
    value : ndarray, (G,)
        NaN without rows.
    successes, trials : ndarray, (G,)
        Effective counts; those of the rows themselves without weights and entities. Both 0 where
        there is one unit only, which has no variance.
    """

    value: Floats
    successes: Floats
    trials: Floats


@dataclass(frozen=True)
class Design:
    """Weights and entities of rows.

    Attributes
    ----------
    weight : ndarray, (N,), or None
        Non-negative; None where every row has weight 1.
    entity : ndarray of int, (N,), or None
        Code of each row's entity; None where rows vary independently.
    """

    weight: Floats | None = None
    entity: Integers | None = None

    @classmethod
    def of(cls, weight: npt.ArrayLike | None = None, entity: npt.ArrayLike | None = None) -> Design:
        """Return the design of rows with these weights and names of entities.

        Entities that have one row each are none.
        """
        codes = None
        if entity is not None:
            found, codes = np.unique(
                np.asarray(entity, dtype=object).astype(str), return_inverse=True
            )
            codes = None if len(found) == len(codes) else codes.astype(np.int64)
        weights = None if weight is None else np.asarray(weight, dtype=np.float64)
        return cls(weights, codes)

    @property
    def plain(self) -> bool:
        """Whether rows have weight 1 and are independent."""
        return self.weight is None and self.entity is None

    def at(self, rows: npt.NDArray[np.bool_] | Integers) -> Design:
        """Return the design of some of the rows."""
        return replace(
            self,
            weight=None if self.weight is None else self.weight[rows],
            entity=None if self.entity is None else self.entity[rows],
        )

    def weights(self, rows: int) -> Floats:
        """Return the weight of each row, ``(N,)``: ones where there are none."""
        return np.ones(rows) if self.weight is None else self.weight

    def units(self, rows: int) -> Integers:
        """Return the unit of each row, ``(N,)``: 0…U-1."""
        if self.entity is None:
            return np.arange(rows)
        return np.unique(self.entity, return_inverse=True)[1].astype(np.int64)

    def count(self, rows: int) -> int:
        """Return the number of units."""
        return rows if self.entity is None else len(np.unique(self.entity))

    def facts(self) -> dict[str, float]:
        """Return how many ``entities`` there are and the sum of ``weight``, where there are any."""
        found: dict[str, float] = {}
        if self.entity is not None:
            found["entities"] = len(np.unique(self.entity))
        if self.weight is not None:
            found["weight"] = float(self.weight.sum())
        return found

    def resampled(self, rows: int, *, replicates: int, seed: int) -> Floats:
        """Return weights of bootstrap replicates, ``(N, B)``: units are drawn, not rows.

        A replicate has as many units as the sample (the cluster bootstrap; Davison and Hinkley
        1997, section 3.8).
        """
        unit = self.units(rows)
        units = int(unit.max(initial=-1)) + 1
        drawn = proportions.resample_weights(units, replicates=replicates, seed=seed)
        drawn = drawn if self.entity is None else drawn[unit]
        return drawn if self.weight is None else drawn * self.weight[:, None]

    def replicates(self, place: Integers, width: int, *, replicates: int, seed: int) -> Floats:
        """Return replicates of the weights summed by place, ``(B, width)``; units are drawn.

        As `resampled` for sums; memory does not grow with the rows.

        Parameters
        ----------
        place : int array, (N,)
            0…width - 1.
        width, replicates, seed : int
        """
        from scipy.sparse import csr_array

        unit = self.units(len(place))
        units = int(unit.max(initial=-1)) + 1
        sums = csr_array((self.weights(len(place)), (place, unit)), shape=(width, units))
        rng, found = np.random.default_rng(seed), np.empty((replicates, width))
        for start in range(0, replicates, _BLOCK):
            block = found[start : start + _BLOCK]
            times = rng.multinomial(units, np.full(units, 1 / units), size=len(block))
            block[:] = (sums @ times.T.astype(np.float64)).T
        return found

    def sizes(self, codes: Integers, groups: int) -> Integers:
        """Return how many units each group has a row of, ``(G,)``."""
        if self.entity is None:
            return np.bincount(codes, minlength=groups)
        pairs = np.unique(codes * (int(self.entity.max(initial=0)) + 1) + self.entity)
        return np.bincount(pairs // (int(self.entity.max(initial=0)) + 1), minlength=groups)

    def rates(self, holds: npt.NDArray[np.bool_], codes: Integers, groups: int) -> Counted:
        """Return the share of each group's rows for which something holds.

        Parameters
        ----------
        holds : bool array, (N,)
        codes : int array, (N,)
            Group of each row.
        groups : int
            G.
        """
        n = np.bincount(codes, minlength=groups).astype(np.float64)
        if self.plain:
            k = np.bincount(codes[holds], minlength=groups).astype(np.float64)
            return Counted(proportions.proportion(k, n), k, n)
        weight, unit = self.weights(len(codes)), self.units(len(codes))
        pair = np.unique(codes * (int(unit.max(initial=0)) + 1) + unit, return_inverse=True)[1]
        group = np.zeros(int(pair.max(initial=-1)) + 1, dtype=np.int64)
        group[pair] = codes
        inside, outside = (_by(pair, weight * side, len(group)) for side in (holds, ~holds))
        return _counted(
            *(_by(group, part, groups) for part in (inside, outside)),
            *(_by(group, a * b, groups) for a, b in _products(inside, outside)),
            squares=_by(codes, weight**2, groups),
        )

    def means(self, values: Floats, codes: Integers, groups: int) -> Mean:
        """Return each group's mean, with its variance by linearisation over units.

        The influence of a unit u is ``Σ_i∈u w_i (x_i - m) / W``.
        """
        weight, group = self.weights(len(codes)), codes
        whole, mass = _by(codes, weight, groups), weight
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = _by(codes, weight * values, groups) / whole
            influence = weight * (values - mean[codes]) / whole[codes]
            if self.entity is not None:
                width = int(self.entity.max(initial=0)) + 1
                pairs, pair = np.unique(codes * width + self.entity, return_inverse=True)
                group = pairs // width
                influence, mass = (_by(pair, part, len(pairs)) for part in (influence, weight))
            worth = whole**2 / _by(group, mass**2, groups)
        influence = np.nan_to_num(influence)
        powers = _by(group, influence**2, groups), _by(group, influence**3, groups)
        return influences_to_mean(mean, powers, worth, _by(group, np.ones(len(group)), groups))

    def shares(self, codes: Integers, groups: int) -> Counted:
        """Return the share of all rows that each group has; ``trials`` are of all rows."""
        n = np.bincount(codes, minlength=groups).astype(np.float64)
        if self.plain:
            return Counted(proportions.proportion(n, n.sum()), n, np.full(groups, n.sum()))
        weight, unit = self.weights(len(codes)), self.units(len(codes))
        count = int(unit.max(initial=-1)) + 1
        whole = _by(unit, weight, count)
        pairs, pair = np.unique(codes * max(count, 1) + unit, return_inverse=True)
        inside = _by(pair, weight, len(pairs))
        group, own = pairs // max(count, 1), whole[pairs % max(count, 1)]
        # A unit without a row of the group is wholly outside of it.
        squares, across = _by(group, inside**2, groups), _by(group, inside * own, groups)
        sums = _by(group, inside, groups)
        return _counted(
            sums,
            whole.sum() - sums,
            squares,
            across - squares,
            (whole**2).sum() - 2 * across + squares,
            squares=np.full(groups, float((weight**2).sum())),
        )


PLAIN = Design()  # rows have weight 1 and are independent


def _products(a: Floats, b: Floats) -> tuple[tuple[Floats, Floats], ...]:
    return (a, a), (a, b), (b, b)


def _by(group: Integers, values: Floats, groups: int) -> Floats:
    return np.bincount(group, weights=values, minlength=groups).astype(np.float64)


def _counted(
    inside: Floats, outside: Floats, aa: Floats, ab: Floats, bb: Floats, *, squares: Floats
) -> Counted:
    """Return shares from summed weights, their products in units, and those of rows, ``(G,)``."""
    zero = np.zeros_like(inside)
    sums = np.stack([inside, zero, zero, outside], axis=1)  # in the order of `shares.CELLS`
    moments = np.zeros((len(inside), 4, 4))
    moments[:, 0, 0], moments[:, 3, 3] = aa, bb
    moments[:, 0, 3] = moments[:, 3, 0] = ab
    rows = np.stack([squares, zero, zero, zero], axis=1)
    size = shares.effective_size(sums, moments, rows, above=("tp",), below=("tp", "fn"))
    whole = inside + outside
    value = np.divide(inside, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    trials = np.nan_to_num(size)
    return Counted(value, np.minimum(np.nan_to_num(value) * trials, trials), trials)
