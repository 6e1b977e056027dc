"Train the shipped weights, measure them, write weights and card: python benchmarks/train.py detector|generator [folder]"
import sys
from mirnbdev.training import WEIGHTS
from mirnbdev.cnn import train_detector
from mirnbdev.generator import train_generator
from mirnbdev.scorecard import scorecard

N = 2000 # samples

def detector():
    "The detector, and its numbers on the test side."
    model, table = train_detector()
    return model, table.T

def generator():
    "The generator, and the scorecard of its raw samples; the card also tells the yield of strict ones."
    model = train_generator()
    table = scorecard({'samples': model.sample(N).designed}, n_jobs=-1).table.loc['samples']
    model.card |= dict(scorecard=table.round(4).T.to_dict('list'), strict_yield=round(N/model.sample(N, strict=True).drawn, 4))
    return model, table.round(4)

if __name__=='__main__':
    what, folder = (sys.argv[1:]+[WEIGHTS])[:2]
    model, table = dict(detector=detector, generator=generator)[what]()
    model.save(folder)
    print(model.history.round(4).to_string(), table.to_string(), sep='\n\n')
    if what=='generator': print(f"\nstrict: {model.card['strict_yield']:.1%} of the samples fold as designed")
