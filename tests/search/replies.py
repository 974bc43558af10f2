"""Asking a server, and checking what every reply must have."""

from typing import Any

import httpx

from place_search.search.server.problems import PROBLEMS

RESULT_KEYS = {
    *("rank", "place_id", "name", "similarity", "probability", "verified", "position", "utm"),
    *("image_url", "thumbnail_url", "group", "heading", "query_view"),
}


def search(client: httpx.Client, photo: bytes, **query: Any) -> httpx.Response:
    return client.post("/v1/search", params=query, files={"photo": ("query.jpg", photo)})


def problem(response: httpx.Response, name: str) -> dict[str, Any]:
    """Check that a response is this problem, whole and with all headers; returns it."""
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    expected = PROBLEMS[name]
    assert (body["type"], body["title"]) == (f"/problems/{name}", expected.title)
    assert body["status"] == response.status_code == expected.status
    assert body["detail"].endswith(".")
    assert body["detail"][0] == body["detail"][0].upper()
    if name == "bad-parameter":
        assert body["errors"], "docs/errors.md: every wrong parameter is listed"
        assert all(error["name"] and error["reason"] for error in body["errors"])
    check_security(response)
    return body


def check_security(response: httpx.Response) -> None:
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cross-origin-resource-policy"] == "same-origin"
    policy = response.headers["content-security-policy"]
    rules = ("default-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'self'")
    for rule in (*rules, "frame-ancestors 'none'"):
        assert rule in policy
