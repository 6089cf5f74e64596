"""The codebook of running means: where it goes, what it forgets, what it shares between ranks."""

import torch

from frido.autoencoders.quantizers.ema_vq import EMAVectorQuantizer
from tests.autoencoders import two_ranks

CENTRES = torch.tensor([[4.0, 0.0], [-4.0, 0.0], [0.0, 4.0], [0.0, -4.0]])


def quantizer(**changes):
    settings = {"channels": 2, "num_codes": 4, "commitment": 0.25, "decay": 0.9, "revive_after": 10_000} | changes
    return EMAVectorQuantizer(**settings).train()


def at(made, codebook):
    """Put the codes somewhere, as if each had been used once there."""
    state = {"codebook": codebook, "sums": codebook, "counts": torch.ones(len(codebook))}
    made.load_state_dict(made.state_dict() | state | {"images_seen": torch.tensor(1)})
    return made


def clusters(seed, *, batch=8, centres=CENTRES):
    """Return a map whose vectors lie around `centres`, equally often."""
    random = torch.Generator().manual_seed(seed)
    chosen = torch.arange(batch * 16).remainder(len(centres)).view(batch, 4, 4)
    return centres[chosen].permute(0, 3, 1, 2) + 0.1 * torch.randn(batch, 2, 4, 4, generator=random)


def test_codes_become_the_means_of_their_clusters():
    made = at(quantizer(), 0.5 * CENTRES)
    for step in range(100):
        made(clusters(step))
    torch.testing.assert_close(made.codebook, CENTRES, atol=0.03, rtol=0)


def test_one_update_by_hand():
    made = quantizer(channels=1, num_codes=2, decay=0.75)
    start = {"codebook": [[1.0], [5.0]], "counts": [2.0, 2.0], "sums": [[2.0], [10.0]]}
    state = {name: torch.tensor(value) for name, value in start.items()} | {"images_seen": torch.tensor(1)}
    made.load_state_dict(made.state_dict() | state)
    made(torch.tensor([[[[0.0, 2.0, 2.0, 4.0]]]]))  # three go to the first code, one to the second
    assert made.counts.tolist() == [0.75 * 2 + 0.25 * 3, 0.75 * 2 + 0.25 * 1]
    assert made.sums.flatten().tolist() == [0.75 * 2 + 0.25 * 4, 0.75 * 10 + 0.25 * 4]
    torch.testing.assert_close(made.codebook.flatten(), torch.tensor([2.5 / 2.25, 8.5 / 1.75]))


def test_first_batch_places_the_codes_on_itself():
    made = quantizer(num_codes=16)
    latents = clusters(0)
    first = made(latents)
    given = {tuple(vector) for vector in latents.permute(0, 2, 3, 1).reshape(-1, 2).tolist()}
    assert {tuple(vector) for vector in first.latents.permute(0, 2, 3, 1).reshape(-1, 2).tolist()} <= given
    assert first.codes.unique().numel() == 16
    second = made(clusters(1))
    assert not torch.equal(first.latents, second.latents)


def test_dead_codes_start_again_where_the_latents_are():
    made = at(quantizer(revive_after=24), torch.cat([CENTRES[:2], torch.full((2, 2), 100.0)]))
    two = CENTRES[:2]
    made(clusters(0, centres=two))
    made(clusters(1, centres=two))
    assert made.codebook[2:].eq(100).all(), "after 16 of 24 images nothing is dead yet"
    made(clusters(2, centres=two))
    assert made.codebook.abs().max() < 10
    assert made.idle.tolist() == [0, 0, 0, 0]


def test_the_codes_in_use_are_left_alone_by_revival():
    start = torch.cat([CENTRES[:2], torch.full((2, 2), 100.0)])
    alive, dying = at(quantizer(revive_after=10_000), start), at(quantizer(revive_after=8), start)
    for made in (alive, dying):
        made(clusters(0, centres=CENTRES[:2]))
    assert torch.equal(alive.codebook[:2], dying.codebook[:2])
    assert not torch.equal(alive.codebook[2:], dying.codebook[2:])


def test_learning_draws_nothing_from_global_generators():
    torch.manual_seed(5)
    one, other = quantizer(revive_after=8), None
    start = {name: tensor.clone() for name, tensor in one.state_dict().items()}
    state = torch.get_rng_state()
    for step in range(5):
        one(clusters(step))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    other = quantizer(revive_after=8)
    other.load_state_dict(start)
    for step in range(5):
        other(clusters(step))
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in one.state_dict().items())


def test_interrupted_learning_continues_bit_for_bit():
    whole, part, rest = quantizer(revive_after=8), quantizer(revive_after=8), quantizer(revive_after=8)
    part.load_state_dict(whole.state_dict())
    for step in range(6):
        whole(clusters(step, centres=CENTRES[: 1 + step % 4]))
    for step in range(3):
        part(clusters(step, centres=CENTRES[: 1 + step % 4]))
    rest.load_state_dict(part.state_dict())
    for step in range(3, 6):
        rest(clusters(step, centres=CENTRES[: 1 + step % 4]))
    assert all(torch.equal(tensor, rest.state_dict()[name]) for name, tensor in whole.state_dict().items())


def test_an_unused_code_keeps_its_place_however_long():
    """Its running mean is 0 / 0 in the end; it must not become NaN."""
    made = at(quantizer(decay=0.1, revive_after=10**9), torch.tensor([50.0, 50.0]) * torch.arange(4)[:, None])
    for step in range(60):
        made(clusters(step) * 0.01)
    assert made.codebook.isfinite().all()
    torch.testing.assert_close(made.codebook[3], torch.tensor([150.0, 150.0]))


def test_two_ranks_learn_what_one_does(tmp_path):
    """Statistics, placement and revival see the global batch: replicas are equal, and equal to one process."""
    one = quantizer(num_codes=8, decay=0.5, revive_after=16)
    start = {name: tensor.clone() for name, tensor in one.state_dict().items()}
    batches = [clusters(step, centres=CENTRES[: 1 + step % 4]) for step in range(4)]
    for batch in batches:
        one(batch)
    states = two_ranks.run(tmp_path, two_ranks.learn, start, batches, {"decay": 0.5, "revive_after": 16})
    for name, tensor in one.state_dict().items():
        assert torch.equal(states[0][name], states[1][name]), name
        torch.testing.assert_close(states[0][name], tensor, msg=name)
