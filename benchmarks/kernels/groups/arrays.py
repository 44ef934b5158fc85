"""NumPy, SciPy and Python's own mathematical functions."""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
from scipy import ndimage, optimize, sparse, spatial, special, stats

from . import Quantities

ONE = ("exp", "expm1", "exp2", "sin", "cos", "tan", "tanh", "sinh", "arctan", "arcsinh", "cbrt",
       "square", "rint")  # fmt: skip
POSITIVE = ("log", "log1p", "log2", "log10", "sqrt", "reciprocal")
TWO = ("arctan2", "hypot", "logaddexp", "divide", "fmod", "remainder", "copysign")
LIBM = ("exp", "expm1", "exp2", "sin", "cos", "tan", "tanh", "atan", "erf", "erfc", "cbrt")
LIBM_POSITIVE = ("log", "log1p", "log2", "log10", "gamma", "lgamma", "sqrt")


def quantities() -> Quantities:
    random = np.random.default_rng(7)
    v, u = random.standard_normal(1003), random.standard_normal(1003)
    yield from libm(v, u)
    yield from elementwise(v, u)
    yield from reductions(random.standard_normal((101, 67)))
    yield from ordering(random)
    yield from random_numbers()
    yield from linear_algebra(random)
    yield from transforms(v)
    yield from scipy_special(random)
    yield from scipy_other(random)


def libm(v: np.ndarray, u: np.ndarray) -> Quantities:
    first, second = v.tolist(), u.tolist()
    for name in LIBM:
        yield f"math.{name}", [getattr(math, name)(x) for x in first]
    for name in LIBM_POSITIVE:
        yield f"math.{name}", [getattr(math, name)(abs(x)) for x in first]
    pairs = list(zip(first, second, strict=True))
    yield "math.pow", [math.pow(abs(x), y) for x, y in pairs]
    yield "math.atan2", [math.atan2(x, y) for x, y in pairs]
    yield "math.hypot", [math.hypot(x, y) for x, y in pairs]
    yield "math.fsum", math.fsum(first)


def elementwise(v: np.ndarray, u: np.ndarray) -> Quantities:
    for kind in ("f8", "f4"):
        x, y = v.astype(kind), u.astype(kind)
        for name in ONE:
            yield f"numpy.{name}.{kind}", getattr(np, name)(x)
        for name in POSITIVE:
            yield f"numpy.{name}.{kind}", getattr(np, name)(abs(x))
        for name in TWO:
            yield f"numpy.{name}.{kind}", getattr(np, name)(x, y)
        yield f"numpy.power.{kind}", np.power(abs(x), y)
        yield f"numpy.sincos large.{kind}", (np.sin(x * 1e5), np.cos(x * 1e5))
    z = v + 1j * u
    yield "numpy.complex", (np.exp(z), abs(z), z * z[::-1], np.sqrt(z))


def reductions(a: np.ndarray) -> Quantities:
    for kind in ("f8", "f4"):
        x = a.astype(kind)
        for name in ("sum", "mean", "std", "var", "median", "prod", "cumsum"):
            yield f"numpy.{name}.{kind}", [getattr(np, name)(x, axis=axis) for axis in (None, 0, 1)]
        yield f"numpy.quantile.{kind}", np.quantile(x, [0.025, 0.5, 0.975], axis=0)
        yield f"numpy.einsum.{kind}", (np.einsum("ij,ij->i", x, x), np.einsum("ij,kj->ik", x, x))
        yield f"numpy.add.reduceat.{kind}", np.add.reduceat(x, [0, 5, 31, 70])
        yield f"numpy.average.{kind}", np.average(x, axis=0, weights=abs(x[:, 0]))
    codes = (a[:, 0] * 3).astype(int) - (a[:, 0] * 3).astype(int).min()
    yield "numpy.bincount", np.bincount(codes, weights=a[:, 1])
    yield "numpy.cov", (np.cov(a.T), np.corrcoef(a.T))
    yield "numpy.interp", np.interp(a[:, 0], np.sort(a[:, 1]), a[:, 2])


def ordering(random: np.random.Generator) -> Quantities:
    for kind in ("f8", "f4", "i8", "i4", "u1"):
        ties = random.integers(0, 40, 1501).astype(kind)
        yield f"numpy.sort.{kind}", np.sort(ties)
        yield f"numpy.argsort ties.{kind}", np.argsort(ties)
        yield f"numpy.argsort stable.{kind}", np.argsort(ties, kind="stable")
        yield f"numpy.argpartition.{kind}", np.argpartition(ties, 300)
        yield f"numpy.partition.{kind}", np.partition(ties, 300)
        yield f"numpy.unique.{kind}", np.unique(ties, return_index=True, return_inverse=True)
    yield "numpy.lexsort", np.lexsort((random.integers(0, 9, 500), random.integers(0, 9, 500)))
    yield "numpy.searchsorted", np.searchsorted(np.arange(9.0), random.uniform(0, 9, 500))


