"""The values that everything here is about. They are frozen, and know nothing of events, clouds or reports.

A value is a NamedTuple, which a cold start loads in an eighth of the time of a frozen dataclass; the two that are copied
with changes everywhere are dataclasses. A NamedTuple of more than two fields is made with keywords.
"""
