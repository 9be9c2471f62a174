"""What a run leaves behind and says to people.

While it goes on, what its files will need is gathered, where there is a bucket for them. At its end, in time that was
kept back, the files are stored and the notice is sent. What fails here fails no image: it is logged and counted.
"""
