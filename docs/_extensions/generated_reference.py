"""Write the pages of the reference that follow from the code: command line and recipe."""

from pathlib import Path

from numpydoc.docscrape import ClassDoc

from stst.cli.main import COMMANDS, command_line
from stst.recipe import FrozenConfig, Recipe, list_presets


def setup(app):
    """Write the pages before Sphinx looks for its sources."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}


def write_pages(app):
    """Write what has changed, so that Sphinx reads no page twice."""
    folder = Path(app.srcdir) / "reference" / "generated"
    folder.mkdir(exist_ok=True)
    for name, text in {"command_line": command_page(), "recipe": recipe_page()}.items():
        page = folder / f"{name}.md"
        if not page.is_file() or page.read_text("utf-8") != text:
            page.write_text(text, "utf-8")


def command_page():
    """Every command with its arguments and options, in the order of ``stst --help``."""
    root = command_line()
    parts = ["# Command line", "`stst COMMAND --help` prints the same in a terminal."]
    for panel, commands in COMMANDS.items():
        parts.append(f"## {panel}")
        for name in commands:
            loaded = root.commands[name].load()
            parts += described(loaded, f"stst {name}", "###")
            for inner, command in getattr(loaded, "commands", {}).items():
                parts += described(command, f"stst {name} {inner}", "####")
    return "\n\n".join(parts) + "\n"


def described(command, name, heading):
    """Heading, help, and a table of the parameters for each panel."""
    parts = [f"{heading} `{name}`", plain(command.help)]
    panels = {}
    for param in command.params:
        if "--help" not in param.opts:
            panel = getattr(param, "rich_help_panel", None) or panel_of(param)
            panels.setdefault(panel, []).append(param)
    for panel, params in panels.items():
        parts.append(table(panel, ("default", "meaning"), map(option_row, params)))
    return parts


def panel_of(param):
    """The heading under which the terminal shows a parameter that names no other."""
    return "Arguments" if param.param_type_name == "argument" else "Options"


def option_row(param):
    """Names and type, default, and meaning of one argument or option."""
    names = ", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts))
    if param.param_type_name == "argument":
        names = f"`{(param.metavar or param.name).upper()}`"
    default = param.default
    shown = "" if default is None or callable(default) or default == () else f"`{default}`"
    return names, shown, plain(param.help)


def recipe_page():
    """Every setting of a recipe, with its value in both presets."""
    parts = [
        "# Settings of a recipe",
        "In a `recipe.yaml`, after `--set` on the command line, and as arguments of `stst.Recipe`. "
        "`octaves.0.steps` is the setting `steps` of the first octave. "
        "[What each setting changes](../settings_in_pictures.md) shows them in pictures.",
    ]
    presets = {name: Recipe.preset(name) for name in list_presets()}
    for place, kind in sections():
        rows = [
            (
                f"`{place}{name}`",
                *(value_in(preset, place, name) for preset in presets.values()),
                text,
            )
            for name, text in meanings(kind).items()
            if not is_section(kind, name)
        ]
        parts += [f"## {kind.__name__}", ClassDoc(kind)["Summary"][0]]
        parts.append(table("setting", (*presets, "meaning"), rows))
    return "\n\n".join(parts) + "\n"


def sections():
    """The recipe itself and each part of it, as (where it stands, its class)."""
    yield "", Recipe
    for name, field in Recipe.model_fields.items():
        if kind := part_of(field.annotation):
            yield ("octaves.0." if name == "octaves" else f"{name}."), kind


def part_of(annotation):
    """The class of settings in an annotation such as ``Stop | None`` or ``tuple[Octave, ...]``."""
    candidates = [annotation, *getattr(annotation, "__args__", ())]
    for kind in candidates:
        if isinstance(kind, type) and issubclass(kind, FrozenConfig):
            return kind
    return None


def is_section(kind, name):
    """Whether a setting is a part with settings of its own."""
    return kind is Recipe and part_of(kind.model_fields[name].annotation) is not None


def meanings(kind):
    """What the docstring says of each setting."""
    texts = {p.name: plain(" ".join(p.desc)) for p in ClassDoc(kind)["Parameters"]}
    return {name: texts[name] for name in kind.model_fields}


def value_in(preset, place, name):
    """The value of a setting, as it is written in YAML; empty where the part is left out."""
    part = preset
    for key in place.split(".")[:-1]:
        part = part[0] if key == "0" else getattr(part, key)
    if part is None:
        return ""
    value = getattr(part, name)
    if isinstance(value, tuple):
        value = value[0] if len(value) == 1 else list(value)
    return "`null`" if value is None else f"`{value}`"


def table(first, others, rows):
    """A table of Markdown."""
    columns = (first, *others)
    lines = [columns, ("---",) * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plain(text):
    """One line, with bars that do not end a cell."""
    return " ".join((text or "").split()).replace("``", "`").replace("|", "\\|")
