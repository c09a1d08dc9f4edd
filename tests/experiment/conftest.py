"""A tiny set on disk, experiments made of it, and a browser, each once for all tests."""

import shutil
from functools import partial

import pytest
from participant import library
from served import few_files

from decoding import decoded_here  # noqa: F401
from small_sets import QUICK, write_set
from stst.experiment.design import make_lists
from stst.experiment.export import SPEC, write_page
from stst.experiment.resolve import resolved
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import read_set
from stst.experiment.versions import all_versions, write_versions
from stst.storage.atomic import write_whole
from stst.storage.stimulus_set import TABLE


@pytest.fixture(scope="session")
def small_set(tmp_path_factory):
    """Two natural clips, two metamers of each, and each with the motion of the other."""
    folder = tmp_path_factory.mktemp("set")
    write_set(folder, factorized=True)
    return folder


@pytest.fixture
def folder(tmp_path):
    """An experiment of three files, beside a secret."""
    return few_files(tmp_path)


@pytest.fixture(scope="session")
def new_experiment(small_set):
    """``new_experiment(folder, task, single=False, **settings)`` -> its folder in `folder`."""

    def make(folder, task, *, single=False, **settings):
        scripts = library(quest=settings.get("method") == "quest")
        stimuli = read_set(small_set)
        spec = resolved(ExperimentSpec.parse({**QUICK, "task": task, **settings}), stimuli)
        lists = make_lists(spec, stimuli)
        out = folder / f"{task}{'_single' * single}"
        out.mkdir(parents=True)
        made = write_versions(spec, stimuli, all_versions(spec, lists), small_set, out)
        write_page(spec, lists, made, scripts, out, single=single)
        write_whole(out / SPEC, spec.to_yaml())
        shutil.copyfile(small_set / TABLE, out / TABLE)
        return out

    return make


@pytest.fixture
def experiment(new_experiment, tmp_path):
    """``experiment(task, single=False, **settings)`` -> its folder."""
    return partial(new_experiment, tmp_path)


@pytest.fixture(scope="module")
def chromium(launch):
    """One that gives no leave to play films without a click."""
    return launch()


@pytest.fixture(scope="module")
def autoplaying(launch):
    """One that gives leave."""
    return launch("--autoplay-policy=no-user-gesture-required")


@pytest.fixture
def page(chromium):
    """A tab in a profile of its own."""
    with chromium.new_context(viewport={"width": 900, "height": 700}) as context:
        yield context.new_page()
