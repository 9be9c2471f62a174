"""What happened is told three ways: in the answer, in the log, in the metrics. All three agree."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from threading import Thread
from typing import Any

import pytest

from handler.errors import InvalidSettings
from handler.model.outcome import Outcome, Result
from handler.model.request import DeletionRequest, Target
from handler.report.plans import plans_of
from handler.report.reporter import Reporter, _StandardOutput
from tests.conftest import UNKNOWN_ID, Invocation, Invoke, queue
from tests.examples import IMAGE
from tests.fakecloud import OTHER, FakeCloud, Server

OUTCOME_METRICS = {
    "ImagesDeleted",
    "ImagesAlreadyGone",
    "ImagesMarked",
    "ImagesWouldDelete",
    "ImagesRefused",
    "ImagesFailed",
}
COUNTS = OUTCOME_METRICS | {"RequestsRejected", "BackupsLeft", "BytesReclaimed"}


def deny(cloud: FakeCloud, image: str) -> None:
    cloud.fault("DELETE", image, status=403, body={"message": "Forbidden by policy"}, times=None)


def one_of_each(cloud: FakeCloud) -> dict[str, str]:
    """Images and what becomes of them."""
    images = {
        cloud.add_image("ci-1", size=3): "deleted",
        cloud.add_image("ci-2", size=4): "deleted",
        cloud.add_image("golden", size=100, protected=True): "refused",
        cloud.add_image("kept", size=100, tags=["keep"]): "refused",
        (failed := cloud.add_image("bad", size=100)): "failed",
        UNKNOWN_ID: "already_gone",
    }
    deny(cloud, failed)
    return images


def metric_set(run: Invocation) -> dict[str, Any]:
    """The only metrics of an invocation."""
    assert len(run.metrics) == 1
    return run.metrics[0]


def units(blob: dict[str, Any]) -> dict[str, str]:
    return {metric["Name"]: metric["Unit"] for metric in blob["_aws"]["CloudWatchMetrics"][0]["Metrics"]}


# The answer


def test_the_answer_counts_every_outcome(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke({"image_ids": list(one_of_each(cloud))})
    assert run.answer["counts"] == {"deleted": 2, "refused": 2, "failed": 1, "already_gone": 1}
    assert (run.answer["ok"], run.answer["mode"], run.answer["source"]) == (False, "delete", "direct")


def test_the_answer_tells_each_image_in_six_fields(invoke: Invoke, cloud: FakeCloud) -> None:
    images = one_of_each(cloud)
    told = invoke({"image_ids": list(images)}).answer["outcomes"]
    assert {outcome["image_id"]: outcome["outcome"] for outcome in told} == images
    fields = {"image_id", "name", "outcome", "reason", "detail", "size"}
    assert {frozenset(outcome) for outcome in told} == {frozenset(fields)}
    assert [(outcome["name"], outcome["size"]) for outcome in told][-2:] == [("bad", 100), (None, None)]


@pytest.mark.parametrize(("mode", "dry_run"), [("delete", False), ("delete", True), ("dry-run", False)])
def test_the_answer_is_plain_json(invoke: Invoke, cloud: FakeCloud, mode: str, *, dry_run: bool) -> None:
    answer = invoke({"image_ids": list(one_of_each(cloud)), "dry_run": dry_run}, REAPER_MODE=mode).answer
    assert json.loads(json.dumps(answer)) == answer
    assert ("plan" in answer) == (answer["mode"] == "dry-run") == (dry_run or mode == "dry-run")


def test_a_report_without_a_failure_is_ok(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [image for image, outcome in one_of_each(cloud).items() if outcome != "failed"]
    assert invoke({"image_ids": images}).answer["ok"] is True


def test_every_refusal_and_failure_says_why_in_words(invoke: Invoke, cloud: FakeCloud) -> None:
    told = invoke({"image_ids": list(one_of_each(cloud))}).answer["outcomes"]
    said = {outcome["reason"]: outcome["detail"] for outcome in told if outcome["reason"]}
    assert said["protected"] == "the image is protected"
    assert said["kept"] == "marked keep"
    assert "HTTP 403" in said["denied"]
    assert "Forbidden by policy" in said["denied"]


# Metrics


def test_every_outcome_is_counted_in_the_metrics(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke({"image_ids": list(one_of_each(cloud))})
    counted = {name: run.metric(name) for name in COUNTS}
    assert counted == dict.fromkeys(COUNTS, 0) | {
        "ImagesDeleted": 2,
        "ImagesRefused": 2,
        "ImagesFailed": 1,
        "ImagesAlreadyGone": 1,
        "BytesReclaimed": 7,
    }


def test_every_reason_is_counted_in_the_metrics(invoke: Invoke, cloud: FakeCloud) -> None:
    blob = metric_set(invoke({"image_ids": list(one_of_each(cloud))}))
    reasons = {name: blob[name] for name in blob if name.startswith(("ImagesRefused_", "ImagesFailed_"))}
    assert reasons == {"ImagesRefused_protected": [1], "ImagesRefused_kept": [1], "ImagesFailed_denied": [1]}


def test_a_metric_that_counts_nothing_is_written_as_nothing(invoke: Invoke) -> None:
    blob = metric_set(invoke({"image_ids": [UNKNOWN_ID]}))
    assert set(units(blob)) >= COUNTS
    assert {name: blob[name] for name in COUNTS if blob[name] != [0]} == {"ImagesAlreadyGone": [1]}


def test_metrics_have_units(invoke: Invoke, cloud: FakeCloud) -> None:
    found = units(metric_set(invoke({"image_ids": [cloud.add_image(), cloud.add_image(protected=True)]})))
    assert (found.pop("DeleteLatency"), found.pop("BytesReclaimed")) == ("Milliseconds", "Bytes")
    assert set(found.values()) == {"Count"}


def test_metrics_name_the_service_and_the_source(invoke: Invoke) -> None:
    for event, source in (({"image_ids": [UNKNOWN_ID]}, "direct"), (queue({"image_ids": [UNKNOWN_ID]}), "queue")):
        blob = metric_set(invoke(event))
        told = blob["_aws"]["CloudWatchMetrics"][0]
        assert (told["Namespace"], [sorted(names) for names in told["Dimensions"]]) == (
            "ImageReaper",
            [["service", "source"]],
        )
        assert (blob["service"], blob["source"]) == ("image-reaper", source)


def test_namespace_and_service_can_be_set(invoke: Invoke) -> None:
    run = invoke({"image_ids": [UNKNOWN_ID]}, POWERTOOLS_METRICS_NAMESPACE="Ours", POWERTOOLS_SERVICE_NAME="cleaner-1")
    blob = metric_set(run)
    assert (blob["_aws"]["CloudWatchMetrics"][0]["Namespace"], blob["service"]) == ("Ours", "cleaner-1")
    assert run.logged("run.finished")[0]["service"] == "cleaner-1"


@pytest.mark.parametrize(
    ("variable", "value"), [("LOG_LEVEL", "LOUD"), ("POWERTOOLS_LOGGER_SAMPLE_RATE", "often")], ids=["level", "rate"]
)
def test_an_unusable_setting_of_the_log_refuses_to_start(
    variable: str, value: str, invoke: Invoke, cloud: FakeCloud
) -> None:
    # Powertools reads them once for each service in the life of a process.
    run = invoke({"image_ids": [cloud.add_image()]}, POWERTOOLS_SERVICE_NAME=f"cleaner-{value}", **{variable: value})
    assert isinstance(run.error, InvalidSettings)
    assert "LOG_LEVEL or POWERTOOLS_*: " in str(run.error)
    assert cloud.calls == []


def test_each_deletion_s_latency_is_measured_in_milliseconds(invoke: Invoke, cloud: FakeCloud) -> None:
    slow, quick = cloud.add_image(), cloud.add_image()
    cloud.fault("DELETE", slow, status=None, delay=0.2)
    run = invoke({"image_ids": [slow, quick, cloud.add_image(protected=True)]})
    latencies = sorted(metric_set(run)["DeleteLatency"])
    assert len(latencies) == 2
    assert 0 < latencies[0] < latencies[1]
    assert 200 <= latencies[1] < 20_000


@pytest.mark.parametrize("mode", ["dry-run", "paused"])
def test_what_was_not_deleted_has_no_latency_and_frees_nothing(invoke: Invoke, cloud: FakeCloud, mode: str) -> None:
    blob = metric_set(invoke({"image_ids": [cloud.add_image()]}, REAPER_MODE=mode))
    assert ("DeleteLatency" in blob, blob["BytesReclaimed"]) == (False, [0])
    assert blob["ImagesWouldDelete" if mode == "dry-run" else "ImagesFailed_paused"] == [1]


@pytest.mark.slow("hundreds of images are deleted")
def test_the_metrics_of_many_images_lose_none(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image(size=2) for _ in range(230)]
    run = invoke({"image_ids": images}, REAPER_MAX_IMAGES="500")
    assert sum(len(blob.get("DeleteLatency", [])) for blob in run.metrics) == 230
    assert (run.metric("ImagesDeleted"), run.metric("BytesReclaimed")) == (230, 460)


@pytest.mark.slow("hundreds of images are deleted")
def test_the_metrics_of_many_images_keep_their_dimensions(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke({"image_ids": [cloud.add_image() for _ in range(230)]}, REAPER_MAX_IMAGES="500")
    assert {(blob["service"], blob.get("source")) for blob in run.metrics} == {("image-reaper", "direct")}
    dimensions = [names for blob in run.metrics for names in blob["_aws"]["CloudWatchMetrics"][0]["Dimensions"]]
    assert {frozenset(names) for names in dimensions} == {frozenset({"service", "source"})}


@pytest.mark.slow("a hundred images are deleted")
def test_no_metric_holds_more_values_than_cloudwatch_takes(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke({"image_ids": [cloud.add_image() for _ in range(101)]}, REAPER_MAX_IMAGES="500")
    values = [blob[name] for blob in run.metrics for name in units(blob)]
    assert max(len(found) for found in values) <= 100


def test_the_metrics_of_one_invocation_know_nothing_of_the_last(invoke: Invoke, cloud: FakeCloud) -> None:
    invoke({"image_ids": list(one_of_each(cloud))})
    run = invoke({"image_ids": [UNKNOWN_ID]})
    assert {name: run.metric(name) for name in OUTCOME_METRICS if run.metric(name)} == {"ImagesAlreadyGone": 1}
    assert "ImagesRefused_protected" not in metric_set(run)


def test_a_rejected_message_is_counted(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke(
        queue("not JSON", {"image_ids": [cloud.add_image()]}, {"image_ids": [UNKNOWN_ID], "project_id": OTHER})
    )
    assert (run.metric("RequestsRejected"), run.metric("ImagesDeleted")) == (2, 1)


@pytest.mark.parametrize("event", [{"image_ids": ["x"]}, {"detail-type": "x", "detail": {"force": True}}])
def test_a_rejected_request_is_counted_before_it_raises(invoke: Invoke, event: object) -> None:
    run = invoke(event)
    assert (run.error is not None, run.metric("RequestsRejected"), len(run.metrics)) == (True, 1, 1)


# The log


def test_every_image_gets_a_line_with_its_outcome(invoke: Invoke, cloud: FakeCloud) -> None:
    images = one_of_each(cloud)
    run = invoke(queue({"image_ids": list(images), "reason": "nightly"}))
    for image, outcome in images.items():
        lines = [line for line in run.logged(f"image.{outcome}") if line["image_id"] == image]
        known = {"outcome": outcome, "asked_by": "nightly", "message_id": "m0", "source": "queue"}
        assert [line | known for line in lines] == lines
        assert len(lines) == 1


def test_a_line_about_an_image_has_all_its_fields(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", size=9)
    line = invoke({"image_ids": [image]}).logged("image.deleted")[0]
    latency = line.pop("latency_ms")
    known = {"image_id": image, "image_name": "ci-1", "size": 9, "reason": "", "detail": "", "message_id": ""}
    assert line | known | {"asked_by": "", "request_id": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"} == line
    assert latency > 0


@pytest.mark.parametrize(
    ("outcome", "level"),
    [("deleted", "INFO"), ("already_gone", "INFO"), ("refused", "WARNING"), ("failed", "ERROR")],
)
def test_the_level_of_a_line_follows_the_outcome(invoke: Invoke, cloud: FakeCloud, outcome: str, level: str) -> None:
    lines = invoke({"image_ids": list(one_of_each(cloud))}).logged(f"image.{outcome}")
    assert {line["level"] for line in lines} == {level}


def test_a_run_ends_with_a_line_that_sums_it_up(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke(queue({"image_ids": list(one_of_each(cloud))}, "not JSON"))
    line = run.logged("run.finished")[0]
    counts = {"deleted": 2, "refused": 2, "failed": 1, "already_gone": 1}
    known = {"counts": counts, "rejected": 1, "ok": False, "mode": "delete", "source": "queue", "level": "INFO"}
    assert line | known == line
    assert run.logs[-1] == line


def test_a_rejected_message_is_logged_with_what_is_wrong(invoke: Invoke) -> None:
    line = invoke(queue({"image_ids": [UNKNOWN_ID]}, {"image_ids": ["x"]})).logged("request.rejected")[0]
    known = {"level": "ERROR", "message_id": "m1", "source": "queue"}
    assert line | known == line
    assert line["problem"] == "image_ids[0]: must be a UUID with hyphens, not 'x'"


def test_every_line_has_the_service_a_level_and_a_time(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke(queue({"image_ids": list(one_of_each(cloud))}, "not JSON"), REAPER_IMAGE_API="ecs-v2")
    assert {line["service"] for line in run.logs} == {"image-reaper"}
    assert all(line["level"] and line["timestamp"].endswith(("Z", "+00:00")) for line in run.logs)
    assert {"request.rejected", "api.discarded", "run.finished"} <= {line["message"] for line in run.logs}


# What may not be printed, and what must be printable


CREDENTIALS = {
    "swift": "swift+https://tenant%3Auser:k3y-secret@auth.example.com/v3/container/image",
    "swift, a slash in the key": "swift+https://tenant%3Auser:k3y/secret@auth.example.com/v3/container/image",
    "s3": "s3+https://AKIAEXAMPLE:k3y+secret@s3.example.com/bucket/image",
    "s3, a slash in the key": "s3+https://AKIAEXAMPLE:k3y/abc/secret@s3.example.com/bucket/image",
    "an at sign in the key": "https://user:k3y@secret@files.example.com/image",
}


@pytest.mark.parametrize("url", CREDENTIALS.values(), ids=CREDENTIALS)
@pytest.mark.parametrize("field", ["direct_url", "locations"])
def test_credentials_of_the_store_are_masked_in_the_journal(
    invoke: Invoke, cloud: FakeCloud, field: str, url: str
) -> None:
    image = cloud.add_image()
    value = url if field == "direct_url" else [{"url": url, "metadata": {}}, {"url": "file:///var/x", "metadata": {}}]
    cloud.images[image].properties[field] = value
    run = invoke({"image_ids": [image]})
    printed = json.dumps(run.logged("image.deleting")[0]["image"][field])
    assert "***@" in printed
    assert "example.com" in printed
    assert not [secret for secret in ("k3y", "secret") if secret in run.printed]


def test_the_rest_of_an_address_stays_as_it_is(invoke: Invoke, cloud: FakeCloud) -> None:
    plain = "rbd://fsid/pool/image@snap"
    locations = [{"url": plain, "metadata": {"store": "a//b"}}]
    image = cloud.add_image(direct_url="file:///var/lib/glance/x", locations=locations)
    record = invoke({"image_ids": [image]}).logged("image.deleting")[0]["image"]
    assert record["direct_url"] == "file:///var/lib/glance/x"
    assert record["locations"][0]["metadata"] == {"store": "***"}


LEAKS = {
    "direct_url": "https://obs.example.com/x?Signature=SECRET",
    "locations": [{"url": "https://swift.example.com/x?temp_url_sig=SECRET", "metadata": {"password": "SECRET"}}],
    "image_source": "https://bob:SECRET@host.example.com/x",
    "https://bob:SECRET@host.example.com": "a name",
    "block_device_mapping": json.dumps([{"source": "https://bob:k3y/SECRET@host.example.com/x"}]),
    "notes": {"more": ["from https://a:SECRET@host.example.com and https://b:SECRET@host.example.com"]},
    "presigned": "/bucket/x?X-Amz-Signature=SECRET",
}


def test_no_address_in_a_record_shows_who_logs_in_or_what_is_signed(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("https://bob:SECRET@host.example.com/x", tags=["https://bob:SECRET@host.example.com"])
    cloud.images[image].properties.update(LEAKS, maintainer="bob@example.com", url="https://host.example.com/x")
    rehearsal = invoke({"image_ids": [image]}, REAPER_MODE="dry-run")
    run = invoke({"image_ids": [image], "reason": "https://bob:SECRET@host.example.com"}, REAPER_MODE="delete")
    record = run.logged("image.deleting")[0]["image"]
    assert (record["maintainer"], record["url"]) == ("bob@example.com", "https://host.example.com/x")
    told = (run.printed, str(run.answer), rehearsal.printed, str(rehearsal.answer))
    assert [text for text in told if "SECRET" in text] == []
    assert "host.example.com" in record["block_device_mapping"]


def test_a_plan_with_a_masked_name_can_be_carried_out(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("https://bob:SECRET@host.example.com/x")
    plan = invoke({"image_ids": [image]}, REAPER_MODE="dry-run").answer["plan"]
    assert {"updated_at", "owner", "checksum"} < plan["images"][0]["expect"].keys()
    assert invoke(plan, REAPER_MODE="delete").outcomes == {image: ("deleted", "")}


# A record that is too long for a line


def put_together(lines: list[dict[str, Any]]) -> Any:  # noqa: ANN401 (any JSON)
    """As .github/OPERATIONS.md does it with jq."""
    unique = {(line["sha256"], line["part"]): line["image"] for line in lines}
    return json.loads("".join(unique[key] for key in sorted(unique)))


@pytest.mark.parametrize("letter", ["x", '"', "\\", "\N{FIRE}", "\x00"], ids=ascii)
def test_a_long_record_is_written_in_parts_of_which_none_is_too_long(
    invoke: Invoke, cloud: FakeCloud, letter: str
) -> None:
    properties = {f"p{number}": letter * 60_000 for number in range(20)}
    image, small = cloud.add_image("fat"), cloud.add_image("thin")
    cloud.images[image].properties.update(properties)
    run = invoke({"image_ids": [image, small], "reason": "\N{FIRE}" * 256})
    assert run.outcomes == dict.fromkeys([image, small], ("deleted", ""))
    lines = [line for line in run.logged("image.deleting") if line["image_id"] == image]
    assert [line["part"] for line in lines] == list(range(1, lines[0]["parts"] + 1))
    assert max(map(len, run.printed.splitlines())) <= 200_000
    record = put_together(lines)
    assert record | {"name": "fat", "id": image} | properties == record


def test_a_record_that_fits_is_one_line(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke({"image_ids": [cloud.add_image(p="x" * 195_000)]})
    assert [("part" in line, len(line["image"]["p"])) for line in run.logged("image.deleting")] == [(False, 195_000)]


@pytest.mark.parametrize("error", [OSError("disk full"), ValueError("I/O operation on closed file")])
def test_an_image_whose_record_cant_be_written_whole_is_not_deleted(
    error: Exception, invoke: Invoke, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails_at_the_second_part(self: _StandardOutput, lines: list[str]) -> None:
        if len(lines) > 1:
            raise error
        written(self, lines)

    written = _StandardOutput.write
    monkeypatch.setattr(_StandardOutput, "write", fails_at_the_second_part)
    fat, thin = cloud.add_image(p="x" * 400_000), cloud.add_image()
    run = invoke({"image_ids": [fat, thin]})
    assert run.outcomes == {fat: ("failed", "unexpected"), thin: ("deleted", "")}
    assert fat in cloud.images


@pytest.mark.parametrize("depth", [100, 300, 600, 900])
def test_an_image_whose_record_is_nested_too_deeply_to_be_written_is_not_deleted(
    depth: int, invoke: Invoke, cloud: FakeCloud
) -> None:
    nested: Any = "x"
    for _ in range(depth):
        nested = [nested]
    image = cloud.add_image(deep=nested)
    run = invoke({"image_ids": [image]})
    assert run.outcomes[image] == (("failed", "unexpected") if image in cloud.images else ("deleted", ""))
    assert (image in cloud.images) == (not run.logged("image.deleting"))


LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]


@pytest.mark.parametrize("allowed", LEVELS)
def test_no_filter_of_lambda_drops_the_journal(invoke: Invoke, cloud: FakeCloud, allowed: str) -> None:
    """Lambda drops what is below the level, and takes a line whose level or time it can't read for INFO."""
    image = cloud.add_image()
    run = invoke({"image_ids": [image]}, AWS_LAMBDA_LOG_FORMAT="JSON", AWS_LAMBDA_LOG_LEVEL=allowed, LOG_LEVEL="ERROR")
    (line,) = run.logged("image.deleting")
    assert datetime.fromisoformat(line["timestamp"]).tzinfo
    known = line["level"] if line["level"] in LEVELS else "INFO"
    assert LEVELS.index(known) >= LEVELS.index(allowed)
    assert image not in cloud.images


