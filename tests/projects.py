"""Many projects of one cloud, each with a secret of its own."""

import json
from collections.abc import Mapping

from tests.aws import KEYS, Client
from tests.fakecloud import FakeCloud

NAME = "image-reaper/{project_id}"


class Estate:
    """Projects of a cloud at `url`, and the vault with their secrets; `aws` is its address, unless it is of boto3."""

    def __init__(self, cloud: FakeCloud, url: str, vault: Client, aws: str = "") -> None:
        self.cloud = cloud
        self.url = url
        self.vault = vault
        self.settings = KEYS | {
            "REAPER_CREDENTIALS_SECRET": NAME,
            "REAPER_MODE": "delete",
            "AWS_ENDPOINT_URL": aws or str(vault.meta.endpoint_url),
        }

    def add(self, name: str, *, images: int = 0, secret: Mapping[str, object] | None = None) -> str:
        """Make a project with so many images, and store its secret; its id. Fields of `secret` win."""
        project_id = self.cloud.add_project(name)
        self.store(project_id, self.credentials(project_id) | dict(secret or {}))
        for number in range(images):
            self.cloud.add_image(f"ci-{number}", owner=project_id)
        return project_id

    def credentials(self, project_id: str) -> dict[str, object]:
        """What the secret of a project holds."""
        return {**self.cloud.env(self.url, user=self.cloud.projects[project_id], project=project_id)}

    def store(self, project_id: str, secret: object) -> None:
        """Put something into the secret of a project."""
        name, text = NAME.format(project_id=project_id), json.dumps(secret)
        try:
            self.vault.put_secret_value(SecretId=name, SecretString=text)
        except self.vault.exceptions.ResourceNotFoundException:
            self.vault.create_secret(Name=name, SecretString=text)

    def images_of(self, project_id: str) -> list[str]:
        """The images that a project has left."""
        return [image.id for image in self.cloud.images.values() if image.owner == project_id]
