import { TestEnvironment } from 'jest-environment-node';

/** @typedef {{ name: string, mode?: string, errors: unknown[], timeout?: number, duration: number }} Test */

/** Such a machine takes up to so much longer than what the limits of tests are made for. */
const patience = 5;

/** jest's environment for Node, for tests of a program in a virtual machine; says how far they are. */
export default class SlowMachine extends TestEnvironment {
  /** @param {{ name: string, test?: Test, hook?: { timeout?: number } }} event of jest-circus */
  handleTestEvent({ name, test, hook }) {
    if (name === 'test_start' && test?.timeout !== undefined) test.timeout *= patience;
    if (name === 'hook_start' && hook?.timeout !== undefined) hook.timeout *= patience;
    if (name === 'test_done' && test !== undefined && test.mode !== 'skip') {
      const outcome = test.errors.length === 0 ? 'ok' : 'NOT ok';
      process.stderr.write(`${outcome}: ${test.name} (${Math.round(test.duration / 1000)} s)\n`);
    }
  }
}
