"""What is written of each trial. docs/experiment.md tells what each column holds."""

COLUMNS = (
    *("participant", "session", "row", "time", "experiment", "list", "phase", "block", "trial"),
    *("task", "item", "clip", "stimuli", "conditions", "roles", "sha256", "kinds"),
    *("duration", "band", "contrast", "expected", "key", "response", "chosen", "correct"),
    *("response_time", "frames_expected", "frames_presented", "frames_dropped"),
    *(
        "onset_ms",
        "play_ms",
        "frame_rate",
        "screen_hz",
        "px_per_degree",
        "window",
        "browser",
        "errors",
    ),
)
