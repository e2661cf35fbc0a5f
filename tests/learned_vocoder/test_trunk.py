import pytest
import torch

from halfstep.learned_vocoder.trunk import StreamedBlock, VocoderNetConfig


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_a_block_in_pieces_is_the_block_at_once_and_sees_so_far_ahead(ahead):
    torch.manual_seed(0)
    block = StreamedBlock(8, 2, 7, ahead)
    h, before = torch.randn(1, 8, 20), torch.zeros(1, 8, 6)
    whole, _ = block(h, before)
    first, state = block(h[:, :, :11], before)
    second, _ = block(h[:, :, 11:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=2), whole)
    changed = h.clone()
    changed[:, :, 15] += 1
    moved = (block(changed, before)[0] - whole).abs().sum(1)[0] > 1e-6
    # Output f is the answer for frame f - ahead, which sees `ahead` frames beyond itself: up to input f.
    assert moved.nonzero().min() == 15


def test_sizes_that_make_no_network_are_refused():
    with pytest.raises(ValueError, match="local_kernel is 4: an odd number"):
        VocoderNetConfig(local_kernel=4)
    with pytest.raises(ValueError, match="ahead is"):
        VocoderNetConfig(prior_ahead=(9,))
    with pytest.raises(ValueError, match="width is 0"):
        VocoderNetConfig(width=0)
    with pytest.raises(ValueError, match="turned_share is 0"):
        VocoderNetConfig(turned_share=0)
    with pytest.raises(ValueError, match="mel_steps is"):
        VocoderNetConfig(mel_steps=(2, 3))
