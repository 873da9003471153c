"""`python -m services.retrieval.generations`: another embedding model for a running service, and back."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import grpc

from aisle.retrieval.v1 import generations_pb2 as messages
from aisle.retrieval.v1.generations_pb2 import Generation
from aisle.retrieval.v1.generations_pb2 import GenerationState as State
from aisle.retrieval.v1.generations_pb2_grpc import GenerationServiceStub

_CALL_SECONDS = 120.0
_POLL_SECONDS = 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command against a service and return its exit status, 0 when it did what was asked."""
    options = _parse(argv)
    commands: dict[str, Callable[[Any, argparse.Namespace], int]] = {
        "list": _list,
        "build": _build,
        "activate": _activate,
        "drop": _drop,
    }
    with grpc.insecure_channel(options.target) as channel:
        try:
            return commands[options.command](GenerationServiceStub(channel), options)
        except grpc.RpcError as error:
            call: Any = error
            print(f"{options.target}: {call.details()} ({call.code().name})", file=sys.stderr)
            return 1


def _list(stub: Any, options: argparse.Namespace) -> int:
    answer = _ask_list(stub)
    print(f"{'VERSION':32} {'STATE':9} {'PRODUCTS':>18} {'BEHIND':>7}  SPACE")
    for each in answer.generations:
        products = f"{each.products:,} of {answer.products:,}"
        version = each.model_version or "(not in the store)"
        print(f"{version:32} {_state(each):9} {products:>18} {each.behind:7,}  {each.embedding_space}")
        if each.error:
            print(f"  {each.error}", file=sys.stderr)
    return 0


def _build(stub: Any, options: argparse.Namespace) -> int:
    request = messages.BuildGenerationRequest(model_version=options.version)
    building = stub.BuildGeneration(request, timeout=_CALL_SECONDS).generation
    if options.no_wait:
        return _list(stub, options)
    if not _wait(stub, building.embedding_space):
        return 1
    if options.activate:
        _serve(stub, building.embedding_space)
    return 0


def _activate(stub: Any, options: argparse.Namespace) -> int:
    return _serve(stub, options.generation)


def _drop(stub: Any, options: argparse.Namespace) -> int:
    stub.DropGeneration(messages.DropGenerationRequest(generation=options.generation), timeout=_CALL_SECONDS)
    print(f"dropped {options.generation}")
    return 0


def _serve(stub: Any, name: str) -> int:
    request = messages.ActivateGenerationRequest(generation=name)
    serving = stub.ActivateGeneration(request, timeout=_CALL_SECONDS).generation
    print(f"serving {serving.model_version} ({serving.products:,} products)")
    return 0


def _wait(stub: Any, space: str) -> bool:
    """Tell the progress of a build until it is over; return whether it succeeded."""
    while True:
        answer = _ask_list(stub)
        built = next((each for each in answer.generations if each.embedding_space == space), None)
        if built is None:
            print(f"{space} was dropped", file=sys.stderr)
            return False
        print(f"{_state(built)}: {built.products:,} of {answer.products:,} products", flush=True)
        if built.state != State.GENERATION_STATE_BUILDING:
            print(built.error, end="\n" if built.error else "", file=sys.stderr)
            return built.state != State.GENERATION_STATE_FAILED
        time.sleep(_POLL_SECONDS)


def _ask_list(stub: Any) -> messages.ListGenerationsResponse:
    answer: messages.ListGenerationsResponse = stub.ListGenerations(
        messages.ListGenerationsRequest(), timeout=_CALL_SECONDS
    )
    return answer


def _state(generation: Generation) -> str:
    return State.Name(generation.state).removeprefix("GENERATION_STATE_").lower()


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services.retrieval.generations",
        description="Change the embedding model of a running retrieval service without downtime.",
    )
    parser.add_argument("--target", default="127.0.0.1:50052", help="address of the retrieval service")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="show the generations, the served one first")
    build = commands.add_parser("build", help="embed the catalogue with another version")
    build.add_argument("version", nargs="?", default="", help="the model's version; the store's current one")
    build.add_argument("--activate", action="store_true", help="serve it as soon as it is ready")
    build.add_argument("--no-wait", action="store_true", help="do not wait until it is ready")
    for command, does in (("activate", "serve a generation that is ready"), ("drop", "delete a generation")):
        named = commands.add_parser(command, help=does)
        named.add_argument("generation", help="its model's version or its embedding space")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
