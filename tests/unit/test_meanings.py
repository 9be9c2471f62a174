"""What the cloud's answers mean: every documented code, the recorded bodies, and anything else that may arrive."""

import json
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.cloud import fields, meanings
from handler.cloud.meanings import Answer, Meaning, Row
from tests.properties import tried

ID = "2932d747-9307-40a7-a47d-06f0504bd823"

STATUSES = [  # ECS, "Returned Values for General Requests"; 413 and 415 stand in its appendix
    (200, Meaning.DONE),
    (201, Meaning.UNCONFIRMED),
    (202, Meaning.UNCONFIRMED),
    (204, Meaning.DONE),
    (300, Meaning.UNEXPECTED),
    (400, Meaning.UNEXPECTED),
    (401, Meaning.UNAUTHENTICATED),
    (403, Meaning.DENIED),
    (404, Meaning.UNEXPECTED),
    (405, Meaning.UNEXPECTED),
    (406, Meaning.UNEXPECTED),
    (407, Meaning.UNEXPECTED),
    (408, Meaning.UNAVAILABLE),
    (409, Meaning.UNAVAILABLE),
    (413, Meaning.THROTTLED),
    (415, Meaning.UNEXPECTED),
    (429, Meaning.THROTTLED),
    (500, Meaning.UNAVAILABLE),
    (501, Meaning.UNEXPECTED),
    (502, Meaning.UNAVAILABLE),
    (503, Meaning.UNAVAILABLE),
    (504, Meaning.UNAVAILABLE),
]

IMS = [  # every one comes with 400, but for IMG.0026
    ("IMG.0027", Meaning.GONE),  # image ID does not exist
    ("IMG.0086", Meaning.GONE),  # no image was found
    ("IMG.0121", Meaning.GONE),  # object cannot be found
    ("IMG.0144", Meaning.GONE),  # image does not exist
    ("IMG.0066", Meaning.UNEXPECTED),  # image ID incorrect
    ("IMG.0031", Meaning.UNEXPECTED),  # resource ID incorrect: ambiguous, so not gone
    ("IMG.0028", Meaning.PROTECTED),
    ("IMG.0047", Meaning.NOT_OWNER),
    ("IMG.0092", Meaning.NOT_OWNER),
    ("IMG.0106", Meaning.NOT_OWNER),
    ("IMG.0094", Meaning.PUBLIC),
    ("IMG.0083", Meaning.PUBLIC),
    ("IMG.0084", Meaning.UNEXPECTED),  # is private
    ("IMG.0026", Meaning.DENIED),
    ("IMG.0161", Meaning.DENIED),
    ("IMG.0030", Meaning.UNAUTHENTICATED),  # project ID & token invalid
    ("IMG.0087", Meaning.UNAUTHENTICATED),
    ("IMG.0067", Meaning.DENIED),
    ("IMG.0108", Meaning.DENIED),
    ("IMG.0145", Meaning.DENIED),
    ("IMG.0154", Meaning.UNEXPECTED),  # the enterprise project service
    ("IMG.0155", Meaning.UNEXPECTED),
    ("IMG.0156", Meaning.UNEXPECTED),
    ("IMG.0064", Meaning.UNAVAILABLE),  # IAM look-up failed
    ("IMG.0065", Meaning.UNAVAILABLE),
    ("IMG.0060", Meaning.THROTTLED),
    ("IMG.0187", Meaning.THROTTLED),
    ("IMG.0090", Meaning.NOT_READY),
    ("IMG.0148", Meaning.NOT_READY),
    ("IMG.0014", Meaning.UNAVAILABLE),
    ("IMG.0061", Meaning.UNAVAILABLE),
    ("IMG.0046", Meaning.UNAVAILABLE),
    ("IMG.0016", Meaning.UNEXPECTED),
    ("IMG.0176", Meaning.BACKUP_LEFT),
    ("IMG.0032", Meaning.UNAVAILABLE),  # the backup is unavailable
    ("IMG.0188", Meaning.UNAVAILABLE),  # its vault is
    ("IMG.0133", Meaning.DENIED),  # not allowed to access the backup
    ("IMG.0165", Meaning.DENIED),
    ("IMG.0001", Meaning.UNEXPECTED),
    ("IMG.0007", Meaning.UNEXPECTED),
    ("IMG.0017", Meaning.UNEXPECTED),
    ("IMG.0105", Meaning.UNEXPECTED),
    ("IMG.0035", Meaning.UNEXPECTED),
    ("IMG.0115", Meaning.UNEXPECTED),
    ("IMG.0116", Meaning.UNEXPECTED),
    ("IMG.0015", Meaning.UNEXPECTED),
    ("IMG.0238", Meaning.DENIED),  # real name, balance, payment, budget
    ("IMG.0239", Meaning.DENIED),
    ("IMG.0241", Meaning.DENIED),
    ("IMG.0242", Meaning.DENIED),
]

