"""The modes of files and folders for a sandbox, which may run as another user of this machine."""

__all__ = ["sandbox_mode"]


def sandbox_mode(*, folder: bool, read_only: bool = False) -> int:
    """Return the mode of a file or folder that every user can read, whatever the umask of the grading person is.

    Args:
        folder: Whether it is a folder, which must also be passable.
        read_only: Whether even the owner cannot change it.
    """
    readable = 0o555 if folder else 0o444
    return readable if read_only else readable | 0o200
