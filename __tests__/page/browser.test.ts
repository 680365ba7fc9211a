import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, Page } from 'puppeteer-core';
import type { PageData } from '../../lib/page/data.js';
import { pageOf } from '../../lib/page/page.js';
import { openBrowser } from '../../sandbox/page/browser.js';
import { sampleData } from '../../sandbox/page/sample.js';

/** The page in Debian's Chromium, as a file: what is seen, found, sorted, opened and printed. */
let browser: Browser;
const folder = mkdtempSync(path.join(tmpdir(), 'page-'));

beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

interface Shown {
  page: Page;
  /** What the browser complained of, and what the page asked for beyond itself. */
  complaints: string[];
}

async function show(data: PageData, { width = 1280, theme = 'light' } = {}): Promise<Shown> {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  const file = path.join(folder, `${Math.random()}.html`);
  writeFileSync(file, pageOf(data));
  page.on('request', (request) => {
    if (request.url() !== `file://${file}`) complaints.push(`asked for ${request.url()}`);
  });
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
  await page.goto(`file://${file}`);
  return { page, complaints };
}

/** The texts of what a selector finds. The types of the DOM are not loaded for a program that runs in Node. */
function texts(page: Page, selector: string): Promise<string[]> {
  const code = `[...document.querySelectorAll(${JSON.stringify(selector)})].map(({ textContent }) => textContent)`;
  return page.evaluate(code) as Promise<string[]>;
}

/** The claims that are shown, in order. */
function shownClaims(page: Page): Promise<string[]> {
  return texts(page, '#claims tbody tr:not(.open):not([hidden]) th button');
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(`(async () => {
    const { violations } = await axe.run(document, { resultTypes: ['violations'] });
    return violations.flatMap(({ id, nodes }) => nodes.slice(0, 3).map(({ html }) => id + ': ' + html.slice(0, 200)));
  })()`) as Promise<string[]>;
}

/** Whatever columns a narrow page leaves out, what is opened is there in full. */
const hiddenCells = `[...document.querySelectorAll('.open td, .open th')].filter((cell) => cell.offsetParent === null).length`;

describe.each(['light', 'dark'])('%s', (theme) => {
  test.each([320, 820, 1400])('at %d pixels nothing is cut off, and axe finds nothing', async (width) => {
    const { page, complaints } = await show(sampleData(), { width, theme });
    await page.evaluate(`document.querySelector('#claims tbody tr:nth-child(4) button').click()`);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    expect(await violations(page)).toEqual([]);
    expect(await page.evaluate(hiddenCells)).toBe(0);
    expect(complaints).toEqual([]);
    await page.close();
  });
});

test('the answer, what to do, and the worst first', async () => {
  const { page } = await show(sampleData());
  expect((await texts(page, 'h1'))[0]).toBe(
    '17 of 20 volumes to be backed up are ok: 1 stale, 2 never; 2 failed in the last attempt; 4 not covered.',
  );
  const todo = await page.evaluate(`document.querySelector('.todo').innerText`);
  expect(todo).toMatch(/shop\/invoices.*stale/);
  expect(todo).toContain('FILESYSTEM_CORRUPT: The filesystem has errors');
  expect((await shownClaims(page)).slice(0, 3)).toEqual([
    'vms/licence-server',
    'shop/invoices',
    'archive/scans',
  ]);
  await page.close();
});

test('a claim is found by words, and by what there is to do', async () => {
  const { page } = await show(sampleData());
  await page.keyboard.press('/');
  await page.keyboard.type('cephfs shop');
  await page.waitForFunction(`document.getElementById('found').textContent === '1 of 23'`);
  expect(await shownClaims(page)).toEqual(['shop/catalogue']);
  await page.evaluate(`document.getElementById('find').value = ''`);
  await page.click('fieldset label:nth-of-type(2)');
  await page.waitForFunction(`document.getElementById('found').textContent === '3 of 23'`);
  expect(await shownClaims(page)).toEqual(['vms/licence-server', 'shop/invoices', 'archive/scans']);
  await page.close();
});

