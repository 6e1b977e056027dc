"""Other ways to write precursors, which benchmarks/generator.py puts beside the generator: a Markov chain over column letters, and a VAE over pixels."""
import numpy as np, torch
from torch import nn
from mirnbdev import cnn
from mirnbdev.encoding import COLOUR, encode, hairpin_from_image, hairpin_from_word, MAY_FOLLOW, UP, words_from_array
from mirnbdev.hairpin import Hairpin, pair_table

END, START = 34, 35 # letter numbers

# ---- Markov chain

PLACE = np.digitize(np.arange(100), [1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 24, 28, 32, 36, 40, 45, 50, 60]) # bin of each column

def chain(letters, # (n, 100) uint8
          smooth=10. # Weight of the next simpler chain, in letters
         ): # (bins, 36, 36, 35) probabilities
    "Count letters by their place and the two before them, smoothed by place and one letter before, and by place alone."
    before = np.pad(letters, ((0,0), (2,0)), constant_values=START)
    inside = np.pad(letters[:,:-1]!=END, ((0,0), (1,0)), constant_values=True) # up to and with the first end letter
    counts = np.zeros((PLACE.max()+1, 36, 36, 35))
    np.add.at(counts, tuple(x[inside] for x in (np.broadcast_to(PLACE, letters.shape), before[:,:-2], before[:,1:-1], letters)), 1)
    share = lambda n, prior: (n+smooth*prior)/(n.sum(-1, keepdims=True)+smooth)
    one = counts.sum(1)
    p = share(counts, share(one, share(one.sum(1, keepdims=True), 1/35))[:,None])
    return p*np.vstack([MAY_FOLLOW, np.arange(35)<4]) # the first letter is one of the loop

def write_chain(p, n, seed):
    "`n` designs."
    rng, letters = np.random.default_rng(seed), np.full((n, 100), END)
    a = b = np.full(n, START)
    for t,place in enumerate(PLACE):
        cumulated = p[place,a,b].cumsum(-1)
        a, b = b, (cumulated<rng.random((n, 1))*cumulated[:,-1:]).sum(1)
        letters[:,t] = b
    return [hairpin_from_word(w, f'chain-{i}') for i,w in enumerate(words_from_array(letters), 1)]

# ---- VAE over pixels

class PixelVAE(nn.Module):
    "Picture -> z -> bars -> picture: after Petkovic & Menkovski 2024 (doi 10.3390/e26110921), with fewer and smaller layers."
    latents, beta = 64, .1
    def __init__(self):
        super().__init__()
        down = lambda a, b: [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.BatchNorm2d(b), nn.ReLU()]
        self.encoder = nn.Sequential(*down(3, 32), *down(32, 64), *down(64, 96), nn.Flatten(), nn.Linear(96*4*13, 2*self.latents))
        up = lambda a, b: [nn.ConvTranspose1d(a, b, 4, stride=2, padding=1), nn.BatchNorm1d(b), nn.ReLU()]
        self.decoder = nn.Sequential(nn.Linear(self.latents, 64*13), nn.Unflatten(1, (64, 13)), *up(64, 64), *up(64, 64), *up(64, 64), nn.Conv1d(64, 2*(5+14), 1))

    def bars(self, z): # (n, 2, 5, 100) colours, (n, 2, 14, 100) lengths: probabilities for each arm and column
        x = self.decoder(z)[...,:100].unflatten(1, (2, 19))
        return x[:,:,:5].softmax(2), x[:,:,5:].softmax(2)

def draw_bars(colours, lengths): # (n, 3, 25, 100), values 0-1
    "The expected picture."
    ink = 1-lengths.cumsum(2)[:,:,None,:13] # is the bar longer than this depth?
    arms = 1+torch.einsum('nack,cx->naxk', colours, torch.from_numpy(COLOUR[:5]/255-1).float())[:,:,:,None]*ink
    return torch.cat([arms[:,0].flip(2), arms[:,1,:,:12]], 2)

def pixel_loss(model, x): # uint8
    "Squared differences of all pixels, and the weighted KL divergence."
    x = x.float()/255
    mu, logvar = model.encoder(x).chunk(2, -1)
    picture = draw_bars(*model.bars(mu+torch.randn_like(mu)*(logvar/2).exp()))
    kl = .5*(mu**2+logvar.exp()-1-logvar).sum()
    return (((picture-x)**2).sum()+model.beta*kl)/len(x)

def pixel_vae(train, validation, epochs, seed=0):
    "Train on pictures of hairpins."
    train, validation = ((torch.from_numpy(encode(h).images).permute(0,3,1,2).contiguous(),) for h in (train, validation))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = PixelVAE()
        history = cnn.train_epochs(net, pixel_loss, lambda e: cnn.Batches(train, 128, seed*1000+e), cnn.Batches(validation, 512), epochs, patience=epochs, amp=False)
    return net, history

def paint(net, n, seed): # (n, 25, 100, 3) uint8
    "Pictures from the prior: of each bar the likeliest colour and the likeliest length."
    z = torch.randn(n, net.latents, generator=torch.Generator().manual_seed(seed))
    with cnn.inference(net): sharp = [nn.functional.one_hot(p.argmax(2), p.shape[2]).transpose(2, 3).float() for p in net.bars(z)]
    return (draw_bars(*sharp).permute(0, 2, 3, 1)*255).round().byte().numpy()

def nearest_molecule(image, name=''):
    "Read a picture whatever it shows: columns with a bare arm are passed over, black is a gap, and what pairs though it cannot is unpaired."
    columns = image[:,~(image[UP-1:UP+1]==255).all(-1).any(0)]
    for arm,row in ((columns[:UP-2], UP-1), (columns[UP+2:], UP)): arm[:,(columns[row]==0).all(-1)] = 255 # a longer black bar would be an unknown letter
    h = hairpin_from_image(columns, name)
    able = [j<0 or {h.sequence[i], h.sequence[j]} in ({'A','U'}, {'G','C'}, {'G','U'}) for i,j in enumerate(pair_table(h.structure))]
    return Hairpin(name, h.sequence, ''.join(c if ok else '.' for c,ok in zip(h.structure, able)))
