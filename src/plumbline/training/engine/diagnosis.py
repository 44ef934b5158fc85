"""The verdict on the gradients of a network, from statistics of its layers. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

HEALTHY, VANISHING, EXPLODING, DEAD = "healthy", "vanishing", "exploding", "dead"
VERDICTS = (HEALTHY, VANISHING, EXPLODING, DEAD)

# Orders of magnitude between the gradients of the last and the first layer: those of ten factors of
# 1/2 (0.001) or of 2 (1024), the examples of the textbook chapter.
ORDERS = 3.0
DEAD_SHARE = 0.5  # of the units of one layer
UPDATE = 1.0  # an update as large as the weights replaces them

FIXES = {
    HEALTHY: "none needed",
    VANISHING: "use ReLU with He initialisation, normalise, add residual connections or use fewer "
    "layers",
    EXPLODING: "lower the learning rate, clip gradients, start from smaller weights or normalise",
    DEAD: "use leaky ReLU, a lower learning rate or He initialisation",
}


@dataclass(frozen=True)
class Diagnosis:
    """What the gradients of a network show.

    Attributes
    ----------
    verdict : str
        One of `VERDICTS`.
    reason : str
        The finding behind the verdict, with its number.
    slope : float
        See `slope`; NaN where it is undefined.
    """

    verdict: str
    reason: str
    slope: float

    @property
    def fix(self) -> str:
        """What to try first."""
        return FIXES[self.verdict]


def slope(norms: Sequence[float]) -> float:
    """Return the change of the gradient's logarithm per layer, towards the input.

    The line of least squares through log10 of the norms: -0.301 is a factor of 1/2 per layer, the
    textbook's example of a gradient that vanishes.

    Parameters
    ----------
    norms : sequence of float
        Norm of the gradient by the weights of each layer, from the input to the output. Layers
        without gradient are left out.

    Returns
    -------
    float
        In orders of magnitude per layer; NaN for fewer than three layers with a gradient, or if a
        norm is not finite.
    """
    points = [(-index, math.log10(norm)) for index, norm in enumerate(norms) if norm != 0]
    if len(points) < 3 or not all(math.isfinite(y) for _, y in points):
        return math.nan
    middle = math.fsum(x for x, _ in points) / len(points)
    spread = math.fsum((x - middle) ** 2 for x, _ in points)
    return math.fsum((x - middle) * y for x, y in points) / spread


def diagnose(
    norms: Sequence[float],
    *,
    update_ratio: float,
    dead_share: float,
    variances: Sequence[float] = (),
) -> Diagnosis:
    """Return the verdict on a network.

    Parameters
    ----------
    norms : sequence of float
        See `slope`.
    update_ratio : float
        Norm of an update of all weights over the norm of the weights; NaN if unknown.
    dead_share : float
        Largest share over the layers of units that are 0 for every input, in [0, 1]; NaN for a
        network without units that can be.
    variances : sequence of float
        Variance of the outputs of each layer, from the input to the output. With ReLU the norms of
        the gradients by the weights can be equal in all layers although the signal grows on its way
        to the output: the gradient by the outputs then grows on its way back.

    Returns
    -------
    Diagnosis
        The first of: *exploding*, if a number is not finite; *dead*, if no layer has a gradient or
        a layer has at least `DEAD_SHARE` dead units; *exploding*, if the gradient grows by `ORDERS`
        towards the input, the outputs' standard deviation grows by `ORDERS` towards the output, or
        an update is as large as the weights; *vanishing*, if one of the former falls by `ORDERS`,
        or a layer has no gradient while others do; *healthy*.
    """
    found = slope(norms)
    if not all(map(math.isfinite, norms)) or math.isinf(update_ratio):
        return Diagnosis(EXPLODING, "a gradient is not finite", found)
    if not any(norms):
        return Diagnosis(DEAD, "no layer has a gradient", found)
    if dead_share >= DEAD_SHARE:
        return Diagnosis(DEAD, f"{dead_share:.0%} of the units of a layer are always 0", found)
    signal = -slope([math.sqrt(variance) for variance in variances])  # towards the output
    orders, signal_orders = found * (len(norms) - 1), signal * (len(variances) - 1)
    if orders >= ORDERS:
        return Diagnosis(EXPLODING, _change("gradient grows", found, len(norms)), found)
    if signal_orders >= ORDERS:
        return Diagnosis(EXPLODING, _change("signal grows", signal, len(variances)), found)
    if update_ratio >= UPDATE:
        reason = f"an update is {update_ratio:.3g} times as large as the weights"
        return Diagnosis(EXPLODING, reason, found)
    if missing := sum(norm == 0 for norm in norms):
        return Diagnosis(VANISHING, f"{missing} of {len(norms)} layers have no gradient", found)
    if orders <= -ORDERS:
        return Diagnosis(VANISHING, _change("gradient falls", found, len(norms)), found)
    if signal_orders <= -ORDERS:
        return Diagnosis(VANISHING, _change("signal falls", signal, len(variances)), found)
    return Diagnosis(HEALTHY, "gradients of all layers are of similar size", found)


def _change(what: str, found: float, layers: int) -> str:
    side = "input" if what.startswith("gradient") else "output"
    each = f"by a factor of {10**found:.3g} per layer towards the {side}"
    return f"the {what} {each}, over {layers} layers"
