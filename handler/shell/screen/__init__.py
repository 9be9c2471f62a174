"""What a person sees: the table and what is said below it, the progress of a run, and the question before it deletes.

Standard output has the result alone; everything else goes to standard error.
"""
