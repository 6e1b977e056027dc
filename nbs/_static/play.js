// The page around the generator: its controls, what is shown of the hairpin, and the link that brings a state back.
// `el` is the element to fill, `T` the tables of generator_data.js. The science stands in generator.js.
function mirnbdevPlay(el, T) {
const G = mirnbdevGenerator, [LENGTH, LOOP] = [0, 3], PAIR = 2, MOST_PASTED = 200, RESTS = 300; // nt, ms
const decimals = [0, 0, 2, 0, 2, 2, 2, 0, 0, 2], show = (x, digits) => x.toFixed(digits).replace('-', '−');
const tied = T.factors.length, latents = T.examples[0].z.length, open = T.conditions.map(() => NaN);
const $ = what => el.querySelector(what), $$ = what => [...el.querySelectorAll(what)];

const PASTE = `At most ${MOST_PASTED} nt. The page folds it to its best hairpin, and scores it; then it can be moved.`;

// --- the controls, as HTML; `data-says` is the sentence of each

const says = (name, sentence) => `data-name="${name}" data-says="${sentence}"`;
const button = (kind, name, sentence) =>
  `<button type="button" class="${kind}" ${says(name, sentence)}>${name}</button>`;
const slider = (kind, k, name, min, max, step) =>
  `<input type="range" data-${kind}="${k}" min="${min}" max="${max}" step="${step}" aria-label="${name}">`;
const row = (name, label, sentence, input) =>
  `<div class="line" ${says(name, sentence)}>${label}${input}<output></output><output></output></div>`;
const head = (title, a, b, sentence) =>
  `<div class="line head"><b>${title}</b><span></span><span>${a}</span><span>${b}</span></div><p>${sentence}</p>`;

function latent(k) {
  const name = k < tied ? `z${k} ${T.factors[k]}` : `z${k}`, unit = k < tied ? ` (${T.units[k]})` : '';
  const free = k < tied ? '' : 'Tied to no factor. ';
  const sentence = `${free}Moved from −2 to 2, on average: ${T.moves[k].replaceAll('-', '−')}.`;
  return row(name+unit, `<span>${name}</span>`, sentence, slider('z', k, name, -3, 3, .05));
}

function condition({name, unit, low, high, step}, k) {
  const sentence = `Tick it to ask for a value, from ${low} to ${high} ${unit}; open: the generator is free.`;
  const label = `<label><input type="checkbox" data-given="${k}"> ${name}</label>`;
  return row(`${name} (${unit})`, label, sentence, slider('asked', k, `asked ${name}`, low, high, step));
}

function controls() {
  const starts = T.examples.map((e, i) => `<option value="${i}">${e.name}</option>`).join('');
  return `<div class="bar">
    <label ${says('start from', 'A known human precursor: its latents and its draws write it as it is.')}>start from
      <select class="start">${starts}</select></label>
    <label ${says('as', 'Write a precursor, or a pseudo-hairpin: a hairpin that is none.')}>as <select class="label">
      <option value="1">precursor</option><option value="0">pseudo-hairpin</option></select></label>
    ${button('draws', 'New draws', 'Other random numbers choose the letters: same latents, another sequence.')}
    ${button('latents', 'New latents', 'All sixteen latents get random places: same draws, another shape.')}
    ${button('reset', 'Reset', 'Back to the hairpin that you started from.')}
    ${button('link', 'Copy link', 'A link that opens this page with the hairpin that you see now.')}</div>
  <form class="bar paste" ${says('paste', PASTE)}>
    <textarea rows="1" spellcheck="false" aria-label="sequence" placeholder="or paste a sequence"></textarea>
    <button>Fold</button><span class="refusal" role="alert"></span></form>
  <div class="stage">
    <div class="molecule" role="img"></div><canvas width="100" height="25" role="img"></canvas>
    <div class="verdict"><span>probability of a precursor</span><b></b>
      <span class="meter"><i></i><u style="left: ${100*T.detector.threshold}%"></u></span>
      <span class="call"></span></div>
    <p class="facts"></p><p class="hint"></p></div>
  <p class="key"></p>
  <div class="panels"><section>
      ${head('latents', 'means', 'has', `Each is named after a factor. <i>means</i>: its value at this place of the
        axis, among training precursors. <i>has</i>: the value of the hairpin above.`)}
      ${T.factors.map((_, k) => latent(k)).join('')}</section>
    <section>${head('free latents', '', 'value', 'z10 to z15 have no name: training tied them to no factor.')}
      ${Array.from({length: latents-tied}, (_, i) => latent(tied+i)).join('')}
      ${head('conditions', 'asked', 'has', 'Tick one to ask for its value. <i>open</i>: not asked for.')}
      ${T.conditions.map(condition).join('')}</section></div>
  <div class="text"><pre></pre><button type="button" class="copy">Copy</button></div>
  <details><summary>What each control does</summary><dl></dl></details>`;
}

function key() {
  const swatch = (shape, colour, name) => `<span><i class="${shape}" style="background: ${colour}"></i>${name}</span>`;
  const letters = ['A', 'C', 'G', 'U', 'gap'], colour = i => `rgb(${T.colours[i].slice(0, 3)})`;
  return `<b>molecule</b>${Object.entries(T.fills).map(([c, fill]) => swatch('disc', fill, c)).join('')}
    <span>5' arm above, thick lines are pairs</span><b>image for the detector</b>
    ${letters.map((name, i) => swatch('pixel', colour(i), name)).join('')}
    <span>loop at the left, 5' arm above</span>`;
}

// --- what is shown of a hairpin

// The pairs of a structure, as text
function pairs(structure) {
  const opened = [], found = new Set();
  [...structure].forEach((c, j) => {
    if (c === '(') opened.push(j);
    if (c === ')') found.add(`${opened.pop()} ${j}`);
  });
  return found;
}

// mirnbdev.hairpin.pair_f1: F1 of the pairs of two structures, 1 if they are equal
function agreement(a, b) {
  const [x, y] = [pairs(a), pairs(b)];
  return 2*[...x].filter(p => y.has(p)).length/Math.max(x.size+y.size, 1);
}

// Does the sequence fold as it was designed?
function folds(h) {
  const f1 = agreement(h.structure, G.fold(h.sequence)?.structure ?? '');
  return f1 === 1 ? 'folds as designed' : `folds otherwise: F1 of pairs ${show(f1, 2)}`;
}

const facts = h => [`${h.factors[LENGTH]} nt`, `${h.factors[1]} pairs`, `terminal loop ${h.loop} nt`,
  `GC ${show(100*h.gc/h.nt, 0)} %`, `bulges ${h.bulges}`, `${show(h.energy, 1)} kcal/mol`];

// The image without its background, which is the page's own
function drawImage(columns) {
  const pixels = G.image(columns);
  for (let k = 0; k < pixels.data.length; k += 4) {
    if (pixels.data[k]+pixels.data[k+1]+pixels.data[k+2] === 3*255) pixels.data[k+3] = 0;
  }
  $('canvas').getContext('2d').putImageData(pixels, 0, 0);
}

function showVerdict(h) {
  const p = G.probability(h), odd = G.outOfRange(h), wide = h.columns.length > T.width;
  const warnings = [odd.length ? `unlike the training precursors in ${odd.join(', ')}` : '',
    wide ? `only the ${T.width} columns next to the loop are seen` : ''].filter(w => w);
  $('.verdict b').textContent = show(p, 3);
  $('.verdict i').style.width = `${100*p}%`;
  $('.call').innerHTML = `${p >= T.detector.threshold ? 'called a precursor' : 'not called a precursor'} (threshold
    ${show(T.detector.threshold, 2)})${warnings.map(w => `; <em>${w}</em>`).join('')}`;
}

function showControls(h) {
  const stuck = !state.example.z;
  $$('[data-z]').forEach((input, k) => {
    const [a, b] = input.parentNode.querySelectorAll('output'), z = state.z[k];
    input.value = z; input.disabled = stuck;
    a.textContent = k < tied && !stuck ? show(G.reading(k, z), decimals[k]) : '';
    b.textContent = k < tied ? show(h.factors[k], decimals[k]) : stuck ? '' : show(z, 2);
  });
  $$('[data-asked]').forEach((input, k) => {
    const [a, b] = input.parentNode.querySelectorAll('output'), isOpen = isNaN(state.asked[k]);
    const digits = T.conditions[k].step < 1 ? 2 : 0, tick = $$('[data-given]')[k];
    input.disabled = isOpen || stuck; tick.disabled = stuck; tick.checked = !isOpen;
    input.value = isOpen ? h.obtained[k] : state.asked[k];
    a.textContent = isOpen ? 'open' : show(state.asked[k], digits); b.textContent = show(h.obtained[k], digits);
  });
  const at = T.examples.indexOf(state.example); // -1: pasted
  $$('.start .own').forEach(option => option.remove());
  if (at < 0) $('.start').append(Object.assign(new Option('a pasted sequence', at), {className: 'own'}));
  $('.start').value = at; $('.label').value = state.label;
}

// --- the state: where it started, and what was moved. `example` is one of T.examples, or a pasted sequence, whose
// latents are not known if it cannot be written

let state, now, waiting = false, touched = false, resting;
const fresh = example => ({example, label: 1, z: example.z ?? [], asked: open, seed: 0, drawn: 0});
const put = (list, k, v) => list.map((x, i) => i === k ? v : x);

function hairpin() {
  const {example, z, label, asked, drawn} = state;
  if (!example.z) return example.hairpin;
  return G.hairpin({...example, z, label, asked, draws: drawn ? G.normals(T.width, drawn) : example.draws});
}

function draw() {
  const start = performance.now(), h = now = hairpin(), what = `hairpin of ${facts(h).slice(0, 2).join(', ')}`;
  waiting = false; clearTimeout(resting); resting = setTimeout(rest, RESTS);
  $('.molecule').innerHTML = G.picture(h, $('.molecule').clientWidth);
  $('.molecule').ariaLabel = `Secondary structure of the ${what}`;
  $('canvas').ariaLabel = `Image of the ${what}, as the detector sees it`;
  $('pre').textContent = h.sequence+'\n'+h.structure;
  $('.facts').innerHTML = [...facts(h), '…'].map(fact => `<span>${fact}</span>`).join('');
  drawImage(h.columns); showVerdict(h); showControls(h);
  el.milliseconds = performance.now()-start;
}

function redraw() { if (!waiting) { waiting = true; requestAnimationFrame(draw); } }

// When the hand rests: what takes long, and the address
function rest() {
  $('.facts span:last-child').textContent = folds(now);
  if (touched) history.replaceState(null, '', address());
}

// Change the state by hand
function change(what) {
  state = {...state, ...what}; touched = true;
  $('.refusal').textContent = '';
  redraw();
}

// The terminal loop must leave room for a pair within the length (has_room)
function withRoom(asked) {
  const most = asked[LENGTH]-PAIR;
  return put(asked, LOOP, asked[LOOP] > most ? most : asked[LOOP]);
}
const ask = (k, v) => change({asked: withRoom(put(state.asked, k, v))});

// A sequence as it may be pasted; an error says why it is refused
function readSequence(text) {
  const rna = text => text.replace(/\s/g, '').toUpperCase().replaceAll('T', 'U');
  const records = text.split(/^>.*$/m).map(rna).filter(s => s);
  const [sequence=''] = records, bad = sequence.search(/[^ACGU]/);
  if (!sequence) throw Error('There is no sequence.');
  if (records.length > 1) throw Error(`These are ${records.length} records; paste one.`);
  if (bad >= 0) throw Error(`Letter ${sequence[bad]} at position ${bad+1}: accepted are A, C, G, U (or T).`);
  if (sequence.length > MOST_PASTED) throw Error(`${sequence.length} nt: at most ${MOST_PASTED}; use mirnbdev detect.`);
  return sequence;
}

// Fold a pasted sequence, and find the latents and draws that write it
async function read(text) {
  const sequence = readSequence(text), hairpin = G.fold(sequence);
  if (!hairpin) throw Error('This does not fold: no hairpin is better than no pair.');
  await G.fetchEncoder();
  return {sequence, hairpin, ...G.encode(hairpin)};
}

async function paste(text) {
  try {
    change(fresh(await read(text)));
    if (!state.example.z) $('.refusal').textContent = 'The generator cannot write it, so the sliders rest.';
  } catch (e) { $('.refusal').textContent = e.message; }
}

// --- the link: what differs from the start, such as #start=hsa-mir-21&z3=1.5&length=80

const places = Array.from({length: latents}, (_, k) => `z${k}`);
const asks = T.conditions.map(c => c.name.replaceAll(' ', '_'));

function address() {
  const {example, label, z, asked, drawn} = state, {name, sequence} = example;
  const moved = places.map((name, k) => [name, z[k]]).filter(([, v], k) => v !== example.z?.[k]);
  const given = asks.map((name, k) => [name, asked[k]]).filter(([, v]) => !isNaN(v));
  const other = [['as', label], ['draws', drawn]].filter(([name, v]) => v !== {as: 1, draws: 0}[name]);
  return '#'+new URLSearchParams([name ? ['start', name] : ['sequence', sequence], ...other, ...moved, ...given]);
}

// The state of an address; of none, the first start; numbers that are none or out of range are left out
async function readAddress() {
  const told = new URLSearchParams(location.hash.slice(1)), within = (name, low, high, other) => {
    const v = told.has(name) ? +told.get(name) : NaN;
    return v >= low && v <= high ? v : other;
  };
  const drawn = within('draws', 0, 1e9, 0);
  let example = T.examples.find(e => e.name === told.get('start')) ?? T.examples[0];
  if (told.has('sequence')) {
    $('textarea').value = told.get('sequence');
    try { example = await read(told.get('sequence')); } catch (e) { $('.refusal').textContent = e.message; }
  }
  state = {...fresh(example), label: within('as', 0, 1, 1) < 1 ? 0 : 1, seed: drawn, drawn};
  state.z = state.z.map((v, k) => within(places[k], -9, 9, v));
  state.asked = withRoom(T.conditions.map(({low, high}, k) => within(asks[k], low, high, NaN)));
  redraw();
}

// --- connections

el.innerHTML = controls(); el.classList.add('live');
$('.key').innerHTML = key();
$('dl').innerHTML = $$('[data-says]').map(c => `<dt>${c.dataset.name}</dt><dd>${c.dataset.says}</dd>`).join('');
const hint = what => {
  const control = what?.closest?.('[data-says]');
  $('.hint').innerHTML = control ? `<b>${control.dataset.name}</b> ${control.dataset.says}` :
    'Move a slider, and the hairpin is written anew. What a control does stands here while you are at it.';
};
for (const event of ['pointerover', 'focusin']) el.addEventListener(event, e => hint(e.target));
hint();
$$('[data-z]').forEach((input, k) => input.oninput = () => change({z: put(state.z, k, +input.value)}));
$$('[data-asked]').forEach((input, k) => input.oninput = () => ask(k, +input.value));
$$('[data-given]').forEach((box, k) => box.onchange = () => ask(k, box.checked ? +$$('[data-asked]')[k].value : NaN));
$('.label').onchange = () => change({label: +$('.label').value});
$('.draws').onclick = () => change({seed: state.seed+1, drawn: state.seed+1});
$('.latents').onclick = () =>
  change({seed: state.seed+1, z: G.normals(latents, state.seed+1).map(v => Math.round(20*v)/20)});
$('.start').onchange = () => change(fresh(T.examples[$('.start').value]));
$('.reset').onclick = () => change(fresh(state.example));
$('.paste').onsubmit = e => { e.preventDefault(); paste($('textarea').value); };
$('textarea').onkeydown = e => { if (e.key === 'Enter') { e.preventDefault(); $('.paste').requestSubmit(); } };
const copy = (at, text) => navigator.clipboard.writeText(text).then(() => {
  const name = $(at).textContent;
  $(at).textContent = 'Copied'; setTimeout(() => $(at).textContent = name, 1500);
});
$('.copy').onclick = () => copy('.copy', $('pre').textContent);
$('.link').onclick = () => copy('.link', new URL(address(), location.href).href);
addEventListener('hashchange', () => { if (location.hash.includes('=')) readAddress(); });
addEventListener('resize', () => state && redraw());
readAddress();
}
