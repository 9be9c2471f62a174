"""Many projects from one place: what is kept of each, which messages are for whom, and how a sweep gets to them all.

An invocation may have messages of several projects. Each project gets a run of its own, with its own credentials and
its own share of the time; one whose cloud is away, or whose secret is wrong, fails alone.
"""
