"""Pictures: a silhouette of the type in the product's colour, shared by products that look the same."""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image, ImageDraw

from training.demo_shop.drafts import Draft
from training.demo_shop.lexicon import read

SIDE = 128
_BACKGROUND = (250, 250, 248)
_OUTLINE = (70, 70, 74)
_NO_COLOR = "plain"

Color = tuple[int, int, int]


def picture_uri(draft: Draft) -> str:
    """Path of the product's picture, relative to the shop's folder."""
    return f"images/{draft.type.name.canonical}-{draft.values.get('color', _NO_COLOR)}.png"


def draw_pictures(drafts: Iterable[Draft], folder: Path) -> int:
    """Draw each distinct picture into `folder`/images and return how many there are."""
    (folder / "images").mkdir()
    distinct = {picture_uri(draft): draft for draft in drafts}
    for uri, draft in sorted(distinct.items()):
        color = tuple(read("shapes")["colors"][draft.values.get("color", _NO_COLOR)])
        _draw(draft.type.shape, color).save(folder / uri, optimize=False, compress_level=6)
    return len(distinct)


def _draw(shape: str, color: Color) -> Image.Image:
    """Draw the parts of a shape: polygons and ellipses in a unit square, shaded by the third value."""
    image = Image.new("RGB", (SIDE, SIDE), _BACKGROUND)
    pen = ImageDraw.Draw(image)
    for kind, points, shade in read("shapes")["shapes"][shape]:
        scaled = [round(each * SIDE) for each in points]
        fill = _shaded(color, shade)
        if kind == "ellipse":
            pen.ellipse(scaled, fill=fill, outline=_OUTLINE, width=2)
        elif kind == "line":
            pen.line(scaled, fill=fill, width=6, joint="curve")
        else:
            pen.polygon(scaled, fill=fill, outline=_OUTLINE, width=2)
    return image


def _shaded(color: Color, shade: float) -> Color:
    red, green, blue = (min(255, max(0, round(channel * shade))) for channel in color)
    return red, green, blue
