from plumbline.runs import links
from plumbline.runs.links import Link, Links

ONE, OTHER = Link("train", "j1", "r1", "s"), Link("train", "j2", "r2", "s")


def test_links_are_found_by_path_and_digest_after_a_save(tmp_path):
    book = Links(tmp_path)
    book.add({"a": "1", "b": "2"}, ONE)
    book.add({"a": "1", "b": "3"}, OTHER)
    book.save()
    read = Links(tmp_path)
    assert read.to("a", "1") == [ONE, OTHER]
    assert (read.to("b", "2"), read.to("b", "3")) == ([ONE], [OTHER])
    assert (read.to("a", "9"), read.to("c", "1")) == ([], [])


def test_a_run_made_again_takes_the_place_of_the_lost_one_in_its_store_only(tmp_path):
    book = Links(tmp_path)
    elsewhere = Link("train", "j1", "r7", "another store")
    for link in (ONE, elsewhere, Link("train", "j1", "r9", "s")):
        book.add({"a": "1"}, link)
    assert book.to("a", "1") == [elsewhere, Link("train", "j1", "r9", "s")]


def test_starting_over_keeps_only_what_no_journal_can_tell(tmp_path):
    book = Links(tmp_path)
    book.add({"a": "1", "b": "2"}, ONE)
    book.add({"a": "1"}, OTHER)
    book.forget_journals(["j2"])
    book.start_over()
    assert book.to("a", "1") == [Link("train", None, "r2", "s")]
    assert book.to("b", "2") == []


def test_an_unreadable_file_holds_no_links_and_can_be_written_anew(tmp_path):
    path = links.file_of(tmp_path)
    path.parent.mkdir()
    path.write_text('{"torn')
    book = Links(tmp_path)
    book.add({"a": "1"}, ONE)
    book.save()
    assert Links(tmp_path).to("a", "1") == [ONE]
