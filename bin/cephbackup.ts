#!/usr/bin/env node
import { nodeProblem } from '../lib/errors/node-version.js';

/** What an older Node.js cannot even read comes behind this, as an import of its own, and without waiting for it here. */
const problem = nodeProblem(process.versions.node);
if (problem === null) void import('./program.js');
else {
  process.exitCode = 2;
  console.error(`${problem.message}. ${problem.guidance}`);
  if (/^(-o=?|--output=)?json$/m.test(process.argv.slice(2).join('\n')))
    console.log(JSON.stringify({ error: problem }));
}
