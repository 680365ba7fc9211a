import { accessSync, constants } from 'node:fs';
import puppeteer, { type Browser } from 'puppeteer-core';

const program = '/usr/bin/chromium';

/** Debian's Chromium, without a window, as its own process that ends with this one. */
export function openBrowser(): Promise<Browser> {
  accessSync(program, constants.X_OK);
  return puppeteer.launch({
    executablePath: program,
    // Root may not use Chromium's sandbox, and a container's /dev/shm is small. The pages are our own.
    args: [
      '--no-sandbox',
      '--disable-dev-shm-usage',
      '--disable-gpu',
      '--font-render-hinting=none',
      '--lang=en',
    ],
    // A profile that nothing is read from; no look for updates or anything else in the network.
    env: { ...process.env, DBUS_SESSION_BUS_ADDRESS: 'disabled:' },
    protocolTimeout: 180_000,
  });
}
