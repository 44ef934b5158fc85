"""Forgetting: what fine-tuning costs on the source, on other distributions, and in far domains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from plumbline.reporting.figures import style
from plumbline.studies.framework.claims import Claim, Difference, Value
from plumbline.studies.framework.study import Study

if TYPE_CHECKING:
    import pandas as pd

TERMS: dict[str, Any] = {
    "accuracy": "test accuracy",
    "shifted": "accuracy on corrupted test pictures",
    "kept": "kept of the source task",
    "similarity": "similarity of features before and after (CKA)",
    "distance": "Fréchet distance of features from the source",
    "gain": "gain on random weights",
    "correlation": "rank correlation of distance and gain over domains",
    "part": {
        "": "part", "tuned": "", "domains": "", "order of domains": "",
    },
    "source": {"": "source", "glyphs": "printed characters", "imagenet": "ImageNet"},
    "strategy": {
        "": "strategy", "probe": "linear probe", "full": "full fine-tuning",
        "partial": "partial fine-tuning", "lp_ft": "LP-FT",
    },
    "rate": "{} times the rate",
    "domain": {
        "": "domain", "digits": "digits", "new_characters": "new printed characters",
        "inverted": "dark on light", "turned": "turned digits", "noise": "noise",
        "blur": "blur", "jpeg": "JPEG", "shift": "shift", "contrast": "contrast",
    },
}  # fmt: skip
_STRATEGIES = ("probe", "full", "partial", "lp_ft")


def figures(rows: pd.DataFrame) -> dict[str, str]:
    """Draw what is kept by strategy and rate, accuracies in and out of distribution, domains."""
    tuned = rows[(rows["part"] == "tuned") & (rows["source"] == "glyphs")]
    return {
        "kept.svg": _by_rate(tuned),
        "shifted.svg": _in_and_out(tuned[tuned["rate"] == 1]),
        "domains.svg": _over_distance(rows[rows["part"] == "domains"]),
    }


def tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return means and standard deviations over seeds."""
    tuned, domains = (rows[rows["part"] == part] for part in ("tuned", "domains"))
    place = ["source", "strategy", "rate"]
    values = ["accuracy", "shifted", "kept", "similarity"]
    found = tuned.groupby(place, sort=False)
    means = found[values].mean().join(found["kept"].std().rename("standard_deviation_of_kept"))
    far = domains.groupby("domain", sort=False)[["distance", "gain"]].mean()
    return {
        "Means over seeds": means.reset_index(),
        "Domains, means over seeds": far.sort_values("distance").reset_index(),
    }


def _by_rate(rows: pd.DataFrame) -> str:
    drawn, (axis,) = style.figure(2.9)
    for name, colour in zip(_STRATEGIES[1:], style.SERIES, strict=False):
        own = rows[rows["strategy"] == name].groupby("rate")["kept"].agg(["mean", "min", "max"])
        axis.plot(own.index, own["mean"], "o-", color=colour, label=TERMS["strategy"][name])
        axis.fill_between(own.index, own["min"], own["max"], color=colour, alpha=0.2)
    axis.set(xscale="log", xlabel="learning rate, relative to the strategy's own",
             ylabel="accuracy on the source", ylim=(0, 1.03))  # fmt: skip
    rates = sorted(set(rows["rate"]))
    axis.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axis.minorticks_off()
    axis.legend(loc="lower left")
    return style.svg(drawn)


def _in_and_out(rows: pd.DataFrame) -> str:
    drawn, (axis,) = style.figure(2.9)
    for name, colour in zip(_STRATEGIES, style.SERIES, strict=False):
        own = rows[rows["strategy"] == name]
        axis.plot(
            own["accuracy"], own["shifted"], "o", ms=4.5, color=colour,
            label=TERMS["strategy"][name],
        )  # fmt: skip
    axis.set(xlabel="accuracy on test digits", ylabel="accuracy on corrupted ones")
    axis.legend(loc="lower right")
    return style.svg(drawn)


def _over_distance(rows: pd.DataFrame) -> str:
    drawn, (axis,) = style.figure(3.6)
    means = rows.groupby("domain", sort=False)[["distance", "gain"]].mean()
    axis.plot(rows["distance"], rows["gain"], "o", ms=3, alpha=0.4, color=style.FAINT)
    axis.plot(means["distance"], means["gain"], "o", color=style.SERIES[0])
    for place, (name, mean) in enumerate(means.sort_values("distance").iterrows()):
        is_far = mean["distance"] > means["distance"].max() / 2
        right, up = ((-6, 5), (6, 5), (6, -12))[0 if is_far else place % 3]
        axis.annotate(
            TERMS["domain"].get(name, name), tuple(mean), textcoords="offset points", fontsize=8.5,
            xytext=(right, up), ha="left" if right > 0 else "right",
        )  # fmt: skip
    axis.set(xscale="log", xlabel="Fréchet distance from the source (logarithmic)",
             ylabel="gain on random weights")  # fmt: skip
    axis.set_xticks(ticks := [50, 100, 200, 500, 1000], [str(tick) for tick in ticks])
    axis.minorticks_off()
    return style.svg(drawn)


