"""Experiments without pictures, and simulated participants who leave rows as the page does."""

import csv
import hashlib
from datetime import datetime, timedelta
from fractions import Fraction
from random import Random

from small_sets import COLUMNS as SET_COLUMNS
from small_sets import rows as stimulus_rows
from stst.experiment.design import make_lists
from stst.experiment.resolve import resolved
from stst.experiment.spec import INTERVALS, ExperimentSpec
from stst.experiment.store import COLUMNS, Store
from stst.experiment.versions import FilmFile, all_versions, versions
from stst.storage.manifest import write_manifest

SET = stimulus_rows(4, 2, factorized=True)
SETTINGS = {
    "natural": {"durations": [0.125, 0.25]},
    "detection": {"bands": {"fine": {"low": 0.125}}, "contrasts": [0.05, 0.4], "once": True},
    "oddity": {"once": True},
    "abx": {"once": True},
}
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0"
START = datetime(2026, 3, 1, 9)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def film(number, version):
    """What is known of a film that is not made."""
    frames = round(version.duration * 24) if version.duration else 12
    return FilmFile(
        vp9=f"clips/{number:04d}-{version.stimulus}.webm",
        h264=f"clips/{number:04d}-{version.stimulus}.mp4",
        vp9_sha256=digest(f"{number} vp9"), h264_sha256=digest(f"{number} h264"),
        frames=frames, frame_rate=Fraction(24), width=64, height=48,
    )  # fmt: skip


def number(value):
    """As JavaScript writes it."""
    return repr(value).removesuffix(".0")


class Planned:
    """An experiment: spec, lists, films, and the rows that a participant leaves."""

    def __init__(self, task, **settings):
        own = {"practice": {"trials": 2}, **SETTINGS.get(task, {}), **settings}
        self.spec = resolved(ExperimentSpec.parse({"task": task, **own}), SET)
        self.lists = make_lists(self.spec, SET)
        wanted = all_versions(self.spec, self.lists)
        self.films = {version: film(k, version) for k, version in enumerate(wanted)}

    def write(self, folder):
        """Leave what `stst experiment new` does, with a word for each film."""
        (folder / "clips").mkdir(parents=True)
        for file in self.films.values():
            for path in (file.vp9, file.h264):
                (folder / path).write_bytes(b"film")
        (folder / "experiment.yaml").write_text(self.spec.to_yaml())
        with (folder / "stimuli.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, [*SET_COLUMNS, "category"], restval="")
            table.writeheader()
            table.writerows(one.model_dump() for one in SET)
        spec, films = self.spec, self.films.items()
        write_manifest(
            folder, "experiment", files=["stimuli.csv"],
            experiment={"fingerprint": spec.fingerprint, **spec.model_dump(mode="json")},
            films=[v.model_dump(mode="json") | f.model_dump(mode="json") for v, f in films],
        )  # fmt: skip
        return folder

    def session(self, who="P1", visit=0, which=0, trials=None, agent=AGENT):
        """Rows of one visit."""
        dice, clock, rows = Random(f"{who} {visit}"), 5000.0, []
        session = digest(f"{who} {visit}")[:16]
        for place, trial in enumerate(self.lists[which][:trials]):
            row = self._row(trial, dice, clock)
            clock = float(row["question_onset"]) + float(row["response_time"] or 5000)
            ended = START + timedelta(days=visit, milliseconds=clock)
            rows.append(row | {
                "participant": who, "session": session, "list": str(which),
                "row": str(place), "trial": str(place), "browser": agent,
                "time": f"{ended.isoformat(timespec='milliseconds')}Z",
            })  # fmt: skip
            clock += 300
        return rows

    def _row(self, trial, dice, clock):
        spec, attention = self.spec, trial.phase == "attention"
        films, onsets, ends = [], [], []
        contrast = dice.choice(spec.contrasts)  # a staircase's
        for clip in trial.shown:
            own = versions(spec, clip)
            films.append(self.films[own.get(contrast) or next(iter(own.values()))])
            onsets.append(round(clock + 800))
            ends.append(onsets[-1] + round(films[-1].frames * 1000 / 24))
            clock = ends[-1] + 500
        expected = trial.expected or ""
        options = [expected] if attention else list(spec.answers) or ["Dog", " sea ", "dog, or so"]
        wrong = [option for option in options if option != expected] or options
        response = expected if expected and dice.random() < 0.7 else dice.choice(wrong).strip()
        response = "" if dice.random() < 0.05 else response
        key = spec.answer_keys.get(response, "Enter") if not attention else expected
        signal = next((clip for clip in trial.shown if clip.band), None)
        roles = [clip.role for clip in trial.shown][spec.task == "source" :]
        named = response in INTERVALS[: len(roles)] and spec.task not in ("naming", "category")
        each = ";".join
        return dict.fromkeys(COLUMNS, "") | {
            "experiment": spec.fingerprint, "phase": trial.phase, "task": spec.task,
            "block": "" if trial.block is None else str(trial.block),
            "item": trial.item, "clip": trial.clip,
            "stimuli": each(clip.stimulus for clip in trial.shown),
            "conditions": each(clip.condition for clip in trial.shown),
            "roles": each(clip.role for clip in trial.shown),
            "sha256": each(file.vp9_sha256 for file in films),
            "kinds": each("vp9" for _ in films),
            "duration": number(d) if trial.shown and (d := trial.shown[0].duration) else "",
            "band": signal.band if signal else "",
            "contrast": number(signal.contrast or contrast) if signal else "",
            "expected": expected, "response": response, "key": key if response else "",
            "chosen": roles[INTERVALS.index(response)] if named and not attention else "",
            "correct": str(int(response == expected)) if expected and response else "",
            "response_time": number(round(dice.uniform(300, 1800), 1)) if response else "",
            "frames_expected": each(str(file.frames) for file in films),
            "frames_presented": each(str(file.frames) for file in films),
            "frames_dropped": each("0" for _ in films),
            "film_onset": each(map(str, onsets)), "film_end": each(map(str, ends)),
            "question_onset": number(round(clock + 17, 1)),
            "frame_rate": "24" if films else "", "screen_hz": "60", "px_per_degree": "34.56",
            "distance_cm": "57", "input": "keyboard" if response else "",
            "window": "1920x1080",
        }  # fmt: skip


def store(folder, *sessions):
    """The tables that the server keeps of some sessions."""
    server = Store(folder)
    for rows in sessions:
        server.add([[row[name] for name in COLUMNS] for row in rows])
    return folder
