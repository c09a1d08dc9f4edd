"""A stand-in for PsychoPy's window and keyboard, which takes what PsychoPy takes, and no more."""

import sys
from collections import deque
from types import ModuleType, SimpleNamespace

import numpy as np

from stst.experiment.words import languages, words_in

# Parameters that the real ones have (PsychoPy 2026.2.5), of those that the script gives.
PARAMETERS = {
    "visual.Window": "size fullscr screen color colorSpace monitor gamma checkTiming",
    "visual.Window.flip": "clearBuffer",
    "visual.Window.callOnFlip": "function args kwargs",
    "visual.Window.getActualFrameRate": "nIdentical nMaxFrames infoMsg",
    "visual.ImageStim": "win image size pos units interpolate",
    "visual.TextStim": "win text color height units wrapWidth",
    "visual.Rect": "win width height pos units colorSpace",
    "monitors.Monitor": "name width distance",
    "monitors.getAllMonitors": "",
    "hardware.keyboard.Keyboard": "",
    "hardware.keyboard.Keyboard.getKeys": "waitRelease",
}

FEEDBACK = {words_in(language)[name] for language in languages() for name in ("right", "wrong")}
CHECKS = [words_in(language)["check"].partition("{key}")[0] for language in languages()]


def checked(name, function):
    """A function that refuses what the real one does not have."""

    def call(*arguments, **named):
        wrong = named.keys() - set(PARAMETERS[name].split())
        assert not wrong, f"{name} has no {wrong}"
        return function(*arguments, **named)

    return call


