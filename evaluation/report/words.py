"""The messages of a report's page, in English; the page's script translates them.

`page.words.json` is a table of keys, each with a sentence in each of `LANGUAGES`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from markupsafe import Markup

LANGUAGES = ("en", "hi", "hi-Latn")


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence of the table, by its key, with the values in it: the same in all languages."""

    key: str
    values: Mapping[str, str]

    def __str__(self) -> str:
        return all_words()[self.key]["en"].format_map(self.values)

    def __html__(self) -> str:
        return Markup("<span{}>{}</span>").format(marked(self), str(self))


def in_all_languages(words: Message | str) -> list[str]:
    """A message in each of the languages; any other text unchanged."""
    if isinstance(words, str):
        return [words]
    return [sentence.format_map(words.values) for sentence in all_words()[words.key].values()]


def message(key: str, **values: object) -> Message:
    """A message; whole numbers among its values are written with commas."""
    formatted = {
        name: f"{value:,}" if isinstance(value, int) else str(value)
        for name, value in values.items()
    }
    return Message(key, formatted)


def message_or_text(text: Message | str) -> Message | str:
    """The message of a text that is a key of the table; any other text unchanged."""
    return Message(text, {}) if isinstance(text, str) and text in all_words() else text


def marked(words: Message | str) -> Markup:
    """The attribute that holds an element's message for the script; none for plain texts."""
    return attribute("words", words)


def labelled(name: str, words: Message | str) -> Markup:
    """An attribute with a text, such as `alt`, and its message for the script."""
    return Markup(' {}="{}"').format(name, str(words)) + attribute(name, words)


def attribute(name: str, words: Message | str) -> Markup:
    """The attribute `data-NAME` with the key and the values of a message."""
    if isinstance(words, str):
        return Markup()
    content = json.dumps([words.key, dict(words.values)], ensure_ascii=False)
    return Markup(' data-{}="{}"').format(name, content)


@cache
def all_words() -> Mapping[str, Mapping[str, str]]:
    """The table: sentences by key and language."""
    text = (files(__package__) / "page.words.json").read_text("utf-8")
    table: Mapping[str, Mapping[str, str]] = json.loads(text)
    return table


def words_by_language() -> Mapping[str, Mapping[str, str]]:
    """The table for the script: sentences by language and key, without English."""
    return {
        language: {key: sentences[language] for key, sentences in all_words().items()}
        for language in LANGUAGES[1:]
    }
