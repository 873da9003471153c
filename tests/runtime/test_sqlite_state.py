"""The embedded store when things go wrong: kill -9, a damaged or locked file, too much waiting."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.serving.errors import Overloaded, Unavailable
from runtime.settings import StartupError
from runtime.state.sqlite import SqliteState
from tests.conftest import REPOSITORY
from tests.runtime.test_events import event, history

# Appends events one after the other and says so after each acknowledgement, until it is killed.
_APPENDER = """
import asyncio, sys
from pathlib import Path
from runtime.state.sqlite import SqliteState
from tests.runtime.test_events import event

async def main():
    state = SqliteState(Path(sys.argv[1]))
    number = 0
    while True:
        events = [event(f"p{n}", event_id=f"e{n}") for n in range(number, number + 5)]
        await asyncio.gather(*(state.append([each]) for each in events))
        number += 5
        print(number, flush=True)

asyncio.run(main())
"""


def test_kill_9_loses_no_acknowledged_event(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    process = subprocess.Popen(
        [sys.executable, "-c", _APPENDER, str(path)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    acknowledged = 0
    while acknowledged < 100:
        acknowledged = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    acknowledged = max(acknowledged, *(int(line) for line in rest.splitlines() if line.isdigit()), 0)
    SqliteState(path).close()  # it opens again without complaint
    with sqlite3.connect(path) as connection:
        found = {row[0] for row in connection.execute("SELECT event_id FROM events")}
    connection.close()
    assert {f"e{n}" for n in range(acknowledged)} <= found


# Forgets one user after the other and says so after each acknowledgement, until it is killed.
_FORGETTER = """
import asyncio, sys
from pathlib import Path
from runtime.state.sqlite import SqliteState

async def main():
    state = SqliteState(Path(sys.argv[1]))
    for number in range(10_000):
        await state.forget(f"user-{number}")
        print(number, flush=True)

asyncio.run(main())
"""


def _forget_until_killed(path: Path, at_least: int) -> int:
    """Return the number of the last user that was acknowledged to be forgotten."""
    process = subprocess.Popen(
        [sys.executable, "-c", _FORGETTER, str(path)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    forgotten = -1
    while forgotten < at_least:
        forgotten = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    return max(forgotten, *(int(line) for line in rest.splitlines() if line.isdigit()), 0)


async def test_kill_9_brings_no_forgotten_user_back(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    state = SqliteState(path)
    await state.append([event(f"secret-{n}", user=f"user-{n}") for n in range(2000)])
    state.close()
    forgotten = _forget_until_killed(path, 20)
    state = SqliteState(path)
    assert [await history(state, f"user-{n}") for n in range(forgotten + 1)] == [[]] * (forgotten + 1)
    assert await history(state, "user-1999")
    state.close()


def _bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_nothing_of_a_forgotten_user_is_left_in_the_files(tmp_path: Path) -> None:
    state = SqliteState(tmp_path / "events.db")
    await state.append([event(f"p{n}", user="a-name-to-forget") for n in range(500)])
    await state.append([event(f"p{n}", user="a-name-to-keep") for n in range(500)])
    await state.forget("a-name-to-forget")
    held = _bytes_in(tmp_path)
    assert b"a-name-to-forget" not in held
    assert b"a-name-to-keep" in held
    state.close()


async def test_events_and_history_survive_a_restart(tmp_path: Path) -> None:
    state = SqliteState(tmp_path / "events.db")
    await state.append([event("p", event_id="e")])
    state.close()
    state = SqliteState(tmp_path / "events.db")
    appended = await state.append([event("p", event_id="e")])
    assert (appended.recorded, appended.duplicates) == (0, 1)
    assert [product for product, _, _ in await history(state)] == ["p"]
    state.close()


async def test_two_processes_may_share_the_file(tmp_path: Path) -> None:
    one, other = SqliteState(tmp_path / "events.db"), SqliteState(tmp_path / "events.db")
    await asyncio.gather(*(state.append([event(f"p{n}")]) for n in range(20) for state in (one, other)))
    assert len(await one.history("u")) == 20
    one.close()
    other.close()


async def test_closing_writes_what_waits(tmp_path: Path) -> None:
    state = SqliteState(tmp_path / "events.db")
    waiting = [asyncio.create_task(state.append([event(f"p{n}")])) for n in range(20)]
    await asyncio.sleep(0)
    state.close()
    assert sum(each.recorded for each in await asyncio.gather(*waiting)) == 20


async def test_more_waiting_writes_than_allowed_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    state = SqliteState(path, most_waiting=4)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    appends = [asyncio.create_task(state.append([event(f"p{n}")])) for n in range(10)]
    done, _ = await asyncio.wait(appends, return_when=asyncio.FIRST_EXCEPTION)
    assert any(isinstance(each.exception(), Overloaded) for each in done)
    blocker.execute("ROLLBACK")
    outcomes = await asyncio.gather(*appends, return_exceptions=True)
    assert sum(isinstance(each, Overloaded) for each in outcomes) >= 5  # 4 wait, at most one is being written
    accepted = sum(not isinstance(each, BaseException) for each in outcomes)
    assert len(await state.history("u")) == accepted
    blocker.close()
    state.close()


async def test_more_waiting_reads_than_allowed_are_refused(tmp_path: Path) -> None:
    state = SqliteState(tmp_path / "events.db", most_waiting=3)
    outcomes = await asyncio.gather(*(state.history("u") for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(each, Overloaded) for each in outcomes) == 7
    assert await state.history("u") == []
    state.close()


async def test_store_that_breaks_while_serving_is_unavailable_and_goes_on_when_mended(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    state = SqliteState(path)
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE history RENAME TO gone")
    with pytest.raises(Unavailable, match="profile could not be read"):
        await state.history("u")
    with sqlite3.connect(path) as other:
        other.execute("DROP TRIGGER keep_history")
        other.execute("ALTER TABLE events RENAME TO lost")
    with pytest.raises(Unavailable, match="could not be written"):
        await state.append([event("p")])
    with sqlite3.connect(path) as last:
        last.execute("ALTER TABLE lost RENAME TO events")
    assert (await state.append([event("p")])).recorded == 1
    for each in (connection, other, last):
        each.close()
    state.close()


def test_file_that_is_no_database_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    path.write_bytes(b"these are not the pages you look for " * 200)
    with pytest.raises(StartupError, match=r"is damaged .* restore it from a backup"):
        SqliteState(path)


async def test_damaged_pages_are_found_at_start(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    state = SqliteState(path)
    await state.append([event(f"p{n}") for n in range(1000)])
    state.close()
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 8 * 4096)
    with pytest.raises(StartupError, match="is damaged"):
        SqliteState(path)


def test_file_locked_by_another_process_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    SqliteState(path).close()
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StartupError, match=r"locked by another process; stop that process"):
        SqliteState(path)
    blocker.close()


def test_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StartupError, match="schema version 99"):
        SqliteState(path)


def test_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StartupError, match="choose one with --state"):
        SqliteState(tmp_path / "file" / "events.db")
