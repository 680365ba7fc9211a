import { calendarDays, calendarText, dayName, runsOf, type Calendar, type DayMark } from './calendar.js';
import { html, nothing, type Html } from './html.js';

/** A day is one unit wide, a row `rowHeight` units high. Where there is less room, the oldest days are cut off. */
const rowHeight = 2.5;

/** By mark: its class, how far from the top it is drawn, as the middle of a line whose width the style sheet says. */
const strokes: [mark: DayMark, css: string, y: number][] = [
  ['backup', 'b', 1.25],
  ['several', 's', 1.25],
  ['unproven', 'u', 1.85],
  ['none', 'n', 2.2],
];

/** One row: the dashes of the lines part the days. Marks differ in height and shape, too, not only by colour. */
export function calendarRow(calendar: Calendar, nowMs: number): Html {
  const paths = strokes.map(([mark, css, y]) => {
    const d = runsOf(calendar.marks, mark)
      .map(({ start, length }) => `M${start} ${y}h${length}`)
      .join('');
    return d === '' ? nothing : html`<path class="${css}" d="${d}" />`;
  });
  const { failed } = calendar;
  const cross =
    failed === null ? nothing : html`<path class="f" d="M${failed + 0.1} .9l.6 .8m0-.8l-.6 .8" />`;
  return html`<svg
    viewBox="0 0 ${calendarDays} ${rowHeight}"
    preserveAspectRatio="xMaxYMid slice"
    role="img"
    aria-label="${calendarText(calendar, nowMs)}"
  >
    ${paths}${cross}
  </svg>`;
}

/** The days' names above the rows, drawn to the same scale: one a week or so, and the first of each month. */
export function calendarHead(nowMs: number): Html {
  const labels = Array.from({ length: calendarDays }, (_, day) => ({ day, name: dayName(nowMs, day) }))
    .filter(({ name }) => name.endsWith('-01') || name.endsWith('-15'))
    .map(({ day, name }) => {
      const late = day > calendarDays - 5;
      const text = name.endsWith('-01') ? month(name) : '15';
      return html`<text x="${late ? calendarDays : day}" y="1.7" text-anchor="${late ? 'end' : 'start'}"
        >${text}</text
      >`;
    });
  return html`<svg
    viewBox="0 0 ${calendarDays} ${rowHeight}"
    preserveAspectRatio="xMaxYMid slice"
    aria-hidden="true"
  >
    ${labels}
  </svg>`;
}

function month(name: string): string {
  const names = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
  return names[Number(name.slice(5, 7)) - 1] ?? '';
}
