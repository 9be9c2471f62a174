"""Who is asked what it uses: every region that shares the image service; and why something can't be found."""

import pytest

from handler.cloud.places.catalogue import Catalogue, Endpoint
from handler.cloud.places.regions import regions_sharing
from handler.errors import Unexpected
from tests.conftest import Invoke
from tests.fakecloud import DEMO, FakeCloud, Server

LATER = {"Retry-After": "3600"}
TWO = "RegionTwo"


def asked(cloud: FakeCloud, kind: str) -> set[str]:
    """The regions whose servers or volumes were asked for; the first one has no name in its addresses."""
    ends = f"/{kind}/detail"
    return {TWO if call.path.startswith(f"/{TWO}") else "" for call in cloud.calls if call.path.endswith(ends)}


# Regions that share the image service


@pytest.mark.parametrize("interface", ["public", "internal", "admin"])
@pytest.mark.parametrize("booted_from", ["image", "volume"])
def test_a_server_of_a_region_that_shares_the_image_service_uses_its_image(
    invoke: Invoke, cloud: FakeCloud, booted_from: str, interface: str
) -> None:
    cloud.add_region(TWO)
    used, free = cloud.add_image(), cloud.add_image()
    server = cloud.add_server("prod-db", image=used if booted_from == "image" else None, region=TWO)
    if booted_from == "volume":
        cloud.add_volume(image=used, server=server, region=TWO)
    run = invoke({"image_ids": [used, free]}, OS_INTERFACE=interface)
    assert run.outcomes == {used: ("refused", "in_use"), free: ("deleted", "")}
    assert asked(cloud, "servers") == {"", TWO}
    assert asked(cloud, "volumes") == ({TWO} if booted_from == "volume" else set())


