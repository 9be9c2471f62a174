"""Who gets a turn: what one invocation may delete goes to whole messages, the smallest first. Pure."""

from collections.abc import Sequence
from typing import NamedTuple


class Waiter(NamedTuple):
    """A message that waits for a turn: how many images it has, and how many of these have had theirs.

    `receives` is how often it came so far.
    """

    images: int
    done: int = 0
    receives: int = 1


class Room(NamedTuple):
    """What an invocation may delete: at most so many images, of which so many are left.

    `width` is how many images are dealt with at once.
    """

    most: int
    left: int
    width: int


class Turn(NamedTuple):
    """The turn of the message at a place: so many of its images are dealt with now."""

    place: int
    images: int


def next_turns(waiters: Sequence[Waiter], room: Room) -> list[Turn]:
    """The turns that can be given now, in their order; none if nobody gets one any more.

    An image that stays or is gone already costs nothing. So turns are given again, once it is known what is left.
    """
    # Of those of one size, the one that has come most often first: it can wait the fewest times.
    in_order = sorted(range(len(waiters)), key=lambda place: (waiters[place].images, -waiters[place].receives))
    return _whole(waiters, in_order, room) or _part(waiters, in_order, room)


def _whole(waiters: Sequence[Waiter], in_order: Sequence[int], room: Room) -> list[Turn]:
    """Turns for whole messages, as long as they fit."""
    turns, left = list[Turn](), room.left
    for place in in_order:
        images = waiters[place].images
        if waiters[place].done < images <= left:
            turns.append(Turn(place, images))
            left -= images
    return turns


def _part(waiters: Sequence[Waiter], in_order: Sequence[int], room: Room) -> list[Turn]:
    """A turn for a part of a message that is larger than any invocation may be: it takes what the whole ones leave."""
    waiting = (place for place in in_order if waiters[place].done < waiters[place].images)
    place = next((place for place in waiting if waiters[place].images > room.most), None)
    if place is None or room.left <= 0:
        return []
    # Never fewer than can be dealt with at once: of a thousand images that are gone already, one at a time would take
    # as long as all else.
    waiter = waiters[place]
    return [Turn(place, min(waiter.images - waiter.done, max(room.left, room.width)))]
