"""How the cloud is asked: how fast, and what it means for the run when there is no answer.

It knows no service and no image.
"""
