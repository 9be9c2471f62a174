"""The files of a release, as `make release-files` has made them: whole, the same every time, and fit to be deployed."""

import email
import hashlib
import json
import os
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.aws import KEYS, REGION, client

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
LAMBDA = ("image-reaper-lambda-arm64", "image-reaper-lambda-x86_64")
ARTIFACTS = (*LAMBDA, "image-reaper-functiongraph")
OTHERS = {"SHA256SUMS", "functiongraph.tf", "samconfig.example.toml", "template-arm64.yaml", "template-x86_64.yaml"}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def bill(artifact: str) -> dict[str, Any]:
    """What is said to be in an artifact."""
    content: dict[str, Any] = json.loads((DIST / f"{artifact}.cdx.json").read_text())
    return content


def held(artifact: str) -> set[tuple[str, str]]:
    """The distributions in a zip, by what they say of themselves."""
    with zipfile.ZipFile(DIST / f"{artifact}.zip") as archive:
        texts = [archive.read(name).decode() for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    read = [email.message_from_string(text) for text in texts]
    return {(plain(each["Name"]), each["Version"]) for each in read}


def make(target: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    subprocess.run(["make", target, "ARCH=arm64"], cwd=ROOT, env=environment, check=True)  # noqa: S603, S607 (ours)


def test_it_consists_of_the_artifacts_what_is_in_them_templates_and_checksums() -> None:
    expected = OTHERS | {f"{name}{ending}" for name in ARTIFACTS for ending in (".zip", ".cdx.json")}
    assert {path.name for path in DIST.iterdir()} == expected


def test_the_checksums_are_those_of_all_its_files() -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=DIST, check=True)  # noqa: S607
    names = {line.split()[1] for line in (DIST / "SHA256SUMS").read_text().splitlines()}
    assert names == {path.name for path in DIST.iterdir()} - {"SHA256SUMS"}


def test_the_zip_for_lambda_is_the_same_when_it_is_made_again() -> None:
    file = DIST / "image-reaper-lambda-arm64.zip"
    before = digest(file)
    (ROOT / "build/arm64-3.13/ready").unlink()
    make("package-lambda")
    assert digest(file) == before


@pytest.mark.parametrize("artifact", ARTIFACTS)
def test_the_bill_names_just_what_is_in_the_zip(artifact: str) -> None:
    content = bill(artifact)
    ours = content["metadata"]["component"]
    named = {(plain(each["name"]), each["version"]) for each in (*content["components"], ours)}
    assert len(named) > 10
    assert named == held(artifact)


@pytest.mark.parametrize("artifact", ARTIFACTS)
def test_the_bill_knows_every_licence_and_what_needs_what(artifact: str) -> None:
    content = bill(artifact)
    assert [each["name"] for each in content["components"] if not each.get("licenses")] == []
    needs = {each["ref"]: set(each.get("dependsOn", [])) for each in content["dependencies"]}
    reached, rest = set[str](), {content["metadata"]["component"]["bom-ref"]}
    while rest:
        reached |= rest
        rest = {name for each in rest for name in needs[each]} - reached
    assert {each["bom-ref"] for each in content["components"]} <= reached


@pytest.mark.parametrize("artifact", ARTIFACTS)
def test_the_bill_is_the_same_wherever_it_is_made(artifact: str) -> None:
    content = bill(artifact)
    assert "serialNumber" not in content
    assert "timestamp" not in content["metadata"]
    assert str(ROOT) not in json.dumps(content)


@pytest.mark.parametrize("arch", ["arm64", "x86_64"])
def test_sam_uploads_the_released_zip_as_it_is(arch: str, moto: str, tmp_path: Path) -> None:
    s3, bucket = client("s3", moto), f"code-{arch.replace('_', '-')}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    where = KEYS | {"AWS_ENDPOINT_URL": moto, "AWS_DEFAULT_REGION": REGION, "SAM_CLI_TELEMETRY": "0"}
    command = [str(ROOT / ".venv-sam/bin/sam"), "package", "--template-file", str(DIST / f"template-{arch}.yaml")]
    given = ["--s3-bucket", bucket, "--output-template-file", "packaged.yaml"]
    subprocess.run([*command, *given], env=os.environ | where, cwd=tmp_path, check=True)  # noqa: S603 (our own command)
    uploaded = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    content = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in uploaded]
    assert content == [(DIST / f"image-reaper-lambda-{arch}.zip").read_bytes()]
    assert (tmp_path / "packaged.yaml").read_text().count(f"s3://{bucket}/{uploaded[0]}") == 3
