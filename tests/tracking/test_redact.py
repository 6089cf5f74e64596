"""No secret leaves with a config."""

import pytest

from frido.tracking.redact import HIDDEN, redact


@pytest.mark.parametrize(
    "name", ["token", "hf_token", "WANDB_API_KEY", "apikey", "db.password", "client-secret", "secrets"]
)
def test_values_under_telling_names(name):
    assert redact({"a": [{name: "xyzzy"}]}) == {"a": [{name: HIDDEN}]}


@pytest.mark.parametrize(
    "text",
    [
        "python -m frido.run hub.token=xyzzy seed=1",
        "WANDB_API_KEY=xyzzy python -m frido.run seed=1",
        "--password xyzzy".replace(" ", "="),
        "'token': 'xyzzy'",
        "https://me:xyzzy@example.org/data",
        "hf_" + "xyzzy" * 6,
    ],
)
def test_texts(text):
    assert "xyzzy" not in redact(text)


def test_the_rest_of_a_text_stays():
    assert redact("python -m frido.run hub.token=xyzzy seed=1") == f"python -m frido.run hub.token={HIDDEN} seed=1"


@pytest.mark.parametrize(
    "value",
    [
        {"num_tokens": 4, "max_tokens_px": 8, "tokenizer": "bert", "token": None, "secretary": "x"},
        "conditioning.num_tokens=4 https://example.org/a@b keyboard=1",
        ["frido", 1, 2.5, None, True],
    ],
)
def test_what_is_no_secret_stays(value):
    assert redact(value) == value
