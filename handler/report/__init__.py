"""What happened, for machines and for people.

The report is a value; the reporter writes it as log lines and metrics, and the page shows it to a reviewer. Nothing
here decides anything about an image.
"""
