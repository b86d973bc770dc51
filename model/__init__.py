"""catbot's model side: cat speak, its checkpoints and the engine that serves them.

Importing this package loads neither torch nor transformers. `CatModel` is the face that the bot, the demo and the
evaluation use; see `model.service`.
"""

from .catspeak import LANGUAGES, MOODS, Language
from .prompt import Turn

__all__ = ["LANGUAGES", "MOODS", "Language", "Turn"]
