"""While most of the command is loaded, a terminal shows that it lives."""

import io
import threading
from importlib import import_module

import pytest

from handler.shell.screen.live.loading import loading


class Shown(io.StringIO):
    """A terminal that tells when so many signs were shown."""

    def __init__(self, signs: int) -> None:
        super().__init__()
        self.enough = threading.Event()
        self._signs = signs

    def flush(self) -> None:
        if self.getvalue().count("loading") >= self._signs:
            self.enough.set()


class Gone(io.StringIO):
    """A terminal that is no longer there."""

    def write(self, _text: str) -> int:
        raise OSError


def test_a_sign_turns_until_all_is_loaded_and_leaves_nothing_behind() -> None:
    stream = Shown(3)
    with loading(stream):
        assert stream.enough.wait(60)
    shown = stream.getvalue()
    assert shown.startswith("\r- loading\r\\ loading\r| loading")
    assert shown.endswith("\r         \r")


def test_what_fails_to_load_is_told_after_the_sign_is_gone() -> None:
    stream = Shown(1)
    with pytest.raises(ImportError), loading(stream):
        import_module(f"handler.{stream.enough.wait(60)}")
    assert stream.getvalue().endswith("\r         \r")


def test_a_terminal_that_is_gone_does_no_harm() -> None:
    with loading(Gone()):
        pass
