"""Scene graphs as tokens."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from frido.conditioning.base import Conditioner
from frido.conditioning.object_embedding import ObjectEmbedding
from frido.conditioning.token_set import TokenSet
from frido.contracts.batch import Annotations
from frido.contracts.context import Context
from frido.contracts.scene import Vocabulary


class SceneGraph(Conditioner):
    """A graph transformer: a token per object (category and attributes) and per triple (subject, predicate, object).

    Objects first hear of their own triples (one round of message passing), and triples are then made of the objects
    that heard, so two equal objects are told apart by what they stand in relation to. Then all tokens see each other;
    a learned bias, per head and layer, tells attention which object is the subject and which the object of which
    triple (as edges do in Ying et al., 2021), so what is heard travels further along the graph with every layer. The
    biases start at 0. Nothing depends on the order of objects or of triples.

    Args:
        vocabulary: Of the dataset (run time).
        width: Of the tokens.
        depth: Layers of the transformer over all tokens.
        heads: Of its attention.
    """

    def __init__(self, *, vocabulary: Vocabulary, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.width = width
        self.objects = ObjectEmbedding(vocabulary=vocabulary, width=width)
        self.predicate = nn.Embedding(len(vocabulary.predicates) + 1, width, padding_idx=0)
        self.as_subject = nn.Linear(width, width, bias=False)
        self.as_object = nn.Linear(width, width, bias=False)
        self.to_subject = nn.Linear(width, width)
        self.to_object = nn.Linear(width, width)
        self.kinds = nn.Parameter(0.02 * torch.randn(2, width))
        """Added to tokens of objects, tokens of triples."""
        self.ties = nn.Parameter(torch.zeros(depth, heads, len(Ties._fields)))
        self.tokens = TokenSet(width=width, depth=depth, heads=heads)

    def forward(self, annotations: Annotations) -> Context:
        objects, is_object = self.objects(annotations)
        subject, predicate, target = annotations.relationships.unbind(dim=-1)
        is_triple = predicate >= 0

        triples = torch.relu(self._triples(objects, subject, predicate, target)) * is_triple[..., None]
        heard = self._deliver(self.to_subject(triples) * is_triple[..., None], subject, into=objects)
        heard = heard + self._deliver(self.to_object(triples) * is_triple[..., None], target, into=objects)
        objects = objects + heard
        triples = self._triples(objects, subject, predicate, target)

        tokens = torch.cat([objects + self.kinds[0], triples + self.kinds[1]], dim=1)
        ties = torch.stack(Ties.of(subject, target, num_objects=objects.shape[1]), dim=-1)
        biases = [torch.einsum("bijk,hk->bhij", ties.to(layer.dtype), layer) for layer in self.ties]
        return self.tokens(tokens, torch.cat([is_object, is_triple], dim=1), biases)

    def empty(self, annotations: Annotations) -> Context:
        batch, num_objects = annotations.categories.shape
        return self.tokens.empty(batch, num_objects + annotations.relationships.shape[1])

    def _triples(
        self, objects: Float[Tensor, "batch objects width"], subject: Tensor, predicate: Tensor, target: Tensor
    ) -> Float[Tensor, "batch triples width"]:
        def pick(index: Tensor) -> Tensor:
            return torch.take_along_dim(objects, index.clamp(min=0)[..., None], dim=1)

        return self.predicate(predicate + 1) + self.as_subject(pick(subject)) + self.as_object(pick(target))

    @staticmethod
    def _deliver(
        messages: Float[Tensor, "batch triples width"], index: Tensor, *, into: Float[Tensor, "batch objects width"]
    ) -> Float[Tensor, "batch objects width"]:
        """Return, for each object, the sum of messages addressed to it; those of padding are zero already."""
        address = index.clamp(min=0)[..., None].expand_as(messages)
        return torch.zeros_like(into, dtype=messages.dtype).scatter_add(1, address, messages)


class Ties(NamedTuple):
    """Which of all tokens, objects before triples, are tied: from the first axis to the second."""

    subject_to_triple: Bool[Tensor, "batch tokens tokens"]
    triple_to_subject: Bool[Tensor, "batch tokens tokens"]
    object_to_triple: Bool[Tensor, "batch tokens tokens"]
    triple_to_object: Bool[Tensor, "batch tokens tokens"]

    @classmethod
    def of(
        cls, subject: Int[Tensor, "batch triples"], target: Int[Tensor, "batch triples"], *, num_objects: int
    ) -> "Ties":
        """Return the ties of triples between the objects that `subject` and `target` index; -1 has none."""
        num_triples = subject.shape[1]
        numbers = torch.arange(num_objects, device=subject.device)[None, :, None]

        def both(ends: Tensor) -> tuple[Tensor, Tensor]:
            there = F.pad(numbers == ends[:, None, :], (num_objects, 0, 0, num_triples))
            return there, there.transpose(1, 2)

        return cls(*both(subject), *both(target))
