"""Where things are, and how they are reached safely.

The catalogue of a cloud, as a value, and the regions that must be asked what they use; the connections to them, and
what may be sent there in plain text. Nothing here sends anything by itself. What can't be found is told in words that
name its cause in the catalogue.
"""
