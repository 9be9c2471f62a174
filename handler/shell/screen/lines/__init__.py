"""Lines of text: what a row says of an image, what several rows have in common, and how wide a text is on a screen.

All of it is pure: nothing here knows whether there is a terminal, but for the number of its columns.
"""
