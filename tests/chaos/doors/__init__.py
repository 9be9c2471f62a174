"""Fuzzing of every door: events of all shapes, drawn from the schema and from the recorded events, with one seed.

`knock` tries them against the whole function before a fake cloud. What may come of an event is judged by the contract,
without the code under test.
"""

from tests.chaos.doors.knocking import knock

__all__ = ["knock"]
