"""Asking an application in this process."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
from fastapi import FastAPI

Ask = Callable[..., httpx.Response]


def asker(app: FastAPI) -> Ask:
    def ask(method: str, path: str, **options: Any) -> httpx.Response:
        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **options)

        return asyncio.run(go())

    return ask
