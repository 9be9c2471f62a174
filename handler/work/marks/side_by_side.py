"""Many images side by side, inside the deadline: each comes to something, whatever becomes of the others."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from handler.clock import Deadline
from handler.errors import CloudError, DeadlineReached, Unexpected
from handler.work.marks.changing import Told, failed
from handler.work.run import Progress

Settle = Callable[[Told], object]


def side_by_side(  # noqa: PLR0913, PLR0917 (what the work is given)
    image_ids: Sequence[str],
    deal_with: Callable[[str], Told],
    deadline: Deadline,
    progress: Progress,
    most: int,
    settle: Settle,
) -> tuple[Told, ...]:
    """Deal with images, at most so many at once; returns what became of each, in their order.

    `settle` gets each as soon as it is known. Once the deadline is reached or halted, no other image is begun.
    """

    def work(image_id: str) -> Told:
        try:
            deadline.check()
        except CloudError as error:
            told = failed(image_id, error)
        else:
            with deadline.fence.around():
                told = deal_with(image_id)
        settle(told)
        return told

    executor = ThreadPoolExecutor(most, thread_name_prefix="image")
    futures = [executor.submit(work, image_id) for image_id in image_ids]
    _, unfinished = wait(futures, timeout=deadline.left())
    if unfinished:
        # Noted, so that the connections which late threads may hold are left to them.
        progress.be_late()
        deadline.halt(DeadlineReached("not finished before the deadline"))
    # Not waited for: a thread may hang where no time-out counts. Once it wakes up, it finds the run halted.
    executor.shutdown(wait=False, cancel_futures=True)
    return tuple(_told(image_id, future) for image_id, future in zip(image_ids, futures, strict=True))


def _told(image_id: str, future: Future[Told]) -> Told:
    if not future.done() or future.cancelled():
        return failed(image_id, DeadlineReached("not finished before the deadline"))
    # Every error of the cloud is told: what a thread raises is a bug, and must cost no other image anything.
    bug = future.exception()
    return failed(image_id, Unexpected(f"a bug in image-reaper: {bug!r}")) if bug else future.result()
