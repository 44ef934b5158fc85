from plumbline.runs import dvc_files, records
from plumbline.tracking import sync, tags

ODD = ["a b/c.txt", "x@y", "../up", "a//b", "ü/ß.csv", "p" * 300, "q[1]|{2}", "trailing/"]


def test_a_plain_path_is_its_own_key():
    assert tags.key("dep", "data/prepared/tabular") == "dep.data/prepared/tabular"


def test_every_path_becomes_a_key_that_the_store_takes(home, record, view):
    book = record(deps=dict.fromkeys(ODD, "a" * 32))
    book.close(records.FINISHED)
    assert sync.sync(home) == sync.Outcome(0, 0, 0)
    kept = view().one("train_fnn").data.tags
    assert {key for key in kept if key.startswith("dep.")} == {tags.key("dep", n) for n in ODD}


def test_two_names_never_share_a_key():
    pairs = ["x@y", "x_y", "x|y", "p" * 300, "p" * 301, "a//b", "a/b"]
    assert len({tags.key("dep", name) for name in pairs}) == len(pairs)


def test_tags_of_a_lock_entry_are_those_of_the_run_it_records(record):
    entry = dvc_files.LockEntry("cmd", {"in": "1" * 32}, {"seed": 42}, {"out": "2" * 32})
    made = tags.of_entry(entry)
    assert set(made) == {"dep.in", "params.seed", "out.out"}
    book = record(deps=entry.deps, outs=entry.outs, seed=7, environment="e", threads=1,
                  param_digests={"seed": made["params.seed"]})  # fmt: skip
    told = tags.of_record(book.fields)
    assert made.items() <= told.items()
    assert (told["environment"], told["plumbline.seed"], told["plumbline.threads"]) == (
        "e", "7", "1",
    )  # fmt: skip
