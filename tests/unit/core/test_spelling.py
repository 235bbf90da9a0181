"""Names that a user may have meant."""

from towline.core.spelling import did_you_mean, known_names


def test_a_near_name_is_asked_for_before_the_others_are_listed():
    assert known_names("relx", ["relax", "static"], "the jobs are") == "did you mean relax? The jobs are relax, static"


def test_without_a_near_name_all_are_listed():
    assert known_names("x", ["relax", "static"], "the jobs are") == "the jobs are relax, static"


def test_several_near_names_are_joined():
    assert did_you_mean("PAUSE", ["PAUSED", "PAUSE_ALL", "READY"], most=2) == "did you mean PAUSED or PAUSE_ALL?"
