"""What a recipe takes out of captions."""

from dataclasses import replace

from frido.contracts.scene import Scene
from frido.data.filters.base import Filter


class WithoutCharacters(Filter):
    """Takes some characters out of every caption, and then blanks at its ends. Drops nothing.

    Args:
        characters: All of them, such as "." (Frido).
    """

    def __init__(self, *, characters: str) -> None:
        self.characters = characters
        self._none = str.maketrans("", "", characters)

    def __call__(self, scene: Scene, split: str) -> Scene:
        return replace(scene, captions=tuple(caption.translate(self._none).strip() for caption in scene.captions))
