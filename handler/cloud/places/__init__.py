"""Where things are: the catalogue of a cloud, as a value, and the regions that must be asked what they use.

Nothing here sends anything. What can't be found is told in words that name its cause in the catalogue.
"""
