"""Who acts in a world besides the handler: owners, servers that start and stop, other cleaners."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.chaos.history import EPOCH, Act, History, Image
from tests.chaos.inside import Clock
from tests.chaos.land import MARK, SIGNATURE, Land

Step = Mapping[str, Any]
MOST_IMAGES = 45


@dataclass
class People:
    """They act on images by number, so that the same act can be done in any world."""

    land: Land
    history: History
    clock: Clock
    skew: float
    volumes: bool = True
    """Whether the cloud has volumes."""

    def living(self) -> list[Image]:
        """The images that are there, in the order in which they were made."""
        found = self.history.images
        return [versions[-1][1] for versions in found.values() if versions[-1][1].alive]

    def notice(self, image_id: str) -> None:
        """Write down how an image has changed."""
        versions = self.history.images.get(image_id, [])
        was = versions[-1][1] if versions else None
        if was is None or not was.alive:
            return
        now = self.land.image(image_id)
        if now != was:
            versions.append((self.history.moment(self.clock.value), now or was._replace(alive=False)))

    def make(self, image_id: str, step: Step) -> None:
        """Make an image; where there is no room, another cleaner makes some first."""
        living = self.living()
        if len(living) >= MOST_IMAGES:
            self._remove(living[0])
        fields = dict(step["fields"])
        theirs = self.land.other
        if fields.pop("foreign", False):
            fields["owner"], theirs = theirs, self.land.project
        if status := fields.pop("shared", ""):
            fields |= {"visibility": "shared", "members": {theirs: status}}
        kernel = fields.pop("kernel", None)
        if living and kernel is not None:
            needs = {"kernel_id": living[kernel % len(living)].id}
            fields["properties"] = {**fields.get("properties", {}), **needs}
        if (days := fields.pop("keep_days", None)) is not None:
            fields["tags"] = [*fields.get("tags", ()), f"keep-until={self._day(days)}"]
        made = self.land.add_image(image_id, fields)
        image = self.land.image(made)
        assert image is not None
        self.history.images[made] = [(self.history.moment(self.clock.value), image)]

    def _day(self, days: float) -> str:
        """The day that will be in so many days, by the clock of the function."""
        return f"{EPOCH + timedelta(seconds=self.clock.value + self.skew, days=days):%Y-%m-%d}"

    def _remove(self, image: Image) -> None:
        self.history.acts.append(Act(self.history.moment(self.clock.value), "cleaner", "delete", image.id))
        self.land.change(image.id, "delete", "")
        self.notice(image.id)

    def own(self, step: Step) -> None:
        """Do as an owner, or as another cleaner."""
        living = self.living()
        if not living:
            return
        image = _chosen(living, step)
        what, detail = step["what"], str(step.get("detail", ""))
        if what in {"activate", "deactivate"} and image.status not in {"active", "deactivated"}:
            return
        if what in {"keep-until", "later"}:
            detail = self._day(float(detail))
        if what == "keep-until":
            what, detail = "tag", f"keep-until={detail}"
        self._note(image, what, detail)
        self.land.change(image.id, what, detail)
        self.notice(image.id)

    def serve(self, thing_id: str, step: Step) -> None:
        """Start, stop or rebuild a server, or make and remove a volume."""
        living, uses = self.living(), [use for use in self.land.uses().values() if use.project == self.land.project]
        what, chosen = step["what"], _chosen(living, step).id if living else ""
        if what in {"start", "build"} and chosen:
            self.land.add_server(thing_id, chosen, taken_up=what == "start")
        elif what == "volume" and chosen and self.volumes:
            self.land.add_volume(thing_id, chosen)
        elif uses and what == "stop":
            use = uses[step["which"] % len(uses)]
            self.land.remove(use.kind, use.id)
        elif what == "rebuild" and chosen and (servers := [use for use in uses if use.kind == "server"]):
            self.land.rebuild(servers[step["which"] % len(servers)].id, chosen)
        self.notice_uses()

    def notice_uses(self) -> None:
        """Write down who uses what from now on."""
        moment, now = self.history.moment(self.clock.value), self.land.uses()
        for key, use in now.items():
            known = self.history.uses.setdefault(key, [])
            if not known or known[-1][1] != use:
                known.append((moment, use))
        for key, known in self.history.uses.items():
            if key not in now and known[-1][1].image is not None:
                known.append((moment, known[-1][1]._replace(image=None)))

    def _note(self, image: Image, what: str, detail: str) -> None:
        marked = any(tag.startswith(MARK) for tag in image.tags)
        signed = any(tag.startswith(SIGNATURE) for tag in image.tags)
        said = "veto" if what == "unmark" and marked and signed else what
        self.history.acts.append(Act(self.history.moment(self.clock.value), "owner", said, image.id, detail))


def _chosen(living: list[Image], step: Step) -> Image:
    """An image by its number: of those with the ids `among`, if any of them lives; with `marked`, marked ones first."""
    living = [image for image in living if image.id in step.get("among", ())] or living
    if step.get("marked"):
        living = sorted(living, key=lambda image: not any(tag.startswith(MARK) for tag in image.tags))
    number: int = step["image"] % len(living)
    return living[number]
