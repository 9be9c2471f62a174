"""Approvals: a plan that somebody has reviewed is carried out exactly, and once.

`opening` reads and takes the plan before anything of its event is done, `carrying` then carries it out.
"""
