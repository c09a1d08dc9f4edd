"""What participants read, by task. Plain English; a spec may have other words."""

from __future__ import annotations

_SEQUENCE = "In each trial you will see {} short films, one after the other. "
_KEEP = (
    "\n\nLook at the cross in the middle before each film. Answer by the keys that are shown below "
    "the question; if you are not sure, guess."
)

TASKS_IN_WORDS = {
    "similarity": _SEQUENCE.format("two")
    + "Tell how similar they look, from 1 (very different) to 7 (the same)."
    + _KEEP,
    "abx": _SEQUENCE.format("three")
    + "The third is the same as the first or the same as the second. Tell which."
    + _KEEP,
    "oddity": _SEQUENCE.format("three")
    + "Two of them are the same, one is different. Tell which is different."
    + _KEEP,
    "natural": _SEQUENCE.format("two")
    + "One was filmed with a camera, the other was made by a computer. Tell which was filmed."
    + _KEEP,
    "category": "In each trial you will see one short film. Tell what it shows." + _KEEP,
    "naming": "In each trial you will see one short film. Type what it shows, in one or two words, "
    "and press Enter. If you are not sure, guess.",
    "source": _SEQUENCE.format("three")
    + "Compare the last two with the one before them. Tell which of these two was more like it: "
    "the first of the two, or the second." + _KEEP,
    "detection": _SEQUENCE.format("two")
    + "One shows a pattern, which may be very faint; the other is uniform. Tell which had the "
    "pattern." + _KEEP,
}
QUESTIONS = {
    "similarity": "How similar were the two films?",
    "abx": "Which film was the third the same as?",
    "oddity": "Which film was different?",
    "natural": "Which film was made with a camera?",
    "category": "What did the film show?",
    "naming": "What did the film show?",
    "source": "Which of the last two films was more like the one before them?",
    "detection": "Which film had a pattern?",
}
