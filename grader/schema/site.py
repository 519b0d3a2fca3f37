"""The site file: defaults of one machine or one user for the options of the command line."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from grader.schema.described import Described
from grader.schema.mail import MailSettings

__all__ = ["SiteSettings"]

_Text = Annotated[str, StringConstraints(min_length=1)]


class SiteSettings(Described):
    """Defaults of options that depend on the machine; course settings are in the rubric."""

    version: Literal[1]
    """Version of the format."""
    jobs: Annotated[int, Field(ge=1)] | Literal["auto"] | None = None
    """Submissions to grade at the same time, as `--jobs`."""
    isolation: Literal["auto", "bubblewrap", "container", "user", "none"] | None = None
    """Sandbox for notebooks, as `--isolation`."""
    device: Literal["auto", "cpu", "gpu"] | None = None
    """Device that notebooks train on, as `--device`."""
    engine: Literal["local", "ray"] | None = None
    """Engine that runs the submissions, as `--engine`."""
    address: _Text | None = None
    """Address of Ray's cluster, as `--address`; unused with the engine `local`. The environment variable `RAY_ADDRESS`
    overrides it."""
    warm: bool | None = None
    """Whether kernels are forked from a process that has imported TensorFlow, as `--warm` and `--no-warm`."""
    language: _Text | None = None
    """Language of reports, class pages and mails, such as `de`; a rubric's `language` and `--language` override it."""
    data: _Text | None = None
    """Folder of the data sets. `~` is the home folder, and a relative path starts at the site file. The environment
    variable `GRADER_DATA` overrides it."""
    mail: MailSettings | None = None
    """Server and sender of `grader mail`."""
