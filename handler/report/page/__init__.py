"""A run as one HTML page for a reviewer: rows become an overview, an overview becomes sections and a page.

Only the shell needs it; Lambda loads none of it.
"""
