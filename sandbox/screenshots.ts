import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pageOf } from '../lib/page/page.js';
import { openBrowser } from './page/browser.js';
import { sampleData } from './page/sample.js';

/** `npm run screenshots [-- FOLDER]`: the page of a sample cluster, in both themes and three widths. */
const widths = { narrow: 320, medium: 820, wide: 1400 };
const folder = process.argv[2] ?? 'docs/images';

await mkdir(folder, { recursive: true });
const file = path.resolve(folder, 'report.html');
await writeFile(file, pageOf(sampleData()));
const browser = await openBrowser();
try {
  const page = await browser.newPage();
  for (const theme of ['light', 'dark']) {
    for (const [name, width] of Object.entries(widths)) {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
      await page.setViewport({ width, height: 900, deviceScaleFactor: 1 });
      await page.goto(`file://${file}`);
      await page.screenshot({
        path: path.join(folder, `report-${theme}-${name}.webp`),
        type: 'webp',
        quality: 82,
        fullPage: true,
      });
    }
  }
} finally {
  await browser.close();
  await rm(file);
}
