// What the page does when something is typed, selected or tapped. Bokeh calls this as a function's body with:
// rows, chosen: the table's source and filter, best run first; input, count: the filter's field and the text beside it;
// lines, all: every curve (the best last, so on top) and what draws them; some, glyph: those of a choice; mark: the
// curve under the pointer; names, texts: columns; ranks: a colour for each rank; few: colours for a handful of runs;
// hash: true at the start.
const n = rows.get_length();
if (hash) {
  const words = decodeURIComponent(window.location.hash.slice(1));
  if (words) { input.value = words; input.value_input = words; }
}
const comparisons = {
  '<': (a, b) => a < b, '<=': (a, b) => a <= b, '>': (a, b) => a > b, '>=': (a, b) => a >= b,
  '=': (a, b) => a == b, '!=': (a, b) => a != b,
};
const short = names.map(name => name.split('.').pop());
const column = word => {
  if (names.includes(word)) return rows.data[word];
  const at = short.indexOf(word);
  return at < 0 ? null : rows.data[names[at]];
};
const typed = (input.value_input ?? input.value).trim();
const tests = typed.split(/\s+/).filter(word => word.length).map(word => {
  const parts = word.match(/^([\w.\/]+?)(<=|>=|!=|=|<|>)(.+)$/);
  const values = parts && column(parts[1]);
  if (values) {
    const number = Number(parts[3]), holds = comparisons[parts[2]];
    return i => Number.isNaN(number)
      ? holds(String(values[i]), parts[3])
      : values[i] !== '' && !Number.isNaN(values[i]) && holds(values[i], number);
  }
  const part = word.toLowerCase();
  return i => texts.some(name => String(rows.data[name][i]).toLowerCase().includes(part));
});
const kept = Array.from({ length: n }, (_, i) => tests.every(test => test(i)));
const before = chosen.booleans;
if (before === null || kept.some((keep, i) => keep !== before[i])) chosen.booleans = kept;

// All the curves stay as they are, hidden or not; those of a choice are drawn from a source of their own, built once.
const selected = rows.selected.indices.filter(i => kept[i]);
const drawn = selected.length ? selected : kept.flatMap((keep, i) => (keep ? [i] : []));
const colours = [...ranks];
if (drawn.length <= few.length) drawn.forEach((i, k) => { colours[i] = few[k]; });
if (colours.some((colour, i) => colour !== rows.data._colour[i])) rows.data = { ...rows.data, _colour: colours };
const places = drawn.map(i => n - 1 - i).reverse();
all.visible = drawn.length === n;
if (all.visible || !places.every((place, k) => place === some.data._order[k]) || places.length !== some.data._order.length) {
  const data = {};
  for (const [name, values] of Object.entries(lines.data)) {
    data[name] = all.visible ? [] : places.map(place => (values.get ? values.get(place) : values[place]));
  }
  if (!all.visible) data._colour = drawn.map(i => colours[i]).reverse();
  glyph.line_width = drawn.length <= 20 ? 2 : 1;
  some.data = data;
}
mark.data = { x: [], y: [] };
const matching = kept.filter(keep => keep).length;
count.text = `${matching} of ${n} runs` + (selected.length ? `, ${selected.length} selected` : '');
