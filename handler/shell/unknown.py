"""Where images were asked for that the cloud does not know. Asks nothing anew: the access of the run is still there."""

from handler.clock import Deadline
from handler.cloud.places.regions import IMAGE
from handler.compose.engines import shell
from handler.compose.warm import access_to_cloud
from handler.config.settings import Settings
from handler.errors import CloudError
from handler.report.report import Report
from handler.shell.screen.lines.missing import Place, are_missing, missing_line
from handler.shell.screen.terminal import printable

SECONDS = 5.0
"""How long a person may wait for it, if the catalogue has to be read anew after all."""


def unknown_here(report: Report, settings: Settings) -> str:
    """One line, if most of the images that were asked for by their ids are unknown to the cloud; else empty."""
    if not are_missing(report):
        return ""
    place = Place(regions=_regions(settings), address=settings.image_endpoint, project_id=report.project_id)
    return printable(missing_line(report, place))


def _regions(settings: Settings) -> list[str]:
    """The regions whose image service was asked; none if that can't be told."""
    # Where each project has credentials of its own, these settings have none.
    if settings.proof is None:
        return []
    try:
        with access_to_cloud(settings, shell.rotated, shell.forget_secret) as access:
            catalogue = access.identity.catalogue(Deadline(lambda: SECONDS))
    except CloudError:
        return []
    return [catalogue.region] if catalogue.region else [*filter(None, catalogue.regions(IMAGE))]
