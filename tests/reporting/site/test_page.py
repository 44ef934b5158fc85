import json
import re
import shutil
from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import unquote

import pytest

from plumbline import artifacts, catalog, names
from plumbline.errors import ArtifactError
from plumbline.reporting.cards.card import render_card
from plumbline.reporting.references import Book, check_html, count_references
from plumbline.reporting.site.models import model_views
from plumbline.reporting.site.page import LABS, render_site
from plumbline.reporting.site.sections import read_history
from tests.artifacts.test_plain_text import hidden

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Tags, attributes and faults of nesting."""

    def __init__(self, text):
        super().__init__()
        self.open, self.faults, self.tags, self.ids = [], [], [], []
        self.feed(text)
        self.faults += self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for key, value in attrs if key == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for key, value in attrs if key == "id"]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}>")

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def text(tree):
    return render_site(tree, title="plumbline")


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_the_page_is_well_formed_and_ids_are_unique(page):
    assert page.faults == []
    assert len(page.ids) == len(set(page.ids))


def test_the_page_loads_nothing(page, text):
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "action"):
            if tag != "data" and (value := attributes.get(name)):
                assert not re.match(r"(?i)https?:|//|javascript:", value), (tag, value)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object"})
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_every_link_leads_to_a_section_or_a_file_of_the_pipeline(page, tree, tmp_path):
    reports = shutil.copytree(tree / "reports", tmp_path / "reports")
    for model in catalog.models():
        card, _ = render_card(model, root=tree, owner="o", contact="c", licence="mit")
        artifacts.write_text(reports / f"cards/{model}.md", card)
    (reports / "gate.json").write_text("{}")  # made by the gate, which runs after this page
    for lab in LABS:  # made by the laboratory
        (reports / f"{lab}.html").write_text("")
    links = [a["href"] for a in page.all("a")]
    assert len(links) > 30
    for link in links:
        if link.startswith("#"):
            assert link[1:] in page.ids, link
        else:
            assert (reports / unquote(link)).exists(), link


def test_every_number_of_the_page_is_the_one_in_its_file(text, tree):
    assert count_references(text) > 200
    assert check_html(text, tree) == []


def test_every_model_is_in_the_first_table_with_its_main_metric(text, tree):
    table = text.split('<table class="models">')[1].split("</table>")[0]
    for model in catalog.models():
        quantity = catalog.model(model).main_metric
        assert f'data-ref="reports/metrics/{model}.json#metrics.{quantity}.value"' in table
        worst = f'data-ref="reports/audits/{model}.json#worst.value"' in table
        assert worst == (
            artifacts.read_json(tree / f"reports/audits/{model}.json")["worst"] is not None
        )


@pytest.mark.no_cover
def test_the_page_repeats_byte_for_byte(small_tree, small_page):
    assert render_site(small_tree, title="plumbline") == small_page


def test_the_page_is_made_without_predictions(small_tree, small_page, tmp_path):
    copy = shutil.copytree(small_tree, tmp_path / "copy")
    shutil.rmtree(copy / names.PREDICTIONS)
    assert render_site(copy, title="plumbline") == small_page
    assert "ROC curves:" in small_page
    assert "Calibration:" in small_page


def test_the_page_is_small(text):
    assert len(text.encode()) < 3_000_000


def test_the_page_can_be_read_aloud(page):
    assert page.all("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert all(image["alt"] for image in page.all("img"))
    drawn = [a for a in page.all("svg") if a.get("aria-hidden") != "true"]
    assert len(drawn) > 30
    assert all(a["role"] == "img" and a["aria-label"] for a in drawn)
    assert all(header.get("scope") for header in page.all("th"))


def test_samples_are_shown_beside_real_digits_and_text_by_temperature(text):
    assert text.count("data:image/png;base64,") == 2
    for temperature in ("0.5", "0.8", "1"):
        assert f"Temperature {temperature}<" in text
    assert "The &lt;b&gt;value&lt;/b&gt; of 0.5" in text


def test_the_data_stand_before_the_audits_with_their_leaks_proxies_and_planted_bias(text):
    data = text.split('<section id="data">')[1].split("</section>")[0]
    assert data.count("<details>") == 2
    assert "Diabetes study (442 patients)" in data
    assert 'data-ref="reports/data_audits/tabular.json#duplicates.exact.count"' in data
    assert 'data-ref="reports/data_audits/tabular.json#proxies.0.value"' in data
    assert re.search(r'tabular.json#confidence"[^>]*>95 %</data> of permutations are below', data)
    assert "Injected bias:</strong> a &lt; b thinned out" in data
    assert 'href="datasheets/tabular.md"' in data


def test_models_are_compared_on_the_same_rows_in_the_table_and_in_their_section(text):
    first = text.split('<table class="models">')[1].split("</table>")[0]
    assert "paired difference from it:" in first
    tabular = text.split('<section id="tabular">')[1].split("</section>")[0]
    assert "Differences in AUROC, the model minus the other" in tabular
    assert 'data-ref="reports/comparisons/tabular.json#differences.' in tabular
    assert "Differences between models" not in text.split('<section id="glyphs">')[1]


def test_the_four_verdicts_are_explained_and_every_exclusion_is_counted(text):
    audits = text.split('<section id="audits">')[1].split("</section>")[0]
    for verdict, colour in zip(
        names.VERDICTS, ("differs", "equivalent", "inconclusive", "few"), strict=True
    ):
        assert f'<span class="chip {colour}">{verdict}</span>: ' in audits
    assert "Excluded from comparisons by " in audits
    assert "Margin of difference in " in audits


@pytest.mark.no_cover
def test_hostile_names_are_text(small_tree, tmp_path):
    copy = shutil.copytree(small_tree, tmp_path / "copy")
    file = copy / "reports/audits/fnn.json"
    evil = "</svg></script><script>alert(1)</script>"
    for name in (evil, "\x1b[2J\u202emale\x00"):
        file.write_text(file.read_text().replace('"code 1"', json.dumps(name)))
        text = render_site(copy, title=f"<script>x</script>{name}")
        page = Page(text)
        assert page.faults == []
        assert page.all("script") == []
        assert check_html(text, copy) == []
        assert not hidden(text.replace("\n", ""))
        file.write_text(file.read_text().replace(json.dumps(name), '"code 1"'))


def test_a_page_without_samples_or_history_still_stands(small_tree, tmp_path):
    copy = shutil.copytree(small_tree, tmp_path / "copy")
    shutil.rmtree(copy / "reports/history")
    (copy / "reports/metrics/baseline.json").unlink()
    audit = artifacts.read_json(copy / "reports/audits/fnn.json")
    plain = [gap for gap in audit["gaps"] if "×" not in gap["attribute"]]
    crossed = [{**audit["gaps"][0], "attribute": "sex×age_band"}] * 50
    audit |= {"worst": None, "gaps": plain[:20] + crossed}
    artifacts.write_json(copy / "reports/audits/fnn.json", audit)
    text = render_site(copy, title="plumbline")
    assert Page(text).faults == []
    assert "not estimable" in text
    assert "Intersections of attributes" in text
    assert "20 further gaps are in the audit file." in text


def test_diagnosed_gradients_have_a_figure_of_their_own(small_tree, tmp_path):
    copy = shutil.copytree(small_tree, tmp_path / "copy")
    layers = "gradients/network/layers"
    columns = ["epoch", "step", "train/loss"]
    columns += [
        f"{layers}/{q}/{name}" for q in ("norm", "update_ratio") for name in ("000.a", "001.b")
    ]
    rows = ["0,1,2.0,0.1,0.2,0.01,0.01", "1,2,1.0,0.3,0.4,0.02,0.02"]
    history = "\n".join([",".join(columns), *rows]) + "\n"
    (copy / "reports/history/fnn.csv").write_text(history, encoding="utf-8")
    text = render_site(copy, title="plumbline")
    assert Page(text).faults == []
    assert "Gradients and updates of the layers of" in text
    assert "Gradients and updates" not in render_site(small_tree, title="plumbline")


def test_a_repository_without_measurements_has_no_page(tmp_path):
    with pytest.raises(ArtifactError) as caught:
        render_site(tmp_path, title="plumbline")
    assert str(caught.value) == (
        "report: reports/metrics and reports/audits must hold a model, got none; "
        "run the evaluate and audit stages"
    )


def test_a_history_is_read_by_column_and_an_empty_cell_is_undefined(tmp_path):
    artifacts.write_text(tmp_path / names.HISTORY_DIR / "m.csv", "epoch,val/loss\n0,\n1,0.5\n")
    history = read_history(tmp_path, "m")
    assert history["epoch"] == [0.0, 1.0]
    assert history["val/loss"][0] != history["val/loss"][0]
    assert history["val/loss"][1] == 0.5
    assert read_history(tmp_path, "none") == {}


def test_a_model_that_is_also_a_reference_stands_once_in_its_section(small_tree, tmp_path):
    shutil.copytree(small_tree, tmp_path / "copy")
    path = tmp_path / "copy" / names.METRICS_DIR / "fnn.json"
    metrics, beside = artifacts.read_json(path), {"value": 0.5, "low": 0.4, "high": 0.6}
    quantity = metrics["main_metric"]
    metrics["reference"] = {f"baseline/{quantity}": beside, f"tree/{quantity}": beside}
    artifacts.write_json(path, metrics)
    views = {view.name: view for view in model_views(Book(tmp_path / "copy"))}
    assert views["fnn"].baseline_keys == [f"tree/{quantity}"]
    assert len(views["fnn"].baselines) == 1
    assert len(views["fnn"].references) == 2
