// What is typed into the filter, as a test of a row: the conditions of --where (SQL), and words to look for.
// `parsed(text, names, numeric, data)` gives a function of a row's number; it throws a sentence about what it does not
// understand. Comparisons with nothing are neither true nor false, as in SQL; words beside each other must all hold.
const parsed = (text, names, numeric, data) => {
  const tokens = text.match(/'(?:[^']|'')*'|"[^"]*"|<=|>=|<>|!=|[<>=(),]|[^\s<>=!(),'"]+|\S/g) ?? [];
  let at = 0;
  const refuse = said => { throw new Error(`not understood: ${said}`); };
  const word = offset => (tokens[at + (offset ?? 0)] ?? '').toLowerCase();
  const take = expected => (word() === expected ? (at++, true) : false);
  const need = expected => take(expected) || refuse(`${tokens[at] ?? 'the end'} where ${expected} belongs`);
  const comparisons = {
    '<': (a, b) => a < b, '<=': (a, b) => a <= b, '>': (a, b) => a > b, '>=': (a, b) => a >= b,
    '=': (a, b) => a === b, '!=': (a, b) => a !== b, '<>': (a, b) => a !== b,
  };
  const known = name => {
    if (names.includes(name)) return name;
    const like = names.filter(other => other.endsWith(`.${name}`)
      || (/^(validation_)?(r2|rmse)$/.test(name) && other.startsWith(`${name}.`)));
    return like.length === 1 ? like[0] : null;
  };
  const isNothing = value => value === '' || Number.isNaN(value);
  const literal = name => {  // a value to compare a column with
    const token = tokens[at++] ?? refuse('a value is missing at the end');
    const quoted = token[0] === "'";
    if (!quoted && /^[<>=(),!]/.test(token)) refuse(`${token} where a value belongs`);
    if (!numeric.includes(name)) return quoted ? token.slice(1, -1).replaceAll("''", "'") : token;
    const value = Number(token);
    return quoted || Number.isNaN(value) ? refuse(`${name} is a number, ${token} is none`) : value;
  };
  const valued = (name, test) => i => (isNothing(data[name][i]) ? null : test(data[name][i]));
  const like = pattern => {
    const escaped = pattern.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('%', '.*').replaceAll('_', '.');
    const expression = new RegExp(`^${escaped}$`, 's');
    return value => expression.test(String(value));
  };
  const not = test => i => { const held = test(i); return held === null ? null : !held; };
  const and = (a, b) => i => { const x = a(i), y = b(i); return x === false || y === false ? false : x && y; };
  const or = (a, b) => i => { const x = a(i), y = b(i); return x === true || y === true ? true : x === null ? x : y; };
  const condition = name => {
    if (take('is')) {
      const negated = take('not');
      need('null');
      return i => isNothing(data[name][i]) !== negated;
    }
    const negated = take('not');
    let test;
    if (take('in')) {
      const values = [];
      need('(');
      do values.push(literal(name)); while (take(','));
      need(')');
      test = valued(name, value => values.includes(value));
    } else if (take('like')) test = valued(name, like(literal(null)));
    else if (take('between')) {
      const low = literal(name);
      need('and');
      const high = literal(name);
      test = valued(name, value => value >= low && value <= high);
    } else {
      const holds = comparisons[tokens[at++]] ?? refuse(`${tokens[at - 1]} after ${name}`), value = literal(name);
      test = valued(name, own => holds(own, value));
    }
    return negated ? not(test) : test;
  };
  const single = () => {
    if (take('not')) return not(single());
    if (take('(')) {
      const inside = either();
      need(')');
      return inside;
    }
    const token = tokens[at++] ?? refuse('a condition is missing at the end');
    const name = known(token[0] === '"' ? token.slice(1, -1) : token);
    const compared = word() in comparisons || ['is', 'in', 'like', 'between'].includes(word())
      || (word() === 'not' && ['in', 'like', 'between'].includes(word(1)));
    if (compared) return condition(name ?? refuse(`there is no column ${token} here`));
    if (/^[<>=(),!]/.test(token)) refuse(`${token} without a column before it`);
    const part = (token[0] === "'" ? token.slice(1, -1) : token).toLowerCase();
    const texts = names.filter(other => !numeric.includes(other));
    return i => texts.some(other => String(data[other][i]).toLowerCase().includes(part));
  };
  const all = () => {
    let test = single();
    while (at < tokens.length && ![')', 'or', ','].includes(word())) {
      take('and');
      test = and(test, single());
    }
    return test;
  };
  const either = () => {
    let test = all();
    while (take('or')) test = or(test, all());
    return test;
  };
  if (!tokens.length) return () => true;
  const test = either();
  if (at < tokens.length) refuse(`${tokens[at]} here`);
  return i => test(i) === true;
};
