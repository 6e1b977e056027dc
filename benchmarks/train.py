"""Train the shipped weights, measure them, and write weights and card.

usage: MIRNBDEV_DATA=... python benchmarks/train.py detector|generator [folder]

Without a folder it replaces the weights that ship with the library.
"""

import sys

from mirnbdev.cnn import train_detector
from mirnbdev.generator import train_generator
from mirnbdev.scorecard import scorecard
from mirnbdev.training import WEIGHTS

N = 2000  # Samples


def detector():
    "The detector, and its numbers on the test side."
    model, table = train_detector()
    return model, table.T


def generator():
    "The generator, and the scorecard of its raw samples; the card also tells the yield of strict ones."
    model = train_generator()
    table = scorecard({'samples': model.sample(N).designed}, n_jobs=-1).table.loc['samples'].round(4)
    strict_yield = round(N / model.sample(N, strict=True).drawn, 4)
    model.card |= dict(scorecard=table.T.to_dict('list'), strict_yield=strict_yield)
    return model, table


COMMANDS = dict(detector=detector, generator=generator)

if __name__ == '__main__':
    what, folder = (sys.argv[1:] + ['', WEIGHTS][len(sys.argv) - 1 :])[:2]
    if what not in COMMANDS:
        sys.exit(__doc__)
    model, table = COMMANDS[what]()
    model.save(folder)
    print(model.history.round(4).to_string(), table.to_string(), sep='\n\n')
    if what == 'generator':
        print(f'\nstrict: {model.card["strict_yield"]:.1%} of the samples fold as designed')
