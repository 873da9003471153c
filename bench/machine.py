"""Where and on what a benchmark ran."""

import os
import platform
import subprocess
from pathlib import Path

from bench import scrape


def machine() -> dict[str, str | int]:
    """Return the processor, the cores in use, the memory in GiB, the system and the Python version."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": _processor(),
        "cores": cores(),
        "memory_gib": round(pages * size / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def cores() -> int:
    """Return the cores that this process, and what it starts, may run on."""
    return len(os.sched_getaffinity(0))


def gpus(folder: Path = Path("/proc/driver/nvidia/gpus")) -> list[str]:
    """Return the models of the machine's NVIDIA GPUs, as their driver tells."""
    texts = [file.read_text(encoding="utf-8") for file in sorted(folder.glob("*/information"))]
    lines = [line for text in texts for line in text.splitlines() if line.startswith("Model:")]
    return [line.split(":", 1)[1].strip() for line in lines]


def commit() -> str:
    """Return the commit of the working tree, with "+changes" when it differs; "unknown" outside of git."""
    head = _git("rev-parse", "--short=12", "HEAD")
    if not head:
        return "unknown"
    return head + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")


def catalogue_products(metrics: str) -> int:
    """Return the products indexed, as the retrieval process at `metrics` (host:port of /metrics) tells.

    Raises ValueError when nothing answers there or the figure is missing.
    """
    try:
        page = scrape.read(metrics)
    except ValueError as error:
        raise ValueError(f"{error}, retrieval's with --retrieval-metrics") from error
    if not page.has("aisle_index_rows"):
        raise ValueError(
            f"http://{metrics} has no aisle_index_rows; name retrieval's with --retrieval-metrics"
        )
    return int(page.total("aisle_index_rows"))


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, timeout=10)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
