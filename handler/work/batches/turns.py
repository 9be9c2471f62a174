"""Who gets a turn: what one invocation may delete goes to whole messages, the smallest first. Pure."""

from collections.abc import Sequence
from typing import NamedTuple


class Waiter(NamedTuple):
    """A message that waits for a turn: how many images it has, and how many of these are done with.

    `receives` counts how often it has come, this time included. One that `comes_once` is answered after this time.
    """

    images: int
    done: int = 0
    receives: int = 1
    comes_once: bool = False


class Room(NamedTuple):
    """What an invocation may delete: `most` images in all, of which so many are `left`.

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

    An image that stays or is gone already costs nothing. So, after these, there may be room for further turns.
    """
    in_order = sorted(range(len(waiters)), key=lambda place: _rank(waiters[place]))
    return _whole(waiters, in_order, room) or _part(waiters, in_order, room)


def _rank(waiter: Waiter) -> tuple[bool, int, int]:
    """Whose turn is earlier: the smallest rank comes first."""
    # Of those of one size, the one that has come most often is first: it has the fewest receives left.
    return not waiter.comes_once, waiter.images, -waiter.receives


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
    """A turn for part of a message that is too large for any invocation: it takes what the whole ones leave."""
    waiting = (place for place in in_order if waiters[place].done < waiters[place].images)
    place = next((place for place in waiting if waiters[place].images > room.most), None)
    if place is None or room.left <= 0:
        return []
    # Never fewer than can be dealt with at once: with one left, a thousand images that are gone already would be dealt
    # with one by one.
    waiter = waiters[place]
    return [Turn(place, min(waiter.images - waiter.done, max(room.left, room.width)))]
