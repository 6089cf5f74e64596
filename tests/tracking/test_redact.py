"""No secret leaves with a config."""

from pathlib import Path

import pytest
import yaml

from frido.tracking.redact import HIDDEN, redact

CONF = Path(__file__).parents[2] / "conf"


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    for name in ("HF_TOKEN", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "name",
    ["token", "hf_token", "WANDB_API_KEY", "apikey", "db.password", "client-secret", "secrets", "AWS_SECRET_ACCESS_KEY",
     "hubToken", "apiKey", "Authorization", "accountKey", "connection_string", "secret_key_id", "passwd"],
)  # fmt: skip
def test_values_under_telling_names(name):
    assert redact({"a": [{name: "xyzzy"}]}) == {"a": [{name: HIDDEN}]}


def test_all_that_is_below_a_telling_name():
    assert "xyzzy" not in str(redact({"credentials": {"user": "xyzzy", "more": ["xyzzy"]}}))


@pytest.mark.parametrize(
    "text",
    [
        "python -m frido.run hub.token=xyzzy seed=1",
        "WANDB_API_KEY=xyzzy python -m frido.run seed=1",
        "--password=xyzzy",
        "run --hub-token xyzzy seed=1",
        "run +data.apiKey='xyzzy'",
        "{user: me, password: xyzzy}",
        "'token': 'xyzzy'",
        "https://me:xyzzy@example.org/data",
        "https://xyzzy@example.org/data",
        "s3://key:a/xyzzy@bucket",
        "https://example.org/x.tar?token=xyzzy&part=1",
        "https://example.org/x.tar?se=2027&sig=xyzzy",
        "https://example.org/x.tar?X-Amz-Expires=60&X-Amz-Signature=xyzzy",
        "AccountName=me;AccountKey=xyzzy;EndpointSuffix=core",
        "Authorization: Bearer xyzzyxyzzy",
        "Basic xyzzyxyzzy==",
        "hf_" + "xyzzy" * 6,
        "sk-" + "xyzzy" * 6,
        "eyJxyzzyxyzzy.eyJxyzzyxyzzy.xyzzy",
        "-----BEGIN RSA PRIVATE KEY-----\nxyzzy\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_texts(text):
    assert "xyzzy" not in redact(text)
    assert "xyzzy" not in str(redact({"overrides": [text]}))


def test_the_rest_of_a_text_stays():
    assert redact("python -m frido.run hub.token=xyzzy seed=1") == f"python -m frido.run hub.token={HIDDEN} seed=1"
    assert redact("https://a.org/x.tar?sig=xyzzy&part=1") == f"https://a.org/x.tar?sig={HIDDEN}&part=1"


def test_what_the_environment_calls_a_secret_is_one_under_any_name(monkeypatch):
    """As `headers: ${oc.env:HF_TOKEN}` would bring it in."""
    monkeypatch.setenv("HF_TOKEN", "xyzzyxyzzy")
    assert redact({"data": {"headers": ["as xyzzyxyzzy says"]}}) == {"data": {"headers": [f"as {HIDDEN} says"]}}
    assert "xyzzy" not in str(redact({"xyzzyxyzzy": 1}))


def test_short_values_and_files_of_the_environment_hide_no_words(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", "x")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path))
    value = {"root": str(tmp_path / "runs"), "text": "x"}
    assert redact(value) == value


@pytest.mark.parametrize(
    "value",
    [
        {"num_tokens": 4, "max_tokens_px": 8, "tokenizer": "bert", "token": None, "secretary": "x"},
        "conditioning.num_tokens=4 https://example.org/a@b keyboard=1 --tokens 3 key=1",
        ["frido", 1, 2.5, None, True, "e882f93f1d0c2b7a64f5d1e0a9b8c7d6e5f40312"],
    ],
)
def test_what_is_no_secret_stays(value):
    assert redact(value) == value


def test_no_setting_of_ours_is_taken_for_a_secret():
    values = [yaml.safe_load(file.read_text()) for file in sorted(CONF.rglob("*.yaml"))]
    assert len(values) > 50 and redact(values) == values
