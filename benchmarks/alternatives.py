"""Other ways to write precursors, which benchmarks/generator.py puts beside the generator.

RNAinverse, a Markov chain over column letters, and a VAE over pixels.
"""

from pathlib import Path
from random import Random

import numpy as np
import RNA
import torch
from joblib import delayed
from safetensors.torch import load_model, save_model
from torch import nn

from mirnbdev.cvae import END_ID, START_ID
from mirnbdev.encoding import COLOUR, MAY_FOLLOW, UP, encode, hairpin_from_image, hairpin_from_word, words_from_array
from mirnbdev.hairpin import NUCLEOTIDES, Hairpin, in_processes, pair_table
from mirnbdev.training import Batches, inference, train_epochs

# ---- RNAinverse

STARTS = 5  # Random sequences to start from, at most; RNAinverse itself begins anew as often as it is told


def inverse_design(
    h,  # Its structure is asked for
    seed,
):  # A design; where every start failed, the nearest
    "Change a random sequence until it folds as `h`, as ViennaRNA's RNAinverse does (Hofacker et al. 1994)."
    RNA.init_rand(seed)
    rng, best = Random(seed), ('', np.inf)
    for _ in range(STARTS):
        start = ''.join(rng.choices(NUCLEOTIDES, k=len(h)))  # A new string each time, for it may be overwritten
        best = min(best, tuple(RNA.inverse_fold(start, h.structure)), key=lambda found: found[1])
        if best[1] == 0:
            break
    return Hairpin(h.name, best[0].upper(), h.structure)


def inverse_designs(hairpins, seed=0, n_jobs=1):
    "A sequence of RNAinverse for the structure of each hairpin."
    tasks = (delayed(inverse_design)(h, i) for i, h in enumerate(hairpins, seed * len(hairpins)))
    return list(in_processes(tasks, n_jobs))


# ---- Markov chain

_EDGES = [1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 24, 28, 32, 36, 40, 45, 50, 60]
PLACE = np.digitize(np.arange(100), _EDGES)  # Bin of each column: finer where letters change most, at the loop
SMOOTH = 10.0  # Weight of the next simpler chain, in letters


def _smoothed(counts, prior):
    "Shares, drawn to those of a simpler chain."
    return (counts + SMOOTH * prior) / (counts.sum(-1, keepdims=True) + SMOOTH)


def chain(
    letters,  # (n, 100) uint8
):  # (bins, 36, 36, 35) probabilities
    "Count letters by place and the two before them; smoothed by place and one letter before, and by place alone."
    before = np.pad(letters, ((0, 0), (2, 0)), constant_values=START_ID)
    inside = np.pad(letters[:, :-1] != END_ID, ((0, 0), (1, 0)), constant_values=True)  # Up to the first end letter
    counts = np.zeros((PLACE.max() + 1, 36, 36, 35))
    columns = (np.broadcast_to(PLACE, letters.shape), before[:, :-2], before[:, 1:-1], letters)
    np.add.at(counts, tuple(x[inside] for x in columns), 1)
    one = counts.sum(1)
    p = _smoothed(counts, _smoothed(one, _smoothed(one.sum(1, keepdims=True), 1 / 35))[:, None])
    return p * np.vstack([MAY_FOLLOW, np.arange(35) < 4])  # The first letter is one of the loop


def write_chain(p, n, seed):
    "`n` designs."
    rng, letters = np.random.default_rng(seed), np.full((n, 100), END_ID)
    a = b = np.full(n, START_ID)
    for t, place in enumerate(PLACE):
        cumulated = p[place, a, b].cumsum(-1)
        a, b = b, (cumulated < rng.random((n, 1)) * cumulated[:, -1:]).sum(1)
        letters[:, t] = b
    return [hairpin_from_word(w, f'chain-{i}') for i, w in enumerate(words_from_array(letters), 1)]


# ---- VAE over pixels


def _down(a, b):
    "Halve the picture."
    return [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.BatchNorm2d(b), nn.ReLU()]


def _up(a, b):
    "Double the columns."
    return [nn.ConvTranspose1d(a, b, 4, stride=2, padding=1), nn.BatchNorm1d(b), nn.ReLU()]