def test_a_region_with_an_image_service_of_its_own_is_not_asked(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_region(TWO, {"image": "/elsewhere"})
    image = cloud.add_image()
    cloud.add_server(image=image, region=TWO)
    assert invoke({"image_ids": [image]}).outcomes == {image: ("deleted", "")}
    assert asked(cloud, "servers") == {""}


@pytest.mark.parametrize("spelled", ["/image/", "/image/v2", "/image/v2.16/"])
def test_a_shared_image_service_is_known_however_a_region_spells_it(
    invoke: Invoke, cloud: FakeCloud, spelled: str
) -> None:
    cloud.add_region(TWO, {"image": spelled})
    image = cloud.add_image()
    cloud.add_server(image=image, region=TWO)
    assert invoke({"image_ids": [image]}).outcomes == {image: ("refused", "in_use")}


def test_an_address_of_the_operators_own_hides_no_region_that_shares_the_service(
    invoke: Invoke, cloud: FakeCloud, server: Server
) -> None:
    cloud.add_region(TWO)
    used, also = cloud.add_image(), cloud.add_image()
    cloud.add_server(image=used, region=TWO)
    cloud.add_server(image=also)
    own = {
        "REAPER_IMAGE_ENDPOINT": f"{server.url}/image/v2/",
        "REAPER_COMPUTE_ENDPOINT": server.url.replace("127.0.0.1", "localhost") + "/compute/v2.1",
    }
    run = invoke({"image_ids": [used, also]}, **own)
    assert run.outcomes == dict.fromkeys((used, also), ("refused", "in_use"))
    assert asked(cloud, "servers") == {"", TWO}


@pytest.mark.parametrize("fault", [{"status": 503, "headers": LATER}, {"status": 403}, {"status": 404}])
@pytest.mark.parametrize("kind", ["servers", "volumes"])
def test_what_cannot_be_asked_in_another_region_names_it_and_deletes_nothing(
    invoke: Invoke, cloud: FakeCloud, kind: str, fault: dict[str, object]
) -> None:
    cloud.add_region(TWO)
    image = cloud.add_image()
    cloud.add_server(image=None, region=TWO)
    cloud.fault("GET", f"^/{TWO}.*/{kind}/detail$", times=None, **fault)  # type: ignore[arg-type]
    run = invoke({"image_ids": [image]})
    assert run.outcomes[image][0] == "failed"
    assert run.answer["outcomes"][0]["detail"].startswith(f"region {TWO}: ")
    assert not cloud.dead


def test_a_region_without_servers_is_not_asked_for_any(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_region(TWO, {"compute": None, "volumev3": None, "block-storage": None})
    image = cloud.add_image()
    assert invoke({"image_ids": [image]}, REAPER_IN_USE_ALSO="volumes").outcomes == {image: ("deleted", "")}


def test_a_region_whose_volumes_cannot_be_asked_is_named(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_region(TWO, {"volumev3": None, "block-storage": None})
    image = cloud.add_image()
    cloud.add_server(image=None, region=TWO)
    detail = invoke({"image_ids": [image]}).answer["outcomes"][0]["detail"]
    assert f"only in region RegionOne (not in region {TWO}), interface admin or internal or public" not in detail
    assert detail.startswith(f"region {TWO}: the catalogue offers block-storage or volumev3 only in region RegionOne")
    assert image in cloud.images


def test_where_all_regions_share_the_image_service_none_need_be_chosen(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_region(TWO)
    one, two, free = (cloud.add_image() for _ in range(3))
    cloud.add_server(image=one)
    cloud.add_server(image=two, region=TWO)
    run = invoke({"image_ids": [one, two, free]}, OS_REGION_NAME="")
    assert run.outcomes == {**dict.fromkeys((one, two), ("refused", "in_use")), free: ("deleted", "")}


@pytest.mark.parametrize(("missing", "also"), [("compute", ""), ("volumev3", "volumes"), ("as", "scaling")])
def test_what_no_region_offers_is_not_taken_for_none(invoke: Invoke, cloud: FakeCloud, missing: str, also: str) -> None:
    cloud.add_region(TWO)
    cloud.catalog_without(missing, "block-storage")
    image = cloud.add_image()
    run = invoke({"image_ids": [image]}, OS_REGION_NAME="", REAPER_IN_USE_ALSO=also)
    assert run.outcomes == {image: ("failed", "unexpected")}
    assert "the catalogue offers no " in run.answer["outcomes"][0]["detail"]
    assert image in cloud.images


def test_an_address_for_the_servers_of_one_region_asks_which_one(
    invoke: Invoke, cloud: FakeCloud, server: Server
) -> None:
    cloud.add_region(TWO)
    image = cloud.add_image()
    run = invoke({"image_ids": [image]}, OS_REGION_NAME="", REAPER_COMPUTE_ENDPOINT=f"{server.url}/compute")
    assert "set OS_REGION_NAME" in run.answer["outcomes"][0]["detail"]
    assert image in cloud.images


# Words that name the cause


@pytest.mark.parametrize("by", ["id", "sweep"])
@pytest.mark.parametrize("api", ["glance", "ims", "ecs-v2.1"])
def test_a_wrong_region_is_named_with_those_that_there_are(invoke: Invoke, cloud: FakeCloud, api: str, by: str) -> None:
    image = cloud.add_image()
    event = {"image_ids": [image]} if by == "id" else {"sweep": {"select": {"name": "*"}}}
    run = invoke(event, OS_REGION_NAME="regionone", REAPER_IMAGE_API=api)
    detail = run.answer["outcomes"][0]["detail"]
    service = "compute" if (api, by) == ("ecs-v2.1", "id") else "image"
    words = f"the catalogue offers {service} only in region RegionOne (OS_REGION_NAME=regionone), interface public"
    assert (words in detail, "REAPER_IN_USE_CHECK" in detail, "Invalid URL" in detail) == (True, False, False)
    assert image in cloud.images


def test_obeying_what_is_said_about_a_wrong_region_deletes_nothing_in_use(
    invoke: Invoke, cloud: FakeCloud, server: Server
) -> None:
    image = cloud.add_image()
    cloud.add_server(image=image)
    run = invoke({"image_ids": [image]}, OS_REGION_NAME="r1", REAPER_IMAGE_ENDPOINT=f"{server.url}/image")
    detail = run.answer["outcomes"][0]["detail"]
    assert "the catalogue offers compute only in region RegionOne (OS_REGION_NAME=r1), interface public" in detail
    assert "off" not in detail.split()
    assert invoke({"image_ids": [image]}, OS_REGION_NAME="RegionOne").outcomes == {image: ("refused", "in_use")}


def end(service: str = "image", region: str = "R1", interface: str = "public", url: str = "https://a") -> Endpoint:
    return Endpoint(service=service, region=region, interface=interface, url=url)


@pytest.mark.parametrize(
    ("catalogue", "words"),
    [
        (Catalogue((), "R1"), "the catalogue offers no image: set IT"),
        (
            Catalogue((end(),), "r1"),
            "the catalogue offers image only in region R1 (OS_REGION_NAME=r1), interface public",
        ),
        (
            Catalogue((end(interface="internal"),), "R1"),
            "the catalogue offers image only in region R1, interface internal (OS_INTERFACE=public)",
        ),
        (
            Catalogue((end(interface="internal"),)),
            "the catalogue offers image only in region R1, interface internal (OS_INTERFACE=public)",
        ),
        (
            Catalogue((end(region="R2"), end(region="R3", interface="admin")), "R1"),
            "the catalogue offers image only in region R2 (OS_REGION_NAME=R1), interface public",
        ),
        (
            Catalogue((end(region="R2"), end(interface="admin")), "R1"),
            "the catalogue offers image only in region R1, interface admin (OS_INTERFACE=public)",
        ),
    ],
)
def test_the_catalogue_says_why_it_has_no_address(catalogue: Catalogue, words: str) -> None:
    assert catalogue.why_missing(("image",), catalogue.region, "IT") == words


def test_several_image_services_in_one_region_ask_for_the_address_and_not_for_the_region(
    invoke: Invoke, cloud: FakeCloud, server: Server
) -> None:
    def another(body: dict[str, dict[str, list[dict[str, list[dict[str, str]]]]]]) -> object:
        image = next(service for service in body["token"]["catalog"] if str(service["type"]) == "image")
        image["endpoints"] += [{**endpoint, "url": f"{server.url}/old/v1"} for endpoint in image["endpoints"]]
        return body

    cloud.fault("POST", "/auth/tokens$", status=None, edit=another, times=None)
    image = cloud.add_image()
    detail = invoke({"image_ids": [image]}).answer["outcomes"][0]["detail"]
    assert detail == "the catalogue has several image endpoints in RegionOne: set REAPER_IMAGE_ENDPOINT"
    run = invoke({"image_ids": [image]}, REAPER_IMAGE_ENDPOINT=f"{server.url}/image")
    assert run.outcomes == {image: ("deleted", "")}


# Volumes, as a catalogue may name them


@pytest.mark.parametrize(
    "services",
    [
        {"volumev2": "/volume/v2/{project}"},
        {"volumev2": "/volume/v2/{project}", "volume": "/volume/v1/{project}"},
        {"block-storage": "/volume"},
        {"block-storage": "/volume/"},
        {"block-storage": "/volume/v3"},
        {"block-store": "/volume/v3/{project}"},
        {"volumev3": "/volume/v3/{project}", "volumev2": "/nowhere/v2/{project}"},
    ],
    ids=str,
)
def test_volumes_are_found_under_each_name_and_address(
    invoke: Invoke, cloud: FakeCloud, services: dict[str, str]
) -> None:
    cloud.catalog_without("volumev3", "block-storage")
    cloud.catalog_with(services)
    used, free = cloud.add_image(), cloud.add_image()
    cloud.add_volume(image=used, server=cloud.add_server(image=None))
    assert invoke({"image_ids": [used, free]}).outcomes == {used: ("refused", "in_use"), free: ("deleted", "")}


# The regions, from a catalogue alone


def test_a_region_whose_servers_have_no_address_is_not_taken_for_one_without_servers() -> None:
    images = [end(region=name, url="https://glance") for name in ("A", "B", "C")]
    computes = [end("compute", "C", url="https://nova"), end("compute", "B", interface="internal")]
    regions = {region.name: region for region in regions_sharing(Catalogue((*images, *computes)), DEMO)}
    assert (regions["A"].servers.offered(), regions["C"].servers.urls != ()) == ((), True)
    with pytest.raises(Unexpected, match="only in region B, interface internal"):
        regions["B"].servers.offered()


def names(catalogue: Catalogue, **own: str) -> list[str]:
    return [region.name for region in regions_sharing(catalogue, DEMO, **own)]


def with_compute(*images: Endpoint, region: str = "R1", interface: str = "public") -> Catalogue:
    regions = dict.fromkeys(endpoint.region for endpoint in images)
    computes = [end("compute", name, interface, f"https://nova.{name}") for name in regions]
    return Catalogue((*images, *computes), region, interface)


@pytest.mark.parametrize(
    ("other", "shares"),
    [
        ("https://glance", True),
        ("HTTPS://Glance:443/v2/", True),
        ("https://glance./", True),
        ("https://glance.:443/v2", True),
        ("https://user:password@glance/", True),
        ("http://glance:80", True),
        ("https://glance/v2.0", True),
        ("https://glance//v2//", True),
        ("https://glance./v2", True),
        ("https://glance:9292", False),
        ("https://glance/other", False),
        ("https://glance2", False),
    ],
)
def test_two_addresses_are_one_service_if_only_their_spelling_differs(other: str, *, shares: bool) -> None:
    catalogue = with_compute(end(url="https://glance"), end(region="R2", url=other))
    assert names(catalogue) == (["R1", "R2"] if shares else ["R1"])


def test_regions_share_a_service_also_if_each_has_an_inner_address_for_it() -> None:
    inner = [end(region=name, interface="internal", url=f"https://10.0.0.{name}") for name in ("R1", "R2", "R3")]
    outer = [end(region=name, url="https://glance") for name in ("R1", "R2")]
    assert names(with_compute(*inner, *outer, interface="internal")) == ["R1", "R2"]


def test_an_own_address_for_images_names_the_regions_that_share_it_too() -> None:
    catalogue = with_compute(end(url="https://one"), end(region="R2", url="https://two"), end(region="R3"))
    assert names(catalogue, image_endpoint="https://two/v2") == ["R1", "R2"]


def test_a_region_that_is_spelled_in_two_ways_is_asked_once() -> None:
    both = [end(service, name, url=f"https://{service}") for service in ("image", "compute") for name in ("R1", "r1")]
    assert names(Catalogue(tuple(both), "R1")) == ["R1"]
