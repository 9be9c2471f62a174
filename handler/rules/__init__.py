"""Which images may go and which stay. Pure: no clock, no network, only the standard library and the model.

The rules judge one image, a selection decides over all of a project, and the marks remember what was announced.
"""
