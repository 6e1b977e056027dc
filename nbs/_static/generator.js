// The generator and the detector in a page: networks and running totals as in mirnbdev.cvae and mirnbdev.cnn, rules of
// writing as in mirnbdev.generator, the image as in mirnbdev.encoding, the factors as in mirnbdev.factors, and the best
// single hairpin of a sequence. What is shown of them stands in play.js.
// Weights, energy tables and examples come from generator_data.js and encoder_data.js, which the build writes
// (_ext/generator_page.py).
const mirnbdevGenerator = (() => {
const home = document.currentScript.src, START = 35, END = 34; // before the first letter, after the last
const [LENGTH, GC, MFE, LOOP, BULGES] = [0, 1, 2, 3, 4], PAIR = 2; // places of mirnbdev.cvae.CONDITIONS; nt of a pair
const LARGEST_SPECIAL = 6, LEAST_LOOP = 3, MOST_UNPAIRED = 30; // nt, in loops; the last as in ViennaRNA
let W, T, pairTypes; // tensors by name, each with `shape`; tables; a type for two nucleotides, -1 if they do not pair

// --- numbers

const sigmoid = x => 1/(1+Math.exp(-x)), relu = x => x.map(v => Math.max(v, 0));
const clamp = (x, a, b) => Math.min(Math.max(x, a), b);
const sum = xs => xs.reduce((a, b) => a+b, 0), count = (xs, what) => xs.filter(what).length;

// W x + b; two sums at once take a third of the time, and every x here is of even length
function linear(name, x, weight='.weight', bias='.bias') {
  const w = W[name+weight], n = x.length, v = Float32Array.from(x);
  return W[name+bias].map((start, i) => {
    let s = start, t = 0;
    for (let j = 0, k = i*n; j < n; j += 2, k += 2) { s += w[k]*v[j]; t += w[k+1]*v[j+1]; }
    return s+t;
  });
}

// One row of an embedding
function embed(name, i) { const w = W[name+'.weight'], d = w.shape[1]; return w.subarray(i*d, (i+1)*d); }

// A transposed convolution of kernel 4, stride 2 and padding 1: `x` is a list of channels, as is the result, which is
// twice as long
function widen(name, x) {
  const w = W[name+'.weight'], [, channels] = w.shape, n = 2*x[0].length;
  const out = Array.from(W[name+'.bias'], b => new Float32Array(n).fill(b));
  x.forEach((row, c) => out.forEach((to, o) => row.forEach((v, i) => {
    for (let k = 0; k < 4; k++) { const at = 2*i-1+k; if (at >= 0 && at < n) to[at] += v*w[(c*channels+o)*4+k]; }
  })));
  return out.map(relu);
}

// The standard normal distribution function (Marsaglia 2004, J. Stat. Softw. 11(4))
function normalShare(x) {
  let s = x, t = 0, b = x;
  for (let i = 3; s !== t; i += 2) { t = s; b *= x*x/i; s += b; }
  return clamp(.5+s*Math.exp(-x*x/2)/Math.sqrt(2*Math.PI), 0, 1);
}

// Its inverse, by halving
function normalScore(share) {
  let low = -9, high = 9;
  for (let k = 0; k < 60; k++) {
    const middle = (low+high)/2;
    if (normalShare(middle) < share) low = middle; else high = middle;
  }
  return low;
}

// Standard normal numbers: mulberry32, then Box and Muller
function normals(n, seed) {
  const share = () => {
    let t = seed = seed+0x6D2B79F5|0;
    t = Math.imul(t^t>>>15, t|1); t ^= t+Math.imul(t^t>>>7, t|61);
    return ((t^t>>>14)>>>0)/2**32;
  };
  return Array.from({length: n}, () => Math.sqrt(-2*Math.log(1-share()))*Math.cos(2*Math.PI*share()));
}

// --- energies: Turner 2004 as ViennaRNA evaluates it, in 0.01 kcal/mol
// pair types CG GC GU UG AU UA, nucleotides A C G U

const pairType = (a, b) => pairTypes[a][b], endPenalty = type => type > 1 ? T.terminal : 0;
const bySize = (table, n) => n <= 30 ? table[n] : table[30]+Math.trunc(T.lxc*Math.log(n/30));

// A hairpin loop; `loop` is 5' to 3'
function hairpinEnergy(a, b, loop) {
  const type = pairType(a, b), n = loop.length;
  const special = n <= LARGEST_SPECIAL && T.special[[a, ...loop, b].map(i => 'ACGU'[i]).join('')];
  if (Number.isInteger(special)) return special;
  return bySize(T.hairpin, n)+(n === 3 ? endPenalty(type) : T.mismatch_hairpin[type][loop[0]][loop[n-1]]);
}

// A stack, bulge or internal loop between two pairs, with `a` and `b` unpaired nucleotides on the two arms: from `i` to
// `p` and from `q` to `j`, 5' to 3'
function interiorEnergy(outer, inner, a, b, i, p, q, j) {
  const n = a+b, few = Math.min(a, b), many = Math.max(a, b);
  if (n === 0) return T.stack[outer][inner];
  if (few === 0) return bySize(T.bulge, n)+(n === 1 ? T.stack[outer][inner] : endPenalty(outer)+endPenalty(inner));
  if (n === 2) return T.int11[outer][inner][i][j];
  if (n === 3) return a === 1 ? T.int21[outer][inner][i][q][j] : T.int21[inner][outer][q][i][p];
  if (a === 2 && b === 2) return T.int22[outer][inner][i][p][q][j];
  const mismatch = few === 1 ? T.mismatch_internal_1n : few === 2 && many === 3 ? T.mismatch_internal_23 :
    T.mismatch_internal;
  return bySize(T.internal, n)+Math.min(T.ninio[1], (many-few)*T.ninio[0])+mismatch[outer][i][j]+mismatch[inner][q][p];
}

// The unpaired ends beside the outermost pair
function exteriorEnergy(type, before, after) {
  const at = before !== undefined && after !== undefined ? T.mismatch_exterior[type][before][after] :
    before !== undefined ? T.dangle5[type][before] : after !== undefined ? T.dangle3[type][after] : 0;
  return endPenalty(type)+Math.min(at, 0);
}

// Nucleotides of some columns: 5' arm and 3' arm, from the loop outwards; a loop letter counts on the 5' arm
function arms(letters) {
  const side = k => letters.map(l => T.columns[l][k]).filter(i => i < 4);
  return [side(0), letters[0] < 4 ? [] : side(1)];
}

// mirnbdev.cvae.loop_energy: of the loop that `letters` enclose, from a pair or the first loop letter to the next pair;
// kcal/mol
function loopEnergy(letters) {
  const [i, j] = T.columns[letters.at(-1)];
  if (letters[0] < 4) return hairpinEnergy(i, j, letters.slice(0, -1))/100;
  const [p, q] = T.columns[letters[0]], [five, three] = arms(letters.slice(1, -1));
  const ends = [five.at(-1), five[0], three[0], three.at(-1)];
  return interiorEnergy(pairType(i, j), pairType(q, p), five.length, three.length, ...ends)/100;
}

// --- the decoder

const least = k => T.conditions[k].low;
const isPair = l => l >= 4 && l < 10, isMismatch = l => l >= 10 && l < 26, isBulge = l => l >= 26 && l < END;

// RunningTotals: of a hairpin without columns
const nothing = () => ({letters: [], nt: 0, gc: 0, energy: 0, loop: 0, bulges: 0, lastPair: 0});

// RunningTotals.add: one more column
function add(totals, l) {
  totals.letters.push(l);
  if (l === END) return;
  const nucleotides = l < 4 ? [l] : T.columns[l].filter(i => i < 4);
  totals.nt += nucleotides.length; totals.gc += count(nucleotides, i => i === 1 || i === 2); totals.loop += l < 4;
  if (!isPair(l)) return;
  const closed = totals.letters.slice(totals.lastPair);
  totals.energy = Math.fround(totals.energy+loopEnergy(closed));
  totals.bulges += closed.length > 2 && isPair(closed[0]) && closed.slice(1, -1).every(isBulge);
  totals.lastPair = totals.letters.length-1;
}

// HairpinCVAE.read_conditions; in `asked` NaN is open
function readConditions({label, clade, asked}) {
  const given = asked.map(a => !isNaN(a)), scaled = asked.map((a, k) => given[k] ? (a-T.centre[k])/T.scale[k] : 0);
  const x = [...scaled, ...given, ...embed('label', label), ...embed('clade', clade)];
  return linear('condition.2', relu(linear('condition.0', x)));
}

// HairpinCVAE.plan: 80 numbers for each column
function plan(z, condition) {
  const x = [...z, ...condition], constant = linear('plan_constant', x), channels = W['plan_columns.3.weight'].shape[0];
  const start = relu(linear('plan_columns.0', x)), n = start.length/channels;
  const unfolded = Array.from({length: channels}, (_, c) => start.slice(c*n, (c+1)*n));
  const layers = ['plan_columns.3', 'plan_columns.5', 'plan_columns.7'];
  const rows = layers.reduce((rows, name) => widen(name, rows), unfolded);
  return Array.from({length: T.width}, (_, t) => [...rows.map(row => row[t]), ...constant]);
}

// A row of a HairpinCVAE.countdown: what is left, or the last row if nothing was asked
function countdown(k, asked, have) {
  const name = `countdown.${k}`, n = W[name+'.weight'].shape[0]-1;
  return embed(name, isNaN(asked) ? n : clamp(Math.round(asked-have), 0, n-1));
}

// HairpinCVAE.debts: G and C and energy that are behind, what the rest must have per nucleotide, and what is there
function debts({nt, gc, energy}, asked) {
  const left = asked[LENGTH]-nt, share = [asked[GC], asked[MFE]], have = [gc, energy];
  const behind = share.map((s, i) => s*nt-have[i]);
  const rest = share.map((s, i) => (s*asked[LENGTH]-have[i])/Math.max(left, 1)-T.centre[[GC, MFE][i]]);
  const scaled = [...behind.map((b, i) => b/T.debts.behind[i]), ...behind.map((b, i) => Math.tanh(b/T.debts.small[i])),
    ...rest.map(r => clamp(r/T.debts.rest, -T.debts.largestRest, T.debts.largestRest))];
  return [...scaled.map(v => v || 0), nt/T.debts.total[0], energy/T.debts.total[1]];
}

// HairpinCVAE.remaining: what each condition still demands
function remaining(totals, asked) {
  const debt = linear('debt.2', relu(linear('debt.0', debts(totals, asked))));
  return [...countdown(0, asked[LENGTH], totals.nt), ...countdown(1, asked[LOOP], totals.loop),
    ...countdown(2, asked[BULGES], totals.bulges), ...debt];
}

// One step of the GRU
function step(x, state) {
  const a = linear('gru', x, '.weight_ih_l0', '.bias_ih_l0'), b = linear('gru', state, '.weight_hh_l0', '.bias_hh_l0');
  const n = state.length;
  return state.map((h, i) => {
    const reset = sigmoid(a[i]+b[i]), keep = sigmoid(a[n+i]+b[n+i]);
    return (1-keep)*Math.tanh(a[2*n+i]+reset*b[2*n+i])+keep*h;
  });
}

// allowed_letters: may letter `l` come?
function allowed(l, before, {nt, loop}, asked) {
  const inLoop = before < 4 || before === START, left = asked[LENGTH]-nt;
  const size = l < 4 || l === END ? l < 4 : isPair(l) || isMismatch(l) ? PAIR : 1;
  if (before === START ? l >= 4 : !T.follows[before][l]) return false;
  if (inLoop && (loop < least(LOOP) || loop < asked[LOOP]) && l >= 4) return false;
  if (inLoop && (loop >= asked[LOOP] || left < PAIR+1) && l < 4) return false;
  if (l === END) return !(inLoop || nt < least(LENGTH) || left > 0);
  return !(size > left || left === PAIR+1 && isMismatch(l));
}

// Cumulated shares of the letters that may come
function cumulate(logits, may) {
  const top = Math.max(...logits.filter((_, l) => may[l]));
  let total = 0;
  return Array.from(logits, (x, l) => total += may[l] ? Math.exp(x-top) : 0);
}

// The letter that a standard normal draw chooses, and the draw in the middle of a letter's share
function choose(cumulated, draw) {
  const share = normalShare(draw)*cumulated.at(-1);
  return count(cumulated, c => c < share);
}
const middleDraw = (cumulated, l) => normalScore(((cumulated[l-1] ?? 0)+cumulated[l])/2/cumulated.at(-1));

// Go through a word: `next(t, cumulated)` is the letter of column `t`. The running totals of the word without its end
function spell(code, next) {
  const totals = nothing(), plans = plan(code.z, readConditions(code));
  let state = new Float32Array(W['gru.weight_hh_l0'].shape[1]), before = START;
  for (let t = 0; t < T.width && before !== END; t++) {
    state = step([...embed('letter', before), ...plans[t], ...remaining(totals, code.asked)], state);
    const may = Array.from({length: END+1}, (_, l) => allowed(l, before, totals, code.asked));
    add(totals, before = next(t, cumulate(linear('out', state), may)));
  }
  return {...totals, letters: totals.letters.filter(l => l !== END)};
}

// Generator.letters for one code {z, draws, label, clade, asked}
const write = code => spell(code, (t, cumulated) => choose(cumulated, code.draws[t]));

// --- the encoder, whose weights come when they are needed

// A convolution of five columns that halves their number
function narrow(name, x) {
  const w = W[name+'.weight'], n = Math.ceil(x[0].length/2), padded = x.map(row => [0, 0, ...row, 0, 0, 0]);
  return Array.from(W[name+'.bias'], (bias, o) => Float32Array.from({length: n}, (_, t) =>
    Math.max(0, bias+sum(padded.map((row, c) => sum([0, 1, 2, 3, 4].map(k => w[5*(o*x.length+c)+k]*row[2*t+k])))))));
}

// HairpinCVAE.normal_scores
const scores = factors => factors.map((v, k) => {
  const row = T.quantiles[k], x = Math.fround(v), below = count(row, q => q < x), upto = count(row, q => q <= x);
  return normalScore(clamp((below+upto)/2/row.length, T.extreme, 1-T.extreme));
});

// Generator.encode: latents of a hairpin, and draws with which they write it; undefined if it cannot be written
function encode({letters, factors, nt}) {
  const code = {label: 1, clade: T.clade, asked: T.conditions.map(() => NaN)}, word = [...letters, END];
  if (letters.length > T.width || nt < least(LENGTH)) return undefined;
  const columns = Array.from({length: T.width}, (_, t) => embed('letter', word[t] ?? END));
  const rows = Array.from(columns[0], (_, c) => columns.map(column => column[c]));
  const x = ['encoder.0', 'encoder.1', 'encoder.2'].reduce((x, name) => narrow(name, x), rows);
  const seen = [...x.flatMap(row => [...row]), ...readConditions(code), ...scores(factors)];
  code.z = Array.from(linear('posterior.1', relu(linear('posterior.0', seen))), v => Math.round(1e4*v)/1e4);
  code.draws = normals(T.width, 1);
  spell(code, (t, cumulated) => { code.draws[t] = middleDraw(cumulated, word[t]); return word[t]; });
  return code;
}

// --- what is shown of a hairpin

// Columns as the image has them: nucleotide above, below (4 a gap), paired?
function sides({letters, loop}) {
  return letters.map((l, k) => l < 4 ? [letters[loop-1-k], l, false] : [...T.columns[l], isPair(l)]);
}

// Sequence and dot-bracket structure
function molecule(columns, loop) {
  const stem = columns.slice(loop), top = stem.filter(c => c[0] < 4).reverse(), bottom = stem.filter(c => c[1] < 4);
  const codes = [...top.map(c => c[0]), ...columns.slice(0, loop).map(c => c[1]), ...bottom.map(c => c[1])];
  const marks = (side, mark) => side.map(c => c[2] ? mark : '.').join('');
  return {sequence: codes.map(i => 'ACGU'[i]).join(''), structure: marks(top, '(')+'.'.repeat(loop)+marks(bottom, ')')};
}

// Energy of the whole structure, kcal/mol: the loops and the free ends
function totalEnergy({letters, lastPair, energy}) {
  if (!isPair(letters[lastPair])) return 0;
  const [a, b] = T.columns[letters[lastPair]], [five, three] = arms(letters.slice(lastPair+1));
  return Math.round(100*energy+exteriorEnergy(pairType(a, b), five[0], three[0]))/100;
}

// mirnbdev.factors.measure_factors: the ten CORE_FACTORS
function factors(columns, {nt, gc, loop}, {sequence}, energy) {
  const pairs = columns.filter(c => c[2]), wobble = count(pairs, ([a, b]) => a+b === 5); // G is 2, U is 3
  const stem = columns.slice(loop).map(c => c[2] ? '|' : ' ').join('').trim(), words = {};
  const gaps = stem.split('|').filter(g => g).map(g => g.length);
  for (let i = 1; i < nt; i++) { const w = sequence.slice(i-1, i+1); words[w] = (words[w] || 0)+1/(nt-1); }
  const entropy = -sum(Object.values(words).map(p => p*Math.log2(p)));
  const share = [2*pairs.length/nt, loop, gc/nt, wobble/Math.max(pairs.length, 1), energy/nt];
  return [nt, pairs.length, ...share, gaps.length, Math.max(0, ...gaps), entropy];
}

// Everything about a hairpin that is written
function describe(totals) {
  const columns = sides(totals), m = molecule(columns, totals.loop), energy = totalEnergy(totals);
  const {nt, gc, loop, bulges} = totals, obtained = [nt, gc/nt, energy/nt, loop, bulges];
  return {...totals, ...m, columns, energy, factors: factors(columns, totals, m, energy), obtained};
}

// The hairpin that stands at `code`
const hairpin = code => describe(write(code));

// The hairpin that these column letters spell
function spelled(letters) {
  const totals = nothing();
  letters.forEach(l => add(totals, l));
  return describe(totals);
}

// Pixels that an unpaired run adds to the bars, by column
function runs(free) {
  return free.map((is, k) => {
    if (!is) return 0;
    const t = free.lastIndexOf(false, k), next = free.indexOf(false, k), p = k-t;
    const D = t+(next < 0 ? free.length : next)+1;
    return 2*(p <= Math.floor(D/2) ? p : D-p+1);
  });
}

// Lengths of the bars of arm 0 (5') or 1 (3')
function bars(columns, arm) {
  const extra = runs(columns.map(c => !c[2] && c[arm] < 4));
  return columns.map(([a, b], k) => 1+T.strength[a][b]+extra[k]);
}

// The image, 25 x 100 pixels: the first hundred columns
function image(columns) {
  const pixels = new Uint8ClampedArray(25*100*4).fill(255);
  [0, 1].forEach(arm => bars(columns, arm).slice(0, 100).forEach((length, k) => {
    for (let d = 0; d < Math.min(length, 13-arm); d++) {
      pixels.set(T.colours[columns[k][arm]], ((arm ? 13+d : 12-d)*100+k)*4);
    }
  }));
  return new ImageData(pixels, 100, 25);
}

// Where the nucleotides lie, in pairs' distances: 5' end at the left and above, unpaired runs bowed out, the loop a
// polygon
function layout(columns, loop) {
  const stem = columns.slice(loop).reverse(), n = loop+2;
  const radius = .5/Math.sin(Math.PI/n), middle = stem.length-1+radius*Math.cos(Math.PI/n);
  const arm = (k, sign) => {
    const free = stem.map(c => !c[2]), out = runs(free).map(u => Math.min(u/2, 2)*.35);
    return stem.flatMap((c, x) => c[k] < 4 ? [{x, y: sign*(.5+out[x]), letter: c[k], pair: c[2] && x}] : []);
  };
  const turn = k => Math.PI*(1-(2*k+1)/n); // 0 is to the right
  const circle = columns.slice(0, loop).map((c, k) => (
    {x: middle+radius*Math.cos(turn(k+1)), y: -radius*Math.sin(turn(k+1)), letter: c[1], pair: false}));
  return [...arm(0, -1), ...circle, ...arm(1, 1).reverse()];
}

// The molecule as SVG, `width` pixels wide at most; where it gets too small to read, discs have no letters
function picture({columns, loop}, width) {
  const at = layout(columns, loop).map(p => ({...p, x: 30+16*p.x, y: 16*p.y}));
  const xs = at.map(p => p.x), ys = at.map(p => p.y);
  const top = Math.min(...ys)-12, wide = Math.max(...xs)+12, high = Math.max(...ys)+12-top, zoom = width/wide;
  const size = 9/Math.min(zoom, 1), left = Math.min(0, 21-1.3*size); // the ends' names are as large at any length
  const line = (p, q, style) => `<line x1="${p.x}" y1="${p.y}" x2="${q.x}" y2="${q.y}" ${style}/>`;
  const text = (x, y, what, more='') => `<text x="${x}" y="${y}" ${more}>${what}</text>`;
  const facing = p => at.find(q => q.pair === p.pair && q.y > 0), paired = at.filter(p => p.pair !== false && p.y < 0);
  const letter = ({x, y, letter}) => zoom > .75 ? text(x, y+3.2, 'ACGU'[letter], 'fill="#000"') : '';
  const disc = p => `<circle cx="${p.x}" cy="${p.y}" fill="${T.fills['ACGU'[p.letter]]}" r="6.5"/>${letter(p)}`;
  const backbone = at.slice(1).map((p, i) => line(at[i], p, 'stroke-opacity=".4"')).join('');
  const pairs = paired.map(p => line(p, facing(p), 'stroke-width="2"')).join('');
  const end = (p, y, name) => text(p.x-9, p.y+y, name, `fill="currentColor" font-size="${size}" text-anchor="end"`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${left} ${top} ${wide-left} ${high}"
    style="max-width: ${wide-left}px; overflow: visible"
    font-family="sans-serif" font-size="9" text-anchor="middle"><g stroke="currentColor">${backbone}${pairs}</g>
    ${at.map(disc).join('')}${end(at[0], 1, "5'")}${end(at.at(-1), .7*size, "3'")}</svg>`;
}

// --- the detector: HairpinCNN, its batch normalisations folded into its convolutions

// A convolution of three columns; `x` is a list of channels
function convolve(name, x) {
  const w = W[name+'.weight'], n = x[0].length, padded = x.map(row => Float32Array.of(0, ...row, 0));
  return Array.from(W[name+'.bias'], (bias, o) => {
    const out = new Float32Array(n).fill(bias);
    padded.forEach((row, c) => {
      const k = 3*(o*x.length+c), before = w[k], own = w[k+1], behind = w[k+2];
      for (let t = 0; t < n; t++) out[t] += before*row[t]+own*row[t+1]+behind*row[t+2];
    });
    return out;
  });
}

// Residual
function residual(name, x) {
  const y = convolve(`${name}.second`, convolve(`${name}.first`, x).map(relu));
  return y.map((row, c) => row.map((v, t) => Math.max(v+x[c][t], 0)));
}

const mean = row => sum(row)/row.length;
const halve = row => row.filter((_, t) => t%2).map((v, t) => Math.max(v, row[2*t]));
const partMeans = (row, n) => Array.from({length: T.detector.parts}, (_, p) => mean(row.slice(p*n, (p+1)*n)));

// The colours of each column of the image, 0 for white: red from top to bottom, then green, blue, and a zero that makes
// their number even
function ink(columns) {
  const {data} = image(columns), rows = Array.from({length: 25}, (_, y) => y);
  return Array.from({length: 100}, (_, x) =>
    [...[0, 1, 2].flatMap(colour => rows.map(y => 1-data[4*(100*y+x)+colour]/255)), 0]);
}

// HairpinCNN.forward
function logit(columns) {
  const stem = ink(columns).map(column => relu(linear('detector.stem', column))), means = [];
  let x = Array.from(stem[0], (_, c) => Float32Array.from(stem, column => column[c]));
  for (const stage of [0, 1, 2]) {
    means.push(...x.map(mean));
    x = residual(`detector.${stage}`, convolve(`detector.${stage}.inputs`, x).map(relu));
    if (stage < 2) x = x.map(halve);
  }
  const parts = x.flatMap(row => partMeans(row, row.length/T.detector.parts));
  return linear('detector.output', relu(linear('detector.hidden', [...parts, ...means])))[0];
}

// Detector.predict_proba
const probability = ({columns}) => sigmoid(T.detector.slope*logit(columns)+T.detector.intercept);

// Detector.out_of_range: names of the factors
const outOfRange = ({factors}) => T.factors.filter((_, k) => {
  const [low, high] = T.detector.range[k];
  return factors[k] < low || factors[k] > high;
});

// --- folding: the hairpin of least free energy (Zuker and Stiegler 1981, Nucleic Acids Res. 9, without branches)

// For each pair (i, j), at i*n+j, the least energy of what it closes, and the pair inside, or -1 for the terminal loop
function closed(s) {
  const n = s.length, least = new Float64Array(n*n).fill(Infinity), inside = new Int32Array(n*n).fill(-1);
  for (let i = n-1; i >= 0; i--) for (let j = i+LEAST_LOOP+1; j < n; j++) {
    const outer = pairType(s[i], s[j]), here = i*n+j;
    if (outer < 0) continue;
    least[here] = hairpinEnergy(s[i], s[j], s.slice(i+1, j));
    for (let p = i+1; p <= i+1+MOST_UNPAIRED; p++) {
      for (let q = j-1; q > p+LEAST_LOOP && p-i+j-q-2 <= MOST_UNPAIRED; q--) {
        if (least[p*n+q] === Infinity) continue;
        const ends = interiorEnergy(outer, pairType(s[q], s[p]), p-i-1, j-q-1, s[i+1], s[p-1], s[q+1], s[j-1]);
        const e = least[p*n+q]+ends;
        if (e < least[here]) { least[here] = e; inside[here] = p*n+q; }
      }
    }
  }
  return {least, inside};
}

// The pairs (i, j) of the best hairpin, from the outside inwards; none if it costs energy to form one
function bestPairs(s) {
  const n = s.length, {least, inside} = closed(s), pairs = [];
  let best = 0, at = -1;
  least.forEach((e, k) => {
    if (e === Infinity) return;
    const i = Math.floor(k/n), j = k%n, all = e+exteriorEnergy(pairType(s[i], s[j]), s[i-1], s[j+1]);
    if (all < best) { best = all; at = k; }
  });
  for (; at >= 0; at = inside[at]) pairs.push([Math.floor(at/n), at%n]);
  return pairs;
}

// mirnbdev.encoding.column_word: facing unpaired runs are laid side by side from the free ends inwards
function columnLetters(s, pairs) {
  const letter = (a, b, paired) =>
    T.columns.findIndex(([c, d], l) => l >= 4 && c === a && d === b && isPair(l) === paired);
  let a = 0, b = s.length;
  const stem = pairs.flatMap(([i, j]) => {
    const five = s.slice(a, i), three = s.slice(j+1, b).reverse();
    [a, b] = [i+1, j];
    const free = Array.from({length: Math.max(five.length, three.length)}, (_, k) => [five[k] ?? 4, three[k] ?? 4]);
    return [...free.map(c => letter(...c, false)), letter(s[i], s[j], true)];
  });
  return [...s.slice(a, b), ...stem.reverse()];
}

// The hairpin that a sequence of A, C, G, U folds to, with the best of those that have one terminal loop; undefined if
// none is better than no pair
function fold(sequence) {
  const s = [...sequence].map(c => 'ACGU'.indexOf(c)), pairs = bestPairs(s);
  return pairs.length ? spelled(columnLetters(s, pairs)) : undefined;
}

// --- weights

const unpack = (text, Type) => new Type(Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);

// Tensors by name; numbers come as 16 bits, with a scale for each row of a tensor
function tensors(data) {
  const numbers = unpack(data.numbers, Int16Array), scales = unpack(data.scales, Float32Array);
  let at = 0, row = 0;
  return Object.fromEntries(data.shapes.map(([name, shape]) => {
    const size = shape.reduce((a, b) => a*b), rows = shape.length > 1 ? shape[0] : 1;
    const tensor = Float32Array.from(numbers.subarray(at, at+size), (v, i) => v*scales[row+Math.floor(i*rows/size)]);
    at += size; row += rows;
    return [name, Object.assign(tensor, {shape})];
  }));
}

// Called by generator_data.js
function load(data) {
  W = tensors(data); T = data.tables;
  pairTypes = [...'ACGU'].map(a => [...'ACGU'].map(b => T.pairs.indexOf(a+b)));
  document.querySelectorAll('.mirnbdev-generator').forEach(el => mirnbdevPlay(el, T));
}

// Called by encoder_data.js
const loadMore = data => Object.assign(W, tensors(data));

// Fetch a script beside this one
const fetched = name => new Promise((onload, failed) => document.head.append(Object.assign(
  document.createElement('script'), {src: new URL(name, home), onload, onerror: () => failed(Error(`no ${name}`))})));
let encoder;
const fetchEncoder = () => encoder ??= fetched('encoder_data.js');

// A page that holds the generator fetches its data
addEventListener('DOMContentLoaded', () => {
  if (document.querySelector('.mirnbdev-generator')) fetched('generator_data.js');
});

// The factor that a tied latent stands for, read from the quantiles of training hairpins
function reading(k, z) {
  const row = T.quantiles[k];
  return row[Math.min(row.length-1, Math.floor(normalShare(z)*row.length))];
}

return {load, loadMore, fetchEncoder, encode, hairpin, spelled, loopEnergy, image, picture, probability, outOfRange,
  fold, normals, reading};
})();
