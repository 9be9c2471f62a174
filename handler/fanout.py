"""STUB until merge."""

from collections.abc import Mapping, Sequence
from typing import Any
from handler.model import AwsAccess


def requests_for(images: Sequence[Mapping[str, Any]], order: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Cut."""
    return []


def send(requests: Sequence[Mapping[str, Any]], queue_url: str, access: AwsAccess) -> list[str]:
    """Send."""
    return []
