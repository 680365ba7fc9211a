/** The oldest release of Node.js that the packages of this program work with, and the one that its image has. */
const oldest = 20;
const recommended = 24;

export interface NodeProblem {
  code: 'NODE_TOO_OLD';
  message: string;
  guidance: string;
}

/**
 * What is wrong with the Node.js of this version, or null. This file is read by old ones, too: it imports nothing, and
 * has no syntax that they do not know.
 */
export function nodeProblem(version: string): NodeProblem | null {
  if (Number(version.split('.')[0]) >= oldest) return null;
  return {
    code: 'NODE_TOO_OLD',
    message: `cephbackup needs Node.js ${oldest} or newer (${recommended} is recommended), and this is ${version}`,
    guidance: nodeGuidance,
  };
}

export const nodeGuidance =
  'Debian 13 and later have one (`apt-get install nodejs`); elsewhere take it from https://nodejs.org or use the image.';