def _at(strategy: str, rate: float = 1.0, source: str = "glyphs") -> dict[str, Any]:
    return {"part": "tuned", "source": source, "strategy": strategy, "rate": rate}


def _versus(
    identity: str, statement: str, metric: str, first: dict[str, Any], second: dict[str, Any],
    relevant: float, direction: Literal["more", "less"] = "more",
) -> Claim:  # fmt: skip
    return Claim(identity, "E7", statement, Difference(metric, first, second), direction, relevant)


CLAIMS = (
    _versus("tuning_forgets", "Full fine-tuning forgets the source task.", "kept", _at("full"),
            _at("probe"), 0.05, "less"),
    _versus("higher_rates_forget_more", "A higher learning rate forgets more.", "kept",
            _at("full", 10.0), _at("full"), 0.05, "less"),
    _versus("lp_ft_forgets_less", "LP-FT forgets less than full fine-tuning.", "kept",
            _at("lp_ft"), _at("full"), 0.05),
    _versus("partial_forgets_less", "Partial fine-tuning forgets less than full fine-tuning.",
            "kept", _at("partial"), _at("full"), 0.05),
    Claim("imagenet_forgets", "E7", "After full fine-tuning of ImageNet's network, the old head "
          "gives another class to most pictures.",
          Value("kept", _at("full", source="imagenet"), target=0.5), "less", 0.0),
    _versus("imagenet_lp_ft_forgets_less", "For ImageNet's network, too, LP-FT forgets less.",
            "kept", _at("lp_ft", source="imagenet"), _at("full", source="imagenet"), 0.05),
    _versus("tuning_gains_in_distribution", "In distribution, full fine-tuning is more accurate "
            "than a probe (published: 2 points).", "accuracy", _at("full"), _at("probe"), 0.0),
    _versus("tuning_loses_out_of_distribution", "On corrupted pictures, full fine-tuning is less "
            "accurate than a probe (published: 7 points).", "shifted", _at("full"), _at("probe"),
            0.0, "less"),
    _versus("lp_ft_gains_in_distribution", "In distribution, LP-FT is more accurate than full "
            "fine-tuning (published: 1 point).", "accuracy", _at("lp_ft"), _at("full"), 0.0),
    _versus("lp_ft_gains_out_of_distribution", "On corrupted pictures, LP-FT is more accurate than "
            "full fine-tuning (published: 10 points).", "shifted", _at("lp_ft"), _at("full"), 0.0),
    Claim("far_domains_gain_less", "E7", "Over domains, the gain of transfer falls with their "
          "distance from the source.",
          Value("correlation", {"part": "order of domains"}), "less", 0.3),
)  # fmt: skip

STUDY = Study(
    name="forgetting",
    lab="transfer",
    title="Forgetting",
    exercises=("E7",),
    question=(
        "What does fine-tuning cost on the source task and on other distributions, and when does "
        "a source help?"
    ),
    claims=CLAIMS,
    figures=figures,
    captions={
        "kept.svg": "Accuracy on characters of the source after fine-tuning on digits, by the old "
        "head, over the learning rate: mean and range over seeds. A probe keeps all of it.",
        "shifted.svg": "Accuracy on test digits and on corrupted ones after fine-tuning with ten "
        "labels per class: a dot per seed.",
        "domains.svg": "Gain of the source on random weights over the distance of a domain from "
        "it: seeds in grey, means in blue.",
    },
    tables=tables,
    terms=TERMS,
    notes=(
        "The small network of the study *Labels* is pretrained for every seed on seven tenths of "
        "the printed characters and fine-tuned on ten digits of each class. Its old head then "
        "classifies the other characters: what is *kept* is its accuracy. A probe changes no "
        "feature. ImageNet's own pictures are not at hand: for its network, *kept* is the share of "
        "test digits to which the old head gives the same class as before. That digits are far "
        "from photographs says nothing about forgetting on photographs. After a first run its "
        "batch norms were made to keep their statistics: with those of few batches it predicted "
        "by chance. Then the claim on its LP-FT was no longer supported.",
        "Similarity is the linear CKA of features before and after, of the pictures on which what "
        "is kept is measured. Rates are relative to those of the study *Labels*.",
        "Corruptions of test digits are noise, blur, JPEG and shifts of the severity in the "
        'parameters. The published figures are those of Kumar et al., "Fine-tuning can distort '
        'pretrained features" (ICLR 2022), on other data and networks.',
        "Domains are digits, the same digits dark on light, turned or strongly corrupted, and "
        "printed characters of other alphabets. The distance is that of features of the source's "
        "network, from as many pictures of each. The gain is that of a probe with ten labels per "
        "class on its features over one on features of random weights. Eight domains of which "
        "seven are the same digits show a tendency at best.",
    ),
)
