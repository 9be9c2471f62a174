"""What is known of the use of images in the past."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple


class History(NamedTuple):
    """When images were last seen in use. `since` is from when on sweeps have looked, without a gap.

    `last` holds the end of the last day on which an image was seen in use, by its id in small letters.
    """

    since: datetime
    last: Mapping[str, datetime]
