"""The passage that stands for a product in the embedding space."""

from aisle.catalog.v1.product_pb2 import AttributeValues, Product
from services.retrieval.text import passage


def test_a_passage_says_what_a_product_is_before_what_is_said_of_it() -> None:
    product = Product(
        title={"en": "Solo", "zh": "独"},
        brand="Acme",
        category_path=["home", "tea kettle"],
        attributes={
            "material": AttributeValues(values=["steel"]),
            "color": AttributeValues(values=["red", "black"]),
        },
        description={"en": "Boils."},
    )
    assert passage(product).split("\n") == ["tea kettle", "Solo", "独", "Acme", "red black steel", "Boils."]


def test_a_long_specification_sheet_leaves_the_description_its_room() -> None:
    sheet = {f"field {number:02}": AttributeValues(values=["a value"]) for number in range(50)}
    whole = passage(Product(title={"en": "Solo"}, attributes=sheet, description={"en": "x" * 300}))
    title, attributes, description = whole.split("\n")
    assert (title, len(attributes), description) == ("Solo", 80, "x" * 200)


def test_what_a_product_lacks_leaves_no_gap() -> None:
    assert passage(Product(title={"zh": "独"})) == "独"
