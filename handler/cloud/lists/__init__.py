"""What long lists need: the next page read while this one is looked at, and ids that are known without being kept.

A project may have a million images. A list of them must neither wait for the cloud at every page nor fill the memory.
"""