ECS = [
    (401, "Common.0013", Meaning.UNAUTHENTICATED),
    (403, "Ecs.0003", Meaning.DENIED),
    (403, "Ecs.0110", Meaning.DENIED),
    (400, "Ecs.0023", Meaning.DENIED),
    (400, "Common.0018", Meaning.DENIED),
    (400, "Ecs.0031", Meaning.GONE),
    (400, "Ecs.0032", Meaning.NOT_READY),
    (400, "Ecs.0304", Meaning.UNAVAILABLE),
    (400, "Ecs.1000", Meaning.UNAVAILABLE),
    (400, "Ecs.1001", Meaning.UNAVAILABLE),
    (400, "Ecs.1002", Meaning.UNAVAILABLE),
    (500, "Common.0001", Meaning.UNAVAILABLE),
    (400, "Common.0020", Meaning.UNAVAILABLE),
    *[(400, f"Ecs.{n}", Meaning.UNAVAILABLE) for n in ("0002", "0004", "0007", "0008", "0208", "0210", "0310")],
    *[(400, f"Ecs.{n}", Meaning.UNAVAILABLE) for n in ("1100", "1200", "1201", "1300")],
    (403, "Pdp.0001", Meaning.DENIED),
    (429, "Common.1503", Meaning.THROTTLED),
    (202, "Common.0024", Meaning.THROTTLED),
]

GATEWAY = [  # "APIGW." or, on a dedicated gateway, "APIG." stands before the number
    (404, "0101 0103", Meaning.UNEXPECTED),
    (400, "0104 0105 0106", Meaning.UNEXPECTED),
    (400, "0201", Meaning.UNEXPECTED),
    (413, "0201", Meaning.UNEXPECTED),
    (414, "0201", Meaning.UNEXPECTED),
    (494, "0201", Meaning.UNEXPECTED),
    (502, "0201", Meaning.UNAVAILABLE),
    (504, "0201", Meaning.UNAVAILABLE),
    (401, "0301 0303 0305 0311 0307", Meaning.UNAUTHENTICATED),
    (403, "0302 0304 0306 0310", Meaning.DENIED),
    (403, "0401 0402 0404", Meaning.DENIED),
    (403, "0801 0802", Meaning.DENIED),
    (429, "0308", Meaning.THROTTLED),
    (405, "0501 0502", Meaning.UNEXPECTED),
    (500, "0601 0605 0606 0608 0609 0611 0612 0705", Meaning.UNAVAILABLE),
    (400, "0602 0607", Meaning.UNEXPECTED),
    (502, "0610", Meaning.UNAVAILABLE),
    (503, "0613", Meaning.UNAVAILABLE),
]
GATEWAY_CODES = [(status, number, meaning) for status, numbers, meaning in GATEWAY for number in numbers.split()]

NOVA = [
    (400, "badRequest", Meaning.UNEXPECTED),
    (401, "unauthorized", Meaning.UNAUTHENTICATED),
    (403, "forbidden", Meaning.DENIED),
    (404, "itemNotFound", Meaning.UNEXPECTED),
    (405, "badMethod", Meaning.UNEXPECTED),
    (409, "conflictingRequest", Meaning.UNAVAILABLE),
    (413, "overLimit", Meaning.THROTTLED),
    (415, "badMediaType", Meaning.UNEXPECTED),
    (429, "overLimit", Meaning.THROTTLED),
    (500, "computeFault", Meaning.UNAVAILABLE),
    (501, "notImplemented", Meaning.UNEXPECTED),
    (503, "serviceUnavailable", Meaning.UNAVAILABLE),
]

