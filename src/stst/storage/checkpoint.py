"""What a run that was stopped goes on from: a file for each finished frame, and a small state.

Bytes and plain data alone: what they mean is known elsewhere (`stst.workflows.prepared`).
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
GENERATIONS = ("state.0", "state.1")  # written in turn, so that one is always whole


@dataclass(frozen=True)
class State:
    """How far a run has come."""

    count: int  # finished frames, each of which has its file
    chain: str  # digest of these files in order: of the chain before the last, and of the last
    facts: dict[str, Any]  # plain data about the run

    def after(self, frame: bytes, **facts: Any) -> State:  # noqa: ANN401
        """The state with one frame more, and some facts anew."""
        return State(self.count + 1, chained(self.chain, frame), self.facts | facts)

    def to_bytes(self) -> bytes:
        """A line with the digest of the line that follows."""
        body = json.dumps({"schema": SCHEMA, **asdict(self)}).encode()
        return hashlib.sha256(body).hexdigest().encode() + b"\n" + body

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Read what `to_bytes` gave; ValueError if it is not that, byte for byte."""
        digest, _, body = data.partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            raise ValueError("is damaged")
        said = json.loads(body)
        if (schema := said.pop("schema")) != SCHEMA:
            raise RunError(
                f"the run was stopped by another version: its state has schema {schema}, this "
                f"version reads {SCHEMA}. Go on with that version, or begin anew with --overwrite."
            )
        return cls(**said)


def chained(chain: str, frame: bytes) -> str:
    """Digest of all frames up to this one."""
    return hashlib.sha256(chain.encode() + frame).hexdigest()


class Checkpoint:
    """The state of a run in a folder, which grows by a frame at a time.

    A frame's file is written before the state that counts it: what is lost is written again.
    """

    def __init__(self, folder: Path, state: State) -> None:
        self.folder, self.state = folder, state

    @classmethod
    def begin(cls, folder: Path, facts: Mapping[str, Any]) -> Self:
        """Write the state before the first frame into a folder that is there."""
        first = cls(folder, State(0, "", dict(facts)))
        first._write()
        return first

    @classmethod
    def load(cls, folder: Path) -> tuple[Self, list[str]]:
        """Read the newest state that is whole, with all its frames, and what was found damaged."""
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
                f"{folder} cannot be gone on from: {'; '.join(remarks) or 'it holds no state'}. "
                "Begin anew with --overwrite."
            )
        return cls(folder, max(states.values(), key=lambda state: state.count)), remarks

    def append(self, frame: bytes, **facts: Any) -> None:  # noqa: ANN401
        """Add a finished frame, and replace some facts."""
        write_whole(_file(self.folder, self.state.count), frame)
        self.state = self.state.after(frame, **facts)
        self._write()

    def frames(self) -> Iterator[bytes]:
        """The finished frames, in order."""
        return (_file(self.folder, index).read_bytes() for index in range(self.state.count))

    def _write(self) -> None:
        name = GENERATIONS[self.state.count % len(GENERATIONS)]
        write_whole(self.folder / name, self.state.to_bytes())


def _file(folder: Path, index: int) -> Path:
    return folder / f"{index:06}.safetensors"


def _chains(folder: Path, count: int) -> list[str]:
    """Digests of the first 0, 1, ... `count` frames, as far as there are files."""
    files = takewhile(Path.is_file, (_file(folder, index) for index in range(count)))
    return list(accumulate(map(Path.read_bytes, files), chained, initial=""))
