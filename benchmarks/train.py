"""Train the shipped weights, measure them, and write weights and card.

usage: MIRNBDEV_DATA=... python benchmarks/train.py detector|generator|processing|card [folder]

Without a folder it replaces the weights that ship with the library. `card` trains nothing: it measures the shipped
generator again, as when the way in which it writes has changed.
"""

import sys

import pandas as pd

from mirnbdev.cnn import train_detector
from mirnbdev.generator import GENERATOR_LIMITS, Generator, generation_set, measure_generator, train_generator
from mirnbdev.processing import train_processing
from mirnbdev.scorecard import scorecard
from mirnbdev.training import WEIGHTS

N = 2000  # Samples


def detector():
    "The detector, and its numbers on the test side."
    model, table = train_detector()
    return model, table.T


def with_scorecard(model):
    "The generator, with the scorecard of its samples in its card; the card also tells the yield of strict ones."
    table = scorecard({'samples': model.sample(N).designed}, n_jobs=-1).table.loc['samples'].round(4)
    strict_yield = round(N / model.sample(N, strict=True).drawn, 4)
    model.card |= dict(scorecard=table.T.to_dict('list'), strict_yield=strict_yield)
    return model, table


def generator():
    "The generator, and the scorecard of its samples."
    return with_scorecard(train_generator())


def processing():
    "The network that finds the cuts; shares of exact cuts, within one and two nt, and mean distance on the test side."
    model = train_processing()
    names = ['exact', 'within 1 nt', 'within 2 nt', 'mean distance (nt)']
    return model, pd.DataFrame(model.card['test'], names).T


def card():
    "The shipped generator, measured again."
    model = Generator.load()
    model.card |= dict(limits=GENERATOR_LIMITS) | measure_generator(model, generation_set('test'))
    return with_scorecard(model)


COMMANDS = dict(detector=detector, generator=generator, processing=processing, card=card)

if __name__ == '__main__':
    what, folder = (sys.argv[1:] + ['', WEIGHTS][len(sys.argv) - 1 :])[:2]
    if what not in COMMANDS:
        sys.exit(__doc__)
    model, table = COMMANDS[what]()
    model.save(folder)
    print(pd.DataFrame(model.card['history']).round(4).to_string(), table.to_string(), sep='\n\n')
    if what in ('generator', 'card'):
        print(f'\nstrict: {model.card["strict_yield"]:.1%} of the samples fold as designed')
