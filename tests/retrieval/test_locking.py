"""The lock that searches share."""

import threading
import time

from services.retrieval.locking import ReadWriteLock


def _wait_for(condition: "threading.Event") -> None:
    assert condition.wait(10)


def test_readers_hold_the_lock_together() -> None:
    lock, together = ReadWriteLock(), threading.Barrier(2, timeout=10)

    def read() -> None:
        with lock.read():
            together.wait()

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not together.broken


def test_writer_is_alone() -> None:
    lock, inside, most = ReadWriteLock(), [0], [0]

    def work(hold: str) -> None:
        for _ in range(200):
            with lock.write() if hold == "write" else lock.read():
                if hold == "write":
                    inside[0] += 1
                most[0] = max(most[0], inside[0])
                assert hold == "write" or inside[0] == 0
                if hold == "write":
                    inside[0] -= 1

    threads = [threading.Thread(target=work, args=(hold,)) for hold in ("write", "read", "write", "read")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most[0] == 1


def test_a_stream_of_readers_does_not_starve_a_writer() -> None:
    lock, written, stop = ReadWriteLock(), threading.Event(), threading.Event()

    def read() -> None:
        while not stop.is_set():
            with lock.read():
                time.sleep(0.001)

    def write() -> None:
        with lock.write():
            written.set()

    readers = [threading.Thread(target=read) for _ in range(3)]
    for thread in readers:
        thread.start()
    threading.Thread(target=write).start()
    try:
        _wait_for(written)
    finally:
        stop.set()
        for thread in readers:
            thread.join(10)


def test_a_stream_of_writes_does_not_starve_a_reader() -> None:
    lock, started, has_read, stop = ReadWriteLock(), threading.Event(), threading.Event(), threading.Event()

    def write() -> None:
        while not stop.is_set():
            with lock.write():
                started.set()

    def read() -> None:
        _wait_for(started)
        with lock.read():
            has_read.set()

    writer, reader = threading.Thread(target=write), threading.Thread(target=read)
    writer.start()
    reader.start()
    try:
        _wait_for(has_read)
    finally:
        stop.set()
        writer.join(10)
        reader.join(10)
