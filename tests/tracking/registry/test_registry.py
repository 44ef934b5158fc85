import pytest

from plumbline.errors import ArtifactError
from plumbline.tracking import store
from plumbline.tracking.registry.registry import CHAMPION, PREVIOUS, Registry, opened


@pytest.fixture
def registry(home) -> Registry:
    """Five versions of a model whose files do not matter."""
    found = Registry(store.connect(home))
    found.store.client.create_registered_model("fnn")
    for _ in range(5):
        found.store.client.create_model_version("fnn", home.as_uri())
    return found


def test_champions_come_back_one_after_the_other_until_there_is_none(registry):
    for version in (1, 3, 4):
        registry.make_champion("fnn", version)
    assert registry.aliases("fnn") == {CHAMPION: 4, PREVIOUS: 3}
    assert registry.bring_back("fnn") == 3
    assert registry.aliases("fnn") == {CHAMPION: 3, PREVIOUS: 1}
    assert registry.bring_back("fnn") == 1
    assert registry.aliases("fnn") == {CHAMPION: 1}
    with pytest.raises(ArtifactError) as caught:
        registry.bring_back("fnn")
    assert str(caught.value) == (
        "promote: model 'fnn' must have had a champion before, got version 1 as the only one; "
        "nothing is changed"
    )
    assert registry.champion("fnn") == 1


def test_a_version_that_was_brought_back_can_be_followed_again(registry):
    for version in (1, 2):
        registry.make_champion("fnn", version)
    registry.bring_back("fnn")
    registry.make_champion("fnn", 5)
    assert registry.earlier_champions("fnn") == [1]
    registry.make_champion("fnn", 1)  # an older version, once more: no circle
    assert registry.earlier_champions("fnn") == [5]
    assert registry.bring_back("fnn") == 5
    assert registry.earlier_champions("fnn") == []


def test_a_champion_that_somebody_made_by_hand_and_a_deleted_version_are_minded(registry):
    for version in (1, 2, 3):
        registry.make_champion("fnn", version)
    registry.set_alias("fnn", CHAMPION, 5)
    registry.store.client.delete_model_version("fnn", "3")
    assert registry.earlier_champions("fnn") == [1, 2]
    assert registry.bring_back("fnn") == 2


def test_a_model_that_is_not_registered_has_no_versions_aliases_or_champions(registry):
    assert registry.versions("rnn") == []
    assert registry.aliases("rnn") == {}
    with pytest.raises(ArtifactError, match="got no champion; nothing is changed"):
        registry.bring_back("rnn")


def test_a_request_that_a_store_refuses_is_one_line(home):
    with pytest.raises(ArtifactError) as caught, opened(home, where="promote") as found:
        found.store.client.get_model_version("fnn", "7")
    said = str(caught.value)
    assert said.startswith(
        f"promote: store sqlite:///{home}/mlflow.db must take the request, got MlflowException"
    )
    assert "\n" not in said
