"""The values that everything here is about. They are frozen, and know nothing of events, clouds or reports.

A value is a NamedTuple, which a cold start loads in an eighth of the time of a frozen dataclass. Only Image and
Outcome, of which changed copies are made, are dataclasses. A NamedTuple of more than two fields is made with keywords.
"""
