"""What the pages of reports say, in English, which their script says in the reader's language.

The words are those of `page.words.json`: a table of keys, each with a sentence in `LANGUAGES`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from markupsafe import Markup

LANGUAGES = ("en", "hi", "hi-Latn")


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of the table, with the values that stand in it: the same in all languages."""

    key: str
    values: Mapping[str, str]

    def __str__(self) -> str:
        return all_words()[self.key]["en"].format_map(self.values)

    def __html__(self) -> str:
        return Markup("<span{}>{}</span>").format(marked(self), str(self))


def in_all_languages(words: Said | str) -> list[str]:
    """A sentence in each of the languages; any other text as it is."""
    if isinstance(words, str):
        return [words]
    return [said.format_map(words.values) for said in all_words()[words.key].values()]


def say(key: str, **values: object) -> Said:
    """A sentence; whole numbers among its values are written with commas."""
    written = {
        name: f"{value:,}" if isinstance(value, int) else str(value)
        for name, value in values.items()
    }
    return Said(key, written)


def known(text: Said | str) -> Said | str:
    """A text that is a key of the table as that, and any other as it is."""
    return Said(text, {}) if isinstance(text, str) and text in all_words() else text


def marked(words: Said | str) -> Markup:
    """The attribute by which the script finds what an element says; none for other texts."""
    return attribute("words", words)


def named(name: str, words: Said | str) -> Markup:
    """An attribute that says something, such as `alt`, and what the script puts in its place."""
    return Markup(' {}="{}"').format(name, str(words)) + attribute(name, words)


def attribute(name: str, words: Said | str) -> Markup:
    """The attribute `data-NAME` with the key and the values of a sentence."""
    if isinstance(words, str):
        return Markup()
    told = json.dumps([words.key, dict(words.values)], ensure_ascii=False)
    return Markup(' data-{}="{}"').format(name, told)


@cache
def all_words() -> Mapping[str, Mapping[str, str]]:
    """The table: sentences by key and language."""
    text = (files(__package__) / "page.words.json").read_text("utf-8")
    table: Mapping[str, Mapping[str, str]] = json.loads(text)
    return table


def words_by_language() -> Mapping[str, Mapping[str, str]]:
    """What the script needs: sentences by language and key, without the English ones."""
    return {
        language: {key: said[language] for key, said in all_words().items()}
        for language in LANGUAGES[1:]
    }
