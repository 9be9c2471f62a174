"""Requests signed with an access key and its secret key (SDK-HMAC-SHA256), in place of a token.

`access` holds the values: the keys, and their project, region and cloud. It knows no HTTP. `signed` is the identity
made of them; `auth` and `signature` sign a request.
"""
