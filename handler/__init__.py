"""Delete cloud images, and only the right ones.

An event becomes requests, requests become images, every image passes the rules, what passes is deleted, and what
happened is an outcome that becomes a log line, a metric and an answer.
"""