REASONS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"} | {
    409: "Conflict",
    500: "Internal Server Error",
}


def read_answer(status: int, body: bytes) -> Answer:
    return meanings.read_answer(status, body.decode(errors="replace"))


def meaning_of(answer: Answer) -> Meaning:
    return answer.meaning


def row_for(answer: Answer) -> Row | None:
    return meanings.row_for(answer.status, answer.code or "-", answer.message)


def vendor(code: str, message: str = "text") -> bytes:
    return json.dumps({"error": {"message": message, "code": code}}).encode()


def gateway(code: str, message: str = "text") -> bytes:
    return json.dumps({"error_msg": message, "error_code": code, "request_id": "f3a1"}).encode()


def nova(status: int, name: str, message: str) -> bytes:
    return json.dumps({name: {"code": status, "message": message}}).encode()


def keystone(status: int, message: str) -> bytes:
    return json.dumps({"error": {"code": status, "message": message, "title": REASONS[status]}}).encode()


def glance_forms(status: int, message: str) -> Iterator[bytes]:
    """The same answer as Glance sends it to who accepts JSON, anything, or does not say what."""
    line = f"{status} {REASONS[status]}"
    yield json.dumps({"message": f"{message}<br /><br />\n\n\n", "code": line, "title": REASONS[status]}).encode()
    yield (
        f"<html>\n <head>\n  <title>{line}</title>\n </head>\n <body>\n  <h1>{line}</h1>\n  {message}<br /><br />"
        "\n\n\n\n </body>\n</html>"
    ).encode()
    yield f"{line}\n\n{message}\n\n   ".encode()


GLANCE = [
    (404, f"Failed to find image {ID} to delete", Meaning.GONE),
    (404, f"No image found with ID {ID}", Meaning.GONE),
    (400, f"Failed to find image {ID} to delete", Meaning.GONE),
    (400, f"No image found with ID {ID}", Meaning.GONE),
    (400, f"Image {ID} could not be found.", Meaning.UNEXPECTED),
    (404, f"Image {ID} could not be found.", Meaning.GONE),
    (404, "The resource could not be found.", Meaning.UNEXPECTED),
    (403, f"Image {ID} is protected and cannot be deleted.", Meaning.PROTECTED),
    (403, "You do not own this image", Meaning.NOT_OWNER),
    (403, "You are not authorized to complete delete_image action.", Meaning.DENIED),
    (403, f"You cannot delete file BASE/glance/images/{ID}", Meaning.UNAVAILABLE),
    (409, f"Image {ID} could not be deleted because it is in use: rbd clone", Meaning.IN_USE),
    (409, f"Image {ID} has a snapshot", Meaning.IN_USE),
    (409, "The image cannot be deleted because it has snapshot(s).", Meaning.IN_USE),
    (409, "The file is in use by a snapshot", Meaning.UNAVAILABLE),
    (409, "Something else", Meaning.UNAVAILABLE),
    (400, "Image status transition from deleted to deleted is not allowed", Meaning.GONE),
    (400, "Image status transition from pending_delete to deleted is not allowed", Meaning.GONE),
    (400, "Image status transition from deactivated to pending_delete is not allowed", Meaning.NOT_READY),
    (400, "A body is not expected with this request.", Meaning.UNEXPECTED),
    (401, "This server could not verify that you are authorized", Meaning.UNAUTHENTICATED),
    (405, "The method DELETE is not allowed for this resource. ", Meaning.UNEXPECTED),
    (500, "The server has either erred or is incapable of performing the operation.", Meaning.UNAVAILABLE),
]
GLANCE_BODIES = [
    pytest.param(status, body, message, meaning, id=f"{status} {message.replace(ID, 'ID')} as {form}")
    for status, message, meaning in GLANCE
    for form, body in zip(("json", "html", "text"), glance_forms(status, message), strict=True)
]

