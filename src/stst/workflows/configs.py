"""The settings of workflows, by one name, wherever they are defined."""

from stst.analysis.plan import PowerPlan as PowerPlan
from stst.analysis.reading import Rules as Rules
from stst.experiment.spec import ExperimentSpec as ExperimentSpec
from stst.storage.config import MatchConfig as MatchConfig
from stst.storage.config import PredictionConfig as PredictionConfig
from stst.storage.config import Source as Source
from stst.storage.config import StimulusConfig as StimulusConfig
from stst.storage.config import Streams as Streams
from stst.storage.config import SynthesisConfig as SynthesisConfig
from stst.storage.config import TrainingConfig as TrainingConfig
