"""IMS's own list of images: `GET /v2/cloudimages`.

Pages follow each other by `marker` alone, no link says whether there is another one, and hidden images stand among the
others. What IMS says to an unknown marker is not documented: here it is the code of an unknown image.
"""

from collections.abc import Mapping

from tests.fakecloud import listing, wire
from tests.fakecloud.api import Reply, json_reply
from tests.fakecloud.errors import BadRequest, Forbidden, UnknownMarker, vendor_error
from tests.fakecloud.records import ImageRecord
from tests.fakecloud.shelf import Order
from tests.fakecloud.visit import Visit

DEFAULT_LIMIT = "500"
SORT_KEYS = frozenset({"name", "container_format", "disk_format", "status", "id", "size", "created_at"})
NOT_FILTERS = frozenset({"limit", "marker", "sort_key", "sort_dir", "member_status", "visibility"})
EVERYWHERE = ("enterprise_project_id", "all_granted_eps")
"""The filter that leaves nothing out: the images of every enterprise project."""
SPECIAL = frozenset({"tag", "protected", "created_at", "updated_at"})
ONLY_LISTED = {"__system_support_market": False}
"""What only this list was recorded with: a boolean that is one, beside many that are texts."""
TRUTHS = frozenset({"true", "false"})
KINDS = frozenset({"gold", "private", "shared"})


def list_images(visit: Visit) -> Reply:
    """A page of images, without any link."""
    query = dict(visit.request.params)
    if query.get("__imagetype", "private") not in KINDS:
        return vendor_error(400, "IMG.0024", "The imagetype is invalid.")
    try:
        images, _full = listing.page_of(visit.state, visit.caller, _read(query, visit))
    except (UnknownMarker, Forbidden) as exc:
        return vendor_error(400, "IMG.0027", exc.message)
    except BadRequest as exc:
        return vendor_error(400, "IMG.0001", exc.message)
    return json_reply({"images": [{**wire.ims_image(image), **ONLY_LISTED} for image in images]})


def _read(query: Mapping[str, str], visit: Visit) -> listing.Query:
    asked = [pair for pair in visit.request.params if pair[0] not in NOT_FILTERS and pair != EVERYWHERE]
    filters = [_test(name, value) for name, value in asked]
    tests = [listing.visibility_test(query, visit.caller), *filters]
    limit = listing.read_limit(query.get("limit", DEFAULT_LIMIT))
    return listing.Query(tests, _order(query), limit, query.get("marker"))


def _order(query: Mapping[str, str]) -> Order:
    key, direction = query.get("sort_key", "created_at"), query.get("sort_dir", "desc")
    if key not in SORT_KEYS or direction not in {"asc", "desc"}:
        message = f"Images cannot be sorted by {key} {direction}."
        raise BadRequest(message)
    backwards = direction == "desc"
    return [(field, backwards if field == key else True) for field in dict.fromkeys((key, "created_at", "id"))]


def _test(name: str, value: str) -> listing.Test:
    if name in SPECIAL:
        return listing.SPECIAL[name](name, value)

    def fits(image: ImageRecord) -> bool:
        # Documented as `true`, and shown as `True`.
        shown = wire.ims_text(image, name)
        return shown == value or (value in TRUTHS and str(shown).lower() == value)

    return fits