NGINX = b"<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n"
CRASH = "Unexpected API Error. Please contact the administrator\n<class 'nova.exception.%s'>"
MISMATCH = "Malformed request URL: URL's project_id 'cc2f' doesn't match Context's project_id 'ca22'"
OTHER_BODIES = [
    (404, nova(404, "itemNotFound", "Image not found."), Meaning.GONE),
    (404, nova(404, "itemNotFound", f"Image {ID} could not be found."), Meaning.GONE),
    (404, nova(404, "itemNotFound", f"Instance {ID} could not be found."), Meaning.UNEXPECTED),
    (404, nova(404, "itemNotFound", "The resource could not be found."), Meaning.UNEXPECTED),
    (404, nova(404, "itemNotFound", "Instance could not be found."), Meaning.UNEXPECTED),
    (403, nova(403, "forbidden", "You are not allowed to delete the image."), Meaning.DENIED),
    (400, nova(400, "badRequest", MISMATCH), Meaning.DENIED),
    (500, nova(500, "computeFault", CRASH % "ImageDeleteConflict"), Meaning.IN_USE),
    (500, nova(500, "computeFault", CRASH % "GlanceConnectionFailed"), Meaning.UNAVAILABLE),
    (406, nova(406, "computeFault", "Version 2.999 is not supported by the API."), Meaning.UNEXPECTED),
    (401, keystone(401, "The request you have made requires authentication."), Meaning.UNAUTHENTICATED),
    (401, keystone(401, "The X-Auth-Token is invalid!"), Meaning.UNAUTHENTICATED),
    (404, keystone(404, "Could not find Application Credential: 0000."), Meaning.UNEXPECTED),
    (401, gateway("AS.0001", "Incorrect IAM authentication information"), Meaning.UNAUTHENTICATED),
    (429, gateway("IAM.0012", "throttling threshold"), Meaning.THROTTLED),
    (404, gateway("APIGW.0101", "The API does not exist or has not been published"), Meaning.UNEXPECTED),
    (404, gateway("APIG.0101", f"No image found with ID {ID}"), Meaning.UNEXPECTED),
    (404, vendor("Ecs.9999", "Image not found."), Meaning.GONE),
    (409, gateway("APIGW.3716", "The orchestration rule is currently in use by another API"), Meaning.UNAVAILABLE),
    (409, vendor("Ecs.0010", "The private IP address is already in use."), Meaning.UNAVAILABLE),
    (400, vendor("Ecs.0000", "Request error. Try again later or contact customer service."), Meaning.UNAVAILABLE),
    (400, vendor("Ecs.0617", "Failed to modify attribute. Please try again later."), Meaning.UNAVAILABLE),
    (400, vendor("Ecs.0005", "Invalid parameter values. Contact customer service."), Meaning.UNEXPECTED),
    (400, vendor("XYZ.0001", "Try again later."), Meaning.UNEXPECTED),
    (404, NGINX + b"<hr><center>nginx</center>\r\n</body>\r\n</html>", Meaning.UNEXPECTED),
    (404, b"", Meaning.UNEXPECTED),
    (404, b"Not Found", Meaning.UNEXPECTED),
    (404, b"page not found", Meaning.UNEXPECTED),
    (404, b"The page /v2/images was not found", Meaning.UNEXPECTED),
    (404, f"Image {ID} not found.".encode(), Meaning.GONE),
    (404, b"Image not found.", Meaning.UNEXPECTED),
    (404, b"<html><body><h1>404 Not Found</h1> Image not found</body></html>", Meaning.UNEXPECTED),
    (404, b"Failed to find image for this page", Meaning.UNEXPECTED),
    (404, b'{"message": "No image found with ID"}', Meaning.UNEXPECTED),
    (202, vendor("Common.0024", "Flow limit exceeded."), Meaning.THROTTLED),
    (202, b"", Meaning.UNCONFIRMED),
    (200, b"", Meaning.DONE),
    (204, b" \n", Meaning.DONE),
    (200, b"<html><body><h1>Please log in</h1></body></html>", Meaning.UNCONFIRMED),
    (200, b"{}", Meaning.UNCONFIRMED),
    (200, b"<script>location='/login'</script>", Meaning.UNCONFIRMED),
    (200, b" " * 30_000 + b"Please log in", Meaning.UNCONFIRMED),
    (400, vendor("IMG.0027"), Meaning.GONE),
    (400, vendor("IMG.0028"), Meaning.PROTECTED),
    (400, vendor("IMG.0024", "The imagetype is invalid."), Meaning.UNEXPECTED),
    (418, b"", Meaning.UNEXPECTED),
]


