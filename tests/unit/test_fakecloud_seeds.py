"""A file that fills the fake cloud is read, or it is told in words what is wrong with it."""

import json
import re
from pathlib import Path

import pytest

from tests.fakecloud.__main__ import main
from tests.fakecloud.seeds import BadSeed, read_seed


@pytest.mark.parametrize(
    ("seed", "problem"),
    [
        ('{"images": [],}', "not JSON: line 1, column 15"),
        ("[]", "must be an object with the lists images, servers, volumes, scaling_configurations"),
        ('{"image": []}', "image: no such list: there are images, "),
        ('{"images": 3}', "images: must be a list"),
        ('{"images": [{}, 3]}', "images[1]: must be an object"),
        ('{"images": [{"count": "3"}]}', "images[0].count: must be a whole number"),
        ('{"images": [{"tags": "keep"}]}', "images[0].tags: must be a list of texts"),
        ('{"volumes": [{"count": 3}]}', "volumes[0].count: no such field: there are id, image, "),
    ],
)
def test_a_seed_that_is_wrong_is_told_in_words(seed: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "seed.json").write_text(seed)
    with pytest.raises(BadSeed, match=re.escape(f"{tmp_path / 'seed.json'}: {problem}")):
        read_seed(str(tmp_path / "seed.json"))


@pytest.mark.parametrize(("path", "problem"), [("nowhere.json", "No such file or directory"), (".", "Is a directory")])
def test_a_seed_that_is_not_there_starts_no_cloud(path: str, problem: str) -> None:
    with pytest.raises(SystemExit, match=f"--seed: {re.escape(path)}: {problem}"):
        main(["--seed", path])


def test_a_property_of_an_image_may_be_anything_in_a_seed(tmp_path: Path) -> None:
    seed = {"images": [{"name": "ci", "os_distro": "debian", "min_disk": 3}]}
    (tmp_path / "seed.json").write_text(json.dumps(seed))
    assert read_seed(str(tmp_path / "seed.json")) == seed
