"""Chaos by the hundred thousand: events and faults that no author of a test thought of, drawn from one seed.

An observer that knows nothing of `handler` decides what was right. One seed gives one run, to the letter; a run that
breaks a promise is shrunk to its smallest form, which becomes a test.
"""
