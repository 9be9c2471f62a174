"""The values that everything here is about. They are frozen, and import nothing of ours but each other.

A value is a NamedTuple, which a cold start loads in an eighth of the time of a frozen dataclass. Only Image and
Outcome, of which changed copies are made, are dataclasses. A NamedTuple of more than two fields is made with keywords.
"""
