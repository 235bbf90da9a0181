import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline.core.records import Failure, NewJob, Result, pack_job, pack_result, unpack_job, unpack_result
from towline.core.run_folder import run_folder

names = st.text(min_size=1, max_size=20)


@given(names, names)
def test_a_result_comes_back_as_it_was_packed(name, message):
    job = NewJob(uuid="u", name=name, payload_kind="command", payload=b'{"a":1}', parents=("p", "q"), priority=0)
    result = Result(
        failure=Failure("error", message, details=name),
        output=b'{"output":1}',
        additional=(("data", b"[1]"), ("data", b"[2]")),
        stored_data={"x": [1, name]},
        stop_children=True,
        replace=(job,),
        addition=(job, job),
        detour=(job,),
    )
    assert unpack_result(pack_result(result)) == result


def test_a_package_gives_back_the_outputs_of_the_parents():
    content = pack_job({"db_id": "7", "name": "a\nb"}, b'{"p":1}', [("u1", 2, b"[1,2]"), ("u2", 1, b"null")])
    header, payload, references = unpack_job(content)
    assert (header["db_id"], header["name"], payload) == ("7", "a\nb", b'{"p":1}')
    assert references == {"u1": (2, b"[1,2]"), "u2": (1, b"null")}


def test_a_newer_format_is_refused():
    with pytest.raises(ValueError, match="format 99"):
        unpack_result(b'{"format":99}\n')


def test_later_attempts_have_folders_of_their_own():
    uuid = "12345678-9abc-def0-1234-56789abcdef0"
    assert run_folder(uuid, 1, 1) == f"12/{uuid}_1"
    assert run_folder(uuid, 1, 2) == f"12/{uuid}_1_2"
