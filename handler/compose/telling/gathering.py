"""What a run gathers for the files that it will leave: its journal, its decisions, and what it is about to change."""

from functools import partial
from typing import NamedTuple

from handler.engine.ports import Bucket
from handler.model.image import Image
from handler.model.outcome import Decision, Survey
from handler.model.request import Job, Source, SweepRequest
from handler.report.files import Journal, begun, begun_file, folder_of
from handler.report.reporter import Reporter
from handler.work.run import Run

PER_IMAGE = 5e-4
"""Seconds kept back for each image that a sweep selects, to make its row of the page and its part of the plan."""


class Gathered(NamedTuple):
    """A run that gathers, and what it has gathered so far. Without a bucket, it gathers nothing."""

    run: Run
    folder: str
    journal: Journal
    decisions: list[Decision]

    @property
    def kept_back(self) -> float:
        """Seconds that were kept back for the files, beside those for any run."""
        return PER_IMAGE * sum(decision.objection is None for decision in self.decisions)


def gather(run: Run, reporter: Reporter, request_id: str, source: Source, project_id: str) -> Gathered:
    """Have a run gather what its files will need."""
    gathered = Gathered(run=run, folder=folder_of(project_id, request_id, run.now), journal=Journal(), decisions=[])
    if run.bucket is None:
        return gathered
    deleting, observe = partial(reporter.deleting, request_id, source), run.observe

    def journal(image: Image, job: Job) -> None:
        # The log first: it is what must be written before the image goes. The file is a copy of it.
        gathered.journal.add(deleting(image, job))

    def hear(decision: Decision) -> None:
        gathered.decisions.append(decision)
        if decision.objection is None:
            run.deadline.keep_back(PER_IMAGE)
        if observe:
            observe(decision)

    begins = _Begun(run, run.bucket, gathered.folder, request_id, project_id)
    return gathered._replace(run=run._replace(journal=journal, observe=hear, begin=begins.note))


class _Begun:
    """Stores what the sweeps of a run are about to change. There may be several: each time, all of them are stored."""

    def __init__(self, run: Run, bucket: Bucket, folder: str, request_id: str, project_id: str) -> None:
        self._run, self._bucket, self._folder = run, bucket, folder
        self._request_id, self._project_id = request_id, project_id
        self._sweeps: list[dict[str, object]] = []

    def note(self, request: SweepRequest, survey: Survey) -> None:
        """Store what one more sweep is about to change; raises EngineFault."""
        sweeps = [*self._sweeps, begun(request, survey, self._run.moment)]
        file = begun_file(self._request_id, self._project_id, sweeps)
        self._bucket.put(self._folder + file.name, file.content, file.content_type)
        self._sweeps = sweeps
