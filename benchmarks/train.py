"Train the shipped weights, measure them on the test side, write weights and card: python benchmarks/train.py detector|generator [folder]"
import sys
from mirnbdev.cnn import WEIGHTS, train_detector
from mirnbdev.cvae import train_generator

if __name__=='__main__':
    what, folder = (sys.argv[1:]+[WEIGHTS])[:2]
    model, table = dict(detector=train_detector, generator=train_generator)[what]()
    model.save(folder)
    print(model.history.round(4).to_string(), table.T.to_string(), sep='\n\n')
