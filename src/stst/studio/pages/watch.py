"""The queue, and one request while it is carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nicegui import ui

from stst.errors import RunError
from stst.studio.pages.layout import button, copyable, page
from stst.studio.progress import NATURAL, PREVIEW, Progress
from stst.studio.queue import ENDED, Queue, Request, Status
from stst.studio.studio import Studio

EVERY = 2.0  # s between two looks, so that watching costs little
ICONS = {
    Status.WAITING: "schedule",
    Status.RUNNING: "play_circle",
    Status.PAUSED: "pause_circle",
    Status.INTERRUPTED: "report_problem",
    Status.FAILED: "error",
    Status.FINISHED: "check_circle",
    Status.CANCELLED: "cancel",
}


def add_pages(studio: Studio) -> None:
    """Register the pages."""

    @ui.page("/queue")
    def _queue() -> None:
        with page(studio, "Queue"):
            _list(studio)

    @ui.page("/queue/{number}")
    def _watch(number: int) -> None:
        with page(studio, "Queue"):
            if number not in studio.queue.requests:
                raise RunError(f"the queue has no request {number}.")
            Watch(studio, number)


def _list(studio: Studio) -> None:
    """Show all requests, the newest first, and their progress."""
    queue = studio.queue
    states: dict[int, ui.label] = {}
    drawn: list[Request] = []

    @ui.refreshable
    def rows() -> None:
        drawn[:] = queue.requests.values()
        states.clear()
        if not drawn:
            ui.label("Nothing has been asked for yet.")
            ui.link("Make a stimulus", "/")
        for request in sorted(drawn, key=lambda r: r.number, reverse=True):
            states[request.number] = _row(queue, request, update)

    def update() -> None:
        # A click on a button that is being drawn again would be lost.
        if list(queue.requests.values()) != drawn:
            rows.refresh()
        for number, label in states.items():
            label.set_text(state_text(queue.requests[number], queue.progress(number)))

    rows()
    ui.timer(EVERY, update)


def _row(queue: Queue, request: Request, changed: Callable[[], object]) -> ui.label:
    """Show a request, and return the label of its state."""
    with ui.card().classes("w-full mb-2"), ui.row().classes("w-full items-center"):
        ui.icon(ICONS[request.status], size="md").props("aria-hidden=true")
        with ui.column().classes("grow gap-0"):
            ui.link(request.out.name, f"/queue/{request.number}").classes("font-medium")
            progress = queue.progress(request.number)
            state = ui.label(state_text(request, progress)).classes("text-sm")
        buttons(queue, request, changed)
    return state


def state_text(request: Request, progress: Progress) -> str:
    """Say in a line where a request stands."""
    if request.status is not Status.RUNNING:
        return f"{request.status.value}. {request.text}".strip()
    from stst.synthesis.estimate import duration

    share = "" if progress.share is None else f"{progress.share:.0%}, "
    left = "" if progress.left is None else f", {duration(progress.left)} left"
    return f"{share}{progress.stage}{left}"


def buttons(queue: Queue, request: Request, changed: Callable[[], object]) -> None:
    """Show what can be done with a request."""

    def add(text: str, act: Callable[[int], object], icon: str) -> None:
        def click() -> None:
            act(request.number)
            changed()

        button(text, click, icon).props("flat dense no-caps")

    if request.status in (Status.RUNNING, Status.WAITING):
        add("Pause", queue.pause, "pause")
    if request.status in (Status.PAUSED, Status.INTERRUPTED):
        add("Go on", queue.go_on, "play_arrow")
    if request.status is Status.FAILED:
        add("Try again", queue.go_on, "replay")
    if request.status in ENDED:
        add("Remove from the list", queue.forget, "playlist_remove")
    else:
        add("Cancel", queue.cancel, "close")


class Watch:
    """One request: the frame in progress beside the natural one, the losses, the time left."""

    def __init__(self, studio: Studio, number: int) -> None:
        self.studio, self.number = studio, number
        request = self.request
        ui.label(request.out.name).classes("text-xl").props('role="heading" aria-level="2"')
        self.state = ui.label().classes("text-base").props("aria-live=polite")
        # Without `instant-feedback`, drawing its animation takes as much as all the rest.
        self.bar = ui.linear_progress(0, show_value=False)
        self.bar.props('instant-feedback aria-label="Progress"')
        self.buttons = ui.row()
        with ui.row().classes("items-start gap-8 mt-2"):
            self.pictures = [
                self._picture(title, name)
                for title, name in (("Natural", NATURAL), ("Metamer in progress", PREVIEW))
            ]
            with ui.column().classes("gap-1"):
                self.losses = ui.html("", sanitize=False)
                self.residuals = ui.label().classes("text-sm whitespace-pre")
        self.notes = ui.column().classes("mt-2 gap-0")
        with ui.expansion("Command").classes("w-full"):
            copyable(request.command)
        with ui.expansion("What the command printed").classes("w-full"):
            self.printed = ui.label().classes("font-mono text-sm whitespace-pre-wrap")
        self._shown: object = None
        self._drawn: object = None
        self.timer = ui.timer(EVERY, self.update)
        self.update()

    @property
    def request(self) -> Request:
        """The request as it is now."""
        return self.studio.queue.requests[self.number]

    def _picture(self, title: str, name: str) -> tuple[str, ui.html]:
        with ui.column().classes("gap-1") as column:
            ui.label(title)
            picture = ui.html("", sanitize=False)
        # Only a synthesis has pictures.
        column.bind_visibility_from(picture, "content", bool)
        return name, picture

    def update(self) -> None:
        """Show the latest progress, if it has changed."""
        queue = self.studio.queue
        if self.number not in queue.requests:
            self.timer.cancel()
            ui.navigate.to("/queue")
            return
        request, progress = self.request, queue.progress(self.number)
        if (request, progress) == self._shown:
            return
        self._shown = (request, progress)
        self.state.set_text(state_text(request, progress))
        self.bar.set_value(1.0 if request.status is Status.FINISHED else progress.share or 0.0)
        self._show_pictures()
        self.losses.set_content(loss_curves(progress.losses))
        self.residuals.set_text(_residual_text(progress.residuals))
        self.printed.set_text(queue.printed(self.number))
        self._draw(request, progress.notes)
        if request.status is Status.FINISHED:
            self.timer.cancel()
            name = request.out.relative_to(self.studio.library.folder).as_posix()
            ui.navigate.to(f"/run/{name}")

    def _draw(self, request: Request, notes: Sequence[str]) -> None:
        """Draw the buttons and notes again if they have changed, which is seldom."""
        if (request, notes) == self._drawn:
            return
        self._drawn = (request, notes)
        self.buttons.clear()
        with self.buttons:
            buttons(self.studio.queue, request, self.update)
        self.notes.clear()
        with self.notes:
            for note in notes:
                ui.label(f"Note: {note}")

    def _show_pictures(self) -> None:
        folder = self.studio.queue.records(self.number)
        for name, picture in self.pictures:
            path = folder / name
            if path.exists():
                # The time in the address makes the browser load the new picture.
                address = f"/requests/{self.number}/{name}?{path.stat().st_mtime_ns}"
                alt = "frame in progress" if name == PREVIEW else "natural frame"
                picture.set_content(
                    f'<img src="{address}" alt="{alt}" class="pixels" '
                    'style="width: min(40vw, 640px)">'
                )


def _residual_text(residuals: Mapping[str, float]) -> str:
    if not residuals:
        return ""
    rows = [f"{value:6.1%}  {layer}" for layer, value in residuals.items()]
    return "\n".join(["Residuals of the last frame (relative error):", *rows])


WIDTH, HEIGHT = 360, 160  # px of the loss curves
INKS = ("#0b5c6b", "#8a3b12", "#4a5d23", "#5b3a8c", "#37474f", "#9c1c4b")


def loss_curves(losses: Mapping[str, Sequence[Sequence[float]]]) -> str:
    """Draw loss against frames as SVG, on a logarithmic axis."""
    import math

    values = [v for points in losses.values() for _, v in points if v > 0 and math.isfinite(v)]
    if not values:
        return ""
    low, high = math.log10(min(values)), math.log10(max(values))
    ends = [point[0] for points in losses.values() for point in points]
    first, last = min(ends), max(ends)

    def place(point: Sequence[float]) -> str:
        x = 4 + (WIDTH - 8) * (point[0] - first) / ((last - first) or 1)
        y = 4 + (HEIGHT - 8) * (high - math.log10(point[1])) / ((high - low) or 1)
        return f"{x:.1f},{y:.1f}"

    lines, keys = [], []
    for ink, (name, points) in zip(INKS, losses.items(), strict=False):
        drawn = " ".join(place(point) for point in points if point[1] > 0)
        lines.append(f'<polyline points="{drawn}" fill="none" stroke="{ink}" stroke-width="1.5"/>')
        keys.append(f'<span style="color:{ink}">{name.replace("_", " ")}</span>')
    return (
        f'<div class="text-sm">Losses ({10**low:.2g} to {10**high:.2g}): {", ".join(keys)}</div>'
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="Losses over frames" '
        f'style="background:#fff">{"".join(lines)}</svg>'
    )