test('claims are sorted by each column, by keyboard too; what is not known comes last', async () => {
  const { page } = await show(sampleData());
  const by = async (column: number) => {
    await page.focus(`#claims thead th:nth-child(${column}) button`);
    await page.keyboard.press('Enter');
    return shownClaims(page);
  };
  const names = await by(1);
  expect(names).toEqual(names.toSorted());
  expect((await by(3)).slice(0, 2)).toEqual(['shop/invoices', 'mail/queue']);
  expect((await by(3)).slice(-6)).toContain('vms/licence-server');
  expect((await by(5))[0]).toBe('genomics/reads');
  expect(await page.evaluate(`document.querySelector('#claims thead th:nth-child(5)').ariaSort`)).toBe(
    'descending',
  );
  await page.close();
});

test('a claim opens to its snapshots and to the commands that bring it back', async () => {
  const { page } = await show(sampleData());
  for (const [claim, command] of [
    ['genomics/notebooks', 'cephbackup restore genomics/notebooks --path /PATH --to-directory ./restored'],
    ['vms/router', 'mkdir -p look && cephbackup open vms/router ./look'],
    [
      'vms/windows-build',
      'cephbackup restore vms/windows-build --partition 1 --path /PATH --to-directory ./restored',
    ],
  ] as const) {
    await page.evaluate(
      `[...document.querySelectorAll('#claims th button')].find((one) => one.textContent === '${claim}').click()`,
    );
    const codes = await texts(page, '.open code');
    expect(codes).toContain(command);
  }
  const text = await page.evaluate(`document.querySelector('.open').innerText`);
  expect(text).toMatch(/2026-03-15T02:\d\d:\d\dZ\s+[0-9a-f]{8}\s+[\d.]+GiB\s+[\d.]+[MG]iB\s+no/);
  await page.close();
});

test('a day tells what it is under the pointer', async () => {
  const { page } = await show(sampleData(), { width: 1400 });
  const cell = await page.$('#claims tbody tr:nth-child(2) td.cal svg');
  const box = await cell?.boundingBox();
  if (!box) throw new Error('no calendar');
  const tip = async (daysAgo: number) => {
    await page.mouse.move(box.x + box.width - (daysAgo + 0.5) * 7, box.y + box.height / 2);
    return (await texts(page, '#tip'))[0];
  };
  await cell?.scrollIntoView();
  Object.assign(box, await cell?.boundingBox());
  expect(await tip(0)).toBe('2026-03-18: no backup, the last attempt failed');
  expect(await tip(2)).toBe('2026-03-16: no backup');
  expect(await tip(3)).toBe('2026-03-15: a backup');
  await page.close();
});

test('on paper everything is there, without what needs a mouse', async () => {
  const { page } = await show(sampleData());
  await page.emulateMediaType('print');
  expect(await page.evaluate(`getComputedStyle(document.querySelector('.tools')).display`)).toBe('none');
  const pdf = await page.pdf({ format: 'A4' });
  expect(Buffer.from(pdf).toString('latin1')).toMatch(/^%PDF/);
  await page.close();
});

test('without scripts the tables say it all', async () => {
  const page = await browser.newPage();
  await page.setJavaScriptEnabled(false);
  const file = path.join(folder, 'still.html');
  writeFileSync(file, pageOf(sampleData()));
  await page.goto(`file://${file}`);
  expect(await shownClaims(page)).toHaveLength(23);
  expect(await page.evaluate(`document.querySelector('.tools').hidden`)).toBe(true);
  await page.close();
});