@pytest.mark.parametrize(("status", "meaning"), STATUSES)
def test_every_status_of_the_ecs_table_has_a_row_and_a_meaning(status: int, meaning: Meaning) -> None:
    answer = read_answer(status, b"")
    row = row_for(answer)
    assert row is not None
    assert str(status) in row.statuses.split()
    assert meaning_of(answer) is meaning


@pytest.mark.parametrize(("code", "meaning"), IMS)
def test_every_code_of_ims_has_a_row_and_a_meaning(code: str, meaning: Meaning) -> None:
    answer = read_answer(403 if code == "IMG.0026" else 400, vendor(code))
    row = row_for(answer)
    assert row is not None
    assert code in row.codes.split()
    assert meaning_of(answer) is meaning


@pytest.mark.parametrize(("status", "code", "meaning"), [*ECS, (429, "IAM.0012", Meaning.THROTTLED)])
def test_every_code_of_ecs_and_iam_has_a_row_and_a_meaning(status: int, code: str, meaning: Meaning) -> None:
    answer = read_answer(status, vendor(code))
    row = row_for(answer)
    assert row is not None
    assert code in row.codes.split()
    assert meaning_of(answer) is meaning


@pytest.mark.parametrize("prefix", ["APIGW", "APIG"])
@pytest.mark.parametrize(("status", "number", "meaning"), GATEWAY_CODES)
def test_every_code_of_the_gateway_has_a_row_and_a_meaning(
    status: int, number: str, meaning: Meaning, prefix: str
) -> None:
    answer = read_answer(status, gateway(f"{prefix}.{number}"))
    row = row_for(answer)
    assert row is not None
    assert f"APIGW.{number}" in row.codes.split()
    assert meaning_of(answer) is meaning


@pytest.mark.parametrize(("status", "name", "meaning"), NOVA)
def test_every_fault_of_nova_has_a_meaning(status: int, name: str, meaning: Meaning) -> None:
    answer = read_answer(status, nova(status, name, "text"))
    assert row_for(answer) is not None
    assert meaning_of(answer) is meaning


@pytest.mark.parametrize("status", [200, 400, 404, 409, 500, 599])
@pytest.mark.parametrize(
    ("code", "meaning"),
    [("IMG.0028", Meaning.PROTECTED), ("Ecs.0032", Meaning.NOT_READY), ("Common.0024", Meaning.THROTTLED)],
)
def test_a_vendor_code_says_more_than_its_status(status: int, code: str, meaning: Meaning) -> None:
    assert meaning_of(read_answer(status, vendor(code, "Image not found."))) is meaning


ALONE = dict(STATUSES) | {203: Meaning.UNEXPECTED, 412: Meaning.UNEXPECTED, 494: Meaning.UNEXPECTED}
"""What a status means by itself; the first of these has no row."""
CODES = {
    **dict(IMS),
    **{code: meaning for _, code, meaning in ECS},
    **{f"APIGW.{number}": meaning for _, number, meaning in GATEWAY_CODES if number != "0201"},
    "IAM.0012": Meaning.THROTTLED,
}


@pytest.mark.parametrize("status", ALONE)
def test_every_vendor_code_means_the_same_with_every_status_unless_it_says_gone(status: int) -> None:
    meant = {code: read_answer(status, vendor(code)).meaning for code in CODES}
    is_gone = status in {400, 404}
    assert {code for code, meaning in meant.items() if meaning is Meaning.GONE} == (GONE_CODES if is_gone else set())
    assert {code: meant[code] for code in CODES.keys() - GONE_CODES} == {
        code: meaning for code, meaning in CODES.items() if meaning is not Meaning.GONE
    }


