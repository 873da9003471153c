"""The language of a query, told by its script."""

import re

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
_LATIN = re.compile("[A-Za-z\uff21-\uff3a\uff41-\uff5a]")


def language(query: str) -> str:
    """Return "zh", "en" or "und" when it cannot be told.

    A query with Chinese characters is Chinese whatever brands it names in Latin letters, unless letters of
    another script (kana, hangul …) stand beside them. Latin letters alone are read as English when at
    least four in five letters are plain ones.
    """
    letters = [character for character in query if character.isalpha()]
    han = len(_HAN.findall(query))
    latin = len(_LATIN.findall(query))
    others = len(letters) - han - latin
    if han and others <= han / 10:
        return "zh"
    if not han and latin and latin >= 0.8 * len(letters):
        return "en"
    return "und"
