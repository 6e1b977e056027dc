"Train the shipped weights: python benchmarks/train.py detector|generator [folder]"
import sys
from mirnbdev.cnn import WEIGHTS, train_detector

if __name__=='__main__':
    what, folder = (sys.argv[1:]+[WEIGHTS])[:2]
    model, table = train_detector()
    model.save(folder)
    print(model.history.round(4).to_string(), table.to_string(), sep='\n\n')
