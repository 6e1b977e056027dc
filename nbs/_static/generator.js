// The generator's decoder in a page: the network and its running totals as in mirnbdev.cvae, the rules of writing as in
// mirnbdev.generator, the image as in mirnbdev.encoding, the factors as in mirnbdev.factors.
// Weights, energy tables and examples come from generator_data.js, which the build writes (_ext/generator_page.py).
const mirnbdevGenerator = (() => {
const home = document.currentScript.src, START = 35, END = 34; // before the first letter, after the last
const [LENGTH, GC, MFE, LOOP, BULGES] = [0, 1, 2, 3, 4], PAIR = 2; // places of mirnbdev.cvae.CONDITIONS; nt of a pair
let W, T; // tensors by name, each with `shape`; tables

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

const pairType = (a, b) => T.pairs.indexOf('ACGU'[a]+'ACGU'[b]), endPenalty = type => type > 1 ? T.terminal : 0;
const bySize = (table, n) => n <= 30 ? table[n] : table[30]+Math.trunc(T.lxc*Math.log(n/30));

// A hairpin loop; `loop` is 5' to 3'
function hairpinEnergy(a, b, loop) {
  const type = pairType(a, b), n = loop.length, special = T.special[[a, ...loop, b].map(i => 'ACGU'[i]).join('')];
  if (special !== undefined) return special;
  return bySize(T.hairpin, n)+(n === 3 ? endPenalty(type) : T.mismatch_hairpin[type][loop[0]][loop[n-1]]);
}

// A stack, bulge or internal loop; `five` and `three` are the unpaired nucleotides of the two arms, from the inner pair
// outwards
function interiorEnergy(outer, inner, five, three) {
  const a = five.length, b = three.length, n = a+b, few = Math.min(a, b), many = Math.max(a, b);
  if (n === 0) return T.stack[outer][inner];
  if (few === 0) return bySize(T.bulge, n)+(n === 1 ? T.stack[outer][inner] : endPenalty(outer)+endPenalty(inner));
  const i = five[a-1], p = five[0], q = three[0], j = three[b-1];
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
  const [p, q] = T.columns[letters[0]];
  return interiorEnergy(pairType(i, j), pairType(q, p), ...arms(letters.slice(1, -1)))/100;
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
  const given = asked.map(a => !isNaN(a)), scaled = asked.map((a, k) => given[k] ? (a-W.centre[k])/W.scale[k] : 0);
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
  const left = asked[LENGTH]-nt, more = T.gain*(asked[MFE]*nt-energy)/Math.max(left, T.debts.leastLeft);
  const share = [asked[GC], asked[MFE]+(more || 0)], have = [gc, energy]; // `more` is NaN if length or energy is open
  const behind = share.map((s, i) => s*nt-have[i]);
  const rest = share.map((s, i) => (s*asked[LENGTH]-have[i])/Math.max(left, 1)-W.centre[[GC, MFE][i]]);
  const scaled = [...behind.map((b, i) => b/T.debts.behind[i]), ...behind.map((b, i) => Math.tanh(b/T.debts.small[i])),
    ...rest.map(r => clamp(r/T.debts.rest, -T.debts.largestRest, T.debts.largestRest))];
  return [...scaled.map(v => v || 0), nt/T.debts.total[0], energy/T.debts.total[1]];
}

// HairpinCVAE.remaining: what each condition still demands, with the gain that the config has for writing
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

// The letter that a standard normal draw chooses
function choose(logits, may, draw) {
  const top = Math.max(...logits.filter((_, l) => may[l])), share = normalShare(draw);
  let total = 0;
  const cumulated = Array.from(logits, (x, l) => total += may[l] ? Math.exp(x-top) : 0);
  return count(cumulated, c => c < share*total);
}

// Generator.letters for one code {z, draws, label, clade, asked}: the running totals of the word without its end letter
function write(code) {
  const totals = nothing(), plans = plan(code.z, readConditions(code));
  let state = new Float32Array(W['gru.weight_hh_l0'].shape[1]), before = START;
  for (let t = 0; t < T.width && before !== END; t++) {
    state = step([...embed('letter', before), ...plans[t], ...remaining(totals, code.asked)], state);
    const may = Array.from({length: END+1}, (_, l) => allowed(l, before, totals, code.asked));
    add(totals, before = choose(linear('out', state), may, code.draws[t]));
  }
  return {...totals, letters: totals.letters.filter(l => l !== END)};
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
  return energy+exteriorEnergy(pairType(a, b), five[0], three[0])/100;
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

// The image, 25 x 100 pixels
function image(columns) {
  const pixels = new Uint8ClampedArray(25*100*4).fill(255);
  [0, 1].forEach(arm => bars(columns, arm).forEach((length, k) => {
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

// The molecule as SVG
function picture({columns, loop}) {
  const at = layout(columns, loop).map(p => ({...p, x: 30+16*p.x, y: 16*p.y}));
  const xs = at.map(p => p.x), ys = at.map(p => p.y);
  const top = Math.min(...ys)-12, width = Math.max(...xs)+12, height = Math.max(...ys)+12-top;
  const line = (p, q, style) => `<line x1="${p.x}" y1="${p.y}" x2="${q.x}" y2="${q.y}" ${style}/>`;
  const text = (x, y, what) => `<text x="${x}" y="${y}">${what}</text>`;
  const facing = p => at.find(q => q.pair === p.pair && q.y > 0), paired = at.filter(p => p.pair !== false && p.y < 0);
  const disc = 'r="6.5" stroke="#555" stroke-width=".5"', fill = letter => T.fills['ACGU'[letter]];
  const dot = ({x, y, letter}) =>
    `<circle cx="${x}" cy="${y}" fill="${fill(letter)}" ${disc}/>${text(x, y+3.2, 'ACGU'[letter])}`;
  const backbone = at.slice(1).map((p, i) => line(at[i], p, 'stroke="#bbb"')).join('');
  const pairs = paired.map(p => line(p, facing(p), 'stroke="#333" stroke-width="1.6"')).join('');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 ${top} ${width} ${height}"
    style="max-width:min(100%, ${width}px)" font-family="sans-serif" font-size="9" text-anchor="middle">
    ${backbone}${pairs}
    ${at.map(dot).join('')}${text(xs[0]-15, ys[0]+3, "5'")}${text(xs.at(-1)-15, ys.at(-1)+3, "3'")}</svg>`;
}

// --- the page

const decimals = [0, 0, 2, 0, 2, 2, 2, 0, 0, 2], show = (x, digits) => x.toFixed(digits).replace('-', '−');
const slider = (kind, k, name, min, max, step) =>
  `<input type="range" data-${kind}="${k}" min="${min}" max="${max}" step="${step}" aria-label="${kind} ${name}">`;

// The factor that a tied latent stands for, read from the quantiles of training hairpins
function reading(k, z) {
  const row = W.quantiles, n = row.shape[1];
  return row[k*n+Math.min(n-1, Math.floor(normalShare(z)*n))];
}

// The controls, as HTML
function controls() {
  const head = (...cells) => `<div class="line head">${cells.map(c => `<span>${c}</span>`).join('')}</div>`;
  const outputs = '<output></output><output></output>';
  const latent = (name, k) =>
    `<div class="line"><span>${name}</span>${slider('z', k, name, -3, 3, .05)}${outputs}</div>`;
  const condition = ({name, unit, low, high, step}, k) => `<div class="line">
    <label title="${unit}"><input type="checkbox" data-given="${k}"> ${name}</label>
    ${slider('asked', k, name, low, high, step)}<output></output><output></output></div>`;
  const free = Array.from({length: T.examples[0].z.length-T.factors.length}, (_, i) => i+T.factors.length);
  const starts = T.examples.map((e, i) => `<option value="${i}">${e.name}</option>`).join('');
  const tied = T.factors.map((f, k) => latent(`z${k} ${f}`, k)).join('');
  return `<div class="bar"><label>start from <select class="start">${starts}</select></label>
      <label>as <select class="label"><option value="1">precursor</option>
        <option value="0">pseudo-hairpin</option></select></label>
      <button class="draws">New draws</button> <button class="latents">New latents</button>
      <button class="reset">Reset</button></div>
    <canvas width="100" height="25"></canvas><div class="molecule"></div><p class="facts"></p>
    <div class="text"><pre></pre><button class="copy">Copy</button></div>
    <div class="panels"><section>${head('latent', '', 'means', 'has')}${tied}</section>
      <section>${head('free latent', '', '', 'value')}${free.map(k => latent('z'+k, k)).join('')}
        ${head('condition', '', 'asked', 'has')}${T.conditions.map(condition).join('')}</section></div>`;
}

// One generator in the element `el`
function explorer(el) {
  el.innerHTML = controls(); el.classList.add('live');
  const $ = what => el.querySelector(what), $$ = what => [...el.querySelectorAll(what)];
  let code, now, seed, waiting = false;

  function tell(milliseconds) {
    const [nt, pairs] = now.factors;
    const facts = [`${nt} nt`, `${pairs} pairs`, `terminal loop ${now.loop} nt`, `GC ${show(100*now.gc/nt, 0)} %`,
      `bulges ${now.bulges}`, `${show(now.energy, 1)} kcal/mol`];
    $('.facts').innerHTML = facts.map(fact => `<b>${fact}</b>`).join('')+`<span>${show(milliseconds, 0)} ms</span>`;
    $('pre').textContent = now.sequence+'\n'+now.structure;
    $$('[data-z]').forEach((input, k) => {
      const [a, b] = input.parentNode.querySelectorAll('output'), tied = k < T.factors.length;
      input.value = code.z[k];
      a.textContent = tied ? show(reading(k, code.z[k]), decimals[k]) : '';
      b.textContent = tied ? show(now.factors[k], decimals[k]) : show(code.z[k], 2);
    });
    $$('[data-asked]').forEach((input, k) => {
      const [a, b] = input.parentNode.querySelectorAll('output'), open = isNaN(code.asked[k]);
      const digits = T.conditions[k].step < 1 ? 2 : 0;
      input.disabled = open;
      $$('[data-given]')[k].checked = !open;
      input.value = open ? now.obtained[k] : code.asked[k];
      a.textContent = open ? 'open' : show(code.asked[k], digits); b.textContent = show(now.obtained[k], digits);
    });
    $('.label').value = code.label;
  }

  function draw() {
    const start = performance.now();
    waiting = false; now = hairpin(code);
    $('canvas').getContext('2d').putImageData(image(now.columns), 0, 0); $('.molecule').innerHTML = picture(now);
    tell(performance.now()-start);
    el.milliseconds = performance.now()-start;
  }

  const change = what => { code = {...code, ...what}; if (!waiting) { waiting = true; requestAnimationFrame(draw); } };
  const put = (list, k, v) => list.map((x, i) => i === k ? v : x);
  const begin = () => { seed = 0; change({...T.examples[$('.start').value], asked: T.conditions.map(() => NaN)}); };

  // has_room: the terminal loop must leave room for a pair within the length
  function ask(k, v) {
    const asked = put(code.asked, k, v), most = asked[LENGTH]-PAIR;
    change({asked: put(asked, LOOP, asked[LOOP] > most ? most : asked[LOOP])});
  }

  $$('[data-z]').forEach((input, k) => input.oninput = () => change({z: put(code.z, k, +input.value)}));
  $$('[data-asked]').forEach((input, k) => input.oninput = () => ask(k, +input.value));
  $$('[data-given]').forEach((box, k) => box.onchange = () => ask(k, box.checked ? +$$('[data-asked]')[k].value : NaN));
  $('.label').onchange = () => change({label: +$('.label').value});
  $('.draws').onclick = () => change({draws: normals(T.width, ++seed)});
  $('.latents').onclick = () => change({z: normals(code.z.length, ++seed)});
  $('.start').onchange = $('.reset').onclick = begin;
  $('.copy').onclick = () => navigator.clipboard.writeText($('pre').textContent);
  begin();
}

// Called by generator_data.js: floats come as the upper three of their four bytes
function load(data) {
  const bytes = Uint8Array.from(atob(data.bytes), c => c.charCodeAt(0));
  const all = new Float32Array(bytes.length/3), words = new Uint32Array(all.buffer);
  words.forEach((_, i) => words[i] = bytes[3*i]<<8 | bytes[3*i+1]<<16 | bytes[3*i+2]<<24);
  let at = 0;
  const take = shape => Object.assign(all.subarray(at, at += shape.reduce((a, b) => a*b)), {shape});
  W = Object.fromEntries(data.shapes.map(([name, shape]) => [name, take(shape)]));
  T = data.tables;
  document.querySelectorAll('.mirnbdev-generator').forEach(explorer);
}

// Pages that hold a generator fetch its data, beside this script
addEventListener('DOMContentLoaded', () => {
  const data = Object.assign(document.createElement('script'), {src: new URL('generator_data.js', home)});
  if (document.querySelector('.mirnbdev-generator')) document.head.append(data);
});

return {load, hairpin, spelled, loopEnergy, image};
})();
