import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pageOf } from '../../lib/page/page.js';
import { openBrowser } from '../page/browser.js';
import { sampleData } from '../page/sample.js';
import { atMost, information, median, type Bench } from './figure.js';
import { measure } from './stopwatch.js';

interface Times {
  paintMs: number;
  readyMs: number;
}

/** Seen from inside: the first paint, and when the page answers. */
const times = `new Promise((resolve) => requestAnimationFrame(() => setTimeout(() => resolve({
  paintMs: performance.getEntriesByName('first-contentful-paint')[0].startTime,
  readyMs: performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd,
}), 100)))`;

/** The page of 2,000 claims and 90 days: how large it is, and how soon Chromium shows it. */
export const reportPage: Bench = async ({ folder, quick, tell }) => {
  const data = sampleData(2000);
  const { result: text, seconds } = await measure(() => Promise.resolve(pageOf(data)));
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, 'report.html');
  await writeFile(file, text);
  const browser = await openBrowser();
  const laps: Times[] = [];
  try {
    for (let lap = 0; lap < (quick ? 2 : 9); lap += 1) {
      tell('opening it in Chromium');
      const page = await browser.newPage();
      await page.goto(`file://${file}`);
      laps.push((await page.evaluate(times)) as Times);
      await page.close();
    }
  } finally {
    await browser.close();
  }
  return {
    figures: [
      atMost('report of 2,000 claims, 90 days', Buffer.byteLength(text) / 1e6, 3, 'MB'),
      atMost('its first paint in Chromium', median(laps.map(({ paintMs }) => paintMs)) / 1000, 1, 's'),
      information('until it answers', median(laps.map(({ readyMs }) => readyMs)) / 1000, 's'),
      information('to make it', seconds, 's'),
    ],
    notes: [],
  };
};
