"""Whom the certificates of the cloud are checked against: the authorities that the operator names for it."""

import requests

from handler.connections.fenced import FencedSession


def checked_with(session: requests.Session, url: str | None) -> str:
    """What is to be added to the words about a certificate that was refused: the authorities that were used."""
    if url is None:
        return ""
    if isinstance(session, FencedSession) and session.bundle:
        return "; its certificate was checked with CA_BUNDLE of the secret"
    verify = session.merge_environment_settings(url, {}, None, None, None)["verify"]
    file = verify if isinstance(verify, str) else requests.utils.DEFAULT_CA_BUNDLE_PATH
    return f"; its certificate was checked with {file}"
