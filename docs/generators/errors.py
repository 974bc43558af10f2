"""docs/errors.md, from the table of problems.

`python -m docs.generators.errors` writes it.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from place_search.search.server.problems import PROBLEMS

DOCUMENT = "docs/errors.md"

REMEDIES: Mapping[str, str] = {
    "bad-parameter": "Correct what `detail` names; `errors` lists every wrong parameter.",
    "bad-request": "Send HTTP, with the photo as `multipart/form-data`.",
    "not-found": "Look the address up in `/docs`.",
    "no-vocabulary": "Nothing: the model has no NetVLAD layer whose clusters could be shown.",
    "unknown-place": "Take `place_id` from a reply of the same `index_id`.",
    "unknown-index": "Take a name from `GET /v1/indexes`; the server is started with them.",
    "unknown-track": "Open another with `POST /v1/tracks`; it closes after ten minutes without a "
    "request for it, or sooner where many are open.",
    "unknown-report": "Take the name of a report from `/v1/reports`.",
    "photo-gone": "Show the thumbnail, which is kept in the index.",
    "method-not-allowed": "Use a method of the `Allow` header.",
    "unauthorized": "Send a key: `Authorization: Bearer KEY`. `place-search key` makes one.",
    "forbidden": "Use a key with the role `write`, and not from a browser's password box.",
    "cross-site": "Name the page's site in `--cors`, or ask from the server's own pages.",
    "slow-request": "Send it again over a faster connection, or a smaller photo.",
    "edit-conflict": "Read the place again; send the change again, with its new ETag.",
    "key-reused": "Make a new `Idempotency-Key` for each request; repeat one only with the same.",
    "unfit-value": "Send a value of the declared type; `fields` of `GET /v1/index` has them.",
    "cannot-change": "Try again later. The last place cannot be removed; the server's log says "
    "what else it may be.",
    "wrong-host": "Ask by the server's own name, or add this one with `--allowed-hosts`.",
    "body-too-large": "Send a smaller photo; the server's `--max-body-mb` is its limit, and 1 MiB "
    "that of JSON.",
    "oversized-photo": "Shrink the photo; `--max-megapixels` and `--decode-mb` are the limits.",
    "unsupported-photo": "Send JPEG, PNG, WebP, AVIF or HEIF. The content counts, not the name.",
    "unreadable-photo": "Send the original file: this one is truncated or corrupt, or takes too "
    "long to decode.",
    "busy": "Try again after `Retry-After` seconds; nothing was begun.",
    "rate-limited": "Try again after `Retry-After` seconds; `--rate` is the limit.",
    "internal": "A fault of the server; its log tells it under the `X-Request-ID` of the answer.",
    "index-damaged": "Run `place-search verify INDEX --repair`; the server takes up what it mends.",
    "engine-down": "Retry after the seconds in `Retry-After`; searches work again by themselves.",
    "storage-full": "Free some space on the disk of the index, then send the request again.",
    "not-ready": "Wait until `/readyz` answers 200.",
    "timed-out": "Try again later; it took longer than `--search-seconds`, and changed nothing.",
}


def render_errors() -> str:
    """The text of docs/errors.md."""
    rows = "\n".join(
        f"| `{problem.type}` | {problem.status} | {problem.title} | {REMEDIES[problem.name]} |"
        for problem in sorted(PROBLEMS.values(), key=lambda problem: problem.status)
    )
    return (
        "# Errors\n\n"
        "Every error is `application/problem+json` as RFC 9457 describes it, with `type`, `title`, "
        "`status`\nand `detail`, one sentence that says what is wrong. `type` is stable and a "
        "relative address:\n`GET /problems/busy` tells about it. 429 and 503 carry "
        "`Retry-After`. Where `detail` is a sentence that\nhas a code, `reason` is that code and "
        "what stands in the sentence, for pages in other languages.\nA preflight from an origin "
        "that `--cors` does not name is 400 as plain text, which browsers tell no page;\n"
        "a `Range` beyond the end of a page's file is 416 without a body.\n\n"
        "| `type` | Status | Title | What to do |\n"
        "| --- | --- | --- | --- |\n"
        f"{rows}\n\n"
        "This page is written by `python -m docs.generators.errors`.\n"
    )


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else DOCUMENT).write_text(render_errors(), "utf-8")
