"""Train deep networks: gradients by layer, degradation, and the solutions of the chapter."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from plumbline.studies.feedforward.datasets import mnist_1d
from plumbline.studies.feedforward.deep import networks as deep
from plumbline.studies.feedforward.deep import saved_tensors, signals
from plumbline.studies.feedforward.deep.networks import Shape
from plumbline.tasks.optimisation import learning_rate_factor
from plumbline.training.data_modules.examples import Examples
from plumbline.training.engine import diagnosis
from plumbline.training.recipes import stack_training as stacks

if TYPE_CHECKING:
    import pandas as pd

CLASSES = 10
START, TRAINED, DEGRADATION, SOLUTIONS = "start", "trained", "degradation", "solutions"
CLIPPING, SCHEDULES, OPTIMIZERS, CHECKPOINTS = "clipping", "schedules", "optimizers", "checkpoints"
ADAM = "adam"
_OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": partial(torch.optim.SGD, momentum=0.9),
    "rmsprop": torch.optim.RMSprop,
    ADAM: torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}
_WARMUP = 0.2  # share of the updates
WARM_UP = "warm-up"  # a constant rate after it; the others are those of `learning_rate_factor`
_SCHEDULES = ("constant", WARM_UP, "step", "exponential", "cosine")
CLIPS = ("none", "norm", "value", "printed")
Values = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Fit:
    """How a network is trained."""

    optimizer: str = ADAM
    lr: float = 1e-3
    schedule: str = "constant"
    clip: str = "none"


@dataclass(frozen=True)
class Trial:
    """One setting: what identifies it, and what measures it for every seed."""

    settings: Mapping[str, Any]
    measure: Callable[[], Values]


def run(options: Any, seed: int, progress: Callable[[int, int, str], None]) -> pd.DataFrame:
    """Return the rows of all parts of the study.

    Parameters
    ----------
    options : DepthParams
    seed : int
    progress : callable
        Takes the number of settings done, their total, and a text.

    Returns
    -------
    DataFrame
        Settings: ``part, depth`` (hidden layers), ``activation, init, norm, block, optimizer, lr,
        schedule, clip, seed``. Values: ``slope`` (orders of magnitude by which the gradient by the
        pre-activations changes per layer towards the input), ``theory`` (the same from
        `signals`), ``excess`` (slope / theory - 1, undefined if theory is 0), ``verdict`` of the
        gradients by the weights;
        ``loss`` (nats) and ``error`` (percent) on the training data after training, ``diverged``
        (0 or 1); ``peak_bytes`` and ``layer_runs`` of a pass. ``reason`` where one lacks.
    """
    import pandas as pd

    study = _Study(options, seed)
    trials = list(study.trials())
    rows = []
    for number, trial in enumerate(trials):
        values = trial.measure()
        for member in range(options.seeds):
            own = {name: value[member] for name, value in values.items()}
            rows.append({**trial.settings, "seed": member, **own})
        progress(number + 1, len(trials), f"{trial.settings['part']}")
    found = pd.DataFrame(rows)
    other = "other parts of the study measure the rest, and a theory of 0 has no excess"
    has_diverged = found["diverged"] == 1
    return found.assign(
        reason=has_diverged.map({True: f"the network diverged; {other}", False: other})
    )


class _Study:
    def __init__(self, options: Any, seed: int) -> None:
        self._options = options
        draws = np.random.SeedSequence([seed, 0]).generate_state(options.seeds + options.pilots)
        self._seeds = [int(draw) for draw in draws[: options.seeds]]
        self._pilots = [int(draw) for draw in draws[options.seeds :]]
        data_seed = int(np.random.SeedSequence([seed, 1]).generate_state(1)[0])
        inputs, targets = mnist_1d.generate(options.examples, seed=data_seed)
        self._data = Examples(torch.tensor(inputs).float(), torch.tensor(targets))

    def trials(self) -> Iterator[Trial]:
        """Yield every setting."""
        options = self._options
        shape = partial(Shape, width=options.width)
        inits = ("default", "xavier", "he", "small", "large")
        for depth, activation, init in itertools.product(
            options.start_depths, signals.ACTIVATIONS, inits
        ):
            at = shape(depth, activation=activation, init=init)
            yield Trial(self._settings(START, at), partial(self._start, at))
        deep_relu = shape(options.depth, activation="relu", init="he")
        for activation, init in (("sigmoid", "xavier"), ("tanh", "xavier"), ("relu", "default")):
            yield self._fitted(TRAINED, shape(options.depth, activation=activation, init=init))
        for depth, block in itertools.product(options.degradation_depths, ("plain", "residual")):
            at = shape(depth, activation="relu", init="he", norm="batch", block=block)
            yield self._fitted(DEGRADATION, at)
        for norm in ("none", "batch", "layer", "group"):
            yield self._fitted(SOLUTIONS, shape(options.depth, activation="sigmoid", norm=norm))
        for block in ("residual", "highway"):
            yield self._fitted(SOLUTIONS, shape(options.depth, activation="sigmoid", block=block))
        yield self._fitted(SOLUTIONS, deep_relu)
        too_large = shape(options.depth, activation="relu", init="large")
        for at, clip in itertools.product((deep_relu, too_large), CLIPS):
            yield self._fitted(CLIPPING, at, Fit("sgd", options.clipping_lr, clip=clip))
        for schedule in _SCHEDULES:
            yield self._fitted(SCHEDULES, deep_relu, Fit(lr=options.high_lr, schedule=schedule))
        for optimizer in _OPTIMIZERS:
            yield self._fitted(OPTIMIZERS, deep_relu, self._best_fit(deep_relu, optimizer))
        for depth, is_on in itertools.product(options.checkpoint_depths, (False, True)):
            at = shape(depth, activation="tanh")
            settings = self._settings(CHECKPOINTS, at) | {"checkpointing": "on" if is_on else "off"}
            yield Trial(settings, partial(self._pass, at, is_on))

    # --- measures ---------------------------------------------------------------------------------

    def _settings(self, part: str, shape: Shape, fit: Fit | None = None) -> dict[str, Any]:
        unset = dict.fromkeys(asdict(Fit())) if fit is None else asdict(fit)
        about = {**asdict(shape), **unset, "checkpointing": None}
        return {"part": part, **{k: v for k, v in about.items() if k != "width"}}

    def _start(self, shape: Shape) -> Values:
        """Compare gradients at the start with the theory, in double precision: 1e-42 is a float."""
        stack = self._stack(shape, self._seeds).double()
        inputs = self._batch.inputs.double()
        found = self._slopes(stack, inputs)
        n, width = inputs.shape[1], shape.width
        first, first_bias = deep.weight_gain(shape.init, inputs=n, outputs=width)
        gain, bias = deep.weight_gain(shape.init, inputs=width, outputs=width)
        factors = signals.gradient_factors(
            shape.activation, gain=gain, bias=bias, layers=shape.depth,
            start=first * float(inputs.square().mean()) + first_bias,
        )  # fmt: skip
        theory = float(np.log10(factors).mean())
        slopes = found["slope"]
        is_kept = abs(theory) < 1e-9  # ReLU with He's weights: no change to compare with
        excess = [math.nan if is_kept else slope / theory - 1 for slope in slopes]
        return {**found, "theory": [theory] * len(slopes), "excess": excess}

    def _fitted(self, part: str, shape: Shape, fit: Fit | None = None) -> Trial:
        fit = fit or Fit(lr=self._options.lr)
        return Trial(self._settings(part, shape, fit), partial(self._train, shape, fit))

    def _train(self, shape: Shape, fit: Fit) -> Values:
        stack = self._trained(shape, fit, self._seeds)
        values = self._slopes(stack, self._batch.inputs)
        stack.eval()
        loss, error = self._evaluate(stack)
        return {**values, "loss": loss, "error": error, "diverged": np.isnan(loss).astype(int)}

    def _slopes(self, stack: Any, inputs: Tensor) -> dict[str, Any]:
        stack.train()
        targets = self._batch.targets.expand(len(stack), -1)
        signal, weight, variance = deep.gradient_norms(
            stack, lambda network: stacks.cross_entropy(network(inputs[None]), targets)
        )
        layers = signal.shape[1]
        slopes = (signal[:, 0] / signal[:, -1]).log10() / (layers - 1)
        verdicts = [
            diagnosis.diagnose(
                norms, update_ratio=math.nan, dead_share=math.nan, variances=variances
            ).verdict
            for norms, variances in zip(weight.tolist(), variance.tolist(), strict=True)
        ]
        return {"slope": _finite(slopes), "verdict": verdicts}

    def _pass(self, shape: Shape, is_on: bool) -> Values:
        network = deep.build(shape, inputs=self._inputs, outputs=CLASSES)
        segments = saved_tensors.best_segments(shape.depth) if is_on else 0
        cost = saved_tensors.measure(network, self._batch.inputs, segments=segments)
        every = range(self._options.seeds)  # the shapes decide, not the weights
        return {
            "peak_bytes": [cost.peak_bytes for _ in every],
            "layer_runs": [cost.layer_runs for _ in every],
        }

    # --- training ---------------------------------------------------------------------------------

    @property
    def _inputs(self) -> int:
        return self._data.inputs.shape[1]

    @property
    def _batch(self) -> Examples:
        size = self._options.batch_size
        return Examples(self._data.inputs[:size], self._data.targets[:size])

    def _stack(self, shape: Shape, seeds: Sequence[int]) -> Any:
        return deep.build_stack(shape, inputs=self._inputs, outputs=CLASSES, seeds=seeds)

    def _trained(self, shape: Shape, fit: Fit, seeds: Sequence[int]) -> Any:
        options, stack = self._options, self._stack(shape, seeds)
        parameters = list(stack.parameters())
        optimizer = _OPTIMIZERS[fit.optimizer](parameters, lr=fit.lr)
        if fit.clip == "printed":
            limit = options.clip_norm
            optimizer.register_step_pre_hook(lambda *_: clip_as_printed(parameters, limit))
        total = options.epochs * math.ceil(options.examples / options.batch_size)
        factor = _schedule(fit.schedule, total)
        plan = stacks.StackPlan(
            optimizer,
            stacks.cross_entropy,
            options.batch_size,
            options.epochs,
            scheduler=torch.optim.lr_scheduler.LambdaLR(optimizer, factor),
            clip_norm=options.clip_norm if fit.clip == "norm" else 0.0,
            clip_value=options.clip_value if fit.clip == "value" else 0.0,
        )
        for _ in stacks.train_epochs(stack, self._data, plan, seeds=seeds):
            pass
        return stack

    @torch.no_grad()
    def _evaluate(self, stack: Any) -> tuple[Any, Any]:
        """Return loss and error on the training data; NaN for a network that has diverged."""
        outputs = stack(self._data.inputs[None])
        targets = self._data.targets.expand(len(stack), -1)
        loss = _finite(stacks.cross_entropy(outputs, targets))
        error = 100 * (outputs.argmax(2) != targets).double().mean(dim=1).numpy()
        return loss, np.where(np.isnan(loss), np.nan, error)

    def _best_fit(self, shape: Shape, optimizer: str) -> Fit:
        """Return the learning rate of least mean loss over pilot seeds; no row is from those."""
        fits = [Fit(optimizer, lr) for lr in self._options.lr_grid]
        losses = [self._evaluate(self._trained(shape, fit, self._pilots))[0].mean() for fit in fits]
        return fits[int(np.argmin(np.where(np.isnan(losses), np.inf, losses)))]


def _schedule(name: str, total: int) -> Callable[[int], float]:
    warmup, name = (round(_WARMUP * total), "constant") if name == WARM_UP else (0, name)
    return partial(learning_rate_factor, total=total, warmup=warmup, schedule=name)


def clip_as_printed(parameters: Sequence[Tensor], limit: float) -> None:
    """Scale long gradients as the chapter prints it: threshold · g / ‖g‖², of length threshold/‖g‖.

    The longer the gradient, the shorter its update. Clipping by norm divides by ‖g‖.
    """
    gradients = [value.grad for value in parameters if value.grad is not None]
    norms = torch.stack([g.flatten(1).norm(dim=1) for g in gradients]).norm(dim=0)
    share = torch.where(norms > limit, limit / norms.square(), 1.0)
    for gradient in gradients:
        gradient.mul_(share.view(-1, *[1] * (gradient.ndim - 1)))


def _finite(values: Tensor) -> Any:
    plain = values.detach().double().numpy()
    return np.where(np.isfinite(plain), plain, np.nan)
