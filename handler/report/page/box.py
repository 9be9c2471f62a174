"""The box below the headline of a page: how its plan is approved, until when, and what that does. Pure.

It needs no script: a click selects a whole command, which is one line however it is shown.
"""

from collections.abc import Iterator
from datetime import UTC

from handler.report.approval import Approval
from handler.report.page.rows import counted
from handler.report.page.sections import as_text, code


def box(approval: Approval) -> str:
    """The box, as HTML."""
    until = f"<b>{approval.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC</b>"
    paragraphs = "\n".join(_how(approval, until) if approval.from_shell else _without(approval, until))
    return (
        '<aside class="approval" id="approval" aria-labelledby="approval-title">\n'
        f'<h2 id="approval-title">{"Approve" if approval.from_shell else "Carry out"} this plan</h2>\n{paragraphs}\n'
        f'<dl class="facts"><dt>Plan</dt><dd>{code(approval.key)}</dd>'
        f"<dt>SHA-256</dt><dd>{code(approval.digest)}</dd></dl>\n</aside>\n"
    )


def _how(approval: Approval, until: str) -> Iterator[str]:
    yield (
        f"<p>Whoever approves it deletes exactly the {counted(approval.images)} of this plan, once. "
        f"It is good until {until}; an image that has changed meanwhile stays.</p>"
    )
    if not approval.armed:
        yield (
            '<p class="warning">The function is not armed: until its mode is <code>delete</code>, an approval only '
            "rehearses the plan again.</p>"
        )
    shell = f"<pre><code>{as_text(approval.from_shell)}</code></pre>"
    if approval.command:
        yield f"<pre><code>{as_text(approval.command)}</code></pre>"
        shell = f"<details><summary>From a shell with the settings of the function</summary>{shell}</details>"
    yield shell


def _without(approval: Approval, until: str) -> Iterator[str]:
    yield (
        "<p>Nothing here can note that a plan is done, so that none can be approved. Fetch it: each of its "
        f"<code>plans</code> is a request that can be sent until {until}.</p>\n"
        f"<pre><code>{as_text(approval.fetch)}</code></pre>"
    )
