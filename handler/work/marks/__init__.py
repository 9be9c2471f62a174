"""What a person does with marks: they are listed, taken off one image as a veto, or taken off all before uninstalling.

Nothing here can delete an image. What is done to one is planned by pure functions, from the image as it was just read,
and is safe to end after each step, whoever else acts in between.
"""
