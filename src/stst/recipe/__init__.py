"""Settings of a synthesis: frozen, validated data, without torch."""

from stst.recipe.config import FrozenConfig as FrozenConfig
from stst.recipe.config import explain as explain
from stst.recipe.config import faults as faults
from stst.recipe.config import validated as validated
from stst.recipe.parts import ALL as ALL
from stst.recipe.parts import LOSSES as LOSSES
from stst.recipe.parts import QUALITIES as QUALITIES
from stst.recipe.parts import Colour as Colour
from stst.recipe.parts import Layers as Layers
from stst.recipe.parts import Octave as Octave
from stst.recipe.parts import Optimiser as Optimiser
from stst.recipe.parts import Start as Start
from stst.recipe.parts import Stop as Stop
from stst.recipe.parts import Weights as Weights
from stst.recipe.parts import Whole as Whole
from stst.recipe.parts import value_at as value_at
from stst.recipe.recipe import PRESETS as PRESETS
from stst.recipe.recipe import Recipe as Recipe
from stst.recipe.recipe import list_presets as list_presets
