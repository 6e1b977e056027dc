(({hairpins, does, colours}) => {
const root = document.getElementById("$key"), at = c => root.querySelector(c),
  [which, method] = [at(".which"), at(".method")]
const shade = s => {
  const end = s > 0 ? [230, 97, 1] : [33, 113, 181];
  return `rgb($${end.map(c => Math.round(255 + (c - 255) * Math.min(Math.abs(s), 1)))})`
}
const options = (select, names) => select.replaceChildren(...names.map((n, i) => new Option(n, i)))
const key = colours => Object.entries(colours).map(([name, colour]) =>
  `<span class="swatch"><i style="background: $${colour}"></i>$${name}</span>`).join("")

function logo(h, scores, top) { // letters as high as their score
  const w = 11, tall = 60, y = tall + 4,
    letter = (c, s, i) => `<g
      transform="translate($${i * w + w / 2 + 30} $${y}) scale(1 $${s / top * tall / 9.6})"><text
      text-anchor="middle" font-size="13" font-weight="bold"
      style="fill: $${colours.letters[c] || "#999"}">$${c}</text></g>`
  const ticks = scores.map((_, i) => (i + 1) % 10 ? "" : `<text
    x="$${i * w + w / 2 + 30}" y="$${2 * tall + 18}" text-anchor="middle" font-size="9">$${i + 1}</text>`)
  return `<svg
    width="$${scores.length * w + 40}" height="$${2 * tall + 22}" style="max-width:none"
    role="img" aria-label="logo of the scores"><line
    x1="30" x2="$${scores.length * w + 30}" y1="$${y}" y2="$${y}"/><text
    x="2" y="12" font-size="9">$${top.toFixed(2)}</text><text
    x="2" y="$${2 * tall + 4}" font-size="9">−$${top.toFixed(2)}</text>$${
      scores.map((s, i) => letter(h.sequence[i], s, i)).join("")}$${ticks.join("")}</svg>`
}

function show() {
  const h = hairpins[which.value], name = method.selectedOptions[0].text, m = h.methods[name],
    top = Math.max(...m.scores.map(Math.abs)) || 1
  at(".does").textContent = does[name] || ""
  at(".said").textContent = `$${h.name}: probability of a precursor $${
    h.probability.toFixed(3)}, $${h.sequence.length} nt, $${h.mfe} kcal/mol`
  at(".arms").textContent = h.arms
  at(".low").textContent = "−" + top.toFixed(2);
  at(".high").textContent = "+" + top.toFixed(2)
  at(".structure").innerHTML = h.svg
  at(".structure svg").setAttribute("role", "img")
  at(".structure svg").setAttribute("aria-label", "structure, in the colours of the scores")
  at(".structure").querySelectorAll("circle").forEach((c, i) => {
    c.setAttribute("fill", shade(m.scores[i] / top));
    c.innerHTML = `<title>$${h.sequence[i]}$${i + 1}: $${m.scores[i]}</title>`
  })
  at(".logo").innerHTML = logo(h, m.scores, top)
  at(".maps").innerHTML = `<img
    alt="image that the detector sees" src="data:image/png;base64,$${h.image}"><img
    alt="score of each pixel" src="data:image/png;base64,$${m.pixels}">`
}
options(which, hairpins.map(h => h.name));
options(method, Object.keys(hairpins[0].methods));
at(".letters").innerHTML = key(colours.letters);
at(".pixels").innerHTML = key(colours.pixels);
which.onchange = method.onchange = show;
show()
})($data)