def random_numbers() -> Quantities:
    draws = {
        "normal": lambda r: r.standard_normal(501), "uniform": lambda r: r.random(501),
        "float32": lambda r: r.standard_normal(501, dtype=np.float32),
        "integers": lambda r: r.integers(0, 1000, 501), "gamma": lambda r: r.gamma(2.5, size=501),
        "beta": lambda r: r.beta(2.0, 3.0, 501), "poisson": lambda r: r.poisson(12.0, 501),
        "binomial": lambda r: r.binomial(100, 0.3, 501),
        "exponential": lambda r: r.exponential(1, 501),
        "multinomial": lambda r: r.multinomial(50, [0.2, 0.3, 0.5], 51),
        "permutation": lambda r: r.permutation(501),
        "dirichlet": lambda r: r.dirichlet([1, 2, 3], 51),
        "choice": lambda r: r.choice(501, 99, replace=False),
    }  # fmt: skip
    for name, draw in draws.items():
        yield f"numpy.random.{name}", draw(np.random.default_rng(3))
    old = np.random.RandomState(3)
    yield "numpy.random.RandomState", (old.randn(301), old.permutation(301), old.rand(301))


def linear_algebra(random: np.random.Generator) -> Quantities:
    a = random.standard_normal((141, 93))
    gram = a.T @ a / 141
    yield "numpy.matmul.f8", (a @ a.T, a.T @ a[:, :5], a @ a[0], a[0] @ a[1])
    yield "numpy.matmul.f4", (a.astype("f4") @ a.T.astype("f4"), a.astype("f4") @ a[0].astype("f4"))
    yield "numpy.linalg.eigh", np.linalg.eigh(gram)
    yield "numpy.linalg.eigvalsh", np.linalg.eigvalsh(gram)
    yield "numpy.linalg.svd", tuple(np.linalg.svd(a))
    yield "numpy.linalg.qr", tuple(np.linalg.qr(a))
    yield "numpy.linalg.cholesky", np.linalg.cholesky(gram)
    yield "numpy.linalg.solve", np.linalg.solve(gram, a[:93])
    yield "numpy.linalg.pinv", np.linalg.pinv(a)
    yield "numpy.linalg.lstsq", np.linalg.lstsq(a, a[:, 0] + 1, rcond=None)[0]
    yield "numpy.linalg.det", np.linalg.slogdet(gram)
    yield "numpy.polynomial.legendre", np.polynomial.legendre.leggauss(33)


def transforms(v: np.ndarray) -> Quantities:
    for kind in ("f8", "f4"):
        yield f"numpy.fft.{kind}", (np.fft.rfft(v.astype(kind)), np.fft.fft(v[:512].astype(kind)))
    yield "numpy.fft.2d", np.fft.fft2(v[:900].reshape(30, 30))
    yield "scipy.fft", (scipy.fft.dct(v), scipy.fft.rfft(v.astype("f4")))


def scipy_special(random: np.random.Generator) -> Quantities:
    p, x = np.linspace(0.001, 0.999, 199), random.gamma(3.0, size=199)
    found = {
        "ndtr": special.ndtr(x - 3), "ndtri": special.ndtri(p), "log_ndtr": special.log_ndtr(x - 3),
        "stdtr": special.stdtr(x, x - 3), "stdtrit": special.stdtrit(x + 1, p),
        "betaln": special.betaln(x, x[::-1]), "betainc": special.betainc(x, x[::-1], p),
        "betaincinv": special.betaincinv(x, x[::-1], p), "bdtrik": special.bdtrik(p, 40, 0.3),
        "chdtri": special.chdtri(x, p), "gammainc": special.gammainc(x, x[::-1]),
        "gammaln": special.gammaln(x), "expit": special.expit(x - 3), "logit": special.logit(p),
        "xlogy": special.xlogy(p, x), "logsumexp": special.logsumexp(x), "erf": special.erf(x - 3),
        "softmax": special.softmax(x), "comb": special.comb(50, np.arange(50)),
    }  # fmt: skip
    for name, value in found.items():
        yield f"scipy.special.{name}", value


def scipy_other(random: np.random.Generator) -> Quantities:
    x, y = random.standard_normal(121), random.standard_normal(121)
    yield "scipy.stats.t", (stats.t.ppf([0.025, 0.9], 11.5), stats.t.sf(2.2, [3, 30]))
    yield "scipy.stats.fisher_exact", tuple(stats.fisher_exact([[8, 2], [1, 5]]))
    yield "scipy.stats.tests", (stats.spearmanr(x, y)[0], stats.ks_2samp(x, y)[0], stats.skew(x))

    def bowl(at: np.ndarray) -> float:
        return float(optimize.rosen(at) + np.cosh(at).sum())

    for method in ("L-BFGS-B", "Nelder-Mead", "SLSQP", "BFGS"):
        found = optimize.minimize(bowl, [1.3, 0.7, 0.8], method=method, options={"maxiter": 60})
        yield f"scipy.optimize.{method}", (found.x, found.fun)
    yield "scipy.optimize.brentq", optimize.brentq(lambda t: math.exp(t) - 3 * t * t, 3, 4)
    yield "scipy.optimize.isotonic", optimize.isotonic_regression(x, weights=abs(y)).x
    picture = random.standard_normal((41, 37))
    yield "scipy.ndimage.gaussian_filter", ndimage.gaussian_filter(picture, 1.3)
    yield "scipy.ndimage.distance_transform", ndimage.distance_transform_edt(picture > 0)
    points = random.standard_normal((203, 5))
    yield "scipy.spatial.cKDTree", tuple(spatial.cKDTree(points).query(points, 4))
    yield "scipy.spatial.cdist", spatial.distance.cdist(points, points[:40])
    matrix = sparse.random(80, 60, 0.2, format="csr", random_state=3)
    yield "scipy.sparse", ((matrix @ matrix.T).toarray(), matrix @ x[:60], matrix.sum(axis=0))
