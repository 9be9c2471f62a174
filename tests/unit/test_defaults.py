"""What a value holds where nothing is said, and what is put off until it is needed."""

import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from handler.clock import Deadline
from handler.cloud.meanings import Answer, Row
from handler.rules.claims import Claim
from handler.rules.mark_state import Mark
from handler.rules.marking import Plan
from handler.rules.marks import MarkTags, PolicyTag, Step
from handler.rules.safety import Facts, Policy
from handler.sources.surroundings import Surroundings
from handler.work.parallel import in_time
from handler.work.uses.in_use import Uses
from handler.work.uses.lists import Use
from tests.conftest import Context
from tests.fakecloud import FakeCloud, Server
from tests.faults import Clock, new_run, reap

DEFAULTS: list[tuple[type[Any], dict[str, object]]] = [
    (Answer, {"code": "", "message": "", "request_id": ""}),
    (Row, {"statuses": "", "codes": "", "words": ""}),
    (Claim, {}),
    (Mark, {"is_forgotten": False}),
    (Plan, {"steps": (), "goes_on": False, "begins": False}),
    (
        MarkTags,
        {"marks": (), "days": (), "signatures": (), "drafts": (), "recalls": ()}
        | {"is_deactivating": False, "is_deactivated": False},
    ),
    (PolicyTag, {"begun": None}),
    (Step, {"tag": ""}),
    (
        Facts,
        {"expect": (), "not_after": None, "moment": None, "objection": None, "shared_with": (), "used_by": ()},
    ),
    (
        Policy,
        {"min_age": timedelta(0), "keep_tag": "keep", "require_tag": "", "allow_names": (), "allow_shared": False},
    ),
    (Surroundings, {"scheduled": "", "lifecycle": "", "answers_here": False, "failed_to": ""}),
    (Uses, {"error": None}),
    (Use, {"is_made_of_it": True}),
]


@pytest.mark.parametrize(("kind", "defaults"), DEFAULTS, ids=[kind.__name__ for kind, _ in DEFAULTS])
def test_what_is_not_said_of_a_value_is_fixed(kind: type[Any], defaults: dict[str, object]) -> None:
    assert repr(kind._field_defaults) == repr(defaults)


LOOKED_AT = """
import sys
import handler.app
from handler.sources import parsing, schema
from handler.sources.aws import bus, records, stack
models = [each for module in (bus, parsing, records, schema, stack) for each in vars(module).values()
          if isinstance(each, type) and issubclass(each, parsing.BaseModel) and each.__module__.startswith("handler")]
assert len(models) > 10, models
print([each.__name__ for each in models if each.model_fields and each.__pydantic_complete__])
print([each.__name__ for each in models if not each.model_config.get("frozen")])
"""


def test_no_model_is_built_before_it_is_used_and_none_can_be_changed() -> None:
    root = Path(__file__).parents[2]
    printed = subprocess.run(  # noqa: S603 (a program of this test)
        [sys.executable, "-c", LOOKED_AT], cwd=root, check=True, capture_output=True, text=True
    ).stdout
    assert printed.splitlines() == ["[]", "[]"]


def test_the_threads_of_the_work_are_known_by_their_name(cloud: FakeCloud, server: Server) -> None:
    names: list[str] = []
    run = new_run(cloud, server, Clock())._replace(report=lambda *_: names.append(threading.current_thread().name))
    reap(run, [cloud.add_image() for _ in range(5)])
    names.append(in_time(lambda: threading.current_thread().name, run.deadline, run.progress))
    assert len(names) == 6
    assert all(name.startswith("image_") for name in names)


def test_a_piece_of_work_that_fails_says_so_to_who_waits() -> None:
    def fail() -> None:
        raise LookupError

    deadline = Deadline(Context().get_remaining_time_in_millis)
    progress: Any = SimpleNamespace()
    with pytest.raises(LookupError):
        in_time(fail, deadline, progress)
