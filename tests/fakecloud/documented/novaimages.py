"""Nova's own lists of images, which it makes from Glance's; those of ECS are the same."""

from tests.fakecloud import listing, nova, wire
from tests.fakecloud.api import Reply, json_reply
from tests.fakecloud.visit import Visit


def list_images(visit: Visit) -> Reply:
    """A page of images, names only."""
    return _images(visit, detail=False)


def list_images_detail(visit: Visit) -> Reply:
    """A page of images."""
    return _images(visit, detail=True)


def _images(visit: Visit, *, detail: bool) -> Reply:
    nova.check(visit, images=True)
    asked = {"limit": "1000", **dict(visit.request.params)}
    images, _full = listing.page_of(visit.state, visit.caller, listing.read_query(list(asked.items()), visit.caller))
    shown = [wire.nova_image(image, visit.root) for image in images]
    short = ("id", "name", "links")
    return json_reply({"images": shown if detail else [{key: image[key] for key in short} for image in shown]})
