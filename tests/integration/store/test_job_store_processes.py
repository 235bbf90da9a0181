"""Several processes write to one collection at once: nothing is lost and nothing is doubled."""

import multiprocessing

from towline.store.job_store import SQLStore

SPAWN = multiprocessing.get_context("spawn")


def write(path, name, rounds, documents, ready):
    with SQLStore(path) as store:
        ready.wait(60)
        for number in range(rounds):
            store.update([{"uuid": f"{name}-{number}-{part}", "index": 1} for part in range(documents)])
            store.update({"uuid": "shared", "index": number, name: number}, key=["uuid", "index"])


def test_processes_that_write_at_once_lose_nothing(tmp_path):
    path, rounds, documents = str(tmp_path / "p.db"), 20, 25
    ready = SPAWN.Barrier(2)
    writers = [SPAWN.Process(target=write, args=(path, name, rounds, documents, ready)) for name in ("one", "two")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0, 0]
    with SQLStore(path) as store:
        assert store.count() == 2 * rounds * documents + rounds
        assert len(set(store.distinct("uuid"))) == 2 * rounds * documents + 1
        assert sorted(document["index"] for document in store.query({"uuid": "shared"})) == list(range(rounds))
