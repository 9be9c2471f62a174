"""What happened, for machines and for people: the values, the log, the metrics and the page."""
