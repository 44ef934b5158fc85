import pytest

from tests.toy import Toy


@pytest.fixture
def toy(tmp_path):
    return Toy(tmp_path / "toy")
