"""What is typed after `image-reaper`: how the values of options are read, and what is said of an option that is wrong.

In words of ours, in place of those of argparse; the options themselves are in `shell/options.py`.
"""