@pytest.mark.parametrize("status", [401, 405, 412, 429, 494, 503])
def test_words_decide_only_with_a_status_that_they_fit(status: int) -> None:
    for _, message, _ in GLANCE:
        for body in (message.encode(), json.dumps({"message": message}).encode(), vendor("IMG.9999", message)):
            assert read_answer(status, body).meaning is ALONE[status], message


def test_words_decide_only_with_a_code_that_they_fit() -> None:
    for status, message, _ in GLANCE:
        assert read_answer(status, vendor("XYZ.0001", message)).meaning is ALONE[status], message


def test_words_count_in_whatever_case_they_are_written() -> None:
    for status, message, meaning in GLANCE:
        assert read_answer(status, message.upper().encode()).meaning is meaning, message


@pytest.mark.parametrize("status", [200, 401, 403, 409, 429, 500, 503])
@pytest.mark.parametrize("code", ["IMG.0027", "IMG.0086", "IMG.0121", "IMG.0144", "Ecs.0031"])
def test_an_image_is_not_gone_for_an_answer_that_says_more_than_one_thing(status: int, code: str) -> None:
    assert meaning_of(read_answer(status, vendor(code, "It does not exist."))) is not Meaning.GONE


@pytest.mark.parametrize(("status", "body", "message", "meaning"), GLANCE_BODIES)
def test_glance_means_the_same_as_json_as_a_page_and_as_text(
    status: int, body: bytes, message: str, meaning: Meaning
) -> None:
    answer = read_answer(status, body)
    assert meaning_of(answer) is meaning
    assert message.strip() in answer.message
    assert "<" not in answer.message
    assert answer.code == ""


@pytest.mark.parametrize(("status", "body", "meaning"), OTHER_BODIES, ids=range(len(OTHER_BODIES)))
def test_what_the_other_services_say_is_understood(status: int, body: bytes, meaning: Meaning) -> None:
    assert meaning_of(read_answer(status, body)) is meaning


@pytest.mark.parametrize(
    "code",
    [404, "404", "404 Not Found", 0, True, None, 4.04, ["IMG.0027"], {"a": "IMG.0027"}, "", " "],
    ids=repr,
)
def test_a_code_that_is_not_a_vendors_is_no_code(code: object) -> None:
    answer = read_answer(404, json.dumps({"error": {"code": code, "message": "text"}}).encode())
    assert answer == Answer(meaning=Meaning.UNEXPECTED, status=404, message="text")


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"error":' * 50_000 + b'{"code":"IMG.0027"}' + b"}" * 50_000,
        b'{"a":{"b":{"error":{"code":"IMG.0027"}}}}',
        b'{"error": {"code": "IMG.0027"',
        b'{"error":{"message":"' + b"x" * 6_000_000 + b'"}}',
        b'{"code":' + b"9" * 5_000 + b"}",
        b"\xff\xfe\x00\x80",
        b'["IMG.0027"]',
        b'"IMG.0027"',
        b"null",
        b"NaN",
        b'{"error_code":"IMG.0027 ","error_msg":"x"}',
    ],
    ids=range(12),
)
def test_a_body_that_is_no_error_of_any_service_never_says_gone(body: bytes) -> None:
    assert meaning_of(read_answer(404, body)) is Meaning.UNEXPECTED


def test_the_sentence_for_a_person_is_one_short_line_without_markup() -> None:
    page = b"<html><head><title>T</title><style>p{}</style></head><h1>502\n Bad</h1> a&amp;b <p class='x'>%s</p>"
    answer = read_answer(502, page % (b"long " * 4_000))
    assert str(answer).startswith("HTTP 502 502 Bad a&b long long")
    assert len(answer.message) == 300
    assert "\n" not in str(answer)


def test_what_an_answer_says_is_cut_where_it_gets_too_long() -> None:
    last = f"Image {ID} not found"
    assert read_answer(404, last.rjust(20_000).encode()).meaning is Meaning.GONE
    assert read_answer(404, last.rjust(20_001).encode()).meaning is Meaning.UNEXPECTED
    answer = meanings.read_answer(400, vendor("x" * 100, "y" * 301).decode(), {"x-request-id": "z" * 61})
    assert answer == Answer(Meaning.UNEXPECTED, 400, f"({'x' * 59}", "y" * 300, "z" * 60)


