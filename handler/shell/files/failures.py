"""Why a file can't be read or written, in words that are the same on every system."""

import errno

_WORDS = {
    errno.ENOENT: "no such file or folder",
    errno.EISDIR: "it is a folder",
    errno.ENOTDIR: "a part of its path is a file, and no folder",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOSPC: "no space is left on the disk",
    errno.EDQUOT: "no space is left to you on the disk",
    errno.EFBIG: "larger than a file may be",
    errno.EROFS: "the disk can only be read",
    errno.ENAMETOOLONG: "its name is too long",
    errno.ELOOP: "its links lead in a circle",
}


def why(error: OSError) -> str:
    """Why a file can't be read or written."""
    return _WORDS.get(error.errno or 0) or error.strerror or "nobody knows why"
