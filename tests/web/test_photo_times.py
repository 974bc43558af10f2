"""When a photo was taken, as a place's page tells it to readers all over the world."""

from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image
from playwright.sync_api import expect

from place_search.indexer import build_index, open_source
from place_search.models import Model
from tests.web.conftest import serving

SAID = {
    "en": "May 31, 2024 at 11:30 PM UTC",
    "hi-Latn": "31 May 2024 at 11:30 pm UTC",
    "hi": "31 मई 2024 को 11:30 pm बजे UTC",
}


@pytest.mark.slow
def test_a_photo_without_a_zone_was_taken_at_one_time_for_all_readers(
    open_page: Any, town: Any, model: Model, servers: Any, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2024:05:31 23:30:00"
    photos = tmp_path / "photos"
    photos.mkdir()
    town.view(0).save(photos / "late.jpg", exif=exif)
    build_index(open_source(photos), tmp_path / "index", model)
    _, address = servers.enter_context(serving(tmp_path / "index"))
    for zone in "Asia/Kolkata", "America/Los_Angeles":
        for language, said in SAID.items():
            page = open_page(address, at="place?id=0", timezone_id=zone, locale=language)
            expect(page.locator("#facts")).to_contain_text(said)
    page.goto(f"{address}places?taken_from=2024-05-31&taken_to=2024-05-31")
    expect(page.locator("#places li")).to_have_count(1)