@pytest.mark.parametrize("name", ["x-openstack-request-id", "x-request-id", "x-compute-request-id"])
def test_the_cloud_has_three_names_for_its_name_of_a_request(name: str) -> None:
    headers = {"x-request-id": "", "x-compute-request-id": ""} | {name: "req-1", "date": "x"}
    assert meanings.read_answer(500, "", headers).request_id == "req-1"
    assert meanings.request_id_of(headers, str.upper) == "REQ-1"


REFUSALS: list[tuple[object, tuple[object, str] | None]] = [
    *(({key: "IMG.1"}, ("IMG.1", "")) for key in ("error_code", "errorCode", "code")),
    *(({key: "text"}, (None, "text")) for key in ("error_msg", "errorMsg", "message")),
    ({"code": "c", "errorCode": "b", "error_code": "a"}, ("a", "")),
    ({"message": "c", "errorMsg": "b", "error_msg": "a"}, (None, "a")),
    ({"error": {"code": 404, "message": "text"}}, (404, "text")),
    ({"x": 1, "y": [], "itemNotFound": {"message": "text"}}, (None, "text")),
    ({"code": "a", "error": {"code": "b", "message": "text"}}, ("a", "")),
    ({"code": None, "message": ["x"]}, None),
    ({"a": {"b": {"code": "a"}}}, None),
    ({"message": ""}, (None, "")),
    ({"message": 7}, (None, "7")),
    ([{"code": "a"}], None),
    ("x", None),
]


@pytest.mark.parametrize(("body", "read"), REFUSALS, ids=range(len(REFUSALS)))
def test_a_refusal_is_read_in_the_spelling_of_each_service(body: object, read: tuple[object, str] | None) -> None:
    assert fields.read_refusal(json.dumps(body)) == read
    assert fields.read_refusal("{") is None


def test_an_answer_is_told_with_status_code_and_message() -> None:
    assert str(read_answer(400, vendor("IMG.0028", "The image is protected."))) == (
        "HTTP 400 IMG.0028 The image is protected."
    )
    assert str(read_answer(204, b"")) == "HTTP 204"


PIECES = st.sampled_from([body for _, body, _ in OTHER_BODIES if len(body) < 1_000]) | st.sampled_from(
    [message.encode() for _, message, _ in GLANCE]
    + [f"Image {ID} not found.".encode(), b"ImageDeleteConflict", b"<br />", b"404 Not Found ", b" ", b'{"error":']
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from([m for _, m, _ in GLANCE]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "code", "message", "error_code", "error_msg", "x"]), inner)
    ),
    max_leaves=8,
)
BODIES = (
    st.binary(max_size=200)
    | st.lists(PIECES, max_size=4).map(b"".join)
    | JSON.map(json.dumps).map(str.encode)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
)
GONE_CODES = {code for code, meaning in IMS if meaning is Meaning.GONE} | {"Ecs.0031"}


@tried(300)
@given(status=st.integers(), body=BODIES)
def test_no_answer_whatever_raises(status: int, body: bytes) -> None:
    assert isinstance(meaning_of(read_answer(status, body)), Meaning)


@tried(300)
@given(status=st.integers(), code=st.text(), message=st.text())
def test_no_code_and_no_message_whatever_raises(status: int, code: str, message: str) -> None:
    assert isinstance(meaning_of(read_answer(status, vendor(code, message))), Meaning)


@tried(500)
@given(status=st.integers(300, 399) | st.integers(500, 599) | st.sampled_from([401, 405, 408, 429]), body=BODIES)
def test_no_text_makes_a_success_of_a_redirect_or_of_a_fault(status: int, body: bytes) -> None:
    answer = read_answer(status, body)
    good = {Meaning.DONE, Meaning.UNCONFIRMED, Meaning.GONE} if answer.code not in GONE_CODES else {Meaning.DONE}
    assert meaning_of(answer) not in good


