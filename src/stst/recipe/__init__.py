"""What is done to make a metamer, as frozen and validated data. No torch here."""

from stst.recipe.config import FrozenConfig as FrozenConfig
from stst.recipe.config import explain as explain
from stst.recipe.config import faults as faults
from stst.recipe.config import validated as validated
from stst.recipe.recipe import ALL as ALL
from stst.recipe.recipe import LOSSES as LOSSES
from stst.recipe.recipe import PRESETS as PRESETS
from stst.recipe.recipe import QUALITIES as QUALITIES
from stst.recipe.recipe import Colour as Colour
from stst.recipe.recipe import Layers as Layers
from stst.recipe.recipe import Octave as Octave
from stst.recipe.recipe import Optimiser as Optimiser
from stst.recipe.recipe import Recipe as Recipe
from stst.recipe.recipe import Start as Start
from stst.recipe.recipe import Stop as Stop
from stst.recipe.recipe import Weights as Weights
from stst.recipe.recipe import Whole as Whole
from stst.recipe.recipe import list_presets as list_presets
from stst.recipe.recipe import value_at as value_at
