"""The words of the command: its options, its help, and which of them go together."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from handler.model.image import is_uuid
from handler.shell.typed.values import Once, a_day, a_number, a_size

USAGE = "image-reaper [FILE | - | ID ... | --sweep | --apply PLAN | ...] [options]"
EPILOG = """\
exit codes:
  0    nothing failed; a refusal is no failure
  1    an image failed, a request was turned down, or a file could not be written
  2    nothing was begun: a setting or a request is wrong, or the answer was no
  130  stopped by Ctrl-C: the table, if there is one, says what was done
  129, 143  the same, by a closed terminal or by SIGTERM
  141  the run is done, but whoever read standard output has gone

Without REAPER_MODE=delete, all but --veto and --unmark-all is a rehearsal. The
cloud is that of --cloud, of OS_CLOUD, or of the other OS_* variables. All
settings are variables, as they are for the function."""

ABOUT_MARKS = ("marks", "veto", "unmark_all")
"""The options that ask for no run."""
OF_RUNS = ("plan", "html", "journal", "json", "today", "reason")
"""The options that only a run can heed."""
OF_FILES = ("apply", "plan", "html", "journal")
"""The options that name a file."""
SUBJECTS = ("sweep", "apply", "approve", *ABOUT_MARKS)
"""The options that say what is asked for, in place of a file or ids."""
OF_SWEEPS = (
    *("name", "family", "tag", "property", "status", "older_than", "created_before", "size_over", "unused_for"),
    *("keep", "group_by", "limit", "limit_percent", "grace", "deactivate"),
)
"""The options that say what a sweep does."""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the words of a command; if they are wrong, says so and ends the program with exit code 2."""
    try:
        # Intermixed: `image-reaper ID --yes ID`.
        options, others = _parser().parse_known_intermixed_args(arguments)
    except argparse.ArgumentError as error:
        from handler.shell.typed.wrong import unreadable_option  # noqa: PLC0415 (good words need none of it)

        _end(unreadable_option(error))
    if others:
        from handler.shell.typed.wrong import unknown_option  # noqa: PLC0415 (the same)

        _end(unknown_option(others[0], [spelled(name) for name in (*vars(options), "help")]))
    if problem := _problem(options):
        _end(problem)
    return options


def _end(problem: str) -> NoReturn:
    from handler.errors import InvalidRequest  # noqa: PLC0415 (the same)
    from handler.shell.screen.problems import words  # noqa: PLC0415 (the same)
    from handler.shell.screen.terminal import tell  # noqa: PLC0415 (the same)

    tell(words(InvalidRequest(problem)))
    tell("image-reaper --help lists the options.")
    raise SystemExit(2)


def spelled(name: str) -> str:
    """An option as it is typed."""
    return f"--{name.replace('_', '-')}"


def _problem(options: argparse.Namespace) -> str:
    """What is wrong with the options taken together; empty if nothing is."""
    subjects = [spelled(name) for name in _given(options, SUBJECTS)]
    if len(subjects) > 1:
        return f"{subjects[0]} and {subjects[1]} can't be combined: give one of them"
    if options.asked and subjects:
        return f"{options.asked[0]}: {subjects[0]} can't be combined with a file or ids"
    if not options.asked and not subjects and not _given(options, OF_SWEEPS):
        return "say what to do: name a file or ids of images, or give --sweep"
    return next((problem for rule in _TOGETHER if (problem := rule(options))), "")


def _needs_sweep(options: argparse.Namespace) -> str:
    given = _given(options, OF_SWEEPS)
    return f"{spelled(given[0])}: needs --sweep" if given and not options.sweep else ""


def _given(options: argparse.Namespace, names: Sequence[str]) -> list[str]:
    # Not compared: 0 is a limit, and a list of tags is no member of a set.
    return [name for name in names if getattr(options, name) is not None and getattr(options, name) is not False]


def _needs_keep(options: argparse.Namespace) -> str:
    return "--group-by: needs --keep" if options.group_by is not None and options.keep is None else ""


def _needs_a_run(options: argparse.Namespace) -> str:
    subject = next((name for name in ABOUT_MARKS if getattr(options, name)), "")
    given = _given(options, OF_RUNS)
    return f"{spelled(given[0])}: does not go with {spelled(subject)}" if subject and given else ""


