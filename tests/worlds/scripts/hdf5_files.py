"""Checks of arrays in HDF5 files, in the working directory. For any world."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy
from checks import raises, run_checks

from mpikernel import ArrayFile, Client
from mpikernel.errors import ArrayFileError, UsageError

client = Client()
engines = client[:]
balanced = client.load_balanced_view()
count = len(client)
array = numpy.arange(60.0).reshape(20, 3)
HERE = Path("data.h5")

with h5py.File(HERE, "w") as written:
    written["group/x"] = array
    written["number"] = 3.0


def read(path: str, name: str) -> Any:
    with h5py.File(path) as file:
        return file[name][:]


def check_scatter_of_a_dataset_that_the_script_has_open() -> None:
    with h5py.File(HERE) as file:
        engines.scatter("x", file["group/x"], block=True)
    assert (engines.gather("x", block=True) == array).all()
    engines.execute("x *= 2", block=True)
    assert (engines.gather("x", block=True) == array * 2).all()


def check_scatter_of_an_array_file() -> None:
    for dist in "br":
        for path in (HERE, str(HERE.absolute())):
            result = engines.scatter("y", ArrayFile(path, "group/x"), dist=dist, block=False)
            result.get()
            assert (engines.gather("y", dist=dist, block=True) == array).all()


def check_scatter_to_some_engines() -> None:
    client[-1].scatter("z", ArrayFile(HERE, "group/x"), block=True)
    assert (client[-1]["z"] == array).all()


def check_scatter_flattened() -> None:
    with h5py.File("few.h5", "w") as file:
        file["few"] = numpy.arange(count)
    engines.scatter("few", ArrayFile("few.h5", "few"), flatten=True, block=True)
    assert engines["few"] == list(range(count))


def check_what_is_wrong_with_a_file_is_told_by_engines() -> None:
    one = client[0]
    with raises(ArrayFileError, "there is no file", "none.h5"):
        one.scatter("q", ArrayFile("none.h5", "x"), block=True)
    with raises(UsageError, "no dataset 'x'", "group/x, number"):
        one.scatter("q", ArrayFile(HERE, "x"), block=True)
    with raises(UsageError, "0 dimensions"):
        one.scatter("q", ArrayFile(HERE, "number"), block=True)
    with raises(UsageError, "is not a distribution"):
        engines.scatter("q", ArrayFile(HERE, "group/x"), dist="c")
    bound = one.keys()
    assert "q" not in bound


def check_save() -> None:
    engines.scatter("s", array, block=True)
    engines.save("s", "out.h5")
    engines.save("s", Path("out.h5"), "packed/s", compression="gzip", chunks=(5, 3))
    assert (read("out.h5", "s") == array).all()
    assert (read("out.h5", "packed/s") == array).all()
    with raises(UsageError, "has 's' already"):
        engines.save("s", "out.h5")
    engines.scatter("s", array * 2, block=True)
    engines.save("s", "out.h5", overwrite=True)
    assert (read("out.h5", "s") == array * 2).all()
    assert not list(Path.cwd().glob("*.partial"))


def check_save_of_numbers_and_dotted_names() -> None:
    engines.execute("import types; model = types.SimpleNamespace(w=2.5)", block=True)
    engines.save("model.w", "numbers.h5")
    assert read("numbers.h5", "model.w").tolist() == [2.5] * count


def check_save_of_parts_that_do_not_fit() -> None:
    engines.execute("import numpy; odd = numpy.zeros((2, 3))", block=True)
    client[0].execute("odd = numpy.zeros((2, 4), 'f4')", block=True)
    if count > 1:
        with raises(UsageError, "do not fit together", "engine 0: (2, 4) float32", "engine 1: (2, 3) float64"):
            engines.save("odd", "odd.h5")
        assert not os.path.exists("odd.h5")


def check_save_of_what_is_not_there() -> None:
    with raises(NameError, "name 'missing' is not defined"):
        client[0].save("missing", "missing.h5")
    assert not os.path.exists("missing.h5")


def square(number: float) -> Any:
    import numpy

    return numpy.array([number, number**2])


def check_results() -> None:
    expected = numpy.array([[number, number**2] for number in range(100)], float)
    balanced.map_async(square, numpy.arange(100.0), chunksize=3, ordered=False).to_hdf5("results.h5")
    engines.map_async(square, numpy.arange(100.0)).to_hdf5("results.h5", "direct", compression="gzip")
    assert (read("results.h5", "results") == expected).all()
    assert (read("results.h5", "direct") == expected).all()


def check_results_are_let_go_of() -> None:
    result = balanced.map_async(abs, range(10))
    result.to_hdf5("gone.h5")
    assert result.successful()
    with raises(UsageError, "not kept here any more"):
        result.get()


def inverse(number: float) -> float:
    return 1 / number


def check_results_up_to_an_error() -> None:
    with raises(ZeroDivisionError):
        balanced.map_async(inverse, [4.0, 2.0, 1.0, 0.0, 5.0]).to_hdf5("errors.h5")
    assert read("errors.h5", "results").tolist() == [0.25, 0.5, 1.0]


run_checks(globals())
