"""What a reader of a page may do about the images that wait, and about those of a plan. Pure."""

from datetime import UTC, datetime
from shlex import quote

from handler.report.page.overview import Overview
from handler.report.page.sections import as_text
from handler.report.report import Report
from handler.rules.marks import MARK

APPLY = "REAPER_MODE=delete image-reaper --apply"


def how_to_keep(view: Overview, report: Report) -> str:
    """How the images that wait are kept: as HTML, and with the very tag where all of them have the same."""
    marks = {row.mark for row in view.at("waits")}
    tag = marks.pop() if len(marks) == 1 else ""
    named = tag if tag and "," not in tag else f"{MARK}=DAY"
    lines = [f"openstack image unset --tag {named} IMAGE"]
    ways = "take its tag off once it is there" if report.mode == "dry-run" else "take its tag off"
    if report.own:
        lines.append(f"openstack image set --tag {quote(report.own.policy.keep_tag)} IMAGE")
        ways += ", or give it the tag that keeps any image"
    return f"<p>To keep an image, {ways}:</p>{_commands(lines)}"


def how_to_carry_out(report: Report, plan: str = "") -> str:
    """How the plan of a rehearsal is carried out from a shell; `plan` is its file, if known. Empty without a plan."""
    if not report.plans:
        return ""
    until = datetime.fromisoformat(report.plans[0]["not_after"]).astimezone(UTC)
    first = "carry this plan out" if plan else "rehearse with <code>--plan plan.json</code>, and carry that plan out"
    return (
        f"<p>To delete exactly these, {first} until "
        f"<time>{until:%Y-%m-%d %H:%M} UTC</time>; what has changed by then stays:</p>"
        + _commands([f"{APPLY} {quote(plan)}" if plan else f"{APPLY} plan.json"])
    )


def _commands(lines: list[str]) -> str:
    return "".join(f"<pre><code>{as_text(line)}</code></pre>" for line in lines)