def _needs_a_request_of_ours(options: argparse.Namespace) -> str:
    is_ours = options.sweep or options.approve is not None or any(map(is_uuid, options.asked))
    return "" if is_ours or options.reason is None else "--reason: the file says itself who asks: leave it out"


def _needs_today(options: argparse.Namespace) -> str:
    clash = options.today and options.plan
    return "--today: a plan of another day could delete too early: leave out --plan" if clash else ""


def _needs_files(options: argparse.Namespace) -> str:
    name = next((name for name in OF_FILES if str(getattr(options, name)) == "-"), "")
    return f"{spelled(name)}: takes the name of a file, and no - for a stream" if name else ""


_TOGETHER = (_needs_sweep, _needs_keep, _needs_a_run, _needs_a_request_of_ours, _needs_today, _needs_files)
"""Each says why some options do not go together, or nothing."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="image-reaper",
        usage=USAGE,
        description="Delete cloud images, and only the right ones.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        exit_on_error=False,
    )
    # Whatever holds a value and says nothing else: so no option can be forgotten.
    parser.register("action", None, Once)
    parser.add_argument(
        "asked", nargs="*", metavar="FILE | - | ID", help="a request or an event as JSON; or ids of images"
    )
    _add_subjects(parser.add_argument_group("what to do, in place of a file or ids"))
    _add_sweep(parser.add_argument_group("with --sweep: images for which all of this holds, and what is done"))
    _add_others(parser.add_argument_group("other options"))
    return parser


def _add_subjects(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--sweep", action="store_true", help="look at all images, by the options below")
    group.add_argument("--apply", metavar="PLAN", type=Path, help="delete what a plan names, if it has not changed")
    group.add_argument("--approve", metavar="KEY", help="carry out the plan that is stored under a key")
    group.add_argument("--marks", action="store_true", help="list the images that are marked or vetoed")
    group.add_argument("--veto", nargs="+", metavar="ID", help="take the mark off images, so that sweeps leave them")
    group.add_argument(
        "--unmark-all", action="store_true", help="take off all marks but those that people have set or changed"
    )


def _add_sweep(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--name", metavar="GLOB", help="such as 'ci-*'")
    group.add_argument("--family", metavar="NAME", help="ci-build selects ci-build-101, but not ci-build-gpu-7")
    group.add_argument("--tag", action="append", metavar="TAG", help="may be repeated: all of them")
    group.add_argument("--property", action="append", metavar="KEY=VALUE", help="may be repeated: all of them")
    group.add_argument("--status", help="such as active")
    group.add_argument("--older-than", metavar="AGE", help="such as 12h, 30d or 2w")
    group.add_argument("--created-before", metavar="TIME", help="such as 2026-01-31")
    group.add_argument("--size-over", metavar="BYTES", type=a_size, help="such as 5000000000")
    group.add_argument("--unused-for", metavar="AGE", help="needs REAPER_STATE_TABLE")
    group.add_argument("--keep", metavar="N", type=a_number, help="the N newest of each group stay")
    group.add_argument("--group-by", metavar="HOW", help="name (by default), property:KEY or tag-prefix:PREFIX")
    group.add_argument("--limit", metavar="N", type=a_number, help="if more are due, none goes (25)")
    group.add_argument("--limit-percent", metavar="P", type=a_number, help="the same, as a share of all images (50)")
    group.add_argument("--grace", metavar="AGE", help="mark first, and delete after so long")
    group.add_argument("--deactivate", action="store_true", help="deactivate what is marked; needs --grace")


def _add_others(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--cloud", metavar="NAME", help="a cloud of clouds.yaml, as OS_CLOUD names it")
    group.add_argument("--reason", metavar="TEXT", help="who or what asks, for the log")
    group.add_argument("--yes", action="store_true", help="ask no question")
    group.add_argument("--plan", metavar="FILE", type=Path, help="write what would be deleted, for --apply")
    group.add_argument("--html", metavar="FILE", type=Path, help="write a page of what goes, what stays and why")
    group.add_argument("--journal", metavar="FILE", type=Path, help="where an armed run notes what it deletes")
    group.add_argument("--today", metavar="YYYY-MM-DD", type=a_day, help="rehearse as if on another day")
    group.add_argument("--json", action="store_true", help="print the report as JSON in place of a table")
    group.add_argument("--log", action="store_true", help="write the log to standard error, as the function does")
