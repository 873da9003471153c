"""How the demo prints answers."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from aisle.catalog.v1.product_pb2 import Product
from aisle.catalog.v1.reviews_pb2 import ReviewSummary
from aisle.gateway.v1.gateway_pb2 import AnswerInfo, ConstraintFate, ConstraintReport, Hit
from aisle.intent.v1.intent_pb2 import Understanding

console = Console(width=120, highlight=False)


def heading(text: str) -> None:
    """Print a line that opens a part of the demo."""
    console.print(f"\n[bold]{text}[/bold]", markup=True)


def understanding(reading: Understanding) -> None:
    """Print what the intent service read in a query."""
    intents = ", ".join(f"{each.label} {each.probability:.2f}" for each in reading.intents[:2])
    categories = ", ".join(f"{each.label} {each.probability:.2f}" for each in reading.categories[:2])
    slots = ", ".join(f"{'not ' * each.negated}{each.key}={each.value}" for each in reading.slots)
    console.print(f"  intent   {intents}   language {reading.language}", markup=False)
    console.print(f"  category {categories or '–'}", markup=False)
    console.print(f"  slots    {slots or '–'}   price {_bounds(reading)}", markup=False)


def conditions(reports: Sequence[ConstraintReport]) -> None:
    """Print by which of the query's own conditions the answer was narrowed."""
    applied = [each.filter for each in reports if each.fate == ConstraintFate.CONSTRAINT_FATE_APPLIED]
    if applied:
        console.print(f"  narrowed to {'; '.join(applied)}", markup=False)


def hits(found: Sequence[Hit], language: str) -> None:
    """Print a table of hits with titles in `language` where they have one."""
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for name in ("", "title", "category", "attributes", "price", "score", "pCTR"):
        table.add_column(name, justify="right" if name in ("", "price", "score", "pCTR") else "left")
    for position, hit in enumerate(found, start=1):
        product, parts = hit.product, hit.parts
        click = f"{parts.click_probability:.3f}" if parts.HasField("click_probability") else "–"
        table.add_row(
            str(position),
            title(product, language)[:52],
            "/".join(product.category_path)[-24:],
            _attributes(product),
            _price(product),
            f"{hit.score:.3f}",
            click,
        )
    console.print(table)


def reviews(told: ReviewSummary) -> None:
    """Print what reviews say of a product."""
    console.print(
        f"  {told.positive} positive, {told.neutral} neutral, {told.negative} negative", markup=False
    )
    for each in told.aspects:
        console.print(
            f"  {each.aspect:<10} praised {each.positive}, blamed {each.negative} times", markup=False
        )


def info(answer: AnswerInfo, seconds: float) -> None:
    """Print where the time of an answer went, which models made it, and what it lacks."""
    stages = "  ".join(f"{each.stage} {1000 * each.seconds:.1f}" for each in answer.stages)
    console.print(f"  {1000 * seconds:.1f} ms in all; stages in ms: {stages}", markup=False)
    models = ", ".join(f"{each.name} {each.version}" for each in answer.models)
    console.print(f"  models: {models or '–'}", markup=False)
    for missing in answer.degraded:
        console.print(f"  degraded: {missing}", style="red", markup=False)


def title(product: Product, language: str) -> str:
    """Return the product's title in `language`, or in the first language it has."""
    return product.title.get(language) or next(iter(product.title.values()), product.id)


def _attributes(product: Product) -> str:
    shown = ("color", "season", "material")
    values: Iterable[str] = (
        value for key in shown if key in product.attributes for value in product.attributes[key].values[:1]
    )
    return ", ".join(values)[:28]


def _price(product: Product) -> str:
    return f"{product.price.amount:.2f} {product.price.currency_code}" if product.HasField("price") else "–"


def _bounds(reading: Understanding) -> str:
    if not reading.HasField("price"):
        return "–"
    low = f"{reading.price.minimum:g}" if reading.price.HasField("minimum") else ""
    high = f"{reading.price.maximum:g}" if reading.price.HasField("maximum") else ""
    return f"{low}–{high} {reading.price.currency_code}".strip()
