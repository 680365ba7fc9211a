import { byteAxis, countAxis, type Axis } from './axis.js';
import { calendarDays, dayName } from './calendar.js';
import type { PageData } from './data.js';
import { html, nothing, type Html } from './html.js';
import { trendOf } from './trend.js';
import { counted, size } from './words.js';

/** Of a plot, in units of its drawing. */
const drawing = { width: 400, height: 170, left: 62, right: 8, top: 12, bottom: 24 };

interface Plot {
  id: string;
  title: string;
  values: readonly number[];
  axis: Axis;
  shape: 'bars' | 'area';
  /** What it shows, in words. */
  text: string;
}

export function plots({ repository, madeMs }: PageData): Html {
  if (repository === null) return nothing;
  const trend = trendOf(repository, madeMs);
  const largest = (values: readonly number[]) => Math.max(0, ...values);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const [first = 0, last = 0] = [trend.heldBytes.at(0), trend.heldBytes.at(-1)];
  const list: Plot[] = [
    {
      id: 'held',
      title: 'What the newest backups hold',
      values: trend.heldBytes,
      axis: byteAxis(largest(trend.heldBytes)),
      shape: 'area',
      text: `${size(last)} today, ${size(Math.abs(last - first))} ${last < first ? 'less' : 'more'} than ${calendarDays - 1} days ago`,
    },
    {
      id: 'added',
      title: 'What backups added to the repository, a day',
      values: trend.addedBytes,
      axis: byteAxis(largest(trend.addedBytes)),
      shape: 'bars',
      text: `${size(Math.round(sum(trend.addedBytes) / calendarDays))} a day on average, ${size(largest(trend.addedBytes))} at most, compressed`,
    },
    {
      id: 'count',
      title: 'Proven backups, a day',
      values: trend.backups,
      axis: countAxis(largest(trend.backups)),
      shape: 'bars',
      text: `${counted(sum(trend.backups), 'backup')} in ${calendarDays} days`,
    },
  ];
  return html`<section aria-labelledby="trend">
    <h2 id="trend">Size and growth</h2>
    <div class="plots">${list.map((plot) => figure(plot, madeMs))}</div>
    ${numbers(list, madeMs)}
  </section>`;
}

function figure({ id, title, values, axis, shape, text }: Plot, madeMs: number): Html {
  const { width, height, left, right, top, bottom } = drawing;
  const x = (day: number) => round(left + (day * (width - left - right)) / calendarDays);
  const y = (value: number) => round(height - bottom - (value * (height - top - bottom)) / (axis.top || 1));
  const base = height - bottom;
  const days = [0, 30, 60, calendarDays - 1];
  return html`<figure>
    <figcaption id="p-${id}">${title}</figcaption>
    <svg class="plot" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="p-${id} t-${id}">
      ${axis.ticks.map(
        ({ value, label }) =>
          html`<path class="grid" d="M${left} ${y(value)}H${width - right}" /><text
              x="${left - 6}"
              y="${round(y(value) + 4)}"
              text-anchor="end"
              >${label}</text
            >`,
      )}${days.map(
        (day) =>
          html`<text
            x="${day === calendarDays - 1 ? width - right : x(day)}"
            y="${height - 6}"
            text-anchor="${day === 0 ? 'start' : day === calendarDays - 1 ? 'end' : 'middle'}"
            >${dayName(madeMs, day).slice(5)}</text
          >`,
      )}${shape === 'bars' ? bars(values, x, y, base) : area(values, x, y, base)}
    </svg>
    <p class="note" id="t-${id}">${text}</p>
  </figure>`;
}

type Scale = (value: number) => number;

function bars(values: readonly number[], x: Scale, y: Scale, base: number): Html {
  const width = round((x(1) - x(0)) * 0.72);
  const d = values
    .map((value, day) =>
      value > 0 ? `M${x(day)} ${base}V${Math.min(y(value), base - 1)}h${width}V${base}` : '',
    )
    .join('');
  return html`<path class="mark" d="${d}" />`;
}

function area(values: readonly number[], x: Scale, y: Scale, base: number): Html {
  const line = values.map((value, day) => `${round(x(day + 0.5))} ${y(value)}`).join('L');
  return html`<path
      class="fill"
      d="M${round(x(0.5))} ${base}L${line}L${round(x(values.length - 0.5))} ${base}"
    /><path class="line" d="M${line}" />`;
}

function numbers(list: readonly Plot[], madeMs: number): Html {
  const days = Array.from({ length: calendarDays }, (_, day) => calendarDays - 1 - day);
  return html`<details>
    <summary>These in numbers</summary>
    <div class="scroll" tabindex="0" role="region" aria-label="Size and growth in numbers">
      <table class="numbers">
        <thead>
          <tr>
            <th scope="col">Day</th>
            ${list.map(({ title }) => html`<th scope="col">${title}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${days.map(
            (day) =>
              html`<tr>
                <th scope="row">${dayName(madeMs, day)}</th>
                ${list.map(({ values, id }) => html`<td>${id === 'count' ? String(values[day] ?? 0) : size(values[day] ?? 0)}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </details>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
