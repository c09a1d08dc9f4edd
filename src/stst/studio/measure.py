"""Time a few real steps of a synthesis, in a process of its own, and print the result as JSON.

Started as ``python -m stst.studio.measure PARENT``, with the process number of the studio and, on
standard input, the settings as JSON. In the process of the studio, the peak of memory would be that
of everything shown before, and the page would stand still while torch is at work.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from stst.studio.worker import end_with  # first: it prepares the process for torch

# isort: split
from stst.errors import StstError
from stst.storage.config import SynthesisConfig
from stst.studio.estimating import Measured
from stst.synthesis.estimate import estimate, peak_memory
from stst.workflows.prepared import PreparedRun
from stst.workflows.process import use_threads


def measure(config: SynthesisConfig) -> Measured:
    """Read the input and time three steps of each octave."""
    prepared = PreparedRun.of(config)
    before, plan = peak_memory(), prepared.plan
    cost = estimate(prepared.begin, config.recipe, plan.made, shots=plan.lengths)
    height, width = prepared.natural.size
    recipe = config.recipe
    return Measured(
        scales=tuple(octave.scale for octave in recipe.octaves),
        per_step=cost.per_step,
        per_frame=cost.per_frame,
        timed=plan.lengths[0] if recipe.whole else 1,
        shots=len(plan.lengths),
        pixels=height * width * len(config.seeds),
        memory=cost.memory,
        before=before,
    )


def main() -> None:
    """Measure, and print the result."""
    end_with(int(sys.argv[1]))
    use_threads(None)  # as many as the command will use
    try:
        print(json.dumps(asdict(measure(SynthesisConfig.parse(json.load(sys.stdin))))))
    except (StstError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
