"""What every job store has to do for the runner: bind this class to an implementation of the port `Outputs`."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pytest
from jobflow import OutputReference

from towline.core.documents import decode, encode
from towline.core.ports import Outputs
from towline.errors import TowlineError

#: Begins a transaction of the queue, and gives it; gives None where outputs are not part of it.
Writing = Callable[[], AbstractContextManager[Any]]


class _Undo(Exception):
    """Undoes a transaction."""


class OutputsContract:
    """Tests of one implementation. A subclass gives the fixture `outputs`, and the other two if it is transactional."""

    @pytest.fixture
    def outputs(self) -> Any:
        """The implementation, with an empty store behind it that has the additional stores `data` and `other`."""
        raise NotImplementedError

    @pytest.fixture
    def writing(self) -> Writing:
        """What begins a transaction of the queue."""
        return lambda: nullcontext(None)

    @pytest.fixture
    def connection(self) -> Any:
        """What `load` reads through."""
        return None

    @pytest.fixture
    def store(self, outputs: Outputs, writing: Writing) -> Callable[..., None]:
        """Stores an output, with parts for additional stores as ``(store, blob uuid, content)``."""

        def store(uuid: str, index: int, output: Any, *parts: tuple[str, str, Any]) -> None:
            document = {"uuid": uuid, "index": index, "name": "a job", "metadata": {}, "hosts": [], "output": output}
            additional = [
                (name, encode({"blob_uuid": blob, "job_uuid": uuid, "job_index": index, "data": content}))
                for name, blob, content in parts
            ]
            with writing() as transaction:
                outputs.store(transaction, encode(document), additional)

        return store

    @pytest.fixture
    def load(self, outputs: Outputs, connection: Any) -> Callable[..., dict[str, tuple[int, Any]]]:
        """Loads outputs: ``{uuid: (index, decoded output)}``."""

        def load(*uuids: str) -> dict[str, tuple[int, Any]]:
            found = outputs.load(connection, list(uuids))
            return {uuid: (index, decode(output)) for uuid, (index, output) in found.items()}

        return load

    def test_what_is_not_there_is_left_out(self, store: Any, load: Any) -> None:
        assert load() == {}
        assert load("missing") == {}
        store("a", 1, 5)
        assert load("a", "missing", "a") == {"a": (1, 5)}

    def test_the_newest_index_counts_in_whatever_order_they_came(self, store: Any, load: Any) -> None:
        for index in (2, 10, 1):
            store("a", index, {"index": index})
        store("b", 1, [1, None])
        assert load("a", "b") == {"a": (10, {"index": 10}), "b": (1, [1, None])}

    @pytest.mark.parametrize(
        "output",
        [
            *(None, False, 0, "", [], {}, -1.5e-300, 2**53 + 1, 'say "é\u2028"\n\\', [[[]]]),
            *({"a": {"b": [{"c": None}, "x"]}, "uuid": "no reference"}, list(range(10_000))),
        ],
        ids=lambda output: repr(output)[:20],
    )
    def test_every_value_of_json_comes_back_as_it_was(self, store: Any, load: Any, output: Any) -> None:
        store("a", 1, output)
        (found,) = load("a").values()
        assert found == (1, output)
        assert type(found[1]) is type(output)

    def test_storing_again_replaces(self, store: Any, load: Any) -> None:
        """After a crash the runner stores the same document a second time."""
        for output in ({"x": 1}, {"y": {"@blob": 2}}, {"y": 3}):
            store("a", 1, output)
        assert load("a") == {"a": (1, {"y": 3})}
        part = {"@class": "x", "blob_uuid": "p1", "store": "data"}
        for content in ([1], [1, 2]):
            store("b", 1, {"large": part}, ("data", "p1", content))
        assert load("b") == {"b": (1, {"large": [1, 2]})}

    def test_outputs_that_outputs_refer_to_are_loaded_too(self, store: Any, load: Any) -> None:
        """What a replaced job gives are references to the jobs in its place; they may refer to each other."""
        for uuid, target in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "missing")):
            store(uuid, 1, {"next": [OutputReference(target)["x"].as_dict()]})
        assert set(load("a")) == {"a", "b", "c"}
        assert set(load("d")) == {"d"}

    def test_large_parts_come_back_from_their_stores(self, store: Any, load: Any) -> None:
        def part(blob: str, name: str) -> dict[str, str]:
            return {"@module": "jobflow", "@class": "Blob", "blob_uuid": blob, "store": name}

        output = {"small": 1, "in a list": [0, part("p1", "data")], "deep": {"er": part("p2", "other")}}
        store("a", 1, output, ("data", "p1", list(range(1000))), ("other", "p2", {"k": None}))
        store("b", 1, part("p3", "data"), ("data", "p3", "all of it"))
        assert load("a", "b") == {
            "a": (1, {"small": 1, "in a list": [0, list(range(1000))], "deep": {"er": {"k": None}}}),
            "b": (1, "all of it"),
        }

    def test_many_outputs_are_loaded_at_once(self, store: Any, load: Any) -> None:
        names = [f"job {number}" for number in range(100)]
        for number, name in enumerate(names):
            store(name, 1, number)
        assert load(*names) == {name: (1, number) for number, name in enumerate(names)}

    def test_what_is_no_document_is_refused_and_changes_nothing(
        self, outputs: Outputs, writing: Writing, store: Any, load: Any
    ) -> None:
        store("a", 1, 5)
        with pytest.raises(TowlineError), writing() as transaction:
            outputs.store(transaction, b'{"uuid": "a", "index": 1, "outp', [])
        assert load("a") == {"a": (1, 5)}

    def test_output_and_state_change_together_or_the_store_does_not_take_part(
        self, outputs: Outputs, writing: Writing, load: Any
    ) -> None:
        document = encode({"uuid": "a", "index": 1, "output": 5})
        with pytest.raises(_Undo), _undone(writing) as transaction:
            outputs.store(transaction, document, [])
        assert load("a") == ({} if outputs.transactional else {"a": (1, 5)})


@contextmanager
def _undone(writing: Writing) -> Iterator[Any]:
    with writing() as transaction:
        yield transaction
        raise _Undo
