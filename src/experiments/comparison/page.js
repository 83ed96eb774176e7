// What the page does when something is typed, selected or tapped. Bokeh calls this as a function's body with:
// rows, chosen: the table's source and filter, best run first; input, count: the filter's field and the text beside it;
// panels: for each figure lines, all: every curve (the best last, so on top) and what draws them; some, glyph: those of
// a choice; mark: the curve under the pointer; begin, count: its rows in the table; names, numeric: columns;
// colours: one for each rank; few: colours for a handful of runs; hash: true at the start. `parsed` is in filter.js.
const n = rows.get_length();
if (hash) {
  const words = decodeURIComponent(window.location.hash.slice(1));
  if (words) { input.value = words; input.value_input = words; }
}
let test;
try {
  test = parsed((input.value_input ?? input.value).trim(), names, numeric, rows.data);
} catch (error) {  // half a condition, most often: what is shown stays
  const said = document.createElement('span');
  said.textContent = error.message;
  said.style.color = 'crimson';
  count.text = said.outerHTML;
  return;
}
const kept = Array.from({ length: n }, (_, i) => test(i));
const before = chosen.booleans;
if (before === null || kept.some((keep, i) => keep !== before[i])) chosen.booleans = kept;

// All the curves stay as they are, hidden or not; those of a choice are drawn from a source of their own, built once.
const selected = rows.selected.indices.filter(i => kept[i]);
const drawn = selected.length ? selected : kept.flatMap((keep, i) => (keep ? [i] : []));
const shades = [...colours];
if (drawn.length <= few.length) drawn.forEach((i, k) => { shades[i] = few[k]; });
if (shades.some((shade, i) => shade !== rows.data._colour[i])) rows.data = { ...rows.data, _colour: shades };
for (const { lines, all, some, glyph, mark, begin, count: size } of panels) {
  const inside = drawn.filter(i => i >= begin && i < begin + size);
  const places = inside.map(i => begin + size - 1 - i).reverse();
  const shown = some.data._order;
  all.visible = inside.length === size && drawn.length > few.length;
  if (all.visible || places.length !== shown.length || !places.every((place, k) => place === shown[k])) {
    const data = {};
    for (const [name, values] of Object.entries(lines.data)) {
      data[name] = all.visible ? [] : places.map(place => (values.get ? values.get(place) : values[place]));
    }
    if (!all.visible) data._colour = inside.map(i => shades[i]).reverse();
    glyph.line_width = drawn.length <= 20 ? 2 : 1;
    some.data = data;
  }
  mark.data = { x: [], y: [] };
}
const matching = kept.filter(keep => keep).length;
count.text = `${matching} of ${n} runs` + (selected.length ? `, ${selected.length} selected` : '');
