/** The program that runs this one: Node.js. */
export const ownProgram = process.execPath;
/** The process that this program is. */
export const ownPid = process.pid;
