"""Checkpoints of a run: one file per finished frame, and a small state.

This module handles bytes and plain data; `stst.workflows.prepared` gives them their meaning.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import accumulate, takewhile
from pathlib import Path
from typing import Any, Self

from stst.errors import RunError
from stst.storage.atomic import write_whole

SCHEMA = 1
GENERATIONS = ("state.0", "state.1")  # written alternately, so that one is always complete


@dataclass(frozen=True)
class State:
    """Progress of a run."""

    count: int  # number of finished frames, one file each
    chain: str  # chained digest of these files: of the previous chain and the last file
    facts: dict[str, Any]  # plain data about the run

    def after(self, frame: bytes, **facts: Any) -> State:  # noqa: ANN401
        """Return the state after one more frame, with updated facts."""
        return State(self.count + 1, chained(self.chain, frame), self.facts | facts)

    def to_bytes(self) -> bytes:
        """Serialise: a digest line, then the state as JSON."""
        body = json.dumps({"schema": SCHEMA, **asdict(self)}).encode()
        return hashlib.sha256(body).hexdigest().encode() + b"\n" + body

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Read the output of `to_bytes`; ValueError if it is damaged."""
        digest, _, body = data.partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            raise ValueError("is damaged")
        fields = json.loads(body)
        if (schema := fields.pop("schema")) != SCHEMA:
            raise RunError(
                f"the run was made with another version of stst: its checkpoint has schema "
                f"{schema}, this version reads {SCHEMA}. Resume it with that version, or start "
                "again with --overwrite."
            )
        return cls(**fields)


def chained(chain: str, frame: bytes) -> str:
    """Return the chained digest of all frames up to this one."""
    return hashlib.sha256(chain.encode() + frame).hexdigest()


class Checkpoint:
    """The checkpoint of a run in a folder, which grows frame by frame.

    The file of a frame is written before the state that counts it.
    """

    def __init__(self, folder: Path, state: State) -> None:
        self.folder, self.state = folder, state

    @classmethod
    def begin(cls, folder: Path, facts: Mapping[str, Any]) -> Self:
        """Write the initial state to an existing folder."""
        first = cls(folder, State(0, "", dict(facts)))
        first._write()
        return first

    @classmethod
    def load(cls, folder: Path) -> tuple[Self, list[str]]:
        """Read the newest complete state with all its frames, and describe any damage."""
        states, remarks = dict[str, State](), list[str]()
        for path in filter(Path.exists, (folder / name for name in GENERATIONS)):
            try:
                states[path.name] = State.of(path.read_bytes())
            except (ValueError, OSError) as error:
                if isinstance(error, RunError):
                    raise
                remarks.append(f"{path} is damaged")
        chains = _chains(folder, max((state.count for state in states.values()), default=0))
        for name, state in list(states.items()):
            if state.count >= len(chains) or chains[state.count] != state.chain:
                remarks.append(f"a frame that {folder / name} counts is missing or damaged")
                del states[name]
        if not states:
            raise RunError(
                f"{folder} cannot be resumed: {'; '.join(remarks) or 'it has no checkpoint'}. "
                "Start again with --overwrite."
            )
        return cls(folder, max(states.values(), key=lambda state: state.count)), remarks

    def append(self, frame: bytes, **facts: Any) -> None:  # noqa: ANN401
        """Add a finished frame and update facts."""
        write_whole(_file(self.folder, self.state.count), frame)
        self.state = self.state.after(frame, **facts)
        self._write()

    def frames(self) -> Iterator[bytes]:
        """Read the finished frames in order."""
        return (_file(self.folder, index).read_bytes() for index in range(self.state.count))

    def _write(self) -> None:
        name = GENERATIONS[self.state.count % len(GENERATIONS)]
        write_whole(self.folder / name, self.state.to_bytes())


def _file(folder: Path, index: int) -> Path:
    return folder / f"{index:06}.safetensors"


def _chains(folder: Path, count: int) -> list[str]:
    """Return the chained digests of the first 0, 1, ... `count` frames, as far as files exist."""
    files = takewhile(Path.is_file, (_file(folder, index) for index in range(count)))
    return list(accumulate(map(Path.read_bytes, files), chained, initial=""))
