"""What was in use in the past, as sweeps have seen it: remembered in the state table, packed tightly.

The first hex digit of an id says in which of sixteen items the image is remembered.
"""
