import pickle

from frido.contracts.scene import Object, Relationship, Scene, Vocabulary
from frido.data.filters.base import NamedObject
from frido.data.filters.described import described
from frido.data.filters.frequent_attributes import FrequentAttributes
from frido.data.filters.frequent_categories import FrequentCategories
from frido.data.filters.frequent_predicates import FrequentPredicates
from frido.data.filters.image_list import ImageList
from frido.data.filters.object_count import ObjectCount

BOX = (0.0, 0.0, 0.5, 1.0)
WORDS = Vocabulary(("old",), ("older",), ("oldest",), tokenizer="kept")


def named(*names: str, attributes: tuple[str, ...] = ()) -> NamedObject:
    return NamedObject(names[0], BOX, attributes, 0.5, names)


TRAIN = (
    Scene(
        "1",
        objects=(named("dog", "dog", "puppy"), named("puppy", "cat"), named("tree", attributes=("green", "tall"))),
        relationships=(Relationship(0, "near", 1), Relationship(1, "near", 2), Relationship(0, "chases", 1)),
    ),
    Scene("2", objects=(named("puppy"), named("cat", attributes=("green",)), Object("cat", BOX, ("tall", "green")))),
)


def test_a_name_counts_once_an_object_and_the_most_common_comes_first():
    step = FrequentCategories(least=2)
    step.fit(iter(TRAIN))
    assert step.words(WORDS) == Vocabulary(("puppy", "cat"), ("older",), ("oldest",), "kept")
    everything = FrequentCategories(least=1)
    everything.fit(TRAIN)
    assert everything.words(WORDS).categories == ("puppy", "cat", "dog", "tree")


def test_an_object_is_called_by_its_first_common_name():
    """Not by its most common one; one without any goes, and its relationships with it."""
    step = FrequentCategories(least=2)
    step.fit(TRAIN)
    left = step(TRAIN[0], "val")
    assert left is not None and all(type(item) is Object for item in left.objects)
    assert left.objects == (Object("puppy", BOX, (), 0.5), Object("puppy", BOX, (), 0.5))
    assert left.relationships == (Relationship(0, "near", 1), Relationship(0, "chases", 1))
    left = step(Scene("3", objects=(named("cat", "puppy"), named("tree", "wood"))), "test")
    assert left is not None and [item.category for item in left.objects] == ["cat"]


def test_rare_attributes_go_and_objects_stay():
    step = FrequentAttributes(least=3)
    step.fit(iter(TRAIN))
    assert step.words(WORDS) == Vocabulary(("old",), ("green",), ("oldest",), "kept")
    left = step(TRAIN[0], "train")
    assert left is not None and [item.attributes for item in left.objects] == [(), (), ("green",)]
    assert left.objects[2] == named("tree", attributes=("green",)) and left.relationships == TRAIN[0].relationships


def test_rare_predicates_go_and_objects_stay():
    step = FrequentPredicates(least=2)
    step.fit(iter(TRAIN))
    assert step.words(WORDS) == Vocabulary(("old",), ("older",), ("near",), "kept")
    left = step(TRAIN[0], "val")
    assert left is not None and left.relationships == TRAIN[0].relationships[:2] and left.objects == TRAIN[0].objects


def test_what_was_learnt_survives_pickling():
    for step in (FrequentCategories(least=1), FrequentAttributes(least=1), FrequentPredicates(least=1)):
        step.fit(TRAIN)
        again = pickle.loads(pickle.dumps(step))
        assert again.words(WORDS) == step.words(WORDS) and again(TRAIN[0], "train") == step(TRAIN[0], "train")


def test_a_recipe_is_described_by_what_it_was_given(tmp_path):
    """In its order; without what it learnt, and without folders."""
    (tmp_path / "ids.txt").write_text("000000000007\n")
    step = FrequentCategories(least=2)
    recipe = {"b": step, "a": ObjectCount(least=1, most=3), "c": ImageList(files={"val": str(tmp_path / "ids.txt")})}
    before = described(recipe)
    step.fit(TRAIN)
    assert described(recipe) == before
    assert before[:2] == [
        {"name": "b", "filter": "FrequentCategories", "least": 2},
        {"name": "a", "filter": "ObjectCount", "least": 1, "most": 3},
    ]
    assert before[2]["files"] == {"val": "ids.txt"}