NAMES = [
    "emoji \N{FIRE}\N{VARIATION SELECTOR-16}",
    "lone surrogate \ud800",
    "umlaut \u00e4\u00f6",
    'quotes " and \\',
    "two\nlines",
    "control \x00\x1b[2J",
    "separator \u2028",
    "",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_gets_through(invoke: Invoke, cloud: FakeCloud, name: str) -> None:
    image = cloud.add_image(name, tags=[name], description=name)
    run = invoke({"image_ids": [image], "reason": "any"})
    assert run.outcomes == {image: ("deleted", "")}
    assert run.logged("image.deleting")[0]["image"]["description"] == name
    assert run.logged("image.deleted")[0]["image_name"] == name
    assert run.answer["outcomes"][0]["name"] == name.encode(errors="replace").decode()  # what the runtime can send
    assert run.printed.isascii()


def test_any_reason_gets_through(invoke: Invoke, cloud: FakeCloud) -> None:
    reason = "umlaut \u00e4 \N{FIRE}\n\x1b[2J"
    run = invoke(queue({"image_ids": [cloud.add_image()], "reason": reason}))
    assert (run.returned, run.logged("image.deleted")[0]["asked_by"]) == ([], reason)


def test_properties_named_like_fields_of_the_log_change_no_line(invoke: Invoke, cloud: FakeCloud) -> None:
    fields = {"message": "image.lied", "level": "DEBUG", "timestamp": "never", "outcome": "kept", "_aws": "{}"}
    image = cloud.add_image("message", tags=["level"])
    cloud.images[image].properties.update(fields)
    run = invoke({"image_ids": [image]})
    assert [line["message"] for line in run.logs] == ["image.deleting", "image.deleted", "run.finished"]
    assert run.logged("image.deleting")[0]["image"]["message"] == "image.lied"


def test_no_line_holds_a_password_or_a_token(invoke: Invoke, cloud: FakeCloud, server: Server) -> None:
    secret = cloud.env(server.url)["OS_PASSWORD"]
    run = invoke({"image_ids": list(one_of_each(cloud))})
    assert run.logged("run.finished")
    assert not [known for known in (secret, *cloud.tokens) if known in run.printed]


def test_an_image_that_waits_for_its_day_is_no_part_of_a_plan() -> None:
    goes = Outcome(IMAGE.id, "would_delete", image=IMAGE)
    waits = Outcome("j", "would_delete", waits=True, image=replace(IMAGE, id=UNKNOWN_ID))
    result = Result("", DeletionRequest((Target(IMAGE.id), Target(UNKNOWN_ID))), outcomes=(goes, waits))
    (plan,) = plans_of([result], "p", datetime.now(UTC))
    assert [image["id"] for image in plan["images"]] == [IMAGE.id]


@pytest.mark.parametrize("ends", ["count", "told"])
def test_runs_that_write_side_by_side_do_not_tear_a_line_of_metrics(ends: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reporter = Reporter(f"side-by-side-{ends}", "n")  # Powertools keeps the handler of a service that it knows
    other = Thread(target=lambda: reporter.warn("of another run"))

    class Output(StringIO):
        def write(self, text: str) -> int:
            written = super().write(text)
            if "_aws" in text and not other.ident:
                other.start()
                other.join(0.2)  # it waits for the end of this line
            return written

    monkeypatch.setattr("sys.stdout", output := Output())
    if ends == "count":
        reporter.count("direct", (), 0)
    else:
        reporter.told("notice.not_sent", "direct")
    other.join()
    assert "of another run" in {json.loads(line).get("message") for line in output.getvalue().splitlines()}