class PixelVAE(nn.Module):
    "Picture -> z -> bars -> picture: after Petkovic & Menkovski 2024 (doi 10.3390/e26110921), smaller."

    kind = 'pixel-vae'  # The name of its file
    latents, beta = 64, 0.1
    colours, lengths = 5, 14  # Of a bar

    def __init__(self):
        super().__init__()
        convolutions = [*_down(3, 32), *_down(32, 64), *_down(64, 96)]
        self.encoder = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(96 * 4 * 13, 2 * self.latents))
        self.decoder = nn.Sequential(
            nn.Linear(self.latents, 64 * 13),
            nn.Unflatten(1, (64, 13)),
            *_up(64, 64),
            *_up(64, 64),
            *_up(64, 64),
            nn.Conv1d(64, 2 * (self.colours + self.lengths), 1),
        )
        self.register_buffer('validation_loss', torch.zeros(()))  # Once trained; kept with the weights

    def save(self, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        save_model(self, Path(folder) / f'{self.kind}.safetensors')

    @classmethod
    def load(cls, folder):
        net = cls()
        load_model(net, Path(folder) / f'{cls.kind}.safetensors')
        return net

    def bars(self, z):  # (n, 2, 5, 100) colours, (n, 2, 14, 100) lengths: probabilities for each arm and column
        x = self.decoder(z)[..., :100].unflatten(1, (2, self.colours + self.lengths))
        return x[:, :, : self.colours].softmax(2), x[:, :, self.colours :].softmax(2)


def draw_bars(colours, lengths):  # (n, 3, 25, 100), values 0-1
    "The expected picture."
    ink = 1 - lengths.cumsum(2)[:, :, None, :13]  # Is the bar longer than this depth?
    palette = torch.from_numpy(COLOUR[:5] / 255 - 1).float().to(colours.device)
    arms = 1 + torch.einsum('nack,cx->naxk', colours, palette)[:, :, :, None] * ink
    return torch.cat([arms[:, 0].flip(2), arms[:, 1, :, :12]], 2)


def pixel_loss(model, x):  # uint8
    "Squared differences of all pixels, and the weighted KL divergence."
    x = x.float() / 255
    mu, logvar = model.encoder(x).chunk(2, -1)
    picture = draw_bars(*model.bars(mu + torch.randn_like(mu) * (logvar / 2).exp()))
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum()
    return (((picture - x) ** 2).sum() + model.beta * kl) / len(x)


def pixel_vae(train, validation, epochs, seed=0):
    "Train on pictures of hairpins."
    pictures = lambda h: (torch.from_numpy(encode(h).images).permute(0, 3, 1, 2).contiguous(),)
    train, validation = pictures(train), Batches(pictures(validation), 512)
    batches = lambda epoch: Batches(train, 128, seed * 1000 + epoch)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = PixelVAE()
        history = train_epochs(net, pixel_loss, batches, validation, epochs, patience=epochs, amp=False)
    net.validation_loss.fill_(history.validation.min())
    return net


def paint(net, n, seed):  # (n, 25, 100, 3) uint8
    "Pictures from the prior: of each bar the likeliest colour and the likeliest length."
    z = torch.randn(n, net.latents, generator=torch.Generator().manual_seed(seed))
    sharp = lambda p: nn.functional.one_hot(p.argmax(2), p.shape[2]).transpose(2, 3).float()
    with inference(net) as there:
        pictures = draw_bars(*map(sharp, net.bars(z.to(there)))).cpu()
    return (pictures.permute(0, 2, 3, 1) * 255).round().byte().numpy()


_PAIRS = ({'A', 'U'}, {'G', 'C'}, {'G', 'U'})


def nearest_molecule(image, name=''):
    "Read a picture whatever it shows: bare columns are passed over, black is a gap, impossible pairs are unpaired."
    columns = image[:, ~(image[UP - 1 : UP + 1] == 255).all(-1).any(0)]
    for arm, row in ((columns[: UP - 2], UP - 1), (columns[UP + 2 :], UP)):
        arm[:, (columns[row] == 0).all(-1)] = 255  # A longer black bar would be an unknown letter
    h = hairpin_from_image(columns, name)
    able = [j < 0 or {h.sequence[i], h.sequence[j]} in _PAIRS for i, j in enumerate(pair_table(h.structure))]
    return Hairpin(name, h.sequence, ''.join(c if ok else '.' for c, ok in zip(h.structure, able)))
