"""A stateful fake of the clouds: Keystone, Glance, Nova and Cinder, or their likes on Open Telekom Cloud,
and its Auto Scaling.

`FakeCloud` is the cloud; `Server` puts it behind a real port, `mocked` behind `responses` in this process.
`front.Front` leads the names of the real hosts to a server; it needs `cryptography`, which not every environment has.
"""

from tests.fakecloud.cloud import FakeCloud
from tests.fakecloud.faults import Fault
from tests.fakecloud.mock import mocked
from tests.fakecloud.records import APP_CREDENTIAL_ID, APP_CREDENTIAL_SECRET, DEMO, OTHER, Call, ImageRecord
from tests.fakecloud.server import Server

__all__ = [
    "APP_CREDENTIAL_ID",
    "APP_CREDENTIAL_SECRET",
    "DEMO",
    "OTHER",
    "Call",
    "FakeCloud",
    "Fault",
    "ImageRecord",
    "Server",
    "mocked",
]
