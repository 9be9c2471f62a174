"""The values that everything here is about: frozen, and knowing nothing of events, clouds or reports.

A value is a NamedTuple, which a cold start loads in an eighth of the time of a frozen dataclass; it is a dataclass only
where its description must not show all of it. One of more than two fields is made with keywords.
"""