class Screen:
    """A screen of `hz`: notes what each flip shows, comes late at the flips of `late`.

    `keys` are pressed one after the other 0.25 s after a page has come; a text is typed, and Enter
    pressed. `rate` is what is measured; `gap` are keys pressed in the grey before a question.
    `at` maps the number of a flip to a function that is called in it. `named` is how the keyboard
    gives the name and the time of a key: apart (psychtoolbox), or both as the name.
    """

    def __init__(
        self, hz, *, rate=None, late=(), keys=(), gap=(), brief=False, at=None, named=None
    ):
        self.hz, self.rate, self.late = hz, hz if rate is None else rate, late
        self.keys, self.gap, self.brief, self.at = deque(keys), list(gap), brief, at or {}
        self.named = named
        self.now, self.shown, self.times, self.sent = 0.0, [], [], []
        self.drawn, self.patch, self.patches, self.calls = None, None, [], []
        self.pressed, self.handlers, self.page = [], {}, None
        self.size, self.winHandle = np.array([1024, 768]), self
        self.remove_handlers = self.push_handlers = lambda **given: self.handlers.update(given)
        self.closed = False
        self.stimulus = self.asked = None

    def flip(self):
        assert len(self.shown) < 20_000, "the script waits for ever"
        self.now += (2 if len(self.shown) in self.late else 1) / self.hz
        self.shown.append(self.drawn)
        self.times.append(self.now)
        self.patches.append(self.patch)
        text = self.drawn if isinstance(self.drawn, str) and self.drawn != "+" else None
        self._press(text)
        self.drawn = self.patch = None
        calls, self.calls = self.calls, []
        for function, arguments in calls:
            function(*arguments)
        self.at.get(len(self.shown) - 1, lambda: None)()
        return self.now

    def _press(self, text):
        """Press the next key when a page has come; a film's end lets the keys of the gap follow."""
        was_film = len(self.shown) > 1 and isinstance(self.shown[-2], np.ndarray)
        if self.gap and was_film and self.drawn is None:
            self.pressed.append(self._key(self.gap.pop(0), self.now + 0.2))
        if text and text.endswith("_"):
            self.asked = self.asked or self.now
            if self.now >= self.asked + 0.25:
                self._type(self.keys.popleft() if self.keys else "dog")
                self.asked = None
        elif text and self.stimulus is not self.page and text not in FEEDBACK:
            self.page = self.stimulus
            key = self.keys.popleft() if self.keys else self._answer(text)
            self.pressed.append(self._key(key, self.now + 0.25))

    @staticmethod
    def _answer(text):
        check = next((start for start in CHECKS if text.startswith(start)), None)
        if check:
            return text.removeprefix(check)[0].lower()
        return "f" if "F = " in text else "space"

    def _type(self, text):
        for letter in text:
            self.handlers["on_text"](letter)
        self.handlers["on_text"]("\r")
        self.pressed.append(self._key("return", self.asked + 0.25))

    def _key(self, name, when):
        return SimpleNamespace(name=name, rt=when, duration=0.01 if self.brief else None)

    def get_keys(self, waitRelease):
        """Keys that have been pressed by now, and, as PsychoPy, either still down or released."""
        ready = [
            k for k in self.pressed if k.rt <= self.now and (k.duration is not None) is waitRelease
        ]
        self.pressed = [key for key in self.pressed if key not in ready]
        if self.named:
            return [SimpleNamespace(name=self.named((k.name, k.rt)), rt=None) for k in ready]
        return ready

    def modules(self):
        """`psychopy` and its parts by their names, as far as the script uses them."""
        screen = self

        class Stimulus:
            def __init__(self, win, content=None, *size, **look):
                self.content = content if isinstance(content, str) else np.asarray(content)
                self.is_patch, self.look = bool(size), look
                self.fillColor = self.lineColor = None

            def draw(self):
                if self.is_patch:
                    screen.patch = self.fillColor[0]
                else:
                    screen.drawn, screen.stimulus = self.content, self

        def window(size, **look):
            screen.look = look
            return screen

        def monitor(name, width=None, distance=None):
            return SimpleNamespace(
                gammaIsDefault=lambda: True, getWidth=lambda: width, getDistance=lambda: distance
            )

        flip, rate = self.flip, self.rate
        self.flip = checked("visual.Window.flip", flip)
        self.callOnFlip = lambda function, *arguments: self.calls.append((function, arguments))
        self.getActualFrameRate = checked(
            "visual.Window.getActualFrameRate", lambda **_: rate or None
        )
        self.close = lambda: setattr(self, "closed", True)
        keyboard = SimpleNamespace(
            getKeys=checked("hardware.keyboard.Keyboard.getKeys", self.get_keys),
            getBackend=lambda: "ptb",
        )
        parts = {
            "visual": {
                "Window": checked("visual.Window", window),
                **{n: checked(f"visual.{n}", Stimulus) for n in ("ImageStim", "TextStim", "Rect")},
            },
            "monitors": {
                "Monitor": checked("monitors.Monitor", monitor),
                "getAllMonitors": checked("monitors.getAllMonitors", lambda: ["lab"]),
            },
            "logging": {"defaultClock": SimpleNamespace(getTime=lambda: self.now)},
            "hardware.keyboard": {
                "Keyboard": checked("hardware.keyboard.Keyboard", lambda: keyboard)
            },
            "parallel": {"ParallelPort": lambda address: SimpleNamespace(setData=self.send)},
        }
        modules = {"psychopy": ModuleType("psychopy"), "psychopy.hardware": ModuleType("hardware")}
        modules["psychopy"].__version__ = "stand-in"
        for name, content in parts.items():
            module = modules[f"psychopy.{name}"] = ModuleType(name)
            module.__dict__.update(content)
            parent, _, leaf = f"psychopy.{name}".rpartition(".")
            setattr(modules[parent], leaf, module)
        driver = SimpleNamespace(get_renderer=lambda: "none", get_version=lambda: "0")
        for name in ("pyglet", "pyglet.gl", "pyglet.window", "pyglet.window.key"):
            modules[name] = ModuleType(name)
        modules["pyglet.gl"].gl_info = driver
        modules["pyglet.window.key"].MOTION_BACKSPACE = 1
        return modules

    def send(self, code):
        """A parallel port: a code, and the flip after which it was set."""
        self.sent.append((code, len(self.shown) - 1))


def forget():
    """Let the next script import its own parts."""
    for name in ("screen", "triggers"):
        sys.modules.pop(name, None)
