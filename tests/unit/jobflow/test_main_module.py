"""What a script defines is for one version of Python."""

import sys

import pytest

from towline.jobflow.main_module import MainObjects, OtherPython, install


def test_functions_from_another_python_are_refused_before_they_break_anything() -> None:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    text = MainObjects().encoded({"one": lambda: 1})
    assert text.startswith(f"{python}:")
    before = sys.modules["__main__"]
    with pytest.raises(OtherPython, match=r"sent from Python 3\.99, .*tow worker deploy WORKER --python 3\.99"):
        install(text.replace(python, "3.99", 1))
    assert sys.modules["__main__"] is before
