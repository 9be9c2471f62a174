"""The parts of the question what uses an image: the servers of a region, and the lists that are read now and then.

Each part knows how old it is, and asks again when it is due; `in_use` puts them together.
"""
