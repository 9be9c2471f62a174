"""The files of a command: the request that it reads, the journal of an armed run, and the plan and the page it leaves.

What can't be written must be known before an image is deleted.
"""
