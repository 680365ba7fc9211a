/**
 * The page's script: sorting, finding, opening a claim, and what a day is. It makes elements and sets their text; it never
 * makes markup out of data. Without it the page shows all that is in its tables.
 */
export const behaviour = String.raw`'use strict';
(() => {
  const table = document.getElementById('claims');
  if (!table) return;
  const body = table.tBodies[0];
  const data = JSON.parse(document.getElementById('details').textContent);
  const day = 86400000;
  const rows = [...body.rows].map((row, index) => ({ row, claim: data.claims[index], opened: null }));
  const element = (name, text, ...children) => {
    const made = document.createElement(name);
    if (text !== '') made.textContent = text;
    made.append(...children);
    return made;
  };

  // Sorting: a click sorts, another one the other way round. What is not known comes last.
  const heads = [...table.tHead.rows[0].cells].slice(0, 5);
  const keys = [(one) => one.claim.n, ...[0, 1, 2, 3].map((index) => (one) => one.claim.s[index])];
  const sort = (column, descending) => {
    const key = keys[column];
    rows.sort((one, other) => {
      const [a, b] = [key(one), key(other)];
      if (a === null || b === null) return (a === null) - (b === null) || (one.claim.n < other.claim.n ? -1 : 1);
      const order = a < b ? -1 : a > b ? 1 : 0;
      return (descending ? -order : order) || (one.claim.n < other.claim.n ? -1 : 1);
    });
    heads.forEach((head, index) => {
      if (index === column) head.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
      else head.removeAttribute('aria-sort');
    });
    body.append(...rows.flatMap(({ row, opened }) => (opened ? [row, opened] : [row])));
  };
  heads.forEach((head, column) => {
    const button = head.firstElementChild;
    button.disabled = false;
    button.addEventListener('click', () => {
      const now = head.getAttribute('aria-sort');
      sort(column, now === null ? column > 1 : now === 'ascending');
    });
  });

  // Finding: every word has to be somewhere in what is told of a claim.
  const form = document.querySelector('form.tools');
  const found = document.getElementById('found');
  for (const one of rows) {
    const { claim, row } = one;
    const told = claim.d.map(([, value]) => value).join(' ');
    one.text = (claim.n + ' ' + row.cells[0].textContent + ' ' + row.cells[1].textContent + ' ' + told).toLowerCase();
  }
  const filters = { all: () => true, unsafe: ({ f }) => f[0], selected: ({ f }) => f[1], out: ({ f }) => f[2] };
  const find = () => {
    const words = form.elements.find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = filters[form.elements.show.value];
    let count = 0;
    for (const { row, claim, opened, text } of rows) {
      const fits = shown(claim) && words.every((word) => text.includes(word));
      row.hidden = !fits;
      if (opened) opened.hidden = !fits;
      if (fits) count += 1;
    }
    found.textContent = count === rows.length ? '' : count + ' of ' + rows.length;
  };
  form.hidden = false;
  // Not at each key: a large table takes a moment to lay out.
  let soon;
  form.addEventListener('input', () => {
    clearTimeout(soon);
    soon = setTimeout(find, rows.length > 300 ? 150 : 0);
  });
  form.addEventListener('submit', (event) => event.preventDefault());
  document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.target.closest('input')) return;
    event.preventDefault();
    form.elements.find.focus();
  });

  // Opening a claim: what is told of it, the commands, its snapshots.
  const bytes = (count) => {
    if (count === null) return 'unknown';
    let unit = 0;
    for (; Math.round(count * 10) >= 10240 && unit < 6; unit += 1) count /= 1024;
    return Math.round(count * 10) / 10 + ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'][unit];
  };
  const time = (seconds) => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
  const cells = (name, texts) => {
    const row = element('tr', '');
    texts.forEach((text, index) => {
      const cell = element(index === 0 ? 'th' : name, text);
      if (index === 0) cell.scope = name === 'th' ? 'col' : 'row';
      if (name === 'th') cell.scope = 'col';
      row.append(cell);
    });
    return row;
  };
  const snapshots = (claim) => {
    const list = element('table', '', element('thead', '', cells('th', ['Time', 'Snapshot', 'Holds', 'Added', 'Proven'])));
    const inside = list.createTBody();
    for (const [id, at, held, added, proven] of claim.b)
      inside.append(cells('td', [time(at), id, bytes(held), bytes(added), proven ? 'yes' : 'no']));
    list.className = 'numbers';
    return list;
  };
  const commands = (claim) => {
    if (claim.t === null || claim.c === 0) return [];
    if (claim.o === null) return [element('p', 'Its name is none that a command can be given for here.')];
    const list = element('dl', '');
    list.className = 'commands';
    for (const { title, command } of data.commands[claim.t])
      list.append(element('dt', title), element('dd', '', element('code', command.split('{claim}').join(claim.o))));
    return [element('h3', 'Get it back'), list, element('p', 'The newest proven backup is taken; add --snapshot ID (below) or --as-of 2026-01-31 (a day or a time, UTC) for another.')];
  };
  const open = ({ claim }) => {
    const facts = element('dl', '');
    facts.className = 'facts';
    for (const [name, value] of claim.d) facts.append(element('dt', name), element('dd', value));
    const cell = element('td', '', element('div', '', facts, element('div', '', ...commands(claim))));
    // No more columns than are shown: one more would take room from the others.
    cell.colSpan = [...table.tHead.rows[0].cells].filter((head) => head.offsetParent !== null).length;
    const more = claim.c - claim.b.length;
    if (claim.b.length > 0) {
      const scroll = element('div', '', snapshots(claim));
      scroll.className = 'scroll';
      scroll.tabIndex = 0;
      scroll.setAttribute('role', 'region');
      scroll.setAttribute('aria-label', 'Snapshots of ' + claim.n);
      cell.append(element('h3', 'Snapshots'), scroll);
    }
    if (more > 0) cell.append(element('p', 'And ' + more + ' older: cephbackup snapshots lists them.'));
    const row = element('tr', '', cell);
    row.className = 'open';
    return row;
  };
  for (const one of rows) one.row.cells[0].firstElementChild.disabled = false;
  const byRow = new Map(rows.map((one) => [one.row, one]));
  body.addEventListener('click', (event) => {
    const button = event.target.closest('th > button');
    const one = button && byRow.get(button.closest('tr'));
    if (!one) return;
    if (one.opened) one.opened.remove();
    one.opened = one.opened ? null : open(one);
    if (one.opened) one.row.after(one.opened);
    button.setAttribute('aria-expanded', String(one.opened !== null));
  });

  // What a day is, under the pointer.
  const tip = document.getElementById('tip');
  const names = { b: 'a backup', s: 'several backups', u: 'an unproven snapshot', n: 'no backup', f: 'the last attempt failed' };
  const marksOf = (svg, wanted) =>
    [...svg.children].filter((path) =>
      [...path.getAttribute('d').matchAll(/M([\d.]+) [\d.]+(?:h(\d+))?/g)].some(
        ([, start, length = '1']) => wanted >= Math.floor(start) && wanted < Math.floor(start) + Number(length),
      ),
    );
  body.addEventListener('pointermove', (event) => {
    const svg = event.target.closest('td.cal svg');
    tip.hidden = !svg;
    if (!svg) return;
    const box = svg.getBoundingClientRect();
    // The newest day is at the right, and a day as wide as a row is high, divided by its 2.5 units.
    const width = Math.max(box.width / 90, box.height / 2.5);
    const index = 89 - Math.floor((box.right - event.clientX) / width);
    if (index < 0 || index > 89) return;
    const date = new Date((Math.floor(data.nowMs / day) - 89 + index) * day).toISOString().slice(0, 10);
    const told = marksOf(svg, index).map((path) => names[path.getAttribute('class')]);
    tip.textContent = date + ': ' + (told.join(', ') || 'the claim did not exist');
    const left = Math.min(event.clientX + 12, window.innerWidth - tip.offsetWidth - 8);
    tip.style.left = Math.max(8, left) + 'px';
    tip.style.top = event.clientY + 16 + 'px';
  });
  body.addEventListener('pointerleave', () => { tip.hidden = true; });
})();
`;
