"""More versions of the published retriever, so that an index can change from one to another."""

from pathlib import Path

import onnx

from runtime.inference.manifest import FILENAME, ModelFile
from runtime.inference.store import ModelStore, sha256

_NAME = "retriever"
_OUTPUT = "embedding"


def copy_with(models: Path, target: Path, *versions: str) -> str:
    """Fill a store with the published version, current, and `versions`; return the published one's name.

    Each of `versions` embeds into the mirror image of the published space: nothing changes within it, and a
    query that met products of the other space would find the least similar ones first.
    """
    published = ModelStore(models).open(_NAME)
    _link(published.folder, target / _NAME / published.manifest.version)
    store = ModelStore(target)
    store.activate(_NAME, published.manifest.version)
    for version in versions:
        folder = target / _NAME / version
        folder.mkdir()
        graph = published.manifest.graphs["int8"]
        _mirror(published.folder / graph, folder / graph)
        (folder / "tokenizer.json").symlink_to((published.folder / "tokenizer.json").resolve())
        files = published.manifest.files | {
            graph: ModelFile(sha256=sha256(folder / graph), bytes=(folder / graph).stat().st_size)
        }
        manifest = published.manifest.model_copy(
            update={
                "version": version,
                "embedding_space": f"{_NAME}/{version}",
                "graphs": {"int8": graph},
                "files": {name: files[name] for name in (graph, "tokenizer.json")},
            }
        )
        (folder / FILENAME).write_text(manifest.model_dump_json(), encoding="utf-8")
    return published.manifest.version


def _link(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for file in source.iterdir():
        (target / file.name).symlink_to(file.resolve())


def _mirror(source: Path, target: Path) -> None:
    model = onnx.load(source)
    for node in model.graph.node:
        node.output[:] = ["mirrored" if name == _OUTPUT else name for name in node.output]
        node.input[:] = ["mirrored" if name == _OUTPUT else name for name in node.input]
    model.graph.node.append(onnx.helper.make_node("Neg", ["mirrored"], [_OUTPUT]))
    onnx.save(model, target)