@tried(500)
@given(status=st.sampled_from([200, 201, 202, 203, 204, 206, 226]), body=BODIES)
def test_only_an_empty_200_or_204_says_by_itself_that_the_image_is_deleted(status: int, body: bytes) -> None:
    meaning = meaning_of(read_answer(status, body))
    empty = not body.decode(errors="replace").strip()
    assert (meaning is Meaning.DONE) == (status in {200, 204} and empty)


@tried(300)
@given(status=st.integers(400, 499), body=st.text(alphabet="abcdefghij <>/{}[]\":,'.0123456789", max_size=300))
def test_a_text_that_does_not_speak_of_an_image_never_says_gone(status: int, body: str) -> None:
    assert meaning_of(read_answer(status, body.encode())) is not Meaning.GONE


OF_IMAGES = {Meaning.GONE, Meaning.PROTECTED, Meaning.IN_USE, Meaning.NOT_OWNER, Meaning.NOT_READY, Meaning.PUBLIC}
SENTENCES = st.sampled_from([message for _, message, _ in GLANCE] + ["Image not found.", CRASH % "ImageDeleteConflict"])
FOREIGN = (
    st.from_regex(r"(APIGW|APIG|IAM|AS|EVS|Common|XYZ)\.[0-9]{4}", fullmatch=True)
    | st.sampled_from(["Conflict", "InUse", "ERR_CONFLICT", "IMG-0028", "IMG.0028 or so", "x404"])
    | st.text(alphabet="abcXYZ._-", min_size=1, max_size=9)
)


@tried(500)
@given(status=st.integers(300, 599), code=FOREIGN, sentence=SENTENCES, form=st.sampled_from([vendor, gateway]))
def test_no_words_under_a_foreign_code_say_anything_of_an_image(
    status: int, code: str, sentence: str, form: Callable[[str, str], bytes]
) -> None:
    assert meaning_of(read_answer(status, form(code, sentence))) not in OF_IMAGES


FITTING = {Meaning.GONE: {400, 404}, Meaning.IN_USE: {409, 500}, Meaning.NOT_READY: {400}} | {
    meaning: {403} for meaning in (Meaning.PROTECTED, Meaning.NOT_OWNER)
}


@tried(500)
@given(status=st.integers(300, 599), sentence=SENTENCES)
def test_words_decide_only_with_a_status_that_fits(status: int, sentence: str) -> None:
    meaning = meaning_of(read_answer(status, vendor("", sentence)))
    assert meaning not in OF_IMAGES or status in FITTING[meaning]


@pytest.mark.parametrize("secret", ["found", "image", "IMG.0028", "204", "in use", "p", "Image status"])
@pytest.mark.parametrize(("status", "sentence", "meaning"), [row for row in GLANCE if row[2] in OF_IMAGES])
def test_a_secret_that_is_a_word_of_an_answer_does_not_change_what_it_means(
    status: int, sentence: str, meaning: Meaning, secret: str
) -> None:
    for body in glance_forms(status, sentence):
        answer = meanings.read_answer(status, body.decode(), scrub=lambda text: text.replace(secret, "***"))
        assert answer.meaning is meaning
        assert secret not in answer.message


@pytest.mark.parametrize("before", [100, 290, 19_990, 100_000])
def test_a_secret_is_taken_out_before_the_sentence_is_cut(before: int) -> None:
    body = json.dumps({"error_code": "IAM.0011", "error_msg": "." * before + "s3cret-passw0rd"})
    answer = meanings.read_answer(401, body, scrub=lambda text: text.replace("s3cret-passw0rd", "***"))
    assert (answer.code, "s3c" in answer.message, len(answer.message) <= 300) == ("IAM.0011", False, True)


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"x-openstack-request-id": "req-1", "x-compute-request-id": "req-2"}, "HTTP 503 (request req-1)"),
        ({"x-request-id": "f3a1"}, "HTTP 503 (request f3a1)"),
        ({"x-compute-request-id": "req-2"}, "HTTP 503 (request req-2)"),
        ({}, "HTTP 503"),
    ],
)
def test_an_answer_is_told_with_the_clouds_name_for_the_request(headers: dict[str, str], told: str) -> None:
    assert str(meanings.read_answer(503, "", headers)) == told
