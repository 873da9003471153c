"""The intent model's training: its data, their variations, and a network small enough to be trained here."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch
from transformers import BertModel

from runtime.settings import StartupError
from services.intent.decoding import Decoder
from services.intent.labels import Labels
from tests.training.tiny import LAYERS, tiny_base
from training.base_models import BaseModel
from training.demo_shop import SLOT_KEYS, DemoShop, Query, QueryPrice, QuerySlot, load
from training.export import export_onnx
from training.finetuning import METHODS, Method, PrefixedEncoder
from training.intent.augmentation import VARIATIONS, varied
from training.intent.batches import Batcher
from training.intent.dataset import canonical_values, examples
from training.intent.example import NOUN, Example, Piece, Span, cut, plain
from training.intent.figures import figures
from training.intent.fit import Validation, evaluate, fit
from training.intent.losses import NO_CATEGORY, NO_INTENT, NO_SENTIMENT, Weights, multi_task_loss
from training.intent.losses import Labels as BatchLabels
from training.intent.network import OUTPUTS, IntentNetwork, Logits
from training.intent.open_world import invented
from training.intent.public import public_sets
from training.intent.reading import by_graph, by_network, feeds, understand
from training.intent.recipe import Recipe
from training.intent.reviews import clause_examples
from training.intent.tagging import IGNORED, tag, tag_names
from training.intent.vocabulary import vocabulary
from training.loop import Outcome

COLORS = {"black": "黑色", "white": "白色", "red": "红色", "blue": "蓝色"}
GOODS = {"clothing/t-shirt": ("t-shirt", "T恤"), "electronics/laptop": ("laptop", "笔记本电脑")}
SENTENCES = {"browse": "{}", "purchase": "buy {}", "review": "{} reviews"}
LABELS = Labels(
    intent=["browse", "purchase", "review", "support", "out_of_scope"],
    category=list(GOODS),
    slots=tag_names(SLOT_KEYS),
    lexicon=canonical_values(),
)
RECIPE = Recipe(
    trainable_layers=2,
    epochs=20,
    encoder_rate=3e-3,
    adapter_rate=1e-2,
    head_rate=1e-2,
    batch=8,
    variation=0.0,
    open_world=0.0,
)


def query(text: str, color: str = "", surface: str = "", intent: str = "browse", category: str = "") -> Query:
    start = text.find(surface) if surface else -1
    slots = (QuerySlot("color", color, start, start + len(surface), False),) if surface else ()
    return Query(text, "", text, "en", "train", intent, category, slots, None)  # type: ignore[arg-type]


def tiny_queries() -> list[Query]:
    """Two kinds of goods in four colours and three intents, in both languages."""
    return [
        query(sentence.format(f"{surface} {noun}"), color, surface, intent, category)
        for category, nouns in GOODS.items()
        for color, chinese in COLORS.items()
        for surface, noun in zip((color, chinese), nouns, strict=True)
        for intent, sentence in SENTENCES.items()
    ]


def tiny_examples() -> list[Example]:
    return [
        Example(cut(q.text, [(s.start, s.end, s.key, s.value) for s in q.slots]), q.intent, q.category)
        for q in tiny_queries()
    ]


def tiny_reviews() -> list[Example]:
    words = {"positive": ("great", "很好"), "neutral": ("so-so", "一般"), "negative": ("awful", "很差")}
    return [plain(f"{noun} {word}", "review", kind)
            for kind, both in words.items() for nouns in GOODS.values()
            for noun, word in zip(nouns, both, strict=True)]  # fmt: skip


def base() -> BaseModel:
    return tiny_base(" ".join(each.text for each in [*tiny_examples(), *tiny_reviews()]))


def untrained(own: BaseModel) -> IntentNetwork:
    return IntentNetwork(own.encoder, own.dimension, LABELS).eval()


def fitted(method: Method, runs: Path) -> tuple[BaseModel, IntentNetwork, Outcome]:
    own = base()
    texts, data = [*tiny_examples(), *tiny_reviews()], Validation(tiny_queries(), tiny_reviews())
    network, outcome = fit(
        own,
        LABELS,
        texts,
        RECIPE,
        validate=lambda network: evaluate(network, own, LABELS, data),
        method=method,
        seed=7,
        identity={},
        runs=runs,
    )
    return own, network, outcome


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads only wait for each other over layers this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("method", [each for each in METHODS if each != "prefix"])
def test_layers_and_adapters_learn_and_leave_a_plain_encoder(method: Method, tmp_path: Path) -> None:
    own, network, outcome = fitted(method, tmp_path)
    assert isinstance(network.encoder, BertModel)
    assert not network.training
    assert outcome.figures["intent_accuracy"] > 0.8
    assert outcome.figures["category_accuracy"] == 1.0
    assert outcome.figures["slot_f1"] > 0.9
    assert outcome.figures["sentiment_accuracy"] > 0.8
    data = Validation(tiny_queries(), tiny_reviews())
    assert evaluate(network, own, LABELS, data) == pytest.approx(outcome.figures)
    before = base().encoder
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}.output.dense.weight"
        same = torch.equal(before.get_parameter(name), network.encoder.get_parameter(name))
        assert same is (layer < LAYERS - RECIPE.trainable_layers)


def test_a_prefix_learns_and_leaves_every_weight_as_it_was(tmp_path: Path) -> None:
    _, network, outcome = fitted("prefix", tmp_path)
    assert isinstance(network.encoder, PrefixedEncoder)
    assert outcome.figures["intent_accuracy"] > 0.5 and outcome.figures["category_accuracy"] > 0.8
    before = base().encoder.state_dict()
    assert all(torch.equal(before[name], now) for name, now in network.encoder.encoder.state_dict().items())


@pytest.mark.parametrize("method", ["full", "prefix"])
def test_the_exported_graph_understands_as_the_network_does(method: Method, tmp_path: Path) -> None:
    own, network, _ = fitted(method, tmp_path)
    texts = [each.text for each in tiny_queries()]
    sample = {name: torch.from_numpy(ids) for name, ids in feeds(own.tokenizer, texts[:2])[0].items()}
    axes = {"slots": {0: "batch", 1: "tokens"}}
    graphs = export_onnx(network, sample, OUTPUTS, tmp_path / "graphs", axes=axes, precisions=("fp32",))
    decoder = Decoder(LABELS)
    by_torch = understand(by_network(network), own.tokenizer, decoder, texts)
    by_onnx = understand(by_graph(graphs["fp32"]), own.tokenizer, decoder, texts)
    for one, other in zip(by_torch, by_onnx, strict=True):
        assert one.intents[0].label == other.intents[0].label
        assert [slot.value for slot in one.slots] == [slot.value for slot in other.slots]
        assert one.intents[0].probability == pytest.approx(other.intents[0].probability, abs=1e-4)


def test_tokens_are_tagged_by_the_slot_they_share_most_with() -> None:
    numbers = {name: number for number, name in enumerate(tag_names(["color", "season"]))}
    names = {number: name for name, number in numbers.items()} | {IGNORED: "-"}
    spans = [Span("color", 0, 2), Span("season", 2, 4)]
    offsets = [(0, 0), (0, 1), (1, 2), (2, 5), (5, 6), (0, 0)]
    tags = [names[number] for number in tag(offsets, spans, numbers)]
    assert tags == ["-", "B-color", "I-color", "B-season", "O", "-"]


EXAMPLE = Example(
    (Piece("夏季", "season", "summer"), Piece(" "), Piece("black", "color", "black"), Piece(" "),
     Piece("T恤", NOUN, "clothing/t-shirt")), "browse", "clothing/t-shirt",
)  # fmt: skip


def _slots(example: Example) -> dict[str, str]:
    return {span.key: example.text[span.start : span.end] for span in example.spans}


@pytest.mark.parametrize("variation", [each for each, _ in VARIATIONS], ids=lambda each: each.__name__)
def test_variations_keep_the_slots_and_the_intent(variation: object) -> None:
    changed = set()
    for seed in range(60):
        result = variation(EXAMPLE, Random(seed), vocabulary())  # type: ignore[operator]
        assert result.intent == "browse"
        assert {"season", "color"} <= set(_slots(result))
        assert all(text and text == text.strip() for text in _slots(result).values())
        assert result.category == ("" if variation.__name__ == "of_other_goods" else EXAMPLE.category)  # type: ignore[attr-defined]
        changed.add(result.text)
    assert changed != {EXAMPLE.text}


def test_a_typo_in_chinese_leaves_every_slot_where_it_was() -> None:
    written = Example((Piece("买"), Piece("黑色", "color", "black"), Piece("短袖", NOUN)), "purchase", "")
    for seed in range(40):
        typed = {each.__name__: each for each, _ in VARIATIONS}["misspelt"](
            written, Random(seed), vocabulary()
        )
        assert typed.text != written.text and typed.spans == written.spans


def test_sentences_are_not_reordered() -> None:
    sentence = Example((Piece("buy "), Piece("black", "color", "black"), Piece(" tee", NOUN)), "purchase", "")
    reordered = {each.__name__: each for each, _ in VARIATIONS}["reordered"]
    assert all(reordered(sentence, Random(seed), vocabulary()) == sentence for seed in range(20))


def test_invented_queries_are_of_no_category_and_cover_every_intent() -> None:
    random = Random(3)
    drawn = [invented(random, vocabulary()) for _ in range(400)]
    assert {each.category for each in drawn} == {""}
    assert {each.intent for each in drawn} == set(LABELS.intent)
    assert all("{" not in each.text and each.text.strip() for each in drawn)


def test_an_epoch_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    own = base()
    recipe = replace(RECIPE, variation=1.0, open_world=0.5)
    batcher = Batcher(own.tokenizer, LABELS)

    def ids(seed: int) -> list[list[list[int]]]:
        return [batch.input_ids.tolist() for batch in batcher.epoch(tiny_examples(), recipe, seed)]

    assert ids(1) == ids(1) != ids(2)
    assert sum(map(len, ids(1))) == len(tiny_examples()) * 1.5


def test_a_batch_marks_padding_and_special_tokens_as_ignored() -> None:
    own = base()
    batcher = Batcher(own.tokenizer, LABELS)
    long, short = Example((Piece("buy black laptop"),), "purchase", ""), EXAMPLE
    batch = batcher.batch([long, short])
    assert batch.labels.slots.shape == batch.input_ids.shape == batch.attention_mask.shape
    assert (batch.labels.slots[batch.attention_mask == 0] == IGNORED).all()
    assert (batch.labels.slots[:, 0] == IGNORED).all()
    assert batch.labels.category.tolist() == [NO_CATEGORY, 0]


def test_a_query_of_no_category_teaches_that_none_is_likely() -> None:
    none = torch.tensor([NO_CATEGORY])
    labels = BatchLabels(torch.zeros(1).long(), none, torch.tensor([[0]]), torch.tensor([NO_SENTIMENT]))

    def loss(category: Sequence[float]) -> float:
        logits = Logits(
            torch.zeros(1, 5), torch.tensor([list(category)]), torch.zeros(1, 1, 3), torch.zeros(1, 3)
        )
        return multi_task_loss(logits, labels, Weights()).item()

    assert loss([0.0, 0.0]) < loss([2.0, -2.0])
    assert loss([0.0, 0.0]) == pytest.approx(loss([3.0, 3.0]))


def test_a_text_whose_intent_nobody_told_teaches_none() -> None:
    def loss(intent: Sequence[float], label: int) -> float:
        one = torch.tensor([label])
        labels = BatchLabels(one, torch.tensor([0]), torch.tensor([[0]]), torch.tensor([1]))
        logits = Logits(
            torch.tensor([list(intent)]), torch.zeros(1, 2), torch.zeros(1, 1, 3), torch.zeros(1, 3)
        )
        return multi_task_loss(logits, labels, Weights()).item()

    assert loss([3.0, 0.0], NO_INTENT) == loss([0.0, 3.0], NO_INTENT) < loss([0.0, 3.0], 0)


def test_clauses_of_reviews_say_what_is_felt_and_nothing_else(demo_shop_root: Path) -> None:
    shop = load(demo_shop_root)
    clauses = clause_examples(shop, "train")
    assert {each.sentiment for each in clauses} == {"positive", "neutral", "negative"}
    assert all((each.intent, each.category) == ("", "") for each in clauses)
    texts = [each.text for each in clauses]
    assert len(set(texts)) == len(texts)
    assert all(any(text in review.text for review in shop.reviews) for text in texts)


def test_figures_count_what_is_right() -> None:
    own, queries = base(), tiny_queries()[:4]
    network = untrained(own)
    with torch.no_grad():
        for parameter in network.heads():
            parameter.zero_()
        network.slots.bias[0] = 9.0  # every token is outside of a slot
        network.intent.bias[0] = 9.0  # every query is browsing
    found = figures(
        understand(by_network(network), own.tokenizer, Decoder(LABELS), [q.text for q in queries]), queries
    )
    assert found["slot_f1"] == found["span_f1"] == 0.0
    assert found["intent_accuracy"] == sum(q.intent == "browse" for q in queries) / 4
    assert found["price_accuracy"] == 1.0


def test_wrong_prices_are_counted() -> None:
    own = base()
    network = untrained(own)
    text = "buy laptop under $500"
    true = [QueryPrice(None, top, "USD", 11, 21) for top in (500.0, 400.0)]
    queries = [Query("q", "", text, "en", "test", "purchase", "", (), price) for price in true]
    understood = understand(by_network(network), own.tokenizer, Decoder(LABELS), [text, text])
    assert figures(understood, queries)["price_accuracy"] == 0.5


def test_the_shops_queries_keep_their_slots_and_find_their_nouns(demo_shop_root: Path) -> None:
    shop: DemoShop = load(demo_shop_root)
    train = [each for each in shop.queries if each.split == "train"]
    for source, example in zip(train, examples(shop, "train"), strict=True):
        assert example.text == source.text
        assert {(slot.key, slot.start, slot.end) for slot in source.slots} == {
            (span.key, span.start, span.end) for span in example.spans
        }
        if source.category and source.intent == "browse":
            assert any(piece.key == NOUN for piece in example.pieces)
    assert all(varied(each, Random(5), vocabulary()).text.strip() for each in examples(shop, "train"))


def test_public_sets_are_read_for_what_they_teach(real_data: Path) -> None:
    sets = {each.name: each for each in public_sets(real_data)}
    assert {each.intent for each in sets["BANKING77"].examples} == {"support"}
    assert {each.intent for each in sets["CLINC150"].examples} == {"support", "purchase", "out_of_scope"}
    assert {each.intent for each in sets["UCI labelled sentences"].examples} == {"review"}
    assert all(each.text for public in sets.values() for each in public.examples)


def test_missing_public_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"domains.json is missing; name the folder of real data"):
        public_sets(tmp_path)
