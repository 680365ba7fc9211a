import { Activity } from './activity.js';
import type { Logger } from '../logger.js';

/** Shows what is being worked on, each thing from its `begin` to its `end`. */
export interface ProgressView {
  /** @param name of the claim; empty where the command works on one thing */
  begin(name: string): Activity;
  /** Ends the view. */
  close(): void;
}

/** How often a long step gives a sign of life. */
const signOfLifeMs = 30_000;
const redrawMs = 250;
/** What is over sooner is not shown. */
const shortMs = 2000;

/** A line in the log each 30 s for each step that takes longer: for logs that nobody watches on a terminal. */
export function logView(log: Logger): ProgressView {
  const current = new Set<Activity>();
  const timer = setInterval(() => {
    for (const activity of current) {
      if (activity.text === '' || activity.seconds < signOfLifeMs / 1000) continue;
      const volume = activity.name === '' ? {} : { volume: activity.name };
      log.info(`still ${activity.text}`, { ...volume, ...activity.fields() });
    }
  }, signOfLifeMs);
  return view(current, () => {
    clearInterval(timer);
  });
}

/**
 * One line a thing that is worked on, redrawn in place; `otherwise` says what the program does while there is none.
 * `draw` replaces what it drew before.
 */
export function liveView(draw: (text: string) => void, otherwise: string): ProgressView {
  const current = new Set<Activity>();
  const whole = new Activity('', () => undefined);
  whole.step(otherwise);
  const begun = performance.now();
  let drawn = '';
  const timer = setInterval(() => {
    const shown = [...current].filter(({ text }) => text !== '');
    const lines = (shown.length === 0 ? [whole] : shown).map((activity) => `  ${activity.line()}`);
    const text = performance.now() - begun < shortMs ? '' : lines.join('\n');
    if (text !== drawn) draw(text);
    drawn = text;
  }, redrawMs);
  return view(current, () => {
    clearInterval(timer);
    if (drawn !== '') draw('');
    drawn = '';
  });
}

function view(current: Set<Activity>, close: () => void): ProgressView {
  return {
    begin: (name) => {
      const activity = new Activity(name, (ended) => current.delete(ended));
      current.add(activity);
      return activity;
    },
    close,
  };
}