test('names that are markup, style, script or a URL are text, everywhere', async () => {
  const hostile = [
    `</script><script>alert(1)</script>`,
    `"><img src=x onerror=alert(2)>`,
    `'+alert(3)+'`,
    `</style><style>*{display:none}</style>`,
    `javascript:alert(4)`,
    `<svg onload=alert(5)>`,
    `</title><meta http-equiv=refresh content=0;url=https://example.com>`,
    '{claim}$&$`',
    '${alert(6)}',
    `<!--<script>`,
    '\u202egnp.exe',
  ];
  const data = sampleData();
  data.status.volumes.forEach((claim, index) => {
    const name = hostile[index % hostile.length] ?? '';
    Object.assign(claim, {
      namespace: name,
      pvc: name,
      pv: name,
      uid: `${name}${index}`,
      lastError: name,
      why: name,
      lastSnapshot: name,
    });
  });
  data.status.warnings.push(...hostile);
  const facts = new Map(
    data.status.volumes.map(({ uid, namespace }) => [uid, { storageClass: namespace, createdMs: 0 }]),
  );
  const backups = new Map(
    data.status.volumes.map(({ uid, namespace }) => [
      uid,
      [{ id: namespace, timeMs: data.madeMs, sizeBytes: 1, addedBytes: 1, proven: true }],
    ]),
  );
  const gone = hostile.map((name) => ({
    namespace: name,
    pvc: name,
    uid: name,
    kind: name,
    backups: backups.values().next().value ?? [],
  }));
  const prune = {
    rules: hostile,
    keep: 1,
    forget: 1,
    claims: gone.map((one) => ({ ...one, keep: 1, forget: 1 })),
  };
  const { page, complaints } = await show({
    ...data,
    cluster: hostile.join(''),
    facts,
    repository: { backups, gone, prune },
  });
  await page.evaluate(`for (const button of document.querySelectorAll('#claims th button')) button.click()`);
  const found = (await page.evaluate(`({
    strange: document.querySelectorAll('img,iframe,object,embed,link,a,base,meta[http-equiv=refresh],[onerror],[onload],[style]').length,
    scripts: document.scripts.length,
    styles: document.querySelectorAll('style').length,
    names: [...document.querySelectorAll('#claims tbody th button')].map((button) => button.textContent),
    opened: document.querySelectorAll('.open').length,
  })`)) as { strange: number; scripts: number; styles: number; names: string[]; opened: number };
  // The style of the tip is set by the script alone.
  expect(found).toMatchObject({ strange: 0, scripts: 2, styles: 1, opened: 23 });
  for (const name of hostile.slice(0, -1)) expect(found.names).toContain(`${name}/${name}`);
  expect(found.names).toContain('\\u202egnp.exe/\\u202egnp.exe');
  expect(complaints).toEqual([]);
  await page.close();
});

test('its policy lets nothing in: neither a script nor a style nor an image that somebody added', async () => {
  const { page, complaints } = await show(sampleData());
  await page.evaluate(
    `document.body.insertAdjacentHTML('beforeend', '<img src="https://example.com/x.png" onerror="document.title=1"><p style="color:red">')`,
  );
  await page.evaluate(
    `document.body.append(Object.assign(document.createElement('script'), { textContent: 'document.title = 2' }))`,
  );
  expect(await page.title()).toMatch(/volumes to be backed up/);
  expect(complaints.filter((line) => line.includes('Content Security Policy')).length).toBeGreaterThanOrEqual(
    3,
  );
  await page.close();
});

test('2,000 claims and 90 days: at most 3 MB, found and sorted', async () => {
  const data = sampleData(2000);
  expect(Buffer.byteLength(pageOf(data))).toBeLessThanOrEqual(3_000_000);
  const { page, complaints } = await show(data);
  await page.type('#find', 'service-01999');
  await page.waitForFunction(`document.getElementById('found').textContent === '1 of 2000'`);
  expect(await shownClaims(page)).toEqual(['team-059/data-of-service-01999']);
  expect(complaints).toEqual([]);
  await page.close();
});
